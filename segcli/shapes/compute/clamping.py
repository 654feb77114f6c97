"""``clamp``, or ``clip``: PyTorch 2.13's and NumPy 2.4's."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from segcli.errors import SegcliError
from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call
from segcli.shapes.compute.broadcasting import broadcast_operands
from segcli.shapes.compute.elementwise import computed
from segcli.shapes.compute.keeping import tensor_of
from segcli.shapes.compute.numpy_arithmetic import PYTHON_NAMES
from segcli.shapes.compute.promotion import (
    bounds_of,
    explain_dtype,
    is_number,
    mixes,
    numpy_dtype,
    refuse_out_of_bounds,
    torch_dtype,
)
from segcli.shapes.compute.single import NO_LOOP
from segcli.shapes.compute.torch_arithmetic import check_convertible, take_numbers
from segcli.shapes.computed import Computed
from segcli.shapes.kinds import SCALARS
from segcli.shapes.operands import as_array
from segcli.shapes.signatures import Signatures
from segcli.shapes.values import COMPLEX, FLOATING, NUMPY_INTEGER, Item, Listed, RaisedError, Symbol, Tensor, type_name

_BOUNDS = ("Tensor? min=, Tensor? max=", "number? min=, number? max=")
_SIGNATURES = Signatures(_BOUNDS, tuple(f"Tensor input, {text}, *, out? out=" for text in _BOUNDS))
_PLACES: tuple[str, ...] = ("min", "max")
_NO_BOUND = "torch.clamp: At least one of 'min' or 'max' must not be None"
_COMPLEX = "clamp is not supported for complex types"


def clamp_torch(call: Call) -> Computed:
    """Clamp as PyTorch does.

    Raises:
        RaisedError: As PyTorch would raise.
    """
    bound = bind_call(call, _SIGNATURES)
    item = call.first if call.space == "method" else bound["input"].item
    source = tensor_of(call, item)
    bounds: dict[str, Item] = {
        name: bound[name].item for name in ("min", "max") if name in bound and bound[name].value is not None
    }
    if not bounds:
        raise RaisedError(call.span, "RuntimeError", _NO_BOUND)
    by_tensors = all(isinstance(each.value, Tensor) for each in bounds.values())
    if not by_tensors:
        bounds = {name: _as_number(each) for name, each in bounds.items()}
    if source.dtype in COMPLEX:
        raise RaisedError(item.span, "NotImplementedError", _COMPLEX)
    items = [item, *bounds.values()]
    together = broadcast_operands(call, items)
    dtype = torch_dtype([each.value for each in items])
    _check_kernel(call, bounds, dtype, by_tensors=by_tensors)
    why = explain_dtype(items, dtype, "torch")
    together, notes = take_numbers(together, dtype)
    return computed(call, together, dtype, _body(list(bounds)), why=why, notes=notes, rules=mixes(items))


def _as_number(item: Item) -> Item:
    """Return what PyTorch makes of a 0-d tensor that stands beside a number: its value, which is not known."""
    value = item.value
    if not isinstance(value, Tensor):
        return item
    number: bool | float | Symbol = Symbol(item.text)
    if value.dtype == "bool":
        number = False
    elif value.dtype in FLOATING:
        number = 0.0
    elif value.dtype in COMPLEX:
        message = f"the bound {item.text}, which is complex, is not supported"
        raise SegcliError(message)
    return replace(item, value=number)


def _check_kernel(call: Call, bounds: Mapping[str, Item], dtype: str, *, by_tensors: bool) -> None:
    """Refuse dtypes that there is no code for, and numbers that the dtype does not hold."""
    both = len(bounds) > 1
    kernel = "clamp_cpu" if both else "maximum_cpu" if "min" in bounds else "minimum_cpu"
    refused: tuple[str, ...] = ("bool", *COMPLEX) if both else COMPLEX
    if not by_tensors:
        kernel = "clamp_scalar_cpu" if both else f"clamp_{next(iter(bounds))}_scalar_cpu"
        refused = ("bool",)
    if dtype in refused:
        words = f"\"{kernel}\" not implemented for '{SCALARS[dtype]}'"
        raise RaisedError(call.span, "NotImplementedError", words)
    for item in bounds.values():
        if isinstance(item.value, int | float) and not isinstance(item.value, bool):
            check_convertible(item.value, dtype, item.span)


def _body(names: Sequence[str]) -> str:
    if len(names) > 1:
        return "min(max({0}, {1}), {2})"
    return "max({0}, {1})" if list(names) == ["min"] else "min({0}, {1})"


def clamp_numpy(call: Call) -> Computed:
    """Clip as NumPy does (``numpy/_core/_methods.py``).

    Raises:
        RaisedError: As NumPy would raise.
    """
    item, bounds = _read_numpy(call)
    source = as_array(item)
    bounds = {name: _as_operand(each) for name, each in bounds.items() if each.value is not None}
    bounds = {name: each for name, each in bounds.items() if not _is_beyond(name, each, source.dtype)}
    if not bounds and source.dtype == "bool":
        words = NO_LOOP.format(ufunc="positive", kind="<class 'numpy.dtypes.BoolDType'>")
        raise RaisedError(call.span, "UFuncTypeError", words)
    items = [replace(item, value=source), *bounds.values()]
    _refuse_strangers(call, items, list(bounds))
    dtype = numpy_dtype([each.value for each in items])
    refuse_out_of_bounds(items, dtype)
    together = broadcast_operands(call, items, "numpy")
    body = _body(list(bounds)) if bounds else "{0}"
    why = explain_dtype(items, dtype, "numpy")
    return computed(call, together, dtype, body, why=why, rules=mixes(items), scalar=True)


def _read_numpy(call: Call) -> tuple[Item, dict[str, Item]]:
    names: tuple[str, ...] = ("input", "min", "max", "out")
    given: dict[str, Item] = {}
    for place, (keyword, item) in enumerate(call.arguments):
        name = keyword or names[min(place, 3)]
        if name not in names:
            raise RaisedError(item.span, "TypeError", f"clip() got an unexpected keyword argument '{keyword}'")
        given[name] = item
    positional = sum(not keyword for keyword, _ in call.arguments)
    if call.space == "torch" and positional == 2:  # noqa: PLR2004 - the array and a_min
        raise RaisedError(call.span, "TypeError", "clip() missing 1 required positional argument: 'a_max'")
    if "out" in given and given["out"].value is not None:
        raise RaisedError(given["out"].span, "TypeError", "return arrays must be of ArrayType")
    if "input" not in given:
        raise RaisedError(call.span, "TypeError", "clip() missing 1 required positional argument: 'a'")
    return given["input"], {name: given[name] for name in _PLACES if name in given}


def _as_operand(item: Item) -> Item:
    return replace(item, value=as_array(item)) if isinstance(item.value, Listed) else item


def _refuse_strangers(call: Call, items: Sequence[Item], names: Sequence[str]) -> None:
    """Refuse bounds that are neither arrays nor numbers."""
    strangers = {name: item for name, item in zip(names, items[1:], strict=True) if not _is_operand(item)}
    if not strangers:
        return
    ufunc = "clip" if len(names) > 1 else "maximum" if names[0] == "min" else "minimum"
    dtypes = [numpy_dtype([each.value]) if _is_operand(each) else "" for each in items]
    item = next(iter(strangers.values()))
    if all(isinstance(each.value, str) for each in strangers.values()):
        shown = [dtype or f"<U{max(len(str(each.value)), 1)}" for each, dtype in zip(items, dtypes, strict=True)]
        types = ", ".join(f"dtype('{each}')" for each in shown)
        words = f"ufunc '{ufunc}' did not contain a loop with signature matching types ({types}) -> None"
        raise RaisedError(item.span, "UFuncTypeError", words)
    if 0 in broadcast_operands(call, items, "numpy").shape:
        message = f"clip with {item.text} gives an array of objects, which is not supported"
        raise SegcliError(message)
    raise _not_in_order(items, dtypes, names)


def _not_in_order(items: Sequence[Item], dtypes: Sequence[str], names: Sequence[str]) -> RaisedError:
    """Return Python's error for objects: each element is compared with ``min`` first, and then with ``max``."""
    kinds = [PYTHON_NAMES.get(dtype, "complex") if dtype else "" for dtype in dtypes]
    place = 1 if not kinds[1] or kinds[0] == "complex" else 2
    mark = ">=" if names[place - 1] == "min" else "<="
    other = kinds[place] or type_name(items[place].value)
    words = f"'{mark}' not supported between instances of '{kinds[0]}' and '{other}'"
    return RaisedError(items[place].span, "TypeError", words)


def _is_operand(item: Item) -> bool:
    return is_number(item.value) or isinstance(item.value, Tensor)


def _is_beyond(name: str, item: Item, dtype: str) -> bool:
    """Tell whether a bound is at the end of what an integer dtype holds, or beyond: NumPy drops it then."""
    value = item.value
    if dtype not in NUMPY_INTEGER or not isinstance(value, int) or isinstance(value, bool):
        return False
    low, high = bounds_of(dtype)
    return value <= low if name == "min" else value >= high
