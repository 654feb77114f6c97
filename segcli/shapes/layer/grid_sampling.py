"""``F.grid_sample``: reads a tensor where a grid says. PyTorch 2.13's rules."""

from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Step
from segcli.shapes.kinds import SCALARS
from segcli.shapes.layer.kernels import bind_inner, bind_known, item_of, kept_step, made_like, no_kernel
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.layer.windows import bracketed
from segcli.shapes.request import Given
from segcli.shapes.symbols import equal
from segcli.shapes.values import FLOATING, Item, RaisedError, Shape, Tensor

_FUNCTION = "input, grid, mode='bilinear', padding_mode='zeros', align_corners=None"
_INNER = "Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners"
_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")
_OUTSIDE = {
    "zeros": "zeros outside",
    "border": "outside, the nearest position of the border",
    "reflection": "reflected at the border",
}
_COORDINATES = ("x", "y", "z")
_NAMES = ("depth", "height", "width")
_IMAGE, _VOLUME = 4, 5


def grid_sample(call: Call) -> Computed:
    """Read a tensor at the places that a grid names.

    Args:
        call: The call.

    Raises:
        RaisedError: As PyTorch raises.
    """
    bound = bind_known(call, "grid_sample", _FUNCTION)
    mode, padding = _check_modes(call, bound)
    asked = item_of(bound, "align_corners", None, call.span)
    align = Item(value=False, text="False", span=asked.span) if asked.value is None else asked
    numbers = [Item(0, "0", call.span)] * 2
    inner = bind_inner(call, "grid_sampler", _INNER, [bound["input"].item, bound["grid"].item, *numbers, align])
    source, grid = inner["input"].item, inner["grid"].item
    x, g = as_tensor(source), as_tensor(grid)
    needs = _check_sizes(source, grid, mode)
    _check_dtypes(source, grid)
    shape = (*x.shape[:2], *g.shape[1:-1])
    notes = (
        ()
        if asked.value is not None
        else ("without align_corners it is False, with a warning: -1 and 1 are the outer edges of the corner pixels",)
    )
    corners = "the middles" if align.value else "the outer edges"
    why = (
        f"{mode}: the last axis of {grid.text} holds where to read, {', '.join(_COORDINATES[: len(shape) - 2])} in "
        f"this order (x walks the last axis of {source.text}); -1 and 1 are {corners} of the first and last position; "
        f"{_OUTSIDE[padding]}"
    )
    result = made_like(call, Tensor((), x.dtype, ""), shape)
    return Computed(result, (source, grid), _steps(call, source, grid), why=why, needs=tuple(needs), notes=notes)


def _check_modes(call: Call, bound: dict[str, Given]) -> tuple[str, str]:
    mode = item_of(bound, "mode", "bilinear", call.span)
    padding = item_of(bound, "padding_mode", "zeros", call.span)
    if mode.value not in _MODES:
        shown = mode.value if isinstance(mode.value, str) else mode.text
        words = (
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{shown}'"
        )
        raise RaisedError(mode.span, "ValueError", words)
    if padding.value not in _PADDINGS:
        shown = padding.value if isinstance(padding.value, str) else padding.text
        words = (
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"'{shown}'"
        )
        raise RaisedError(padding.span, "ValueError", words)
    return str(mode.value), str(padding.value)


def _check_sizes(source: Item, grid: Item, mode: str) -> list[str]:
    """Check in PyTorch's order that a grid fits; say what must hold of unknown sizes."""
    x, g = as_tensor(source).shape, as_tensor(grid).shape
    needs: list[str] = []
    for item, shape in ((source, x), (grid, g)):
        if not shape:
            raise RaisedError(item.span, "IndexError", "Dimension specified as 0 but tensor has no dimensions")
    shown = f"got input with sizes {bracketed(x)} and grid with sizes {bracketed(g)}"
    if not _match(x[0], g[0], needs):
        words = f"grid_sampler(): expected grid and input to have same batch size, but {shown}"
        raise RaisedError(grid.span, "RuntimeError", words, 0)
    spatial = len(x) - 2
    if not _match(g[-1], spatial, needs):
        words = (
            f"grid_sampler(): expected grid to have size {spatial} in last dimension, but got grid with sizes "
            f"{bracketed(g)}"
        )
        raise RaisedError(grid.span, "RuntimeError", words, len(g) - 1)
    if 0 in x[2:]:
        axis = x.index(0, 2)
        words = (
            "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes "
            f"{bracketed(x)} with dimension {axis} being empty"
        )
        raise RaisedError(source.span, "RuntimeError", words, axis)
    if len(x) not in (_IMAGE, _VOLUME) or len(x) != len(g):
        expected = _IMAGE if len(x) == _IMAGE else _VOLUME
        words = f"grid_sampler(): expected {expected}D input and grid with same number of dimensions, but {shown}"
        raise RaisedError(grid.span if len(x) == expected else source.span, "RuntimeError", words)
    if len(x) == _VOLUME and mode == "bicubic":
        words = "grid_sampler(): bicubic interpolation only supports 4D input"
        raise RaisedError(source.span, "RuntimeError", words)
    return needs


def _match(size: int | str, other: int | str, needs: list[str]) -> bool:
    if isinstance(size, int) and isinstance(other, int):
        return size == other
    if size != other:
        needs.append(equal(size, other))
    return True


def _check_dtypes(source: Item, grid: Item) -> None:
    x, g = as_tensor(source), as_tensor(grid)
    kernel = "grid_sampler_2d_cpu_kernel_impl" if len(x.shape) == _IMAGE else "grid_sampler3d_cpu"
    is_empty = 0 in (*x.shape[:2], *g.shape[1:-1])
    # Without an element to compute, pictures are not looked at, and of volumes the grid is not.
    if is_empty and len(x.shape) == _IMAGE:
        return
    if x.dtype not in FLOATING:
        raise no_kernel(kernel, x.dtype, source.span)
    if x.dtype != g.dtype and not is_empty:
        words = f"expected scalar type {SCALARS[x.dtype]} but found {SCALARS[g.dtype]}"
        raise RaisedError(grid.span, "RuntimeError", words)


def _steps(call: Call, source: Item, grid: Item) -> tuple[Step, ...]:
    shape: Shape = as_tensor(source).shape
    axes = range(2, len(shape))
    last = len(shape) - 1
    gone = [
        Step(call.stage, "", (0, 0), name, (axis,), (), f"read at {coordinate} of {grid.text}")
        for name, axis, coordinate in zip(_NAMES[-len(axes) :], axes, _COORDINATES[len(axes) - 1 :: -1], strict=True)
    ]
    walked = tuple(axis - 1 for axis in axes)
    return (
        *kept_step(call, "batch and channels", (0, 1), "kept: each channel is read by itself"),
        *gone,
        Step(call.stage, grid.text, grid.span, "batch", (0,), (0,), "each picture has its own grid", 1),
        Step(call.stage, grid.text, grid.span, "places", walked, tuple(axes), "one value a place of the grid", 1),
        Step(call.stage, grid.text, grid.span, "coordinates", (last,), (), f"{last - 1} numbers a place", 1),
    )
