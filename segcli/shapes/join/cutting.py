"""Operations that cut a tensor into several: PyTorch 2.13's and NumPy 2.4's."""

from collections.abc import Sequence
from dataclasses import replace

from segcli.errors import SegcliError
from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed
from segcli.shapes.dims import wrap
from segcli.shapes.indexing import slice_size
from segcli.shapes.integers import dims_in, read_int, read_size, sizes_in
from segcli.shapes.join.numpy_cutting import array_split_numpy, split_numpy, unstack_numpy
from segcli.shapes.kinds import SCALARS
from segcli.shapes.parts import cut, cut_at, cut_evenly, known_values, pieces_text, runs_of
from segcli.shapes.python_call import bind_python
from segcli.shapes.request import Given
from segcli.shapes.signatures import Signatures, is_integer
from segcli.shapes.symbols import divided, divides, equal, product, quotient, some, starts_of, total
from segcli.shapes.values import (
    Item,
    Listed,
    RaisedError,
    Run,
    Size,
    SliceBounds,
    Symbol,
    Tensor,
    type_name,
)

_CHUNK = Signatures(("int chunks, int dim=",), ("Tensor input, int chunks, int dim=",))
_UNBIND = Signatures(("int dim=",), ("Tensor input, int dim=",))
_CUTS = ("Tensor tensor_indices_or_sections, int dim=", "int sections, int dim=", "ints indices, int dim=")
_TENSOR_SPLIT = Signatures(_CUTS, tuple(f"Tensor input, {text}" for text in _CUTS))


def _source(call: Call, bound: dict[str, Given]) -> tuple[Item, Tensor]:
    """Return what is cut."""
    item = bound["input"].item if "input" in bound else call.first
    if not isinstance(item.value, Tensor):
        words = f"'{type_name(item.value)}' object has no attribute '{call.name}'"
        raise RaisedError(item.span, "AttributeError", words)
    return item, item.value


def _dim(bound: dict[str, Given]) -> tuple[int, Given | None]:
    given = bound.get("dim")
    return read_int(given.item if given else None), given


def _axis(call: Call, bound: dict[str, Given], source: Tensor) -> int:
    dim, given = _dim(bound)
    return wrap(dim, len(source.shape), given.item.span if given else call.span)


def _check_axes(call: Call, source: Tensor, words: str) -> None:
    if not source.shape:
        raise RaisedError(call.span, "RuntimeError", words)


def ceiling(size: Size, step: Size) -> Size:
    """Return ``ceil(size / step)``.

    Examples:
        >>> ceiling(7, 2), ceiling("2*N", 2), ceiling("N", 2), ceiling("N", "M")
        (4, 'N', 'ceil(N / 2)', 'ceil(N / M)')
    """
    if isinstance(size, str) and divides(step, size):
        return quotient(size, step)
    if isinstance(step, int):
        return divided(size, step)
    return f"ceil({size} / {step})" if step.isidentifier() or step.startswith("ceil(") else f"ceil({size} / ({step}))"


def _unbind(call: Call) -> Computed:
    bound = bind_call(call, _UNBIND)
    item, source = _source(call, bound)
    if not source.shape:
        wrap(_dim(bound)[0], 0, call.span)
        raise RaisedError(call.span, "IndexError", "Dimension specified as 0 but tensor has no dimensions")
    axis = _axis(call, bound, source)
    size = source.shape[axis]
    effect = f"{size} tensors, one a position: the axis is gone"
    return cut(call, item, axis, runs_of(call, source, axis, [(size, 0, None)]), effect)


def _chunk(call: Call) -> Computed:
    bound = bind_call(call, _CHUNK)
    item, source = _source(call, bound)
    _check_axes(call, source, "chunk expects at least a 1-dimensional tensor")
    given = bound["chunks"]
    chunks = read_size(given.item)
    if isinstance(chunks, int) and chunks <= 0:
        words = f"chunk expects `chunks` to be greater than 0, got: {chunks}"
        raise RaisedError(given.item.span, "RuntimeError", words)
    axis = _axis(call, bound, source)
    size = source.shape[axis]
    width = ceiling(size, chunks)
    if size == 0:
        return cut(call, item, axis, runs_of(call, source, axis, [(chunks, 0, 0)]), f"{chunks} empty pieces")
    runs = _equal_runs(call, source, axis, width)
    count = _count(runs)
    effect = f"ceil({size} / {chunks}) = {width} positions each: {pieces_text(runs, size)}"
    notes: tuple[str, ...] = ()
    if isinstance(count, int) and isinstance(chunks, int) and count < chunks:
        least = f"pieces of {width} positions, of which {count} hold all {size}"
        notes = (f"chunk gives fewer tensors than asked for: {least}; tensor_split({chunks}) gives {chunks}",)
    # Of no positions PyTorch gives as many pieces as asked for.
    return replace(cut(call, item, axis, runs, effect, notes=notes), needs=tuple(some([size, chunks])))


