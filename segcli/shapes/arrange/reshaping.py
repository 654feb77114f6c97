"""Operations that give a tensor another shape with as many elements: PyTorch 2.13's.

``view`` looks at the storage as it is, and raises where no strides do that; ``reshape`` and its kin copy then.
"""

from collections.abc import Sequence
from dataclasses import replace

from segcli.shapes.arrange import numpy_reshaping
from segcli.shapes.arrange.recasting import recast
from segcli.shapes.arrange.regrouping import Group, reshaped, unless_ones
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed
from segcli.shapes.dims import bind, bind_nothing, both, tensor_in, wrap
from segcli.shapes.fitting import Fit, fit
from segcli.shapes.integers import read_int, sizes_in
from segcli.shapes.python_call import bind_python
from segcli.shapes.signatures import Signatures
from segcli.shapes.strides import is_row_major, row_major, strides_of
from segcli.shapes.symbols import assume, indivisible, product, quotient, some, unequal
from segcli.shapes.values import Item, Listed, RaisedError, Shape, Size, Span, Tensor, format_sizes

_VIEW = Signatures(("dtype dtype", "sizes size"), ())
_RESHAPE = both("sizes shape")
_FLATTEN = both("int start_dim=, int end_dim=")
_UNFLATTEN = both("int dim, sizes sizes")
_RAVEL = both("")
_OTHER = both("Tensor other")
_CONTIGUOUS = both("*, memory_format memory_format=")
_NOT_VIEWED = (
    "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
    "contiguous subspaces). Use .reshape(...) instead."
)


def infer_sizes(sizes: Sequence[Size], source: Shape, span: Span) -> tuple[Shape, tuple[str, ...]]:
    """Put in what -1 stands for, as ``infer_size`` of PyTorch does.

    Args:
        sizes: The sizes as given.
        source: The shape before.
        span: Where they stand.

    Returns:
        The shape, and what must hold of sizes that are not known.

    Raises:
        RaisedError: As PyTorch would raise.

    Examples:
        >>> infer_sizes([-1, 19], ("N", 19, "H"), (0, 0))
        (('H*N', 19), ())
    """
    count = product(source)
    shown = format_sizes(tuple(sizes), opening="[", closing="]")
    _check_signs(sizes, shown, span)
    known = product([size for size in sizes if size != -1])
    invalid = RaisedError(span, "RuntimeError", f"shape '{shown}' is invalid for input of size {count}")
    if -1 not in sizes:
        need = "" if known == count else unequal(count, known)
        if known != count and not need:
            raise invalid
        assume((need,))
        return tuple(sizes), ((need,) if need else ())
    if known == 0 and count == 0:
        words = (
            f"cannot reshape tensor of 0 elements into shape {shown} because the unspecified dimension size -1 can be "
            "any value and is ambiguous"
        )
        raise RaisedError(span, "RuntimeError", words)
    if known == 0 or (isinstance(known, int) and isinstance(count, int) and count % known):
        raise invalid
    need = indivisible(count, known)
    assume((need,))
    left = quotient(count, known)
    needs = (*((need,) if need else ()), *some([known]))
    made = tuple(left if size == -1 else size for size in sizes)
    return made, needs


def _check_signs(sizes: Sequence[Size], shown: str, span: Span) -> None:
    """Refuse a second -1, and what is less."""
    inferred = False
    for place, size in enumerate(sizes):
        words = ""
        if size == -1:
            words = "only one dimension can be inferred" if inferred else ""
            inferred = True
        elif isinstance(size, int) and size < 0:
            words = f"invalid shape dimension {size} at index {place} of shape {shown}"
        if words:
            raise RaisedError(span, "RuntimeError", words)


def _view(call: Call) -> Computed:
    item, source, bound = bind(call, _VIEW)
    if "dtype" in bound:
        return recast(call, item, source, bound["dtype"])
    given = bound["size"]
    return _viewed(call, item, source, sizes_in(call.name, "size", given), given.item.span)


def _viewed(call: Call, item: Item, source: Tensor, sizes: Sequence[Size], span: Span) -> Computed:
    shape, needs = infer_sizes(sizes, source.shape, span)
    how = fit(source, shape)
    if how.strides is None:
        raise RaisedError(span, "RuntimeError", _NOT_VIEWED)
    return replace(reshaped(call, item, source, shape, how, needs), rules=frozenset({"view-takes-dtype"}))


def _view_as(call: Call) -> Computed:
    item, source, bound = bind(call, _OTHER)
    other = bound["other"].item
    return _viewed(call, item, source, tensor_in(other).shape, other.span)


def _reshape(call: Call) -> Computed:
    item, source, bound = bind(call, _RESHAPE)
    given = bound["shape"]
    return _reshaped(call, item, source, sizes_in(call.name, "shape", given), given.item.span)


def _reshaped(call: Call, item: Item, source: Tensor, sizes: Sequence[Size], span: Span) -> Computed:
    shape, needs = infer_sizes(sizes, source.shape, span)
    return reshaped(call, item, source, shape, _fit_or_copy(source, shape), needs)


def _fit_or_copy(source: Tensor, shape: Shape) -> Fit:
    """Find out whether a reshape is a view; where its order is not known, what it works on is a copy already."""
    if is_row_major(source) is None:
        return Fit(None)
    how = fit(source, shape)
    return how if how.certain else replace(how, needs=())


