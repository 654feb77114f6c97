"""``F.fold``: columns laid down as windows of a picture, where they add up. PyTorch 2.13's rules."""

from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Step
from segcli.shapes.layer.kernels import bind_inner, bind_known, item_of, kept_step, no_kernel
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.layer.unfolding import DEFAULTS, check_numbers
from segcli.shapes.layer.windows import Window, bracketed, read_sizes
from segcli.shapes.python_call import n_tuple
from segcli.shapes.symbols import equal, indivisible, product, quotient
from segcli.shapes.values import INTEGER, Item, Listed, RaisedError, Shape, Size, check_elements

_FUNCTION = "input, output_size, kernel_size, dilation=1, padding=0, stride=1"
_NAMES = ("output_size", "kernel_size", "dilation", "padding", "stride")
_INNER = f"Tensor input, {', '.join(f'ints {name}' for name in _NAMES)}"
_BATCHED = 3
# In which PyTorch looks at the values: another one than for ``unfold``.
_ORDER = ("kernel_size", "stride", "dilation", "padding")
_ADVICE = "np.add.at of the windows' positions adds columns up"


def fold(call: Call) -> Computed:
    """Put columns down as windows.

    Args:
        call: The call.

    Raises:
        RaisedError: As PyTorch raises.
    """
    given = bind_known(call, "fold", _FUNCTION)
    items = {name: item_of(given, name, DEFAULTS.get(name), call.span) for name in _NAMES}
    pairs = [Item(Listed(n_tuple(item, 2), is_tuple=True), item.text, item.span) for item in items.values()]
    bound = bind_inner(call, "col2im", _INNER, [given["input"].item, *pairs])
    source = bound["input"].item
    # C++ evaluates arguments from the last to the first.
    sizes = {name: read_sizes("col2im", name, bound[name], 2) for name in reversed(_NAMES)}
    check_numbers(items, sizes, order=_ORDER)
    shape = as_tensor(source).shape
    needs = _check_shape(source, items, sizes)
    if as_tensor(source).dtype in INTEGER:
        raise no_kernel(kernel="col2im_out_cpu", dtype=as_tensor(source).dtype, span=source.span)
    area = product(sizes["kernel_size"])
    made = (*shape[:-2], quotient(shape[-2], area), *sizes["output_size"])
    check_elements(made, call.text)
    result = call.make(made, as_tensor(source).dtype)
    why = "where windows overlap, their values are added up: unfold(fold(x)) is x times how many windows hold it"
    return Computed(result, (source,), _steps(call, items, shape, sizes, made), why=why, needs=tuple(needs))


def _check_shape(source: Item, items: dict[str, Item], sizes: dict[str, Shape]) -> list[str]:
    shape = as_tensor(source).shape
    if len(shape) not in (2, _BATCHED) or 0 in shape[-2:]:
        words = (
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for "
            f"input, but got: {bracketed(shape)}"
        )
        raise RaisedError(source.span, "RuntimeError", words)
    pair = {name: f"({size[0]}, {size[1]})" for name, size in sizes.items()}
    rows, columns = shape[-2:]
    area = product(sizes["kernel_size"])
    first = len(shape) - 2
    needs: list[str] = []
    if not isinstance(rows, int) or not isinstance(area, int):
        needs += filter(None, [indivisible(rows, area)])
    elif rows % area:
        words = (
            f"Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
            f"input.size(1)={rows} and kernel_size={pair['kernel_size']}."
        )
        raise RaisedError(source.span, "RuntimeError", words, first)
    places = [window.places(size) for window, size in zip(_windows(sizes), sizes["output_size"], strict=True)]
    count = product(places)
    if count == columns and all(isinstance(place, str) or place > 0 for place in places):
        return needs
    asked = ", ".join(f"{name}={pair[name]}" for name in _NAMES)
    if count == columns:
        words = (
            f"Given {asked}, calculated shape of the array of sliding blocks as ({places[0]}, {places[1]}), which is "
        )
        raise RaisedError(items["output_size"].span, "RuntimeError", f"{words}too small (non-positive)", first + 1)
    if isinstance(count, str) or isinstance(columns, str):
        return [*needs, equal(columns, count)]
    words = (
        f"Given {asked}, expected size of input's dimension 2 to match the calculated number of "
        f"sliding blocks {places[0]} * {places[1]} = {count}, but got input.size(2)={columns}."
    )
    raise RaisedError(items["output_size"].span, "RuntimeError", words, first + 1)


def _windows(sizes: dict[str, Shape]) -> list[Window]:
    names = ("kernel_size", "stride", "padding", "dilation")
    return [Window(*each) for each in zip(*(sizes[name] for name in names), strict=True)]


def _steps(call: Call, items: dict[str, Item], shape: Shape, sizes: dict[str, Shape], made: Shape) -> tuple[Step, ...]:
    first = len(shape) - 2
    height, width = sizes["kernel_size"]
    inside = f"{shape[-2]} rows / ({height} * {width}) = {made[first]}, the channels"
    size, kernel = items["output_size"], items["kernel_size"]
    asked: tuple[Size, ...] = sizes["output_size"]
    return (
        *kept_step(call, "batch", range(first), "kept"),
        Step(call.stage, kernel.text, kernel.span, "windows", (first,), (first,), inside),
        Step(
            call.stage,
            size.text,
            size.span,
            "picture",
            (first + 1,),
            (first + 1, first + 2),
            f"{shape[-1]} windows in a picture of {asked[0]} x {asked[1]}",
        ),
    )


OPERATIONS = {"fold": Operation(fold, None, _ADVICE)}
