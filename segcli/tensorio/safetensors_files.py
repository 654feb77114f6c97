"""Loads what safetensors saved."""

from pathlib import Path
from typing import TYPE_CHECKING

from segcli.tensorio.mapping import is_shortage, map_tensor
from segcli.tensorio.picking import damaged, pick

if TYPE_CHECKING:
    import torch


def from_safetensors(path: Path, key: str, what: str) -> "torch.Tensor":
    """Map a tensor of a ``.safetensors`` file.

    Raises:
        SegcliError: Where the file is damaged; for a key that is unknown or missing.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt", device="cpu") as archive:

            def shape(name: str) -> str:
                return str(tuple(archive.get_slice(name).get_shape()))

            tensor: torch.Tensor = archive.get_tensor(pick(archive.keys(), shape, key, path, what))
            return tensor
    except SafetensorError as error:
        raise damaged(path, str(error)) from error
    except RuntimeError as error:
        if is_shortage(error):
            return map_tensor(path, key, what)
        raise
