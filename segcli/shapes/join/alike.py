"""Tensors that take their dtype from another, and tensors of random numbers: PyTorch 2.13's."""

from dataclasses import replace

from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed
from segcli.shapes.dims import tensor_in
from segcli.shapes.indexing import Step
from segcli.shapes.integers import read_size
from segcli.shapes.join.making import OPTIONS, asked_dtype, check_options, check_signs, gathered, like, made, read_shape
from segcli.shapes.kinds import C_NAMES, SCALARS
from segcli.shapes.operands import BITS
from segcli.shapes.request import Given
from segcli.shapes.select.storing import check_number
from segcli.shapes.signatures import Signatures
from segcli.shapes.values import COMPLEX, FLOATING, Listed, RaisedError, Size

_KEPT = "dtype? dtype=, layout? layout=, str? device=, bool? pin_memory=, bool? requires_grad="
_NEW = Signatures((f"ints size, *, {_KEPT}",), ())
_NEW_FULL = Signatures((f"ints size, number fill_value, *, {_KEPT}",), ())
_DRAWN = Signatures((), (f"ints size, *, generator? generator=, {OPTIONS}",))
_DRAWN_LIKE = Signatures((), (f"Tensor input, *, {_KEPT}, format? memory_format=",))
_BETWEEN = Signatures(
    (),
    (
        f"int high, ints size, *, generator? generator=, {OPTIONS}",
        f"int low, int high, ints size, *, generator? generator=, {OPTIONS}",
    ),
)
# Up to where floats that are not checked as integers are reach.
_LARGEST = {"float16": 65504}


def _new(call: Call) -> Computed:
    """Return a new tensor of another one's dtype, as ``x.new_zeros(2, 3)`` does."""
    full = call.name == "new_full"
    keyword, first = call.arguments[1] if full and len(call.arguments) > 1 else ("", None)
    if first is not None and not keyword and not isinstance(first.value, Listed):
        # Sizes by themselves are for those that take nothing else.
        read_shape(call, Given("size", first, 1))
    bound = bind_call(call, _NEW_FULL if full else _NEW)
    item = call.first
    shape = read_shape(call, bound["size"])
    check_signs(call, shape, bound["size"])
    dtype = asked_dtype(bound, tensor_in(item).dtype)
    if "fill_value" in bound:
        check_number(bound["fill_value"].item, dtype)
    step = Step(call.stage, item.text, item.span, tensor_in(item).dtype, (), (), "gives its dtype, not its values")
    return replace(made(call, shape, dtype, bound), inputs=(item,), steps=(step,))


def _drawn(call: Call) -> Computed:
    """Return random numbers: between 0 and 1, or around 0 with variance 1."""
    bound = bind_call(gathered(call), _DRAWN)
    shape = read_shape(call, bound["size"])
    check_signs(call, shape, bound["size"])
    dtype = asked_dtype(bound, "float32")
    _check_drawn(call, dtype, empty=0 in shape)
    return replace(made(call, shape, dtype, bound), why=_WHY[call.name])


def _check_drawn(call: Call, dtype: str, *, empty: bool) -> None:
    uniform = call.name.startswith("rand_") or call.name == "rand"
    if dtype not in (*FLOATING, *COMPLEX) and (uniform or not empty):
        kernel = "check_uniform_bounds" if uniform else "normal_kernel_cpu"
        raise RaisedError(call.span, "NotImplementedError", f"\"{kernel}\" not implemented for '{SCALARS[dtype]}'")


def _drawn_like(call: Call) -> Computed:
    bound = bind_call(call, _DRAWN_LIKE)
    item = bound["input"].item
    source = tensor_in(item)
    dtype = asked_dtype(bound, source.dtype)
    _check_drawn(call, dtype, empty=0 in source.shape)
    check_options(dtype, bound)
    return like(call, item, source, dtype)


def _between(call: Call) -> Computed:
    """Return random integers."""
    bound = bind_call(call, _BETWEEN)
    shape = read_shape(call, bound["size"])
    low: Size = read_size(bound["low"].item) if "low" in bound else 0
    high = read_size(bound["high"].item)
    check_signs(call, shape, bound["size"])
    dtype = asked_dtype(bound, "int64")
    if isinstance(low, int) and isinstance(high, int):
        _check_bounds(bound, low, high, dtype)
    done = made(call, shape, dtype, bound)
    return replace(done, why=f"each element is a random integer from {low} to {high}, which is left out")


def _check_bounds(bound: dict[str, Given], low: int, high: int, dtype: str) -> None:
    span = bound["high"].item.span
    if low >= high:
        words = f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        raise RaisedError(span, "RuntimeError", words)
    if dtype in COMPLEX:
        words = "check_random_bounds handles only integral, floating-point and boolean types"
        raise RaisedError(span, "RuntimeError", words)
    least, most = _reach(dtype)
    for name, number in (("from", low), ("to - 1", high - 1)):
        if not least <= number <= most:
            raise RaisedError(span, "RuntimeError", f"{name} is out of bounds for {C_NAMES[dtype]}")


def _reach(dtype: str) -> tuple[int, int]:
    if dtype == "bool":
        return 0, 1
    if dtype in BITS:
        unsigned = dtype.startswith("u")
        return (0, 2 ** BITS[dtype] - 1) if unsigned else (-(2 ** (BITS[dtype] - 1)), 2 ** (BITS[dtype] - 1) - 1)
    return -_LARGEST.get(dtype, 2**63), _LARGEST.get(dtype, 2**63)


_WHY = {
    "rand": "each element is a random number from 0 to 1, which is left out",
    "randn": "each element is a random number of the normal distribution",
}
OPERATIONS = {
    "new_zeros": Operation(_new, None, "write np.zeros((2, 3), x.dtype)"),
    "new_ones": Operation(_new, None, "write np.ones((2, 3), x.dtype)"),
    "new_empty": Operation(_new, None, "write np.empty((2, 3), x.dtype)"),
    "new_full": Operation(_new, None, "write np.full((2, 3), value, x.dtype)"),
    "rand": Operation(_drawn, None, "write np.random.default_rng().random((2, 3))"),
    "randn": Operation(_drawn, None, "write np.random.default_rng().standard_normal((2, 3))"),
    "rand_like": Operation(_drawn_like, None, "write np.random.default_rng().random(x.shape)"),
    "randn_like": Operation(_drawn_like, None, "write np.random.default_rng().standard_normal(x.shape)"),
    "randint": Operation(_between, None, "write np.random.default_rng().integers(low, high, (2, 3))"),
}
