"""Diagonals and triangles: ``diagonal``, ``diag``, ``tril`` and ``triu``, PyTorch 2.13's and NumPy 2.4's."""

from math import floor, isfinite

from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.dims import bind, bind_numpy, both, numpy_axis, rest_step, tensor_in, wrap
from segcli.shapes.indexing import Step
from segcli.shapes.integers import numpy_int, read_int
from segcli.shapes.request import Given
from segcli.shapes.signatures import Signatures
from segcli.shapes.strides import strides_of
from segcli.shapes.symbols import capped, lessened, total
from segcli.shapes.values import Item, RaisedError, Tensor

_DIAGONAL = both("int offset=, int dim1=, int dim2=")
_SHIFTED = Signatures(("int diagonal=",), ("Tensor input, int diagonal=, *, out? out=",))
_MATRIX = 2


def _moved(letter: str, offset: int) -> str:
    return f"{letter} {'+' if offset > 0 else '-'} {abs(offset)}" if offset else letter


def _diagonal(call: Call, item: Item, offset: int, axes: tuple[int, int], *, view: bool) -> Computed:
    """Return a diagonal of two axes, which becomes the last axis of the result."""
    source = tensor_in(item)
    one, other = axes
    left = [axis for axis in range(len(source.shape)) if axis not in axes]
    rows, columns = lessened(source.shape[one], max(-offset, 0)), lessened(source.shape[other], max(offset, 0))
    length = rows if rows == columns else capped(rows, columns)
    last = len(left)
    at = {axis: f"{{i{place}}}" for place, axis in enumerate(left)}
    at |= {axis: _moved(f"{{i{last}}}", max(by, 0)) for axis, by in zip(axes, (-offset, offset), strict=True)}
    strides = strides_of(source)
    pair = [strides[axis] for axis in axes]
    step = None if None in pair else total([stride for stride in pair if stride is not None])
    made = Tensor(
        (*(source.shape[axis] for axis in left), length),
        source.dtype,
        call.result_text,
        labels=(*(source.labels[axis] for axis in left), None) if source.labels else (),
        strides=(*(strides[axis] for axis in left), step) if view else None,
    )
    shown = f", {abs(offset)} {'above' if offset > 0 else 'below'} the main one" if offset else ""
    effect = f"the diagonal of axes {one} and {other}{shown}: {length} positions, the last axis"
    steps = (
        Step(call.stage, call.text, call.span, call.name, axes, (last,), effect),
        *rest_step(call, left, range(last), "not walked"),
    )
    formula = Formula("{0}", (Read(0, tuple(at[axis] for axis in range(len(source.shape)))),))
    return Computed(made, (item,), steps, view=view, formula=None if 0 in source.shape else formula)


def _offset(bound: dict[str, Given], name: str) -> int:
    return read_int(bound[name].item) if name in bound else 0


def _diagonal_torch(call: Call) -> Computed:
    item, source, bound = bind(call, _DIAGONAL)
    raw = [(_offset(bound, name) if name in bound else place) for place, name in enumerate(("dim1", "dim2"))]
    spans = [bound[name].item.span if name in bound else call.span for name in ("dim1", "dim2")]
    one, other = (wrap(dim, len(source.shape), span) for dim, span in zip(raw, spans, strict=True))
    if one == other:
        words = f"diagonal dimensions cannot be identical {raw[0]}, {raw[1]}"
        raise RaisedError(spans[1], "RuntimeError", words, one)
    return _diagonal(call, item, _offset(bound, "offset"), (one, other), view=True)


def _diagonal_numpy(call: Call) -> Computed:
    item, source, bound = bind_numpy(
        call, "diagonal", "a, offset=0, axis1=0, axis2=1", {"dim1": "axis1", "dim2": "axis2"}
    )
    names = ("offset", "axis1", "axis2")
    offset, *raw = (numpy_int(bound[name].item) if name in bound else int(name == "axis2") for name in names)
    ndim = len(source.shape)
    if ndim < _MATRIX:
        raise RaisedError(item.span, "ValueError", "diag requires an array of at least two dimensions")
    spans = [bound[name].item.span if name in bound else call.span for name in names[1:]]
    one, other = (
        numpy_axis(axis, ndim, span, f"{name}: ") for axis, span, name in zip(raw, spans, names[1:], strict=True)
    )
    if one == other:
        raise RaisedError(spans[1], "ValueError", "axis1 and axis2 cannot be the same", one)
    return _diagonal(call, item, offset, (one, other), view=True)


