"""The table of reductions and of functions along an axis: how a call is read, and each library's rule for it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import cast

from segcli.errors import SegcliError
from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed
from segcli.shapes.reduce.numpy_along import along_numpy
from segcli.shapes.reduce.numpy_reduce import reduce_numpy
from segcli.shapes.reduce.of_two import extreme_numpy, extreme_torch, is_no_axis, is_of_two
from segcli.shapes.reduce.reductions import FUNCTIONS
from segcli.shapes.reduce.torch_along import along_torch
from segcli.shapes.reduce.torch_norm import logsumexp_torch, norm_torch
from segcli.shapes.reduce.torch_reduce import reduce_torch
from segcli.shapes.reduced import Reduced
from segcli.shapes.request import Request, read_request
from segcli.shapes.signatures import Signatures
from segcli.shapes.values import COMPLEX, FLOATING, DType, RaisedError, Tensor, type_name

_Rule = Callable[[Tensor, Request, int], Reduced]

_ALONG = ("kthvalue", "topk", "sort", "argsort", "cumsum", "cumprod", "softmax", "log_softmax")
_TORCH: dict[str, _Rule] = {
    **dict.fromkeys(FUNCTIONS, reduce_torch),
    **dict.fromkeys(_ALONG, along_torch),
    "norm": norm_torch,
    "logsumexp": logsumexp_torch,
}
_NUMPY: dict[str, _Rule] = {
    **dict.fromkeys(FUNCTIONS, reduce_numpy),
    **dict.fromkeys(_ALONG, along_numpy),
}


def _reduce(call: Call, rule: _Rule) -> Reduced:
    place = _input_place(call)
    item = call.arguments[place][1]
    arguments = [argument for number, argument in enumerate(call.arguments) if number != place]
    takes = FUNCTIONS[call.name].takes
    request = read_request(call.name, arguments, call.span, call.text, takes=takes, of_torch=call.space == "torch")
    if not isinstance(item.value, Tensor):
        _refuse_input(call, place)
    source = cast("Tensor", item.value)
    done = rule(source, request, call.stage)
    return replace(done, form="lossy") if _is_lossy(source.dtype, request) else done


def _is_lossy(dtype: str, request: Request) -> bool:
    """Tell whether ``dtype=`` asks for what does not hold the elements, which a formula over them does not say."""
    wanted = request.given["dtype"].value if request.has_dtype else None
    if not isinstance(wanted, DType) or wanted.name == dtype:
        return False
    return wanted.name not in (*FLOATING, *COMPLEX) or (dtype in COMPLEX and wanted.name not in COMPLEX)


def _reduce_or_compare(call: Call) -> Reduced | Computed:
    return extreme_torch(call) if is_of_two(call) else _reduce(call, _TORCH[call.name])


def _reduce_or_refuse(call: Call) -> Reduced | Computed:
    if is_of_two(call) and (call.arguments[1][0] or is_no_axis(call)):
        return extreme_numpy(call)
    return _reduce(call, _NUMPY[call.name])


def _input_place(call: Call) -> int:
    """Find the tensor among the arguments."""
    for place, (keyword, _) in enumerate(call.arguments):
        if keyword in ("input", "x", "a") or (place == 0 and not keyword):
            return place
    message = f"torch.{call.name}() needs a tensor as its first argument"
    raise SegcliError(message)


def _refuse_input(call: Call, place: int) -> None:
    """Raise PyTorch's error for a call of something else, such as the pair that a function returned."""
    arguments = list(call.arguments)
    keyword, item = arguments[place]
    if call.name == "norm":
        # It is Python, and asks for the layout first.
        words = f"'{type_name(item.value)}' object has no attribute 'layout'"
        raise RaisedError(item.span, "AttributeError", words)
    arguments[place] = ("input" if keyword else "", item)
    texts = FUNCTIONS[call.name].signatures.of_torch
    # No signature takes it; which one is told of hangs on the other arguments.
    known = Signatures((), tuple(f"Tensor input, {text}" for text in texts))
    bind_call(replace(call, arguments=tuple(arguments)), known)


def _operation(name: str) -> Operation:
    advice = FUNCTIONS[name].lacking
    numpy = None if advice else partial(_reduce, rule=_NUMPY[name])
    read_as = "np.count_nonzero" if name == "count_nonzero" else ""
    return Operation(partial(_reduce, rule=_TORCH[name]), numpy, advice, read_as)


OPERATIONS = {
    **{name: _operation(name) for name in FUNCTIONS},
    **dict.fromkeys(("max", "min"), Operation(_reduce_or_compare, _reduce_or_refuse)),
}
