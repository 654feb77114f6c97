"""Functions of each element by itself, such as ``exp`` and ``isnan``: PyTorch 2.13's and NumPy 2.4's."""

from dataclasses import replace
from functools import partial
from math import prod

from segcli.errors import SegcliError
from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.compute.broadcasting import broadcast_operands
from segcli.shapes.compute.clamping import clamp_numpy, clamp_torch
from segcli.shapes.compute.elementwise import computed
from segcli.shapes.compute.keeping import OPERATIONS as KEEPING
from segcli.shapes.compute.keeping import first_item, refuse_arguments, same, tensor_of, whole_step
from segcli.shapes.compute.promotion import DEFAULT_FLOAT, is_integral, is_number
from segcli.shapes.compute.single import FUNCTIONS, INVERTED, MARKS, MASKS, NARROW, NO_LOOP, UNCOERCED, Single
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Indexing
from segcli.shapes.kinds import SCALARS
from segcli.shapes.operands import as_array
from segcli.shapes.python_call import bind_python
from segcli.shapes.signatures import Signatures
from segcli.shapes.values import FLOATING, REAL, Item, Listed, RaisedError, Symbol, Tensor, type_name


def apply_torch(call: Call, name: str) -> Computed | Indexing:
    """Apply a function of one operand as PyTorch does.

    Args:
        call: The call.
        name: The function, by its name in ``FUNCTIONS``.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    function = FUNCTIONS[name]
    item, decimals, in_place = _read_torch(call)
    source = tensor_of(call, item)
    refused = function.refused.get(source.dtype)
    if call.name == "unary_~" and refused:
        refused = "TypeError", INVERTED
    if decimals is not None and source.dtype not in FLOATING:
        kernel = "round_cpu" if decimals else "round_vml_cpu"
        refused = "NotImplementedError", f"\"{kernel}\" not implemented for '{SCALARS[source.dtype]}'"
    if refused:
        raise RaisedError(item.span, *refused)
    if name == "positive":
        return same(call, source)
    made = _compute(call, item, function, _torch_dtype(source.dtype, function), "torch")
    body = f"round({{0}}, {decimals})" if decimals else function.body
    return replace(made, view=in_place, formula=replace(made.formula, body=body) if made.formula else None)


def _read_torch(call: Call) -> tuple[Item, int | None, bool]:
    """Return the operand, to how many decimals it is rounded, and whether the result is the operand itself."""
    if call.space == "operator":
        return first_item(call), None, False
    if call.space == "functional":
        return _read_functional(call)
    if call.name == "round":
        bound = bind_call(call, Signatures(("*, int decimals=",), ("Tensor input, *, int decimals=, out? out=",)))
        item = first_item(call) if call.space == "method" else bound["input"].item
        given = bound.get("decimals")
        return item, None if given is None else _known(given.item), False
    if call.space == "torch":
        named = tuple(("input" if keyword in ("x", "a", "x1") else keyword, item) for keyword, item in call.arguments)
        known = _WITHOUT_OUT if call.name in _NO_OUT else _WITH_OUT
        return bind_call(replace(call, arguments=named), known)["input"].item, None, False
    refuse_arguments(call)
    return first_item(call), None, False


def _known(item: Item) -> int:
    """Return to how many decimals to round: a number, or the value of a 0-d tensor."""
    value = item.value
    if isinstance(value, Tensor) and value.values:
        value = value.values[0]
    if isinstance(value, Symbol | Tensor):
        message = f"to how many decimals {item.text} rounds, is not known"
        raise SegcliError(message)
    return value if isinstance(value, int) else 0


_WITH_OUT = Signatures((), ("Tensor input, *, out? out=",))
_WITHOUT_OUT = Signatures((), ("Tensor input",))
_NO_OUT = ("relu", "isnan", "isinf", "isfinite")


def _read_functional(call: Call) -> tuple[Item, int | None, bool]:
    if call.name == "relu":
        bound = bind_python(call, "relu", "input, inplace=False")
        item = bound["input"].item
        return item, None, "inplace" in bound and _is_true(bound["inplace"].item)
    item = bind_python(call, call.name, "input")["input"].item
    if not isinstance(item.value, Tensor):
        words = f"'{type_name(item.value)}' object has no attribute '{call.name}'"
        raise RaisedError(item.span, "AttributeError", words)
    return item, None, False


def _is_true(item: Item) -> bool:
    """Tell what ``bool()`` says of an argument."""
    value = item.value
    if isinstance(value, Listed):
        return bool(value.items)
    if isinstance(value, Tensor):
        count = prod(size for size in value.shape if isinstance(size, int))
        if count != 1:
            words = "no values" if count == 0 else "more than one value"
            raise RaisedError(item.span, "RuntimeError", f"Boolean value of Tensor with {words} is ambiguous")
        if value.values is None:
            message = f"whether {item.text} is true, is not known"
            raise SegcliError(message)
        return bool(value.values[0])
    return not isinstance(value, Symbol) and bool(value)


def _torch_dtype(dtype: str, function: Single) -> str:
    if function.kind == "truth":
        return "bool"
    if function.kind == "float" and is_integral(dtype):
        return DEFAULT_FLOAT
    if function.kind == "size":
        return REAL.get(dtype, dtype)
    return "int64" if function.kind == "square" and dtype == "bool" else dtype


def _compute(call: Call, item: Item, function: Single, dtype: str, library: str) -> Computed:
    source = item.value if isinstance(item.value, Tensor) else as_array(item)
    together = broadcast_operands(call, [replace(item, value=source)], library)
    rules = frozenset({"default-float"}) if function.kind == "float" and is_integral(source.dtype) else frozenset()
    why = f"{call.name} of {source.dtype} gives {dtype}" if dtype != source.dtype and function.kind != "truth" else ""
    made = computed(call, together, dtype, function.body, why=why, rules=rules, scalar=library == "numpy")
    result = made.result
    if function.ufunc in MASKS and isinstance(result, Tensor) and source.dtype == "bool":
        made = replace(made, result=replace(result, true_count=_others(source)))
    return replace(made, steps=(whole_step(call, source, "each element by itself"),))


def _others(mask: Tensor) -> int | None:
    """Return how many elements of a mask are False, where that is known."""
    known = [size for size in mask.shape if isinstance(size, int)]
    count = mask.nonzero
    return prod(known) - count if len(known) == len(mask.shape) and isinstance(count, int) else None


def apply_numpy(call: Call, name: str) -> Computed:
    """Apply a function of one operand as NumPy does.

    Raises:
        RaisedError: As NumPy would raise.
    """
    function = FUNCTIONS[name]
    item, decimals = _read_numpy(call, function)
    if not is_number(item.value) and not isinstance(item.value, Tensor | Listed):
        raise RaisedError(item.span, "TypeError", UNCOERCED.format(ufunc=function.ufunc))
    source = as_array(item)
    if source.dtype in function.lacking:
        raise _lacking(item, source.dtype, function)
    if decimals and source.dtype == "bool":
        ufunc = "multiply" if decimals > 0 else "divide"
        words = (
            f"Cannot cast ufunc '{ufunc}' output from dtype('float64') to dtype('bool') with casting rule 'same_kind'"
        )
        raise RaisedError(item.span, "UFuncTypeError", words)
    made = _compute(call, item, function, _numpy_dtype(source.dtype, name), "numpy")
    body = f"round({{0}}, {decimals})" if decimals else function.body
    return replace(made, formula=replace(made.formula, body=body) if made.formula else None)


def _read_numpy(call: Call, function: Single) -> tuple[Item, int]:
    """Return the operand, and to how many decimals it is rounded."""
    if call.name == "round":
        return _read_round(call)
    given: dict[str, Item] = {}
    for place, (keyword, item) in enumerate(call.arguments):
        name = keyword or ("input", "out")[min(place, 1)]
        if name not in ("input", "out"):
            words = f"{function.ufunc}() got an unexpected keyword argument '{keyword}'"
            raise RaisedError(item.span, "TypeError", words)
        given[name] = item
    if "input" not in given:
        words = f"{function.ufunc}() takes from 1 to 2 positional arguments but 0 were given"
        raise RaisedError(call.span, "TypeError", words)
    out = given.get("out")
    if out is not None and out.value is not None:
        raise RaisedError(out.span, "TypeError", "return arrays must be of ArrayType")
    return given["input"], 0


def _read_round(call: Call) -> tuple[Item, int]:
    """Return what is rounded, and to how many decimals: a function of Python."""
    arguments = tuple(("a" if keyword == "input" else keyword, item) for keyword, item in call.arguments)
    bound = bind_python(replace(call, arguments=arguments), "round", "a, decimals=0, out=None")
    if "out" in bound and bound["out"].value is not None:
        raise RaisedError(bound["out"].item.span, "TypeError", "output must be an array")
    decimals = bound["decimals"].value if "decimals" in bound else 0
    if not isinstance(decimals, int):
        words = f"'{type_name(decimals)}' object cannot be interpreted as an integer"
        raise RaisedError(bound["decimals"].item.span, "TypeError", words)
    return bound["a"].item, int(decimals)


def _lacking(item: Item, dtype: str, function: Single) -> RaisedError:
    if function.ufunc == "negative":
        words = (
            "The numpy boolean negative, the `-` operator, is not supported, use the `~` operator or the logical_not "
            "function instead."
        )
        return RaisedError(item.span, "TypeError", words)
    if dtype == "bool":
        words = NO_LOOP.format(ufunc=function.ufunc, kind="<class 'numpy.dtypes.BoolDType'>")
        return RaisedError(item.span, "UFuncTypeError", words)
    return RaisedError(item.span, "TypeError", UNCOERCED.format(ufunc=function.ufunc))


def _numpy_dtype(dtype: str, name: str) -> str:
    function = FUNCTIONS[name]
    if function.kind == "truth":
        return "bool"
    if function.numpy_kind == "narrow":
        return "int8" if dtype == "bool" else dtype
    if name == "round":
        return "float16" if dtype == "bool" else dtype
    if function.kind == "float" and is_integral(dtype):
        return NARROW.get(dtype, "float64")
    return REAL.get(dtype, dtype) if function.kind == "size" else dtype


def _operation(name: str, space: str) -> Operation:
    function = FUNCTIONS[name]
    torch = partial(apply_torch, name=name)
    if not function.ufunc:
        return Operation(torch, None, function.advice)
    public = {"absolute": "abs", "invert": "bitwise_not"}.get(function.ufunc, function.ufunc)
    read_as = f"np.{public}" if (space == "method" and name != "round") or public != name else ""
    return Operation(torch, partial(apply_numpy, name=name), read_as=read_as)


OPERATIONS = {
    **{
        mark: Operation(partial(apply_torch, name=name), partial(apply_numpy, name=name))
        for mark, name in MARKS.items()
    },
    **{f"{space}.{name}": _operation(name, space) for space in ("method", "torch") for name in FUNCTIONS},
    **{f"functional.{name}": _operation(name, "torch") for name in ("relu", "sigmoid", "tanh")},
    "clamp": Operation(clamp_torch, clamp_numpy, read_as="np.clip"),
    "clip": Operation(clamp_torch, clamp_numpy),
    **KEEPING,
}
