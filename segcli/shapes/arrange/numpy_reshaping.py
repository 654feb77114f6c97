"""NumPy's operations that give an array another shape with as many elements (NumPy 2.4)."""

from collections.abc import Sequence

from segcli.shapes.answering import ITEM_BYTES
from segcli.shapes.arrange.recasting import recasted
from segcli.shapes.arrange.regrouping import reshaped, unless_ones
from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed
from segcli.shapes.dims import array_of, bind_numpy
from segcli.shapes.fitting import Fit, fit
from segcli.shapes.integers import listed, numpy_int, size_of
from segcli.shapes.strides import is_row_major, row_major, strides_of
from segcli.shapes.symbols import assume, indivisible, product, quotient, some, unequal
from segcli.shapes.values import (
    DType,
    Item,
    Listed,
    RaisedError,
    Shape,
    Size,
    Span,
    Tensor,
    format_sizes,
    type_name,
)

_COPIES = "copied: flatten() of NumPy always copies, ravel() only where it must"
# A dtype and a class.
_MOST_OF_VIEW = 2


def reshape(call: Call) -> Computed:
    """Reshape as ``x.reshape`` and ``np.reshape`` do."""
    if call.space == "torch":
        item, source, bound = bind_numpy(call, "reshape", "a, shape")
        return _reshaped(call, item, source, bound["shape"].item)
    item, source, arguments = array_of(call)
    keyword = next((each for keyword, each in arguments if keyword), None)
    if keyword is not None:
        name = next(keyword for keyword, _ in arguments if keyword)
        raise RaisedError(keyword.span, "TypeError", f"'{name}' is an invalid keyword argument for this function")
    if not arguments:
        raise RaisedError(call.span, "TypeError", "reshape() takes exactly 1 argument (0 given)")
    items = [each for _, each in arguments]
    if len(items) == 1:
        return _reshaped(call, item, source, items[0])
    span = (items[0].span[0], items[-1].span[1])
    return _reshaped(call, item, source, Item(Listed(tuple(items), is_tuple=True), call.text, span))


def _reshaped(call: Call, item: Item, source: Tensor, given: Item) -> Computed:
    if given.value is None:
        return reshaped(call, item, source, source.shape, Fit(strides_of(source)))
    if isinstance(given.value, float | bool):
        words = f"expected a sequence of integers or a single integer, got '{given.value}'"
        raise RaisedError(given.span, "TypeError", words)
    sizes = [_size(each) for each in listed(given)]
    shape, needs = _inferred(sizes, source.shape, given.span)
    how = Fit(None) if is_row_major(source) is None else fit(source, shape)
    return reshaped(call, item, source, shape, how, needs)


def _size(item: Item) -> Size:
    size = size_of(item.value)
    return size if isinstance(size, str) else numpy_int(item, bools=False)


def _inferred(sizes: Sequence[Size], source: Shape, span: Span) -> tuple[Shape, tuple[str, ...]]:
    """Put in what a negative size stands for."""
    unknown = [place for place, size in enumerate(sizes) if isinstance(size, int) and size < 0]
    if len(unknown) > 1:
        raise RaisedError(span, "ValueError", "can only specify one unknown dimension")
    count = product(source)
    known = product([size for place, size in enumerate(sizes) if place not in unknown])
    words = f"cannot reshape array of size {count} into shape {_shown(sizes)}"
    invalid = RaisedError(span, "ValueError", words)
    if not unknown:
        need = "" if known == count else unequal(count, known)
        if known != count and not need:
            raise invalid
        assume((need,))
        return tuple(sizes), ((need,) if need else ())
    if known == 0 or (isinstance(known, int) and isinstance(count, int) and count % known):
        raise invalid
    need = indivisible(count, known)
    assume((need,))
    left = quotient(count, known)
    needs = (*((need,) if need else ()), *some([known]))
    made = tuple(left if place in unknown else size for place, size in enumerate(sizes))
    return made, needs


def _shown(sizes: Sequence[Size]) -> str:
    """Write a shape as this message of NumPy does: an unknown size in front is left out."""
    if not any(isinstance(size, int) and size < 0 for size in sizes):
        return format_sizes(tuple(sizes)).replace(" ", "")
    words = ["newaxis" if isinstance(size, int) and size < 0 else str(size) for size in sizes]
    return f"({','.join(words[words[0] == 'newaxis' :])})"


