from dataclasses import replace

import pytest
import torch

from segcli.bench.kernel import Mode
from segcli.bench.suites.copies import COPIES
from tests.bench.test_suites import compared, tensors_of

KERNELS = {kernel.name: kernel for kernel in COPIES.kernels}


def test_channels_last_goes_the_other_way_from_channels_last() -> None:
    tensors = tensors_of(COPIES)
    to_last = KERNELS["channels-last"].make(tensors)()
    assert to_last.is_contiguous(memory_format=torch.channels_last)
    assert KERNELS["channels-last"].make({"x": to_last})().is_contiguous()


@pytest.mark.parametrize(
    ("dtype", "other"),
    [("float32", torch.bfloat16), ("bfloat16", torch.float32), ("float16", torch.float32), ("float64", torch.float32)],
)
def test_a_cast_is_to_another_dtype(dtype: str, other: torch.dtype) -> None:
    assert KERNELS["cast"].make(tensors_of(COPIES, dtype))().dtype is other


def test_only_what_crosses_the_bus_is_not_bounded_by_memory() -> None:
    unbounded = [kernel.name for kernel in COPIES.kernels if not kernel.bounded]
    assert unbounded == [kernel.name for kernel in COPIES.kernels if kernel.devices == ("cuda",)]
    assert len(unbounded) == 4


@pytest.mark.parametrize("name", [kernel.name for kernel in COPIES.kernels if not kernel.bounded])
def test_what_crosses_the_bus_arrives_whole(name: str) -> None:
    # On the CPU there is no bus, and memory is not pinned; the copy is the same.
    tensors = tensors_of(COPIES)
    assert compared(KERNELS[name], Mode.FORWARD, tensors).reason == ""
    half = replace(KERNELS[name], make=lambda _: KERNELS[name].make({"x": tensors["x"] / 2}))
    assert "a relative error of 0.5" in compared(half, Mode.FORWARD, tensors).reason
