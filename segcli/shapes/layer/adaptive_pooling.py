"""Pooling to a size that is asked for, as functions and as layers: PyTorch 2.13's."""

from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.indexing import Step
from segcli.shapes.kinds import SCALARS
from segcli.shapes.layer.channels_last import kernel_for
from segcli.shapes.layer.kernels import no_kernel
from segcli.shapes.layer.layers import as_tensor, is_true
from segcli.shapes.layer.pooled import pooled
from segcli.shapes.layer.windows import bracketed, read_sizes
from segcli.shapes.python_call import bind_python
from segcli.shapes.request import Given
from segcli.shapes.signatures import Signatures
from segcli.shapes.values import (
    COMPLEX,
    FLOATING,
    Item,
    Listed,
    RaisedError,
    Shape,
    Size,
    Symbol,
    Tensor,
    Value,
    type_name,
)

_SIGNATURE = Signatures((), ("Tensor input, ints output_size",))
_LAYER_WORDS = {"mean": "_AdaptiveAvgPoolNd.__init__", "max": "_AdaptiveMaxPoolNd.__init__"}


def adaptive(call: Call, what: str) -> Computed:
    """Pool to a size that is asked for.

    Args:
        call: The call.
        what: ``mean`` or ``max``.

    Raises:
        RaisedError: As PyTorch raises.
    """
    bound, indices = _bind(call, what)
    name = "adaptive_avg_pool2d" if what == "mean" else "adaptive_max_pool2d"
    source, asked = bound["input"].item, bound["output_size"].item
    x = source.value
    if not isinstance(x, Tensor):
        words = f"'{type_name(x)}' object has no attribute 'size'"
        raise RaisedError(source.span, "AttributeError", words)
    filled = _filled(asked, x)
    inner = Call(name, "functional", (("", source), ("", filled)), call.span, call.text, "", call.stage)
    sizes = read_sizes(name, "output_size", bind_call(inner, _SIGNATURE)["output_size"], 2)
    check = _check_mean if what == "mean" else _check_max
    check(name, source, asked, sizes)
    steps = _steps(call, what, x, asked, sizes)
    return pooled(call, source, sizes, steps, formula=_formula(x.shape, what, sizes), needs=(), indices=indices)


def _bind(call: Call, what: str) -> tuple[dict[str, Given], bool]:
    """Return the arguments, and whether indices are asked for."""
    if call.layer is not None:
        takes = "self, output_size" if what == "mean" else "self, output_size, return_indices=False"
        bound = bind_python(call.layer, _LAYER_WORDS[what], takes)
        bound |= bind_python(call, f"{call.name}.forward", "self, input")
        return bound, "return_indices" in bound and is_true(bound["return_indices"].item)
    if what == "mean":
        return bind_python(call, "adaptive_avg_pool2d", "input, output_size"), False
    positional = [item for keyword, item in call.arguments if not keyword]
    flag = dict(call.arguments).get("return_indices") or (positional[2] if len(positional) > 2 else None)  # noqa: PLR2004 - its place
    indices = flag is not None and is_true(flag)
    function = "adaptive_max_pool2d_with_indices" if indices else "_adaptive_max_pool2d"
    return bind_python(call, function, "input, output_size, return_indices=False"), indices


def _filled(asked: Item, x: Tensor) -> Item:
    """Put the input's sizes in for None, as PyTorch's Python does."""
    value = asked.value
    if isinstance(value, int | Symbol):
        return asked
    if not isinstance(value, Listed | str):
        words = f"object of type '{type_name(value)}' has no len()"
        raise RaisedError(asked.span, "TypeError", words)
    items = value.items if isinstance(value, Listed) else tuple(Item(each, asked.text, asked.span) for each in value)
    if len(x.shape) <= len(items):
        words = f"Input dimension should be at least {len(items) + 1}"
        raise RaisedError(asked.span, "ValueError", words)
    defaults = x.shape[len(x.shape) - len(items) :]
    chosen = [
        Item(_as_value(size), item.text, item.span) if item.value is None else item
        for item, size in zip(items, defaults, strict=True)
    ]
    return Item(Listed(tuple(chosen)), asked.text, asked.span)


def _as_value(size: Size) -> Value:
    return Symbol(size) if isinstance(size, str) else size


