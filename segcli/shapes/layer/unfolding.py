"""``F.unfold``: every window of a picture as a column. PyTorch 2.13's rules."""

from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.indexing import Step
from segcli.shapes.layer.kernels import bind_inner, bind_known, item_of, kept_step, no_kernel
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.layer.windows import Window, arithmetic, bracketed, need_at_least, read_sizes
from segcli.shapes.python_call import n_tuple
from segcli.shapes.symbols import product
from segcli.shapes.values import INTEGER, Item, Listed, RaisedError, Shape, Size, check_elements

_FUNCTION = "input, kernel_size, dilation=1, padding=0, stride=1"
_INNER = "Tensor input, ints kernel_size, ints dilation, ints padding, ints stride"
DEFAULTS = {"dilation": 1, "padding": 0, "stride": 1}
# What PyTorch calls a number, and how large it must be.
_CHECKED = {"kernel_size": ("kernel", 1), "dilation": ("dilation", 1), "padding": ("pad", 0), "stride": ("stride", 1)}
_BATCHED = 4


def unfold(call: Call) -> Computed:
    """Lay out windows as columns.

    Args:
        call: The call.

    Raises:
        RaisedError: As PyTorch raises.
    """
    given = bind_known(call, "unfold", _FUNCTION)
    items = {"kernel_size": given["kernel_size"].item}
    items |= {name: item_of(given, name, default, call.span) for name, default in DEFAULTS.items()}
    pairs = [
        Item(Listed(n_tuple(items[name], 2), is_tuple=True), items[name].text, items[name].span)
        for name in ("kernel_size", "dilation", "padding", "stride")
    ]
    bound = bind_inner(call, "im2col", _INNER, [given["input"].item, *pairs])
    source = bound["input"].item
    # C++ evaluates arguments from the last to the first.
    sizes = {
        name: read_sizes("im2col", name, bound[name], 2) for name in ("stride", "padding", "dilation", "kernel_size")
    }
    check_numbers(items, sizes)
    _check_shape(source)
    shape = as_tensor(source).shape
    windows = tuple(
        Window(kernel, stride, padding, dilation)
        for kernel, stride, padding, dilation in zip(
            sizes["kernel_size"], sizes["stride"], sizes["padding"], sizes["dilation"], strict=True
        )
    )
    places = tuple(window.places(size) for window, size in zip(windows, shape[-2:], strict=True))
    _check_places(items["kernel_size"], shape, sizes, places)
    if as_tensor(source).dtype in INTEGER:
        raise no_kernel(kernel="im2col_out_cpu", dtype=as_tensor(source).dtype, span=source.span)
    made = (*shape[:-3], product([shape[-3], *sizes["kernel_size"]]), product(places))
    check_elements(made, call.text)
    return Computed(
        call.make(made, as_tensor(source).dtype),
        (source,),
        _steps(call, items, shape, windows, places),
        formula=_formula(shape, windows, places),
        why=_why(windows, places),
        needs=tuple(need for size in places for need in need_at_least(size, 1)),
    )


def check_numbers(items: dict[str, Item], sizes: dict[str, Shape], *, order: tuple[str, ...] = tuple(_CHECKED)) -> None:
    """Refuse numbers that are no pairs, or too small; ``fold``, the way back, takes the same.

    Args:
        items: The numbers as they are given.
        sizes: The numbers.
        order: In which order PyTorch looks at the values.

    Raises:
        RaisedError: PyTorch's RuntimeError.
    """
    for name, item in items.items():
        if len(sizes[name]) != 2:  # noqa: PLR2004 - height and width
            words = f"It is expected {name} equals to 2, but got size {len(sizes[name])}"
            raise RaisedError(item.span, "RuntimeError", words)
    for name in order:
        (short, least), (height, width) = _CHECKED[name], sizes[name]
        if any(isinstance(size, int) and size < least for size in (height, width)):
            what = "kernel size" if name == "kernel_size" else name
            bound = "non-negative" if not least else "greater than zero"
            words = f"{what} should be {bound}, but got {short}_height: {height} {short}_width: {width}"
            raise RaisedError(items[name].span, "RuntimeError", words)


