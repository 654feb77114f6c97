"""``scatter``, ``scatter_add`` and ``scatter_reduce``: values go to positions along one axis of a copy.

The rules are those of ``aten/src/ATen/native/ScatterGatherChecks.h`` and ``TensorAdvancedIndexing.cpp`` of PyTorch
2.13. NumPy has ``np.put_along_axis``, which writes to the array itself and returns nothing.
"""

from collections.abc import Mapping
from dataclasses import replace

from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.dims import bind, both, tensor_in, wrap
from segcli.shapes.indexing import Step
from segcli.shapes.integers import read_int
from segcli.shapes.kinds import SCALARS
from segcli.shapes.records import record
from segcli.shapes.request import Given
from segcli.shapes.select.gathering import is_larger, no_larger
from segcli.shapes.select.looking import (
    POSITIONS,
    as_vector,
    brackets,
    check_positions,
    label_like,
    letters,
    name_of,
    relabelled,
    written,
)
from segcli.shapes.select.storing import check_number, explain_stored
from segcli.shapes.signatures import flag
from segcli.shapes.values import COMPLEX, Item, RaisedError, Shape, Size, Span, Tensor

_SCATTER = both(
    "int dim, Tensor index, Tensor src, *, str reduce=", "int dim, Tensor index, number value, *, str reduce="
)
_SCATTER_ADD = both("int dim, Tensor index, Tensor src")
_REDUCE = both("int dim, Tensor index, Tensor src, str reduce, *, bool include_self=")
_SIGNS = {"": "=", "add": "+=", "multiply": "*=", "sum": "+=", "prod": "*="}
_WORDS = {
    "": "is written there",
    "add": "is added there",
    "multiply": "multiplies what is there",
    "sum": "is added there",
    "prod": "multiplies what is there",
    "mean": "goes into the mean there",
    "amax": "stays there where it is the largest",
    "amin": "stays there where it is the smallest",
}
# Which dtypes have no code for them.
_REFUSED = {"mean": ("bool",), "amax": COMPLEX, "amin": COMPLEX}


@record(frozen=True, slots=True)
class _Scatter:
    """A call, its arguments read.

    Attributes:
        item: What is copied and written to.
        index: The positions.
        given: What is written: a tensor, or a number.
        is_tensor: Whether it is given as a tensor with an element a position.
        dim: The axis that the positions are along.
        reduce: How values meet what is there: by a name in ``_WORDS``.
        anew: Whether they meet each other only, and not what was there.
    """

    item: Item
    index: Item
    given: Item
    is_tensor: bool
    dim: int
    reduce: str
    anew: bool = False


def scatter_torch(call: Call) -> Computed:
    """Write values to positions.

    Args:
        call: ``x.scatter(dim, index, src)``, or a number for ``src``.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    item, source, bound = bind(call, _SCATTER)
    reduce = bound["reduce"].value if "reduce" in bound else ""
    scatter = _read(item, source, bound, str(reduce))
    needs = _check(scatter)
    if scatter.reduce not in ("", "add", "multiply"):
        words = "reduce argument must be either add or multiply."
        raise RaisedError(bound["reduce"].item.span, "RuntimeError", words)
    return _scattered(call, scatter, needs)


def scatter_add_torch(call: Call) -> Computed:
    """Add values up at positions.

    Args:
        call: ``x.scatter_add(dim, index, src)``.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    item, source, bound = bind(call, _SCATTER_ADD)
    scatter = _read(item, source, bound, "add")
    return _scattered(call, scatter, _check(scatter))


