"""Layers that convolve: what ``nn.Conv2d`` and its relatives make of their arguments, in PyTorch 2.13's order."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from segcli.shapes.calls import Call
from segcli.shapes.layer.affine import add, times
from segcli.shapes.layer.convolving import Convolution, read_convolution
from segcli.shapes.layer.layers import as_tensor, is_true, make_parameter, weight_dtype
from segcli.shapes.python_call import bind_python, n_tuple, value_of
from segcli.shapes.records import record
from segcli.shapes.request import Given
from segcli.shapes.symbols import quotient
from segcli.shapes.values import Item, Listed, RaisedError, Size, Span, Symbol, Tensor, Value, format_sizes, type_name

_PLAIN = (
    "self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, "
    "padding_mode='zeros', device=None, dtype=None"
)
_TRANSPOSED = (
    "self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True, "
    "dilation=1, padding_mode='zeros', device=None, dtype=None"
)
_DEFAULTS: dict[str, Value] = {
    "stride": 1,
    "padding": 0,
    "output_padding": 0,
    "dilation": 1,
    "groups": 1,
    "padding_mode": "zeros",
}
_MODES = ("zeros", "reflect", "replicate", "circular")


@record(frozen=True, slots=True)
class Layered:
    """A layer that is applied.

    Attributes:
        conv: The convolution as a reader sees it.
        checked: What PyTorch's function is called with: where the layer pads by itself, the padded input.
        mode: What is put around an axis.
        needs: What must hold of sizes that are not known.
    """

    conv: Convolution
    checked: Convolution
    mode: str
    needs: tuple[str, ...] = ()


def read_layer(call: Call, axes: int) -> Layered:
    """Read a layer that is applied.

    Args:
        call: The call of the layer.
        axes: How many axes its window walks.

    Raises:
        RaisedError: As its constructor, or the call, raises.
    """
    made = call.layer or call
    transposed = made.name.startswith("ConvTranspose")
    bound = bind_python(made, f"{made.name}.__init__", _TRANSPOSED if transposed else _PLAIN)
    items = {name: bound[name].item for name in bound}
    items |= {name: _item(value, made.span) for name, value in _DEFAULTS.items() if name not in bound}
    wide = ("kernel_size", "stride", "padding", "dilation", *(["output_padding"] if transposed else []))
    sizes = {
        name: (items[name],) if _is_text(name, items[name], transposed=transposed) else n_tuple(items[name], axes)
        for name in wide
    }
    if transposed and items["padding_mode"].value != "zeros":
        words = f'Only "zeros" padding mode is supported for {made.name}'
        raise RaisedError(items["padding_mode"].span, "ValueError", words)
    weight, bias = _parameters(bound, items, sizes, made, transposed=transposed)
    forward = "self, input, output_size=None" if transposed else "self, input"
    given = bind_python(call, f"{made.name}.forward", forward)
    source = given["input"].item
    tuples = {name: _item(Listed(found, is_tuple=True), items[name].span) for name, found in sizes.items()}
    if transposed and value_of(given, "output_size") is not None:
        tuples["output_padding"] = _output_padding(given, sizes, made, axes)
    if _is_text("padding", items["padding"], transposed=transposed):
        tuples["padding"] = items["padding"]
    name = f"conv_transpose{axes}d" if transposed else f"conv{axes}d"
    order = ("stride", "padding", "output_padding", "groups", "dilation")
    tuples["groups"] = items["groups"]
    rest = order if transposed else ("stride", "padding", "dilation", "groups")
    parts = [source, weight, bias, *(tuples[each] for each in rest)]
    mode = str(items["padding_mode"].value)
    tokens = (items["out_channels"], *(sizes["kernel_size"] * axes)[:axes])
    return _applied(replace(call, name=name, space="functional"), parts, mode, tokens, axes)


def _applied(call: Call, parts: Sequence[Item], mode: str, tokens: tuple[Item, ...], axes: int) -> Layered:
    """Call the function that the layer calls."""

    def read(items: Sequence[Item]) -> Convolution:
        whole = replace(call, arguments=tuple(("", item) for item in items))
        return replace(read_convolution(whole, axes), call=call, tokens=tokens, is_layer=True)

    if mode == "zeros":
        conv = read(parts)
        return Layered(conv, conv, mode)
    zero = _item(Listed((_item(0, call.span),) * axes, is_tuple=True), call.span)
    source, needs = _padded(call, parts, mode)
    padded = read([source, *parts[1:4], zero, *parts[5:]])
    return Layered(replace(padded, input=parts[0], padding=_walked(parts[4].value, axes)), padded, mode, tuple(needs))


def _walked(padding: Value, axes: int) -> tuple[Size, ...] | str:
    """Return what is put around each axis that the window walks.

    Where there are not as many numbers as axes, they are the last axes': the layer pads from the last one on.
    """
    if not isinstance(padding, Listed):
        return str(padding)
    given: tuple[Size, ...] = tuple(_size(item.value) for item in padding.items)
    return ((0,) * axes + given)[-axes:]


def _padded(call: Call, parts: Sequence[Item], mode: str) -> tuple[Item, list[str]]:
    """Return the input with what the layer puts around it."""
    # Few layers pad by themselves.
    from segcli.shapes.layer.layer_padding import pad_around

    source, weight, padding, dilation = parts[0], parts[1], parts[4], parts[5]
    around = _around(padding, as_tensor(weight).shape[2:], dilation)
    amounts = _item(Listed(tuple(_item(amount, padding.span) for amount in around), is_tuple=True), padding.span)
    return pad_around(call, source, amounts, mode)


def _around(padding: Item, kernel: Sequence[Size], dilation: Item) -> list[Value]:
    """Return how much is put around, the last axis first, before and behind."""
    if isinstance(padding.value, Listed):
        return [item.value for item in reversed(padding.value.items) for _ in range(2)]
    around: list[Value] = [0, 0] * len(kernel)
    gaps = dilation.value.items if isinstance(dilation.value, Listed) and padding.value == "same" else ()
    for place, (size, gap) in enumerate(zip(kernel, gaps, strict=False)):
        reach = times(_size(gap.value), add((1, size), (-1, 1)).size)
        before = quotient(reach, 2)
        end = 2 * (len(kernel) - place)
        around[end - 2 : end] = [_value(before), _value(add((1, reach), (-1, before)).size)]
    return around


def _size(value: Value) -> Size:
    return value.size if isinstance(value, Symbol) else int(value) if isinstance(value, int) else 0


def _value(size: Size) -> Value:
    return Symbol(size) if isinstance(size, str) else size


def _item(value: Value, span: Span) -> Item:
    return Item(value, "", span)


def _is_text(name: str, item: Item, *, transposed: bool) -> bool:
    return name == "padding" and isinstance(item.value, str) and not transposed


def _parameters(
    bound: dict[str, Given], items: dict[str, Item], sizes: dict[str, tuple[Item, ...]], made: Call, *, transposed: bool
) -> tuple[Item, Item]:
    """Return weight and bias; the latter is None where there is none."""
    groups = items["groups"]
    if not isinstance(groups.value, int | float | Symbol):
        words = f"'<=' not supported between instances of '{type_name(groups.value)}' and 'int'"
        raise RaisedError(groups.span, "TypeError", words)
    if not isinstance(groups.value, Symbol) and groups.value <= 0:
        raise RaisedError(groups.span, "ValueError", "groups must be a positive integer")
    for name in ("in_channels", "out_channels"):
        _check_divisible(name, items[name], groups)
    _check_padding(items, sizes)
    into, out = ("out_channels", "in_channels") if transposed else ("in_channels", "out_channels")
    filters = [items[out], Item(_divided(items[into], groups), items[into].text, items[into].span)]
    dtype = weight_dtype(bound)
    weight = make_parameter("weight", [*filters, *sizes["kernel_size"]], dtype, made.span)
    if "bias" in bound and not is_true(bound["bias"].item):
        return weight, _item(None, made.span)
    return weight, make_parameter("bias", [items["out_channels"]], dtype, made.span)


def _check_divisible(name: str, item: Item, groups: Item) -> None:
    value, number = item.value, groups.value
    if isinstance(value, Symbol) or isinstance(number, Symbol):
        return
    if not isinstance(value, int | float) or not isinstance(number, int | float):
        words = f"unsupported operand type(s) for %: '{type_name(value)}' and '{type_name(number)}'"
        if isinstance(value, str):
            words = "not all arguments converted during string formatting"
        raise RaisedError(item.span, "TypeError", words)
    if value % number:
        span = item.span if number == 1 else groups.span
        raise RaisedError(span, "ValueError", f"{name} must be divisible by groups")


def _divided(item: Item, groups: Item) -> Value:
    value, number = item.value, groups.value
    if isinstance(value, int | float) and isinstance(number, int | float):
        return value if isinstance(value, bool) and number is True else value // number
    return _value(quotient(_size(value), _size(number)))


def _check_padding(items: dict[str, Item], sizes: dict[str, tuple[Item, ...]]) -> None:
    padding, mode = items["padding"], items["padding_mode"]
    if isinstance(padding.value, str) and sizes["padding"] == (padding,):
        if padding.value not in ("same", "valid"):
            words = f"Invalid padding string {padding.value!r}, should be one of {{'same', 'valid'}}"
            raise RaisedError(padding.span, "ValueError", words)
        if padding.value == "same" and any(item.value != 1 for item in sizes["stride"]):
            words = "padding='same' is not supported for strided convolutions"
            raise RaisedError(items["stride"].span, "ValueError", words)
    if isinstance(mode.value, Listed) and not mode.value.is_tuple:
        raise RaisedError(mode.span, "TypeError", "unhashable type: 'list'")
    if mode.value not in _MODES:
        listed = "{'zeros', 'reflect', 'replicate', 'circular'}"
        words = f"padding_mode must be one of {listed}, but got padding_mode='{mode.text.strip(chr(39) + chr(34))}'"
        raise RaisedError(mode.span, "ValueError", words)


def _output_padding(given: dict[str, Given], sizes: dict[str, tuple[Item, ...]], made: Call, axes: int) -> Item:
    """Return how much more must be put behind each axis, so that a size results that was asked for."""
    asked = given["output_size"].item
    source = given["input"].value
    if not isinstance(source, Tensor):
        words = f"'{type_name(source)}' object has no attribute 'dim'"
        raise RaisedError(given["input"].item.span, "AttributeError", words)
    ndim = len(source.shape)
    lead = 2 if ndim == axes + 2 else 1
    if not isinstance(asked.value, Listed):
        raise RaisedError(asked.span, "TypeError", f"object of type '{type_name(asked.value)}' has no len()")
    wanted = asked.value.items
    if len(wanted) == lead + axes:
        wanted = wanted[lead:]
    if len(wanted) != axes:
        words = (
            f"ConvTranspose{axes}D: for {ndim}D input, output_size must have {axes} or {lead + axes} elements "
            f"(got {len(wanted)})"
        )
        raise RaisedError(asked.span, "ValueError", words)
    least = [_least(source, sizes, lead, axis, made) for axis in range(axes)]
    most = [_sum(low, sizes["stride"][axis].value, -1) for axis, low in enumerate(least)]
    for item, low, high in zip(wanted, least, most, strict=True):
        known = isinstance(item.value, int | float) and not isinstance(low, str) and not isinstance(high, str)
        if known and not cast("float", low) <= cast("float", item.value) <= cast("float", high):
            raise RaisedError(asked.span, "ValueError", _range_words(asked.value, wanted, least, most, source))
    more = [_sum(item.value, low, 0, sign=-1) for item, low in zip(wanted, least, strict=True)]
    items = tuple(_item(Symbol(value) if isinstance(value, str) else value, asked.span) for value in more)
    return _item(Listed(items), asked.span)


_Number = Size | float


def _sum(value: Value, other: Value, number: int, *, sign: int = 1) -> _Number:
    """Add up as Python does, where a float stays one."""
    if isinstance(value, float) or isinstance(other, float):
        return float(cast("float", value)) + sign * float(cast("float", other)) + number
    return add((1, _as_size(value)), (sign, _as_size(other)), (1, number)).size


def _as_size(value: Value) -> Size:
    return value if isinstance(value, str) else _size(value)


def _least(source: Tensor, sizes: dict[str, tuple[Item, ...]], lead: int, axis: int, made: Call) -> _Number:
    """Return the smallest size that an axis of the result can have."""
    if axis + lead >= len(source.shape):
        ndim = len(source.shape)
        ends = f"[{-max(ndim, 1)}, {max(ndim, 1) - 1}]"
        words = f"Dimension out of range (expected to be in range of {ends}, but got {axis + lead})"
        raise RaisedError(made.span, "IndexError", words, axis + lead)
    # In the order in which Python computes.
    names = ("stride", "padding", "dilation", "kernel_size")
    for name in names:
        if axis >= len(sizes[name]):
            raise RaisedError(made.span, "IndexError", "tuple index out of range")
        if not isinstance(value := sizes[name][axis].value, int | float | Symbol):
            words = f"unsupported operand type(s) for *: 'int' and '{type_name(value)}'"
            raise RaisedError(sizes[name][axis].span, "TypeError", words)
    size = source.shape[axis + lead]
    values = [sizes[name][axis].value for name in names]
    if isinstance(size, int) and any(isinstance(value, float) for value in values):
        stride, padding, dilation, kernel = (cast("float", value) for value in values)
        return (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1
    step, pad, gap, width = (_size(value) for value in values)
    reach = times(gap, add((1, width), (-1, 1)).size)
    return add((1, times(step, add((1, size), (-1, 1)).size)), (-2, pad), (1, reach), (1, 1)).size


def _range_words(
    asked: Listed, wanted: tuple[Item, ...], least: Sequence[_Number], most: Sequence[_Number], source: Tensor
) -> str:
    values = tuple(item.value if isinstance(item.value, int) else item.text for item in wanted)
    opening, closing = ("(", ")") if asked.is_tuple else ("[", "]")
    shown = format_sizes(values, opening=opening, closing=closing)
    if asked.is_size:
        shown = f"torch.Size({format_sizes(values, opening='[', closing=']')})"
    rest = format_sizes(source.shape[2:], opening="[", closing="]")
    return (
        f"requested an output size of {shown}, but valid sizes range from [{', '.join(map(str, least))}] "
        f"to [{', '.join(map(str, most))}] (for an input of torch.Size({rest}))"
    )
