"""Coordinates: ``linspace``, ``eye`` and ``meshgrid``, PyTorch 2.13's and NumPy 2.4's."""

from collections.abc import Sequence
from dataclasses import replace

from segcli.errors import SegcliError
from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed, Formula
from segcli.shapes.indexing import Step
from segcli.shapes.integers import numpy_int, read_size
from segcli.shapes.join.making import OPTIONS, asked_dtype, made
from segcli.shapes.kinds import SCALARS
from segcli.shapes.operands import as_array
from segcli.shapes.python_call import bind_python
from segcli.shapes.request import Given
from segcli.shapes.select.looking import with_size
from segcli.shapes.signatures import Signatures
from segcli.shapes.strides import strides_of
from segcli.shapes.symbols import product
from segcli.shapes.values import (
    COMPLEX,
    FLOATING,
    DType,
    Item,
    Listed,
    Pair,
    Parts,
    RaisedError,
    Run,
    Shape,
    Size,
    Symbol,
    Tensor,
    Value,
    check_elements,
    type_name,
)

_SPACED = Signatures(
    (),
    tuple(
        f"{start} start, {end} end, int steps, *, {OPTIONS}"
        for start, end in (("number", "number"), ("Tensor", "Tensor"), ("Tensor", "number"), ("number", "Tensor"))
    ),
)
_EYE = Signatures((), (f"int n, *, {OPTIONS}", f"int n, int m, *, {OPTIONS}"))
_INDEXING = "torch.meshgrid without indexing= warns, and means 'ij'; np.meshgrid means 'xy'"


def _linspace(call: Call) -> Computed:
    bound = bind_call(call, _SPACED)
    start, end, steps = (bound[name].item for name in ("start", "end", "steps"))
    bounds = {"start": start, "end": end}
    tensors = {name: item.value for name, item in bounds.items() if isinstance(item.value, Tensor)}
    wide = next((name for name, tensor in tensors.items() if tensor.shape), None)
    if wide is not None:
        told = " and ".join(f"{name} with {len(tensor.shape)} dimension(s)" for name, tensor in tensors.items())
        words = f"linspace only supports 0-dimensional start and end tensors, but got {told}."
        raise RaisedError(bounds[wide].span, "RuntimeError", words)
    count = read_size(steps)
    if isinstance(count, int) and count < 0:
        raise RaisedError(steps.span, "RuntimeError", "number of steps must be non-negative")
    is_complex = any(tensor.dtype in COMPLEX for tensor in tensors.values())
    dtype = asked_dtype(bound, "complex64" if is_complex else "float32")
    if is_complex and dtype not in COMPLEX:
        words = "torch.linspace(): inferred dtype c10::complex<float> can't be safely cast to passed dtype "
        raise RaisedError(bound["dtype"].item.span, "RuntimeError", f"{words}{SCALARS[dtype]}")
    done = made(call, (count,), dtype, bound)
    if dtype == "bool" and count not in (0, 1):
        raise RaisedError(call.span, "NotImplementedError", f"\"linspace_cpu\" not implemented for '{SCALARS[dtype]}'")
    formula = _spaced(start.value, end.value, count) if dtype in FLOATING else None
    return replace(done, formula=formula, rules=frozenset({"default-float"}))


def _spaced(start: Value, end: Value, count: Size) -> Formula | None:
    """Write the numbers from a start to an end, both among them: ``2 + 3*i / 4``."""
    if not isinstance(start, int | float) or not isinstance(end, int | float) or count in (0, 1):
        return None
    far = end - start
    last = count - 1 if isinstance(count, int) else f"({count} - 1)"
    walked = f"{'{i0}' if far == 1 else f'{far}*{{i0}}'} / {last}"
    return Formula(walked if start == 0 else f"{start} + {walked}", ())