def scatter_reduce_torch(call: Call) -> Computed:
    """Let values meet at positions: as a sum, a product, a mean, the largest or the smallest.

    Args:
        call: ``x.scatter_reduce(dim, index, src, reduce)``.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    item, source, bound = bind(call, _REDUCE)
    reduce = str(bound["reduce"].value)
    scatter = replace(_read(item, source, bound, reduce), anew=not flag(bound, "include_self", default=True))
    needs = _check(scatter)
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        words = f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}"
        raise RaisedError(bound["reduce"].item.span, "RuntimeError", words)
    empty = 0 in tensor_in(scatter.index).shape
    # Where what was there is left out, positions are looked at first.
    if not empty and not scatter.anew:
        _check_kernel(item, reduce, f"scatter_gather_tensor_cpu_reduce_{reduce}")
    done = _scattered(call, scatter, needs)
    if scatter.anew and not empty:
        _check_kernel(item, reduce, f"scatter_gather_tensor_cpu_reduce_{reduce}")
    if empty and reduce == "mean":
        _check_kernel(item, reduce, "div_floor_cpu")
    return done


def _check_kernel(item: Item, reduce: str, kernel: str) -> None:
    dtype = tensor_in(item).dtype
    if dtype in _REFUSED.get(reduce, ()):
        raise RaisedError(item.span, "NotImplementedError", f"\"{kernel}\" not implemented for '{SCALARS[dtype]}'")


def _read(item: Item, source: Tensor, bound: Mapping[str, Given], reduce: str) -> _Scatter:
    given = bound["dim"].item
    dim = wrap(read_int(given), len(source.shape), given.span)
    is_tensor = "src" in bound
    value = bound["src" if is_tensor else "value"].item
    return _Scatter(item, bound["index"].item, value, is_tensor, dim, reduce)


def _check(scatter: _Scatter) -> list[str]:
    source, positions = tensor_in(scatter.item), tensor_in(scatter.index)
    # An index without elements may have any dtype, and any shape.
    if 0 not in positions.shape and positions.dtype not in POSITIONS:
        raise RaisedError(scatter.index.span, "RuntimeError", "scatter(): Expected dtype int32/int64 for index")
    if scatter.is_tensor and tensor_in(scatter.given).dtype != source.dtype:
        words = "scatter(): Expected self.dtype to be equal to src.dtype"
        raise RaisedError(scatter.given.span, "RuntimeError", words)
    return [] if 0 in positions.shape else _check_shapes(scatter)


def _check_shapes(scatter: _Scatter) -> list[str]:
    source, positions = tensor_in(scatter.item), tensor_in(scatter.index)
    own, shape = as_vector(source.shape), as_vector(positions.shape)
    if len(own) != len(shape):
        words = "Index tensor must have the same number of dimensions as self tensor"
        raise RaisedError(scatter.index.span, "RuntimeError", words)
    larger = [axis for axis, size in enumerate(shape) if axis != scatter.dim and is_larger(size, own[axis])]
    wrong: tuple[int, Span] | None = (larger[0], scatter.index.span) if larger else None
    needs: list[str] = []
    for axis, size in enumerate(shape):
        needs += no_larger(size, own[axis]) if axis != scatter.dim else []
    if scatter.is_tensor:
        values = tensor_in(scatter.given).shape
        wrong = wrong or _beyond(scatter.given, shape, as_vector(values))
        if len(as_vector(values)) != len(shape):
            words = "Index tensor must have the same number of dimensions as src tensor"
            raise RaisedError(scatter.given.span, "RuntimeError", words)
        for size, most in zip(shape, as_vector(values), strict=True):
            needs += no_larger(size, most)
    if wrong is not None:
        raise RaisedError(wrong[1], "RuntimeError", _unfit_words(scatter), wrong[0])
    return needs


def _beyond(given: Item, shape: Shape, values: Shape) -> tuple[int, Span] | None:
    """Return the first axis along which there are fewer values than positions."""
    for axis, size in enumerate(shape):
        if axis >= len(values) and tensor_in(given).shape:
            ndim = len(values)
            words = f"Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], but got {axis})"
            raise RaisedError(given.span, "IndexError", words)
        if is_larger(size, values[axis] if axis < len(values) else 1):
            return axis, given.span
    return None


def _unfit_words(scatter: _Scatter) -> str:
    shapes = [brackets(tensor_in(each).shape) for each in (scatter.index, scatter.item)]
    words = f"Expected index {shapes[0]} to be no larger than self {shapes[1]} apart from dimension {scatter.dim}"
    if scatter.is_tensor:
        words += f" and to be no larger size than src {brackets(tensor_in(scatter.given).shape)}"
    return words


def _scattered(call: Call, scatter: _Scatter, needs: list[str]) -> Computed:
    source, positions = tensor_in(scatter.item), tensor_in(scatter.index)
    size = as_vector(source.shape)[scatter.dim]
    first = replace(positions, values=positions.values and positions.values[:1])
    # PyTorch goes from position to position: what it looks at first, it raises first.
    needs += check_positions(replace(scatter.index, value=first), size, scatter.dim)
    if not scatter.is_tensor and 0 not in positions.shape:
        check_number(scatter.given, source.dtype)
    needs += check_positions(scatter.index, size, scatter.dim)
    own = tuple(range(len(source.shape)))
    steps = [
        Step(call.stage, scatter.item.text, scatter.item.span, "copied", own, own, "a copy, which is then written to"),
        *_value_steps(call, scatter),
    ]
    why = f"elsewhere result is {scatter.item.text}" + "; what was there is left out" * scatter.anew
    if not scatter.reduce:
        why += "; where positions meet, which of their values stays is not defined (scatter_add adds them up)"
    result = call.make(source.shape, source.dtype)
    labels = source.labels or (label_like(source, positions, scatter.dim) if positions.shape == source.shape else ())
    return Computed(
        relabelled(result, labels),
        (written(scatter.item), written(scatter.index), written(scatter.given)),
        tuple(steps),
        formula=_formula(scatter),
        why="; ".join(filter(None, [why, explain_stored(scatter.given, scatter.item)])),
        needs=tuple(needs),
    )


def _value_steps(call: Call, scatter: _Scatter) -> list[Step]:
    """Return the trace of the positions, and of the values that go to them."""
    positions = tensor_in(scatter.index)
    axes = tuple(range(len(positions.shape)))
    gives = axes if len(axes) == len(tensor_in(scatter.item).shape) else ()
    effect = f"each element is a position along axis {scatter.dim}"
    index = Step(
        call.stage, scatter.index.text, scatter.index.span, name_of(positions), axes if gives else (), gives, effect, 1
    )
    value = scatter.given.value
    kind = name_of(value) if isinstance(value, Tensor) else type(value).__name__
    what = _WORDS[scatter.reduce]
    if not scatter.is_tensor or not isinstance(value, Tensor):
        return [index, Step(call.stage, scatter.given.text, scatter.given.span, kind, (), (), what, 2)]
    fewer = [size for size, count in zip(value.shape, positions.shape, strict=False) if size != count]
    first = f"the first {brackets(positions.shape)} of it " if fewer else ""
    own = axes if gives and len(value.shape) == len(axes) else ()
    return [index, Step(call.stage, scatter.given.text, scatter.given.span, kind, own, own, first + what, 2)]


def _formula(scatter: _Scatter) -> Formula | None:
    source, positions = tensor_in(scatter.item), tensor_in(scatter.index)
    unsaid = scatter.anew or scatter.reduce not in _SIGNS
    if unsaid or not source.shape or len(positions.shape) not in (0, len(source.shape)):
        return None
    walked = letters(positions.shape, "k")
    reads = [Read(1, walked)]
    at: list[str] = [*walked] or ["0"]
    at[scatter.dim] = "{0}"
    values = scatter.given.value
    reads.append(Read(2, _of_values(values.shape, walked) if isinstance(values, Tensor) else ()))
    return Formula("{1}", tuple(reads), positions.shape, left=f"result[{', '.join(at)}]", sign=_SIGNS[scatter.reduce])


def _of_values(shape: tuple[Size, ...], walked: tuple[str, ...]) -> tuple[str, ...]:
    """Return where a value stands: a lone one may have an axis or none."""
    return walked if len(shape) == len(walked) else ("0",) * len(shape)
