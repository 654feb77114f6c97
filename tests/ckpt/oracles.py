"""What torch makes of a checkpoint, in all the ways in which it reads one."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import torch

from tests.formats.crafting import Saved, calculated_offsets


def loads(path: Path, *, weights_only: bool = True) -> Iterator[Saved]:
    """Yield what torch loads: plain, with weights_only, mapped, and with calculated offsets."""
    for calculated in (False, True):
        with calculated_offsets() if calculated else contextlib.nullcontext():
            yield torch.load(path, weights_only=False)
            yield torch.load(path, mmap=True, weights_only=False)
            if weights_only:
                yield torch.load(path)
                yield torch.load(path, mmap=True)


def bits(tensor: torch.Tensor) -> list[int]:
    """Return a tensor's elements as integers, so that they can be compared bit for bit."""
    kind = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64, 16: torch.complex128}[tensor.element_size()]
    found: list[int] = tensor.detach().contiguous().view(kind).flatten().tolist()
    return found