def _check_mean(name: str, source: Item, asked: Item, sizes: Shape) -> None:
    x = as_tensor(source)
    ndim = len(x.shape)
    if len(sizes) != 2:  # noqa: PLR2004 - height and width
        raise RaisedError(asked.span, "RuntimeError", f"{name}: output_size must be 2")
    if any(isinstance(size, int) and size < 0 for size in sizes):
        listed = ", ".join(map(str, sizes))
        words = f"{name}: elements of output_size must be greater than or equal to 0 but received {{{listed}}}"
        raise RaisedError(asked.span, "RuntimeError", words)
    if sizes == (1, 1):
        _check_plain_mean(source)
        return
    if ndim not in (3, 4):
        words = f"{name}(): Expected 3D or 4D tensor, but got {bracketed(x.shape)}"
        raise RaisedError(source.span, "RuntimeError", words)
    _check_empty(name, source, range(ndim - 2, ndim))
    if x.dtype not in FLOATING and 0 not in (*x.shape[:-2], *sizes):
        raise no_kernel(kernel_for(name, x), x.dtype, source.span)


def _check_plain_mean(source: Item) -> None:
    """A size of 1 x 1 is a mean over the last two axes, however many there are."""
    x = as_tensor(source)
    ndim = len(x.shape)
    if x.dtype not in (*FLOATING, *COMPLEX):
        words = (
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            f"Got: {SCALARS[x.dtype]}"
        )
        raise RaisedError(source.span, "RuntimeError", words)
    if ndim < 2:  # noqa: PLR2004 - height and width
        words = "Dimension out of range (expected to be in range of [-1, 0], but got -2)"
        raise RaisedError(source.span, "IndexError", words)


def _check_max(name: str, source: Item, asked: Item, sizes: Shape) -> None:
    x = as_tensor(source)
    ndim = len(x.shape)
    if ndim not in (3, 4):
        words = f"{name}(): Expected 3D or 4D tensor, but got: {bracketed(x.shape)}"
        raise RaisedError(source.span, "RuntimeError", words)
    _check_empty(name, source, range(1, ndim))
    if len(sizes) != 2:  # noqa: PLR2004 - height and width
        words = f"{name}(): internal error: output_size.size() must be 2"
        raise RaisedError(asked.span, "RuntimeError", words)
    negative = next((size for size in sizes if isinstance(size, int) and size < 0), None)
    if negative is not None:
        shape = bracketed((*x.shape[:-2], *sizes))
        words = f"Trying to create tensor with negative dimension {negative}: {shape}"
        raise RaisedError(asked.span, "RuntimeError", words)
    if x.dtype not in FLOATING:
        raise no_kernel(kernel_for(name, x), x.dtype, source.span)


def _check_empty(name: str, source: Item, axes: range) -> None:
    shape = as_tensor(source).shape
    for axis in axes:
        if shape[axis] == 0:
            words = (
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes "
                f"{bracketed(shape)} with dimension {axis} being empty"
            )
            raise RaisedError(source.span, "RuntimeError", words, axis)


def _steps(call: Call, what: str, x: Tensor, asked: Item, sizes: Shape) -> list[Step]:
    items = asked.value.items if isinstance(asked.value, Listed) else (asked, asked)
    first = len(x.shape) - 2
    return [
        Step(
            call.stage,
            items[axis].text,
            items[axis].span,
            ("height", "width")[axis],
            (first + axis,),
            (first + axis,),
            _effect(what, x.shape[first + axis], size),
        )
        for axis, size in enumerate(sizes)
    ]


def _effect(what: str, size: Size, wanted: Size) -> str:
    """Say which positions each of the result looks at."""
    if size == wanted:
        return "kept, as large as asked for"
    if wanted == 1:
        return f"{what} of all {size}"
    if isinstance(size, int) and isinstance(wanted, int) and wanted and size % wanted == 0:
        return f"{what} of {size // wanted}, side by side: {wanted} * {size // wanted} = {size}"
    return f"{what} from i*{size} // {wanted} up to, not with, ceil((i + 1)*{size} / {wanted})"


def _formula(shape: Shape, what: str, sizes: Shape) -> Formula | None:
    """Return which positions an element looks at, where they lie side by side."""
    first = len(shape) - 2
    at = [f"{{i{axis}}}" for axis in range(first)]
    bound: list[Size] = []
    fixed = []
    for axis, (size, wanted) in enumerate(zip(shape[first:], sizes, strict=True)):
        letter, tap = f"{{i{first + axis}}}", f"{{k{len(bound)}}}"
        if size == wanted:
            at.append(letter)
            continue
        if wanted == 1:
            fixed.append(first + axis)
            at.append(tap)
            bound.append(size)
        elif isinstance(size, int) and isinstance(wanted, int) and wanted and size % wanted == 0:
            at.append(f"{size // wanted}*{letter} + {tap}")
            bound.append(size // wanted)
        else:
            return None
    letters = ", ".join(f"{{k{number}}}" for number in range(len(bound)))
    body = f"{what} over {letters} of {{0}}" if bound else "{0}"
    return Formula(body, (Read(0, tuple(at)),), tuple(bound), tuple(fixed))