def _reshape_as(call: Call) -> Computed:
    item, source, bound = bind(call, _OTHER)
    other = bound["other"].item
    return _reshaped(call, item, source, tensor_in(other).shape, other.span)


def _flatten(call: Call) -> Computed:
    item, source, bound = bind(call, _FLATTEN)
    ndim = len(source.shape)
    dims = [(read_int(bound[name].item), bound[name].item.span) if name in bound else None for name in _FLATTENED]
    first = wrap(*(dims[0][0], ndim, dims[0][1])) if dims[0] else 0
    last = wrap(*(dims[1][0], ndim, dims[1][1])) if dims[1] else max(ndim, 1) - 1
    if first > last:
        span = (dims[1] or dims[0] or (0, call.span))[1]
        raise RaisedError(span, "RuntimeError", "flatten() has invalid args: start_dim cannot come after end_dim")
    merged = product(source.shape[first : last + 1])
    shape = (*source.shape[:first], merged, *source.shape[last + 1 :])
    done = reshaped(call, item, source, shape, _fit_or_copy(source, shape))
    return replace(done, rules=frozenset({"flatten-dims"})) if any(dims) else done


_FLATTENED = ("start_dim", "end_dim")


def _ravel(call: Call) -> Computed:
    item, source, _ = bind(call, _RAVEL) if call.space == "torch" else (*bind_nothing(call), {})
    shape = (product(source.shape),)
    copies = "" if is_row_major(source) else "copied: ravel() is a view of what is contiguous alone"
    how = Fit(row_major(shape)) if copies else fit(source, shape)
    return unless_ones(source, reshaped(call, item, source, shape, how, copies=copies))


def _unflatten(call: Call) -> Computed:
    if call.space == "method":
        # It is Python, and looks at the sizes first.
        named = bind_python(replace(call, arguments=call.arguments[1:]), "Tensor.unflatten", "self, dim, sizes")
        sizes = named["sizes"].item
        value = sizes.value
        if not value or (isinstance(value, Listed) and not value.items):
            raise RaisedError(sizes.span, "RuntimeError", "unflatten: sizes must be non-empty")
        call = replace(call, arguments=(call.arguments[0], ("", named["dim"].item), ("", sizes)))
    item, source, bound = bind(call, _UNFLATTEN)
    given = bound["sizes"]
    split = sizes_in(call.name, "sizes", given)
    axis = wrap(read_int(bound["dim"].item), len(source.shape), bound["dim"].item.span)
    if not split:
        raise RaisedError(given.item.span, "RuntimeError", "unflatten: sizes must be non-empty")
    if not source.shape:
        raise RaisedError(call.span, "RuntimeError", "unflatten got an unexpected error:")
    made, needs = _split_sizes(split, source.shape, axis, given.item.span)
    shape = (*source.shape[:axis], *made, *source.shape[axis + 1 :])
    step = strides_of(source)[axis]
    inner = tuple(None if step is None else product([step, each]) for each in row_major(made))
    strides = (*strides_of(source)[:axis], *inner, *strides_of(source)[axis + 1 :])
    groups = [
        Group((place,), (place,))
        if place < axis
        else Group((place,), tuple(range(axis, axis + len(made))))
        if place == axis
        else Group((place,), (place + len(made) - 1,))
        for place in range(len(source.shape))
    ]
    return reshaped(call, item, source, shape, Fit(strides), needs, groups=groups)


def _split_sizes(split: Sequence[Size], shape: Shape, axis: int, span: Span) -> tuple[Shape, tuple[str, ...]]:
    try:
        return infer_sizes(split, (shape[axis],), span)
    except RaisedError as error:
        if "is invalid for input" not in error.message:
            raise RaisedError(span, "RuntimeError", "unflatten got an unexpected error:", axis) from error
        shown = format_sizes(tuple(split), opening="[", closing="]")
        words = (
            f"unflatten: Provided sizes {shown} don't multiply up to the size of dim {axis} ({shape[axis]}) in the "
            "input tensor"
        )
        raise RaisedError(span, "RuntimeError", words, axis) from error


def _contiguous(call: Call) -> Computed:
    item, source, _ = bind(call, _CONTIGUOUS)
    rows = is_row_major(source)
    copies = "" if rows else "copied row after row, as its strides are not those of its shape"
    done = unless_ones(source, reshaped(call, item, source, source.shape, Fit(strides_of(source)), copies=copies))
    rules = frozenset({"contiguous-0d"} if not source.shape else ())
    return replace(done, why=done.why or "contiguous already: the tensor itself", rules=rules)


_AS = "write np.reshape(x, y.shape)"
OPERATIONS: dict[str, Operation] = {
    "reshape": Operation(_reshape, numpy_reshaping.reshape),
    "view": Operation(_view, numpy_reshaping.view),
    "flatten": Operation(_flatten, numpy_reshaping.flatten),
    "ravel": Operation(_ravel, numpy_reshaping.ravel),
    "unflatten": Operation(_unflatten, None, "write x.reshape(...) with all sizes"),
    "view_as": Operation(_view_as, None, _AS),
    "reshape_as": Operation(_reshape_as, None, _AS),
    "contiguous": Operation(_contiguous, numpy_reshaping.contiguous, read_as="np.ascontiguousarray"),
}