def _count(runs: Sequence[Run]) -> Size:
    return total([run.count for run in runs])


def _equal_runs(call: Call, source: Tensor, axis: int, width: Size) -> tuple[Run, ...]:
    """Cut an axis into pieces of equal width, of which the last may be narrower."""
    size = source.shape[axis]
    if size == 0:
        # Of nothing, one piece is left.
        return runs_of(call, source, axis, [(1, 0, 0)])
    if isinstance(size, int) and isinstance(width, int):
        whole = size // width
        rest = size - whole * width
        last = [(1, whole * width, rest)] if rest else []
        return runs_of(call, source, axis, [(whole, 0, width), *last])
    count = ceiling(size, width)
    runs = runs_of(call, source, axis, [(count, 0, width)])
    if product([count, width]) == product([size]):
        return runs
    # The first may be the last.
    first = slice_size(SliceBounds(0, width), size)[0]
    return tuple(replace(run, tensor=_resized(run.tensor, axis, first)) for run in runs)


def _resized(tensor: Tensor, axis: int, size: Size) -> Tensor:
    return replace(tensor, shape=(*tensor.shape[:axis], size, *tensor.shape[axis + 1 :]))


def _split(call: Call) -> Computed:
    method = call.space == "method"
    if method:
        bound = bind_python(call, "Tensor.split", "input, split_size, dim=0")
    else:
        bound = bind_python(call, "split", "tensor, split_size_or_sections, dim=0")
        bound["input"] = bound["tensor"]
    given = bound["split_size" if method else "split_size_or_sections"]
    item, source = _source(call, bound)
    sizes = _sizes(bound, given)
    _check_axes(call, source, "split expects at least a 1-dimensional tensor")
    rule = frozenset({"split-size"})
    if isinstance(sizes, list):
        return replace(_split_with_sizes(call, bound, sizes, given.item), rules=rule)
    if isinstance(sizes, int) and sizes < 0:
        words = f"split expects split_size be non-negative, but got split_size={sizes}"
        raise RaisedError(given.item.span, "RuntimeError", words)
    axis = _axis(call, bound, source)
    size = source.shape[axis]
    if sizes == 0 and size != 0:
        if isinstance(size, str):
            message = f"split(0) takes an axis of size 0 alone, and {size} is not known"
            raise SegcliError(message)
        words = f"split_size can only be 0 if dimension size is 0, but got dimension size of {size}"
        raise RaisedError(given.item.span, "RuntimeError", words, axis)
    runs = _equal_runs(call, source, axis, sizes)
    effect = f"every {sizes} positions: {pieces_text(runs, size)}"
    needs = tuple(some([size, sizes])) if size != 0 else ()
    return replace(cut(call, item, axis, runs, effect), rules=rule, needs=needs)


def _sizes(bound: dict[str, Given], given: Given) -> Size | list[Size]:
    """Read the size of a piece, or the sizes of all."""
    value, item = given.value, given.item
    if isinstance(value, Tensor) and set(value.shape) <= {1} and value.dtype != "complex64":
        # Python makes an int of it.
        value = Symbol(item.text) if value.values is None else int(value.values[0])
    dim = bound["dim"].value if "dim" in bound else 0
    bad_dim = isinstance(dim, bool | float | str | Listed) or dim is None
    if isinstance(value, bool) or (bad_dim and isinstance(value, int | Symbol)):
        words = "split() received an invalid combination of arguments - got "
        words += f"(Tensor, {type_name(value)}, {type_name(dim)}), but expected one of:"
        raise RaisedError(item.span, "TypeError", words)
    if isinstance(value, int | Symbol):
        return read_size(replace(item, value=value))
    if not isinstance(value, Listed):
        words = f"split_with_sizes(): argument 'split_sizes' (position 2) must be tuple of ints, not {type_name(value)}"
        raise RaisedError(item.span, "TypeError", words)
    if value.items and not is_integer(value.items[0].value):
        kind = type_name(value.items[0].value)
        words = (
            "split_with_sizes(): argument 'split_sizes' (position 2) must be tuple of ints, but found element of type "
        )
        raise RaisedError(item.span, "TypeError", f"{words}{kind} at pos 0")
    if bad_dim:
        words = f"split_with_sizes(): argument 'dim' (position 3) must be int, not {type_name(dim)}"
        raise RaisedError(bound["dim"].item.span, "TypeError", words)
    return sizes_in("split_with_sizes", "split_sizes", given)