def _linspace_numpy(call: Call) -> Computed:
    renamed = {"end": "stop", "steps": "num"}
    signature = "start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0, *, device=None"
    bound = _renamed(call, "linspace", signature, renamed)
    count = numpy_int(bound["num"].item) if "num" in bound else 50
    if count < 0:
        raise RaisedError(bound["num"].item.span, "ValueError", f"Number of samples, {count}, must be non-negative.")
    bounds = [bound[name].item for name in ("start", "stop")]
    others = [name for name in ("endpoint", "retstep", "axis") if name in bound]
    plain = all(isinstance(item.value, int | float | Symbol) for item in bounds)
    if others or not plain:
        message = "np.linspace of arrays, and with endpoint=, retstep= or axis=, is not supported"
        raise SegcliError(message, hint="write two numbers and how many")
    dtype = bound["dtype"].value if "dtype" in bound else None
    name = dtype.name if isinstance(dtype, DType) else "float64"
    formula = _spaced(bounds[0].value, bounds[1].value, count) if name in FLOATING else None
    return Computed(call.make((count,), name), (), (), formula=formula)


def _renamed(call: Call, function: str, signature: str, renamed: dict[str, str]) -> dict[str, Given]:
    arguments = tuple((renamed.get(keyword, keyword), item) for keyword, item in call.arguments)
    return bind_python(replace(call, arguments=arguments), function, signature)


def _eye(call: Call) -> Computed:
    bound = bind_call(call, _EYE)
    sizes = [read_size(bound[name].item) for name in ("n", "m") if name in bound]
    for name, size in zip("nm", sizes, strict=False):
        if isinstance(size, int) and size < 0:
            words = f"{name} must be greater or equal to 0, got {size}"
            raise RaisedError(bound[name].item.span, "RuntimeError", words)
    done = made(call, (sizes[0], sizes[-1]), asked_dtype(bound, "float32"), bound)
    return replace(done, formula=_identity((sizes[0], sizes[-1])), rules=frozenset({"default-float"}))


def _identity(shape: Shape) -> Formula | None:
    return None if 0 in shape else Formula("1 if {i0} == {i1} else 0", ())


def _eye_numpy(call: Call) -> Computed:
    signature = "N, M=None, k=0, dtype=float, order='C', *, device=None, like=None"
    bound = _renamed(call, "eye", signature, {"n": "N", "m": "M"})
    given = [bound[name].item for name in "NM" if name in bound and (name == "N" or bound[name].value is not None)]
    shape = tuple(numpy_int(item, bools=False) for item in (given[0], given[-1]))
    if min(shape) < 0:
        raise RaisedError(given[0].span, "ValueError", "negative dimensions are not allowed")
    dtype = bound["dtype"].value if "dtype" in bound else None
    formula = None if "k" in bound else _identity(shape)
    return Computed(call.make(shape, dtype.name if isinstance(dtype, DType) else "float64"), (), (), formula=formula)


def _meshgrid(call: Call) -> Computed:
    """Return the coordinates of a grid: views that repeat each tensor along the axes of the others."""
    items = [item for keyword, item in call.arguments if not keyword]
    indexing: Item | None = None
    for keyword, item in call.arguments:
        if keyword and keyword != "indexing":
            raise RaisedError(item.span, "TypeError", f"meshgrid() got an unexpected keyword argument '{keyword}'")
        indexing = item if keyword else indexing
    tensors = _tensors(items)
    asked = "ij" if indexing is None or indexing.value is None else indexing.value
    if not isinstance(asked, str) and indexing is not None:
        words = f"meshgrid(): argument 'indexing' must be str, not {type_name(asked)}"
        raise RaisedError(indexing.span, "TypeError", words)
    if not tensors:
        raise RaisedError(call.span, "RuntimeError", "meshgrid expects a non-empty TensorList")
    values = [item.value for item in tensors if isinstance(item.value, Tensor)]
    odd = next((place for place, value in enumerate(values) if value.dtype != values[0].dtype), None)
    if odd is not None:
        words = "meshgrid expects all tensors to have the same dtype"
        raise RaisedError(tensors[odd].span, "RuntimeError", words)
    if asked not in ("xy", "ij") and indexing is not None:
        words = f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {asked}'
        raise RaisedError(indexing.span, "RuntimeError", words)
    wide = next((item for item, value in zip(tensors, values, strict=True) if len(value.shape) > 1), None)
    if wide is not None:
        words = f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {wide.text}"
        raise RaisedError(wide.span, "RuntimeError", words)
    done = _grid(call, tensors, values, swaps=asked == "xy", view=True)
    notes = (_INDEXING,) if indexing is None or indexing.value is None else ()
    return replace(done, notes=notes, rules=frozenset({"grid-order"} if notes else ()))


