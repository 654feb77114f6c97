"""A tally in a file of its own, written whole or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.errors import SegcliError
from segcli.files import replacing

if TYPE_CHECKING:
    from torch import Tensor

_PLACES = "#places"
_SHAPES = "sparse shapes"


def save_state(path: Path, tally: Mapping[str, "Tensor"], facts: Mapping[str, str]) -> None:
    """Write a tally and facts about it to ``path`` at once, over what was there; sparse where that is smaller.

    Raises:
        SegcliError: Where it cannot be written.
    """
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for name, tensor in tally.items():
        flat = tensor.reshape(-1)
        # A place and a value take 16 bytes, a zero 8.
        if 2 * int(flat.count_nonzero()) >= flat.numel():
            tensors[name] = tensor.contiguous()
            continue
        shapes[name] = tuple(tensor.shape)
        tensors[name + _PLACES] = flat.nonzero().reshape(-1)
        tensors[name] = flat[tensors[name + _PLACES]]
    content = save(tensors, {**facts, _SHAPES: json.dumps(shapes)})
    with replacing(path, force=True) as file:
        file.write(content)


def state_facts(path: Path) -> dict[str, str] | None:
    """Return the facts that `save_state` wrote, or None where there is no such file, or it is damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            facts = file.metadata()
    except (OSError, SafetensorError):
        return None
    return dict(facts) if facts and _SHAPES in facts else None


def load_state(path: Path) -> dict[str, "Tensor"]:
    """Return the tally that `save_state` wrote, dense.

    Raises:
        SegcliError: Where there is no such file, or it is damaged.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            shapes = json.loads(file.metadata()[_SHAPES])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        for name, shape in shapes.items():
            values, places = tensors[name], tensors.pop(name + _PLACES)
            tensors[name] = torch.zeros(shape, dtype=values.dtype)
            tensors[name].view(-1)[places] = values
    except (OSError, SafetensorError, TypeError, KeyError, ValueError, RuntimeError, IndexError) as error:
        message = f"{path} cannot be read: {error}"
        hint = "ranks on several machines must write to a folder that all of them share; or start over with --force"
        raise SegcliError(message, hint) from error
    return tensors