def _check_shape(source: Item) -> None:
    shape = as_tensor(source).shape
    for dim in (1, 2):
        if not shape:
            raise RaisedError(source.span, "IndexError", f"Dimension specified as {dim} but tensor has no dimensions")
        if dim >= len(shape):
            words = (
                f"Dimension out of range (expected to be in range of [{-len(shape)}, {len(shape) - 1}], but got {dim})"
            )
            raise RaisedError(source.span, "IndexError", words)
        if shape[dim] == 0:
            break
    if len(shape) not in (3, _BATCHED) or 0 in shape[-3:]:
        words = (
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, "
            f"but got: {bracketed(shape)}"
        )
        axis = shape.index(0, len(shape) - 3) if len(shape) in (3, _BATCHED) else None
        raise RaisedError(source.span, "RuntimeError", words, axis)


def _check_places(kernel: Item, shape: Shape, sizes: dict[str, Shape], places: Shape) -> None:
    if all(isinstance(size, str) or size >= 1 for size in places):
        return
    pair = {name: f"({size[0]}, {size[1]})" for name, size in (*sizes.items(), ("places", places))}
    words = (
        f"Given input with spatial size ({shape[-2]}, {shape[-1]}), kernel_size={pair['kernel_size']}, "
        f"dilation={pair['dilation']}, padding={pair['padding']}, calculated shape of the array of sliding blocks as "
        f"{pair['places']}, but its components must be at least one."
    )
    first = len(shape) - 2
    axis = first if isinstance(places[0], int) and places[0] < 1 else first + 1
    raise RaisedError(kernel.span, "RuntimeError", words, axis)


def _steps(
    call: Call, items: dict[str, Item], shape: Shape, windows: tuple[Window, ...], places: Shape
) -> tuple[Step, ...]:
    first, kernel = len(shape) - 3, items["kernel_size"]
    height, width = (window.kernel for window in windows)
    rows = product([shape[first], height, width])
    inside = f"{shape[first]} * {height} * {width} = {rows} rows: each channel's window, row by row"
    steps = [
        *kept_step(call, "batch", range(first), "kept"),
        Step(call.stage, kernel.text, kernel.span, "windows", (first,), (first,), inside),
    ]
    last = f"; L = {places[0]} * {places[1]} = {product(places)}"
    for axis, (name, window, count) in enumerate(zip(("height", "width"), windows, places, strict=True), first + 1):
        effect = arithmetic(shape[axis], window, count) + last * (name == "width")
        steps.append(Step(call.stage, "", (0, 0), name, (axis,), (first + 1,), effect))
    return tuple(steps)


def _formula(shape: Shape, windows: tuple[Window, ...], places: Shape) -> Formula | None:
    """Return how an element is written: where nothing is padded."""
    if any(window.padding != 0 or isinstance(window.kernel, str) for window in windows) or 0 in shape:
        return None
    row, column = f"{{i{len(shape) - 3}}}", f"{{i{len(shape) - 2}}}"
    height, width = (window.kernel for window in windows)
    inside = [f"{row} // {width} % {height}", f"{row} % {width}"]
    outside = [f"{column} // {_atom(places[1])}", f"{column} % {_atom(places[1])}"]
    at = [f"{{i{axis}}}" for axis in range(len(shape) - 3)]
    at.append(f"{row} // {product([height, width])}")
    for window, place, step in zip(windows, outside, inside, strict=True):
        at.append(f"{_times(window.stride, place)} + {_times(window.dilation, step)}")
    return Formula("{0}", (Read(0, tuple(at)),))


def _times(size: Size, text: str) -> str:
    return text if size == 1 else f"{_atom(size)}*({text})"


def _atom(size: Size) -> str:
    return str(size) if isinstance(size, int) or size.isidentifier() else f"({size})"


def _why(windows: tuple[Window, ...], places: Shape) -> str:
    shown = "" if all(window.padding == 0 for window in windows) else ", with zeros around the picture"
    return f"column l is the window at row l // {_atom(places[1])} and column l % {_atom(places[1])}{shown}"