def view(call: Call) -> Computed:
    """Look at an array as ``x.view`` of NumPy does, which takes a dtype and no shape."""
    item, source, arguments = array_of(call)
    for keyword, each in arguments:
        if keyword not in ("", "dtype"):
            raise RaisedError(each.span, "TypeError", f"view() got an unexpected keyword argument '{keyword}'")
    if not arguments:
        return reshaped(call, item, source, source.shape, Fit(strides_of(source)))
    several = [each for keyword, each in arguments if not keyword]
    if len(several) > _MOST_OF_VIEW:
        words = f"view() takes from 0 to {_MOST_OF_VIEW} positional arguments but {len(several)} were given"
        raise RaisedError(several[_MOST_OF_VIEW].span, "TypeError", words)
    if len(arguments) > 1:
        words = "Type must be a sub-type of ndarray type"
        raise RaisedError(arguments[1][1].span, "ValueError", words)
    given = arguments[0][1]
    if not isinstance(given.value, DType):
        first = listed(given)[0] if listed(given) else given
        shown = first.value if isinstance(first.value, int | float) else type_name(first.value)
        raise RaisedError(given.span, "TypeError", f"Cannot interpret '{shown}' as a data type")
    _check_bytes(source, given.value.name, given.span)
    return recasted(call, item, source, given.value.name, ())


def _check_bytes(source: Tensor, dtype: str, span: Span) -> None:
    before, after = ITEM_BYTES[source.dtype], ITEM_BYTES[dtype]
    if before == after:
        return
    if not source.shape:
        words = "Changing the dtype of a 0d array is only supported if the itemsize is unchanged"
        raise RaisedError(span, "ValueError", words)
    last = len(source.shape) - 1
    size, stride = source.shape[last], strides_of(source)[last]
    if stride != 1 and size != 1 and product(source.shape) != 0:
        words = "To change to a dtype of a different size, the last axis must be contiguous"
        raise RaisedError(span, "ValueError", words, last)
    if after > before and isinstance(size, int) and size * before % after:
        words = (
            "When changing to a larger dtype, its size must be a divisor of the total size in bytes of the last axis "
            "of the array."
        )
        raise RaisedError(span, "ValueError", words, last)


def flatten(call: Call) -> Computed:
    """Copy an array into one axis, as ``x.flatten`` of NumPy does."""
    if call.space == "torch":
        words = "module 'numpy' has no attribute 'flatten'"
        raise RaisedError(call.span, "AttributeError", words)
    item, source, _ = _ordered(call)
    return _flat(call, item, source, _COPIES)


def ravel(call: Call) -> Computed:
    """Look at an array as one axis, or copy it, as ``ravel`` of NumPy does."""
    if call.space == "torch":
        item, source, _ = bind_numpy(call, "ravel", "a, order='C'")
    else:
        item, source, _ = _ordered(call)
    return _flat(call, item, source, "" if is_row_major(source) else "copied: it does not lie row after row in storage")


def _ordered(call: Call) -> tuple[Item, Tensor, None]:
    """Read the one argument that ``flatten`` and ``ravel`` have as methods: the order."""
    item, source, arguments = array_of(call)
    for keyword, each in arguments:
        if keyword not in ("", "order"):
            words = f"{call.name}() got an unexpected keyword argument '{keyword}'"
            raise RaisedError(each.span, "TypeError", words)
    if len(arguments) > 1:
        words = f"{call.name}() takes from 0 to 1 positional arguments but {len(arguments)} were given"
        raise RaisedError(call.span, "TypeError", words)
    if arguments and arguments[0][1].value not in ("C", None):
        order = arguments[0][1]
        raise RaisedError(order.span, "TypeError", f"order must be str, not {type_name(order.value)}")
    return item, source, None


def _flat(call: Call, item: Item, source: Tensor, copies: str) -> Computed:
    shape = (product(source.shape),)
    done = reshaped(call, item, source, shape, Fit(row_major(shape)), copies=copies)
    return done if copies == _COPIES else unless_ones(source, done)


def contiguous(call: Call) -> Computed:
    """Copy an array row after row where it does not lie so, as ``np.ascontiguousarray`` does: never 0-d."""
    item, source, _ = array_of(call)
    copies = "" if is_row_major(source) else "copied row after row, as its strides are not those of its shape"
    shape = source.shape or (1,)
    return unless_ones(source, reshaped(call, item, source, shape, Fit(strides_of(source) or (1,)), copies=copies))
