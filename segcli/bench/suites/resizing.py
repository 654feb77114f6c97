"""Resizing: logits up to the labels' size, and maps down to half of theirs."""

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from segcli.bench.kernel import Call, Case, Cost, Kernel, Make, Suite, Tensors
from segcli.bench.suites.resizing_taps import Rule, resized

if TYPE_CHECKING:
    import torch

_UP = 8
"""Logits have an eighth of the image's sides, as in BiSeNet."""
_DOWN = 2


@dataclass(frozen=True)
class Way:
    """One way to resize.

    Attributes:
        mode: That of ``torch.nn.functional.interpolate``.
        align_corners: As there; None where the mode has no such choice.
        antialias: As there.
        taps: Values an axis that make one, going up.
        down_taps: The same going down by 2.
    """

    mode: str
    align_corners: bool | None = None
    antialias: bool = False
    taps: int = 1
    down_taps: int = 1

    @property
    def rule(self) -> Rule:
        """The definition that the reference follows."""
        return Rule(self.mode, align_corners=bool(self.align_corners), antialias=self.antialias)


_WAYS = {
    "nearest": Way("nearest"),
    "nearest-exact": Way("nearest-exact"),
    "bilinear": Way("bilinear", align_corners=False, taps=2, down_taps=2),
    "bilinear-corners": Way("bilinear", align_corners=True, taps=2, down_taps=2),
    "bicubic": Way("bicubic", align_corners=False, taps=4, down_taps=4),
    "area": Way("area", down_taps=2),
    "bilinear-antialias": Way("bilinear", align_corners=False, antialias=True, taps=2, down_taps=4),
    "bicubic-antialias": Way("bicubic", align_corners=False, antialias=True, taps=4, down_taps=8),
}
_ONLY_DOWN = ("bilinear-antialias", "bicubic-antialias")
"""Going up there is nothing to be filtered."""
_BY_DEFAULT = ("up-nearest", "up-bilinear", "up-bicubic", "down-bilinear", "down-area", "down-bilinear-antialias")


def small_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size of logits for labels of this one.

    Examples:
        >>> small_size((256, 500))
        (32, 63)
    """
    high, wide = size
    return -(-high // _UP), -(-wide // _UP)


def half_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return the size that maps of this one are taken down to.

    Examples:
        >>> half_size((1, 7))
        (1, 3)
    """
    high, wide = size
    return max(1, high // _DOWN), max(1, wide // _DOWN)


def _make(way: Way, name: str, *, up: bool) -> Make:
    def make(tensors: Tensors) -> Call:
        from torch.nn import functional

        x, size = tensors[name], _target(tensors["full"], up=up)
        return lambda: functional.interpolate(
            x, size, mode=way.mode, align_corners=way.align_corners, antialias=way.antialias
        )

    return make


def _reference(way: Way, name: str, *, up: bool) -> Make:
    def make(tensors: Tensors) -> Call:
        size = _target(tensors["full"], up=up)
        return lambda: resized(tensors[name], size, way.rule)

    return make


def _target(full: "torch.Tensor", *, up: bool) -> tuple[int, int]:
    high, wide = full.shape[2:]
    return (high, wide) if up else half_size((high, wide))


def _sizes(case: Case, *, up: bool) -> tuple[tuple[int, int], tuple[int, int]]:
    return (small_size(case.size), case.size) if up else (case.size, half_size(case.size))


def _flops(case: Case, way: Way, *, up: bool) -> int:
    """Weigh the taps of a row, then those sums; where a filter spans more, row by row and then column by column.

    One of k taps takes k products and k - 1 sums; a mean takes k - 1 sums and a division.
    """
    (high, _), (out_high, out_wide) = _sizes(case, up=up)
    maps, taps = case.batch * case.channels, way.taps if up else way.down_taps
    outputs = maps * out_high * out_wide
    if taps == 1:
        return 0
    if way.mode == "area":
        return outputs * taps**2
    if way.antialias:
        return maps * high * out_wide * (2 * taps - 1) + outputs * (2 * taps - 1)
    return outputs * (2 * taps - 1) * (taps + 1)


def _kernel(name: str, *, up: bool) -> Kernel:
    way = _WAYS[name]
    tensor = "small" if up else "full"
    direction = "up" if up else "down"

    def forward(case: Case) -> Cost:
        """Read what is needed of the input, write the output."""
        source, target = _sizes(case, up=up)
        picked = way.mode.startswith("nearest") and not up
        read = prod(target if picked else source)
        items = case.batch * case.channels * (read + prod(target))
        return Cost(items * case.item_bytes, _flops(case, way, up=up))

    def backward(case: Case) -> Cost:
        """Read the output's gradient, write the input's; a product and a sum a tap, as forward."""
        items = case.batch * case.channels * sum(prod(size) for size in _sizes(case, up=up))
        return Cost(items * case.item_bytes, _flops(case, way, up=up))

    return Kernel(
        f"{direction}-{name}",
        _what(way, up=up),
        _make(way, tensor, up=up),
        _reference(way, tensor, up=up),
        forward,
        backward,
        leaves=(tensor,),
        against=f"{direction}-bilinear",
        by_default=f"{direction}-{name}" in _BY_DEFAULT,
    )


def _what(way: Way, *, up: bool) -> str:
    corners = ", corners aligned" if way.align_corners else ""
    filtered = ", antialias" if way.antialias else ""
    size = f"{_UP} times the size" if up else "half the size"
    return f"{way.mode}{corners}{filtered}, {size}"


def _tensors(case: Case, generator: "torch.Generator") -> dict[str, "torch.Tensor"]:
    import torch

    return {
        "full": torch.randn(case.shape, generator=generator),
        "small": torch.randn((case.batch, case.channels, *small_size(case.size)), generator=generator),
    }


RESIZING = Suite(
    name="resize",
    baseline="up-bilinear",
    case=Case(2, 19, (256, 512)),
    tensor="full",
    data=f"maps of full size and of 1/{_UP} of its sides, normal(0, 1); up from small to full, down from full to half",
    tensors=_tensors,
    check_items=20,
    kernels=(
        *(_kernel(name, up=True) for name in _WAYS if name not in _ONLY_DOWN),
        *(_kernel(name, up=False) for name in _WAYS),
    ),
)
