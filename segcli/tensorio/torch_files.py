"""Loads what torch.save wrote: tensors, and plain containers of them."""

import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.errors import SegcliError
from segcli.tensorio.mapping import is_shortage, map_tensor
from segcli.tensorio.picking import damaged, pick

if TYPE_CHECKING:
    import torch


def from_torch(path: Path, key: str, what: str) -> "torch.Tensor":
    """Map a tensor of a zip that torch.save wrote.

    Raises:
        SegcliError: Where the file is damaged, or holds objects that are no tensors; for a key that is unknown or
            missing.
    """
    try:
        content = _unpickled(path, mapped=True)
    except RuntimeError:
        return map_tensor(path, key, what)
    return _chosen(content, path, key, what)


def from_torch_legacy(path: Path, key: str, what: str) -> "torch.Tensor":
    """Read a tensor of what torch.save wrote before 1.6, which cannot be mapped.

    Raises:
        SegcliError: As `from_torch`.
    """
    return _chosen(_unpickled(path, mapped=False), path, key, what)


def _chosen(content: object, path: Path, key: str, what: str) -> "torch.Tensor":
    import torch

    if isinstance(content, torch.Tensor) and not key:
        return content
    try:
        named = _at(content, key) if key else None
        if isinstance(named, torch.Tensor):
            return named
        tensors = dict(_tensors_in(content, "", set()))
    except RecursionError as error:
        raise damaged(path, "its lists or dicts are nested too deeply") from error
    return tensors[pick(tensors, lambda name: str(tuple(tensors[name].shape)), key, path, what)]


def _unpickled(path: Path, *, mapped: bool) -> object:
    """Return what the file holds; a RuntimeError means that it is too large to be mapped with room for copies."""
    import pickle

    import torch

    try:
        return torch.load(str(path), map_location="cpu", weights_only=True, mmap=mapped)
    except MemoryError:
        raise
    except Exception as error:
        text = str(error)
        if isinstance(error, RuntimeError) and is_shortage(error):
            raise
        if isinstance(error, pickle.UnpicklingError) or "TorchScript" in text:
            raise _holds_objects(path, text) from error
        # Of a zip without its end torch's readers of older formats say what they like.
        if "central directory" in text or (mapped and not zipfile.is_zipfile(path)):
            raise damaged(path, "it has no zip directory at its end") from error
        # Damaged pickles raise what they like: KeyError, EOFError, RuntimeError, struct.error ...
        words = re.sub(r"^\[enforce fail at [^]]*\] \. ", "", text)
        raise damaged(path, words.partition(". ")[0] or "it ends too early") from error


def _holds_objects(path: Path, text: str) -> SegcliError:
    if "TorchScript" in text:
        return SegcliError(
            f"{path} is a TorchScript program, expected tensors", hint="save the tensors with torch.save"
        )
    found = re.search(r"GLOBAL (\S+)", text)
    if not found:
        return SegcliError(f"{path} is a pickle that torch.save did not write", hint="save it with torch.save")
    hint = "save tensors alone: torch.save(logits.detach().cpu(), 'logits.pt')"
    if found[1].startswith("numpy."):
        hint = "NumPy arrays go through torch.from_numpy(array) before torch.save, or into an .npy file"
    return SegcliError(f"{path} holds objects that are no tensors ({found[1]}), which segcli does not unpickle", hint)


def _tensors_in(content: object, prefix: str, seen: set[int]) -> Iterator[tuple[str, "torch.Tensor"]]:
    import torch

    if isinstance(content, torch.Tensor):
        yield prefix.removesuffix("."), content
        return
    # A container is walked once: it may contain itself, and 40 nested pairs of one pair are 2^40 paths.
    if id(content) in seen:
        return
    seen.add(id(content))
    for name, value in _items(content):
        yield from _tensors_in(value, f"{prefix}{name}.", seen)


def _items(content: object) -> Iterator[tuple[object, object]]:
    if isinstance(content, Mapping):
        return iter(content.items())
    return iter(enumerate(content)) if isinstance(content, list | tuple) else iter(())


def _at(content: object, key: str) -> object:
    """Return what a dotted key leads to, or None; names may hold dots themselves, as ``head.weight`` does."""
    for name, value in _items(content):
        if key == str(name):
            return value
        if key.startswith(f"{name}."):
            found = _at(value, key.removeprefix(f"{name}."))
            if found is not None:
                return found
    return None