def _tensors(items: Sequence[Item]) -> list[Item]:
    """Return the tensors, which may stand in one list."""
    if len(items) == 1 and isinstance(items[0].value, Listed):
        items = items[0].value.items
    elif len(items) == 1 and isinstance(items[0].value, Pair | Parts):
        item, value = items[0], items[0].value
        several = [value.values, value.indices] if isinstance(value, Pair) else value.tensors()
        if several is None:
            message = f"how many tensors {item.text} holds is not known"
            raise SegcliError(message)
        items = [Item(tensor, tensor.text, item.span) for tensor in several]
    for place, item in enumerate(items):
        if not isinstance(item.value, Tensor):
            words = f"expected Tensor as element {place} in argument 0, but got {type_name(item.value)}"
            raise RaisedError(item.span, "TypeError", words)
    return list(items)


def _grid(call: Call, items: Sequence[Item], values: Sequence[Tensor], *, swaps: bool, view: bool) -> Computed:
    axes = list(range(len(values)))
    if swaps and len(axes) > 1:
        axes[:2] = [1, 0]
    shape: Shape = (1,) * len(values)
    for axis, value in zip(axes, values, strict=True):
        shape = with_size(shape, axis, product(value.shape))
    check_elements(shape, call.text)
    runs, steps = [], []
    for place, (axis, value, item) in enumerate(zip(axes, values, items, strict=True)):
        own = strides_of(value)[0] if value.shape else 1
        strides = (*(0 for _ in range(axis)), own, *(0 for _ in range(len(axes) - axis - 1)))
        text = f"{call.result_text}[{place}]"
        runs.append(Run(1, Tensor(shape, value.dtype, text, strides=strides if view else None)))
        takes = tuple(range(len(value.shape[:1])))
        effect = f"walks axis {axis} of grid {place}, and is repeated along the others"
        steps.append(Step(call.stage, item.text, item.span, value.dtype, takes, (axis,) * len(takes), effect, place))
    return Computed(Parts(tuple(runs), call.name, is_tuple=True), tuple(items), tuple(steps), view=view)


def _meshgrid_numpy(call: Call) -> Computed:
    items, named = [], {}
    for keyword, item in call.arguments:
        if keyword and keyword not in ("indexing", "copy", "sparse"):
            raise RaisedError(item.span, "TypeError", f"meshgrid() got an unexpected keyword argument '{keyword}'")
        if keyword:
            named[keyword] = item
        else:
            items.append(item)
    asked = named["indexing"].value if "indexing" in named else "xy"
    if asked not in ("xy", "ij"):
        raise RaisedError(named["indexing"].span, "ValueError", "Valid values for `indexing` are 'xy' and 'ij'.")
    if "copy" in named or "sparse" in named:
        message = "copy= and sparse= are not supported"
        raise SegcliError(message, hint="leave them out")
    values = [as_array(item) for item in items]
    items = [Item(value, item.text, item.span) for value, item in zip(values, items, strict=True)]
    done = _grid(call, items, values, swaps=asked == "xy", view=False)
    return done if "indexing" in named else replace(done, rules=frozenset({"grid-order"}))


OPERATIONS = {
    "linspace": Operation(_linspace, _linspace_numpy),
    "eye": Operation(_eye, _eye_numpy),
    "meshgrid": Operation(_meshgrid, _meshgrid_numpy),
}
