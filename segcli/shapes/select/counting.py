"""``bincount``: how often each integer occurs, as confusion matrices are counted. PyTorch 2.13's and NumPy 2.4's."""

from dataclasses import replace

from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed, Formula, Read, closing
from segcli.shapes.indexing import Step
from segcli.shapes.integers import read_size
from segcli.shapes.kinds import SCALARS
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.operands import as_array
from segcli.shapes.python_call import bind_python
from segcli.shapes.select.looking import name_of
from segcli.shapes.signatures import Signatures
from segcli.shapes.symbols import equal
from segcli.shapes.values import COMPLEX, FLOATING, INTEGER, Item, Listed, RaisedError, Size, Symbol, Tensor, type_name

_SIGNATURES = Signatures(
    ("Tensor? weights=, int minlength=",),
    ("Tensor input, Tensor? weights=, int minlength=",),
)
_NEGATIVE = "bincount only supports 1-d non-negative integral inputs."
_SAFE = "Cannot cast array data from dtype('{own}') to dtype('{wanted}') according to the rule 'safe'"


def _torch(call: Call) -> Computed:
    bound = bind_call(call, _SIGNATURES)
    source = call.first if call.space == "method" else bound["input"].item
    x = as_tensor(source)
    least: Size = read_size(bound["minlength"].item) if "minlength" in bound else 0
    if x.dtype not in INTEGER:
        words = f"\"bincount_cpu\" not implemented for '{SCALARS[x.dtype]}'"
        raise RaisedError(source.span, "NotImplementedError", words)
    if isinstance(least, int) and least < 0:
        raise RaisedError(bound["minlength"].item.span, "RuntimeError", "minlength should be >= 0")
    if x.shape == (0,):
        return _counted(call, source, None, least, "int64")
    if len(x.shape) != 1 or _smallest(x) < 0:
        raise RaisedError(source.span, "RuntimeError", _NEGATIVE)
    given = bound.get("weights")
    if given is None or not isinstance(given.value, Tensor):
        return _counted(call, source, None, least, "int64")
    if len(given.value.shape) != 1 or _differ(given.value.shape[0], x.shape[0]):
        words = "weights should be 1-d and have the same length as input"
        raise RaisedError(given.item.span, "RuntimeError", words)
    dtype = "float32" if given.value.dtype == "float32" else "float64"
    return _counted(call, source, given.item, least, dtype)


def _numpy(call: Call) -> Computed:
    given = _read_numpy(call)
    source = replace(given["x"], value=as_array(given["x"]))
    x = as_tensor(source)
    _check_depth(source)
    _check_safe(source, "int64", (*FLOATING, *COMPLEX))
    least = _read_least(given.get("minlength"))
    if x.shape == (0,):
        return _counted(call, source, None, least, "int64")
    if _smallest(x) < 0:
        raise RaisedError(source.span, "ValueError", "'list' argument must have no negative elements")
    if "weights" not in given or given["weights"].value is None:
        return _counted(call, source, None, least, "int64")
    weights = replace(given["weights"], value=as_array(given["weights"]))
    _check_depth(weights)
    _check_safe(weights, "float64", COMPLEX)
    if _differ(as_tensor(weights).shape[0], x.shape[0]):
        raise RaisedError(weights.span, "ValueError", "The weights and list don't have the same length.")
    return _counted(call, source, weights, least, "float64")


def _read_numpy(call: Call) -> dict[str, Item]:
    if any(keyword in ("x", "input") for keyword, _ in call.arguments):
        words = "bincount() got some positional-only arguments passed as keyword arguments: 'x'"
        raise RaisedError(call.span, "TypeError", words)
    bound = bind_python(call, "bincount", "x, weights=None, minlength=0")
    return {name: given.item for name, given in bound.items()}


def _check_depth(item: Item) -> None:
    ndim = len(as_tensor(item).shape)
    if ndim != 1:
        how = "object of too small depth for desired array" if not ndim else "object too deep for desired array"
        raise RaisedError(item.span, "ValueError", how)


def _check_safe(item: Item, wanted: str, refused: tuple[str, ...]) -> None:
    dtype = as_tensor(item).dtype
    # An empty list is of no dtype in particular.
    if dtype in refused and not isinstance(item.value, Listed):
        raise RaisedError(item.span, "TypeError", _SAFE.format(own=dtype, wanted=wanted))


def _read_least(item: Item | None) -> Size:
    if item is None:
        return 0
    if item.value is None:
        raise RaisedError(item.span, "TypeError", "use 0 instead of None for minlength")
    if not isinstance(item.value, int | Symbol) or isinstance(item.value, bool):
        words = f"'{type_name(item.value)}' object cannot be interpreted as an integer"
        raise RaisedError(item.span, "TypeError", words)
    least = read_size(item)
    if isinstance(least, int) and least < 0:
        raise RaisedError(item.span, "ValueError", "'minlength' must not be negative")
    return least


def _smallest(x: Tensor) -> int:
    return min((int(value) for value in x.values or ()), default=0)


def _differ(size: Size, other: Size) -> bool:
    return isinstance(size, int) and isinstance(other, int) and size != other


def _length(x: Tensor, least: Size) -> Size:
    """Return how many counts there are: up to the largest value, and at least as many as asked for."""
    if x.values is None:
        # The brackets of max() are enough.
        text = x.text[1:-1] if x.text[:1] == "(" and closing(x.text, 0) == len(x.text) - 1 else x.text
        found: Size = f"max({text}) + 1" if x.shape != (0,) else 0
    else:
        found = max((int(value) for value in x.values), default=-1) + 1
    if isinstance(found, int) and isinstance(least, int):
        return max(found, least)
    return found if least == 0 else least if found == 0 else f"max({found}, {least})"


def _counted(call: Call, source: Item, weights: Item | None, least: Size, dtype: str) -> Computed:
    x = as_tensor(source)
    size = _length(x, least)
    what = "adds up the weights of each value" if weights else "counts how often each value occurs"
    longest = f"up to the largest{'' if least == 0 else f', at least {least}'}"
    steps = [Step(call.stage, source.text, source.span, name_of(x), (0,), (0,), f"{what}, {longest}")]
    inputs: tuple[Item, ...] = (source,)
    body = "sum over {k0} of ({0} == {i0})"
    reads = [Read(0, ("{k0}",))]
    needs: tuple[str, ...] = ()
    if weights is not None:
        inputs, body = (source, weights), "sum over {k0} of {1} * ({0} == {i0})"
        reads.append(Read(1, ("{k0}",)))
        own = as_tensor(weights)
        steps.append(Step(call.stage, weights.text, weights.span, name_of(own), (0,), (), "one weight a value", 1))
        needs = (equal(x.shape[0], own.shape[0]),) if own.shape[0] != x.shape[0] else ()
    formula = Formula(body, tuple(reads), bound=x.shape)
    return Computed(call.make((size,), dtype), inputs, tuple(steps), formula=formula, needs=needs)


OPERATIONS = {
    "method.bincount": Operation(_torch, _numpy, read_as="np.bincount"),
    "torch.bincount": Operation(_torch, _numpy),
}