def _diag_torch(call: Call) -> Computed:
    item, source, bound = bind(call, _SHIFTED)
    if len(source.shape) not in (1, _MATRIX):
        words = f"diag(): Supports 1D or 2D tensors. Got {len(source.shape)}D"
        raise RaisedError(item.span, "RuntimeError", words)
    return _diag(call, item, _offset(bound, "diagonal"), view=False)


def _diag_numpy(call: Call) -> Computed:
    item, source, bound = bind_numpy(call, "diag", "v, k=0", {"diagonal": "k"})
    if len(source.shape) not in (1, _MATRIX):
        raise RaisedError(item.span, "ValueError", "Input must be 1- or 2-d.")
    given = bound.get("k")
    if given is not None and given.value is None and len(source.shape) == 1:
        raise RaisedError(given.item.span, "TypeError", "bad operand type for abs(): 'NoneType'")
    return _diag(call, item, numpy_int(given.item) if given else 0, view=True)


def _diag(call: Call, item: Item, offset: int, *, view: bool) -> Computed:
    """Return the diagonal of a matrix, or a matrix with a diagonal."""
    source = tensor_in(item)
    if len(source.shape) == _MATRIX:
        return _diagonal(call, item, offset, (0, 1), view=view)
    size = total([source.shape[0], abs(offset)])
    effect = f"the diagonal of a matrix of {size} rows" + (f", moved by {offset}" if offset else "") + "; 0 elsewhere"
    step = Step(call.stage, call.text, call.span, call.name, (0,), (0, 1), effect)
    formula = Formula(
        f"{{0}} if {{i1}} == {_moved('{i0}', offset)} else 0", (Read(0, ("{i0}" if offset >= 0 else "{i1}",)),)
    )
    return Computed(call.make((size, size), source.dtype), (item,), (step,), formula=None if size == 0 else formula)


def _triangle(call: Call, item: Item, offset: int, ndim: int) -> Computed:
    """Keep what stands on one side of the diagonal of matrices."""
    source = tensor_in(item)
    axes = tuple(range(ndim))
    one, other = f"{{i{ndim - 2}}}", f"{{i{ndim - 1}}}"
    sign = "<=" if call.name == "tril" else ">="
    rest = "above" if call.name == "tril" else "below"
    which = f"diagonal {offset}" if offset else "the diagonal"
    effect = f"0 {rest} {which} of the last two axes"
    own = tuple(range(len(source.shape)))
    step = Step(call.stage, call.text, call.span, call.name, own, axes, effect)
    shape = source.shape if len(source.shape) == ndim else (source.shape[0],) * ndim
    at = tuple(f"{{i{axis}}}" for axis in axes[ndim - len(own) :])
    formula = None if 0 in shape else Formula(f"{{0}} if {other} {sign} {_moved(one, offset)} else 0", (Read(0, at),))
    made = call.make(shape, source.dtype)
    return Computed(made, (item,), (step,), formula=formula)


def _triangle_torch(call: Call) -> Computed:
    item, source, bound = bind(call, _SHIFTED)
    if len(source.shape) < _MATRIX:
        words = f"{call.name}: input tensor must have at least 2 dimensions"
        raise RaisedError(item.span, "RuntimeError", words)
    return _triangle(call, item, _offset(bound, "diagonal"), len(source.shape))


def _triangle_numpy(call: Call) -> Computed:
    item, source, bound = bind_numpy(call, call.name, "m, k=0", {"diagonal": "k"})
    if not source.shape:
        raise RaisedError(item.span, "TypeError", "tri() missing 1 required positional argument: 'N'")
    k = bound["k"].value if "k" in bound else 0
    if k is None:
        raise RaisedError(bound["k"].item.span, "TypeError", "bad operand type for unary -: 'NoneType'")
    # It is compared with and no position, and so may be a float.
    offset = floor(k) if isinstance(k, float) and isfinite(k) else numpy_int(bound["k"].item) if "k" in bound else 0
    return _triangle(call, item, offset, max(len(source.shape), _MATRIX))


OPERATIONS = {
    "diagonal": Operation(_diagonal_torch, _diagonal_numpy),
    "diag": Operation(_diag_torch, _diag_numpy, read_as="np.diag"),
    "tril": Operation(_triangle_torch, _triangle_numpy, read_as="np.tril"),
    "triu": Operation(_triangle_torch, _triangle_numpy, read_as="np.triu"),
}
