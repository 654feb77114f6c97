"""The functions of C++ behind ``F.interpolate``: what they take and refuse in PyTorch 2.13."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil

from segcli.shapes.integers import read_size
from segcli.shapes.layer.area_kernel import check_area
from segcli.shapes.layer.interpolation_scales import scaled
from segcli.shapes.layer.kernels import no_kernel
from segcli.shapes.layer.windows import bracketed, need_at_least
from segcli.shapes.records import record
from segcli.shapes.strides import is_row_major, strides_of
from segcli.shapes.symbols import at_least
from segcli.shapes.values import (
    FLOATING,
    INTEGER,
    Item,
    Listed,
    RaisedError,
    Shape,
    Size,
    Span,
    Symbol,
    Tensor,
    Value,
    type_name,
)

_NEEDS = {"linear": 3, "bilinear": 4, "trilinear": 5}
_SPATIAL = {
    "nearest": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
    "area": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "bicubic": (2,),
    "lanczos": (2,),
    "trilinear": (3,),
}
_LETTERS = "DHW"
_INT64 = 2**63
# The modes that have a function of their own for pictures whose channels lie side by side; it takes results of up to so
# many rows and columns together, and others of more than so many channels.
_BY_CHANNELS = ("nearest", "bilinear", "trilinear")
_SMALL, _FEW = 128, 3


@record(frozen=True, slots=True)
class Kernel:
    """A function of C++: its name, the mode that it is for, and how many axes it walks."""

    name: str
    mode: str
    axes: int
    antialias: bool


def find_kernel(mode: Item, ndim: int, *, antialias: bool) -> Kernel:
    """Return the function for a mode and a number of axes.

    Raises:
        RaisedError: The NotImplementedError where there is none.
    """
    value = mode.value
    axes = ndim - 2
    if isinstance(value, str) and axes in _SPATIAL.get(value, ()):
        prefix = {"nearest-exact": "_upsample_nearest_exact", "area": "adaptive_avg_pool"}.get(
            value, f"upsample_{value}"
        )
        name = f"_{prefix}{axes}d_aa" if antialias else f"{prefix}{axes}d"
        return Kernel(name, value, axes, antialias)
    if isinstance(value, str) and value in _NEEDS and ndim in _NEEDS.values():
        words = f"Got {ndim}D input, but {value} mode needs {_NEEDS[value]}D input"
        raise RaisedError(mode.span, "NotImplementedError", words)
    words = (
        f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {ndim}D) for the modes: nearest | linear | "
        "bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got "
        f"{value if isinstance(value, str) else mode.text})"
    )
    raise RaisedError(mode.span, "NotImplementedError", words)


@record(frozen=True, slots=True)
class Output:
    """What stands for the sizes of the result: sizes, or scale factors of the source's."""

    sizes: tuple[Item, ...] | None
    scales: tuple[Item, ...] | None


def read_output(
    kernel: Kernel, asked: Item, sizes: tuple[Item, ...] | None, scales: tuple[Item, ...] | None, align: Item
) -> Output:
    """Check the types of what the function is given, as PyTorch's parser does.

    Args:
        kernel: The function.
        asked: The argument that says how large.
        sizes: The sizes asked for; None where the scale factors are handed on.
        scales: The scale factors.
        align: ``align_corners``.

    Raises:
        RaisedError: The TypeError.
    """
    smooth = kernel.mode in ("linear", "bilinear", "bicubic", "lanczos", "trilinear")
    fits = not smooth or align.value is None or isinstance(align.value, bool)
    items = sizes if sizes is not None else scales or ()
    name, takes = ("output_size", "ints") if sizes is not None else ("scale_factors", "floats")
    passes = _passes_for_int if sizes is not None else _passes_for_float
    if kernel.mode == "area":
        _check_area(kernel, items)
    elif not fits or not passes(items[0].value):
        raise RaisedError(
            align.span if not fits else asked.span, "TypeError", _combination(kernel, asked, sizes, align)
        )
    for place, item in enumerate(items[1:], 2):
        if isinstance(item.value, Listed | str) or item.value is None:
            words = (
                f"{kernel.name}(): argument '{name}' must be tuple of {takes}, but found element of type "
                f"{type_name(item.value)} at pos {place}"
            )
            raise RaisedError(item.span, "TypeError", words)
    if sizes is None:
        return Output(None, scales)
    for place, item in enumerate(items, 1):
        if isinstance(item.value, int) and abs(item.value) >= _INT64:
            words = (
                f"{kernel.name}(): argument 'output_size' failed to unpack the object at pos {place} with error "
                '"Overflow when unpacking long long'
            )
            raise RaisedError(item.span, "TypeError", words)
    return Output(sizes, None)


def _passes_for_int(value: Value) -> bool:
    if isinstance(value, Tensor):
        return value.dtype in INTEGER and all(size == 1 for size in value.shape)
    return isinstance(value, int | Symbol) and not isinstance(value, bool)


def _passes_for_float(value: Value) -> bool:
    return isinstance(value, int | float | Symbol)


def _check_area(kernel: Kernel, items: Sequence[Item]) -> None:
    for item in items[:1]:
        if not _passes_for_int(item.value):
            words = (
                f"{kernel.name}(): argument 'output_size' (position 2) must be tuple of ints, but found element of "
                f"type {type_name(item.value)} at pos 0"
            )
            raise RaisedError(item.span, "TypeError", words)


