"""Copies: within the memory of host or device, from one layout or dtype to another, and over the bus between them."""

from functools import partial
from typing import TYPE_CHECKING

from segcli.bench.kernel import ITEM_BYTES, Call, Case, Cost, Kernel, Make, Suite, Tensors
from segcli.bench.measuring.conditions import Span

if TYPE_CHECKING:
    import torch

_CAST = {"float32": "bfloat16", "float64": "float32", "bfloat16": "float32", "float16": "float32"}
"""What a dtype is cast to."""


def _copy(tensors: Tensors) -> Call:
    import torch

    x = tensors["x"]
    return partial(torch.empty_like(x).copy_, x)


def _clone(tensors: Tensors) -> Call:
    return tensors["x"].clone


def _channels_last(tensors: Tensors) -> Call:
    import torch

    x = tensors["x"]
    # Whatever layout the source has: the other one.
    there = x.is_contiguous(memory_format=torch.channels_last)
    layout = torch.contiguous_format if there else torch.channels_last
    return partial(torch.empty_like(x, memory_format=layout).copy_, x)


def _cast(tensors: Tensors) -> Call:
    import torch

    x = tensors["x"]
    other = getattr(torch, _CAST[str(x.dtype).removeprefix("torch.")])
    return partial(torch.empty_like(x, dtype=other).copy_, x)


def _to_device(*, pinned: bool) -> Make:
    def make(tensors: Tensors) -> Call:
        import torch

        x = tensors["x"]
        host = x.cpu()
        source = host.pin_memory() if pinned and x.is_cuda else host
        return partial(torch.empty_like(x).copy_, source, non_blocking=pinned)

    return make


def _to_host(*, pinned: bool) -> Make:
    def make(tensors: Tensors) -> Call:
        import torch

        x = tensors["x"]
        target = torch.empty(x.shape, dtype=x.dtype, pin_memory=pinned and x.is_cuda)
        return partial(target.copy_, x, non_blocking=pinned)

    return make


def _same(tensors: Tensors) -> Call:
    return lambda: tensors["x"]


def _back(tensors: Tensors, output: "torch.Tensor") -> "torch.Tensor":
    """Take what was copied to where it is compared."""
    return output.to(tensors["x"].device)


def _both_cost(case: Case) -> Cost:
    """Read all, write all."""
    return Cost(2 * case.numel * case.item_bytes, 0)


def _cast_cost(case: Case) -> Cost:
    """Read all in one dtype, write all in the other."""
    return Cost(case.numel * (case.item_bytes + ITEM_BYTES[_CAST[case.dtype]]), 0)


def _bus_cost(case: Case) -> Cost:
    """What crosses the bus, once."""
    return Cost(case.numel * case.item_bytes, 0)


def _over_the_bus(name: str, what: str, make: Make) -> Kernel:
    return Kernel(
        name,
        what,
        make,
        _same,
        _bus_cost,
        seen=_back,
        allocates=False,
        against=name.removesuffix("-pinned"),
        devices=("cuda",),
        bounded=False,
    )


def _tensors(case: Case, generator: "torch.Generator") -> dict[str, "torch.Tensor"]:
    import torch

    # In bfloat16's steps, so that no cast loses anything.
    return {"x": torch.randn(case.shape, generator=generator).bfloat16().float()}


COPIES = Suite(
    name="copy",
    baseline="copy",
    case=Case(8, 3, (512, 1024)),
    tensor="x",
    data="x normal(0, 1), in bfloat16's steps",
    tensors=_tensors,
    check_items=8,
    kernels=(
        Kernel("copy", "y.copy_(x), on the device itself", _copy, _same, _both_cost, allocates=False),
        Kernel("clone", "x.clone(), with its allocation", _clone, _same, _both_cost),
        Kernel("channels-last", "NCHW to NHWC in memory", _channels_last, _same, _both_cost, allocates=False),
        Kernel("cast", "float32 to bfloat16; others to float32", _cast, _same, _cast_cost, allocates=False),
        _over_the_bus("host-to-device", "from pageable memory", _to_device(pinned=False)),
        _over_the_bus("host-to-device-pinned", "from pinned memory, not waiting", _to_device(pinned=True)),
        _over_the_bus("device-to-host", "into pageable memory", _to_host(pinned=False)),
        _over_the_bus("device-to-host-pinned", "into pinned memory, not waiting", _to_host(pinned=True)),
    ),
    by_default=False,
    spans=(Span.HOST,),
)