def _split_with_sizes(call: Call, bound: dict[str, Given], sizes: list[Size], given: Item) -> Computed:
    item, source = _source(call, bound)
    axis = _axis(call, bound, source)
    shown = f"split_sizes=[{', '.join(map(str, sizes))}]"
    if any(isinstance(size, int) and size < 0 for size in sizes):
        words = f"split_with_sizes expects split_sizes have only non-negative entries, but got {shown}"
        raise RaisedError(given.span, "RuntimeError", words)
    size, together = source.shape[axis], total(sizes)
    needs: tuple[str, ...] = ()
    if size != together:
        if isinstance(size, int) and isinstance(together, int):
            words = (
                f"split_with_sizes expects split_sizes to sum exactly to {size} (input tensor's size at dimension "
                f"{_dim(bound)[0]}), but got {shown}"
            )
            raise RaisedError(given.span, "RuntimeError", words, axis)
        needs = (equal(size, together),)
    starts = starts_of(sizes)
    pieces = [(1, start, width) for start, width in zip(starts, sizes, strict=True)]
    runs = runs_of(call, source, axis, pieces)
    effect = f"pieces of {', '.join(map(str, sizes))} positions" if sizes else "no pieces"
    return replace(cut(call, item, axis, runs, effect), needs=needs)


def _tensor_split(call: Call) -> Computed:
    bound = bind_call(call, _TENSOR_SPLIT)
    item, source = _source(call, bound)
    given = next(bound[name] for name in ("tensor_indices_or_sections", "sections", "indices") if name in bound)
    # The parser reads a list before anything looks at the tensor.
    listed = _cuts(given.item) if "indices" in bound else None
    words = f"tensor_split expected at least a 1-dimensional tensor, but got a tensor with {len(source.shape)} dims"
    _check_axes(call, source, words)
    cuts = _cuts(given.item) if listed is None else listed
    axis = _axis(call, bound, source)
    if isinstance(cuts, list):
        return cut_at(call, item, axis, cuts)
    if cuts <= 0:
        words = f"number of sections must be larger than 0, got {cuts}"
        raise RaisedError(given.item.span, "RuntimeError", words)
    return cut_evenly(call, item, axis, cuts)


def _cuts(item: Item) -> int | list[int]:
    """Read into how many pieces to cut, or where."""
    value = item.value
    if isinstance(value, Tensor):
        if value.dtype != "int64":
            kind = SCALARS[value.dtype]
            words = f"tensor_split expected tensor_indices_or_sections to have dtype of long, but got {kind}"
            raise RaisedError(item.span, "RuntimeError", words)
        if len(value.shape) > 1:
            words = (
                "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional tensor, "
                f"but got a tensor with {len(value.shape)} dims"
            )
            raise RaisedError(item.span, "RuntimeError", words)
        if value.shape:
            return known_values(item, value)
    if isinstance(value, Listed):
        return dims_in("tensor_split", "indices", Given("indices", item, 0))
    return read_int(item)


OPERATIONS = {
    "chunk": Operation(
        _chunk,
        None,
        "write np.array_split(x, 3, axis), which cuts 10 positions into 4, 3 and 3 where chunk cuts 4, 4 and 2",
    ),
    "split": Operation(_split, split_numpy),
    "tensor_split": Operation(_tensor_split, array_split_numpy, read_as="np.array_split"),
    "unbind": Operation(_unbind, unstack_numpy, read_as="np.unstack"),
}