def _combination(kernel: Kernel, asked: Item, sizes: tuple[Item, ...] | None, align: Item) -> str:
    kind = asked.value.kind if isinstance(asked.value, Listed) else "list"
    smooth = [] if kernel.mode.startswith("nearest") else ["bool" if align.value is None else type_name(align.value)]
    types = ["Tensor", kind, *smooth, "NoneType"] if sizes is not None else ["Tensor", "NoneType", *smooth, kind]
    got = ", ".join(types)
    return f"{kernel.name}() received an invalid combination of arguments - got ({got}), but expected one of:"


def check_kernel(kernel: Kernel, source: Item, x: Tensor, output: Output, asked: Item) -> tuple[Shape, tuple[str, ...]]:
    """Check what the function makes of a tensor.

    Args:
        kernel: The function.
        source: The tensor as written.
        x: The tensor.
        output: What stands for the result's sizes.
        asked: The argument that says how large.

    Returns:
        The result's spatial sizes, and what must hold of sizes that are not known.

    Raises:
        RaisedError: The RuntimeError for sizes, the NotImplementedError for dtypes.
    """
    spatial = _sizes(x.shape[2:], output)
    if kernel.mode == "area":
        check_area(source, x, spatial, asked.span)
        return spatial, tuple(need for size in spatial for need in need_at_least(size, 0))
    bad = next((axis for axis, pair in enumerate(zip(x.shape[2:], spatial, strict=True)) if _is_none(*pair)), None)
    if bad is not None:
        between = " and output" if kernel.axes == 1 else " output"
        words = (
            f"Input and output sizes should be greater than 0, but got input {_named(x.shape[2:])}{between} "
            f"{_named(spatial)}"
        )
        span = source.span if x.shape[2 + bad] == 0 else asked.span
        raise RaisedError(span, "RuntimeError", words, 2 + bad)
    if x.shape[1] == 0:
        words = f"Non-empty {len(x.shape)}D data tensor expected but got a tensor with sizes {bracketed(x.shape)}"
        raise RaisedError(source.span, "RuntimeError", words, 1)
    # Where no size changes, antialiasing copies.
    if not (kernel.antialias and spatial == x.shape[2:]):
        _check_dtype(kernel, x, spatial, source.span)
    return spatial, (*_shrinking(x.shape[2:], output), *(need for size in spatial for need in need_at_least(size, 1)))


def _sizes(shape: Shape, output: Output) -> Shape:
    if output.sizes is not None:
        return tuple(read_size(item) for item in output.sizes)
    made = []
    for size, scale in zip(shape, output.scales or (), strict=True):
        value = scale.value
        found = scaled(size, value if isinstance(value, int | float | Symbol) else _of_tensor(scale))
        if isinstance(found, float):
            if not abs(found) < _INT64:
                words = "value cannot be converted to type int64_t without overflow"
                raise RaisedError(scale.span, "RuntimeError", words)
            found = int(found)
        made.append(found)
    return tuple(made)


def _shrinking(shape: Shape, output: Output) -> list[str]:
    """Say how large an unknown size must be for a factor below 1 to leave something."""
    pairs = zip(shape, output.scales or (), strict=False)
    return [
        at_least(size, ceil(1 / Fraction(scale.value)))
        for size, scale in pairs
        if isinstance(size, str) and isinstance(scale.value, int | float) and scale.value < 1
    ]


def _of_tensor(item: Item) -> int | Symbol:
    size = read_size(item)
    return Symbol(size) if isinstance(size, str) else size


def _is_none(size: Size, made: Size) -> bool:
    return any(each.startswith("-") if isinstance(each, str) else each <= 0 for each in (size, made))


def _named(shape: Shape) -> str:
    letters = _LETTERS[-len(shape) :]
    return f"({', '.join(f'{letter}: {size}' for letter, size in zip(letters, shape, strict=True))})"


def _check_dtype(kernel: Kernel, x: Tensor, spatial: Shape, span: Span) -> None:
    takes: tuple[str, ...] = FLOATING
    if kernel.antialias:
        takes = ("float32", "float64", "uint8")
    elif kernel.mode in ("nearest", "nearest-exact", "bilinear", "bicubic"):
        takes = (*FLOATING, "uint8")
    if x.dtype in takes:
        return
    mode = kernel.mode.removesuffix("-exact")
    words = {"bicubic": "cubic", "bilinear": "linear", "trilinear": "linear"}
    name = f"compute_indices_weights_{words.get(mode, mode)}"
    if kernel.antialias:
        name = "compute_index_ranges_weights"
    elif mode in _BY_CHANNELS and _goes_by_channels(kernel.axes, x, spatial):
        name = f"upsample_{mode}{kernel.axes}d_channels_last"
    raise no_kernel(name, x.dtype, span)


def _goes_by_channels(axes: int, x: Tensor, spatial: Shape) -> bool:
    """Tell which of two functions PyTorch takes: one for small results and for channels that lie side by side."""
    small = axes == 2 and all(isinstance(size, int) for size in spatial) and sum(map(int, spatial)) <= _SMALL  # noqa: PLR2004 - of a picture
    order = (0, *range(2, len(x.shape)), 1)
    strides = strides_of(x)
    turned = replace(x, shape=tuple(x.shape[axis] for axis in order), strides=tuple(strides[axis] for axis in order))
    channels = x.shape[1]
    return small or (axes > 1 and bool(is_row_major(turned)) and isinstance(channels, int) and channels > _FEW)
