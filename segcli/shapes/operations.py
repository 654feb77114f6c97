"""The operations that an expression may call, by name: how a call is read, and each library's rule for it.

Another kind of operation is another row: a reader that makes a ``Request``, and a rule a library that makes of the
tensor and the request what an explanation shows. A library without a rule has no such function.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from segcli.shapes.numpy_along import along_numpy
from segcli.shapes.numpy_reduce import reduce_numpy
from segcli.shapes.reductions import FUNCTIONS, Reduced
from segcli.shapes.request import Request, read_request
from segcli.shapes.torch_along import along_torch
from segcli.shapes.torch_norm import logsumexp_torch, norm_torch
from segcli.shapes.torch_reduce import reduce_torch
from segcli.shapes.values import Item, Span, Tensor

Rule = Callable[[Tensor, Request, int], Reduced]


class Reader(Protocol):
    """Reads a call's arguments, the tensor left out: name, arguments by keyword, where it stands, how it is written."""

    def __call__(
        self, name: str, arguments: Sequence[tuple[str, Item]], span: Span, text: str, *, of_torch: bool
    ) -> Request:
        """Return the call."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: how a call is read, and the rules by library."""

    read: Reader
    rules: Mapping[str, Rule]


_ALONG = ("kthvalue", "topk", "sort", "argsort", "cumsum", "softmax", "log_softmax")
_TORCH: dict[str, Rule] = {
    **dict.fromkeys(FUNCTIONS, reduce_torch),
    **dict.fromkeys(_ALONG, along_torch),
    "norm": norm_torch,
    "logsumexp": logsumexp_torch,
}
_NUMPY: dict[str, Rule] = {
    **dict.fromkeys(FUNCTIONS, reduce_numpy),
    **dict.fromkeys(_ALONG, along_numpy),
}


def _operation(name: str) -> Operation:
    function = FUNCTIONS[name]
    rules = {"torch": _TORCH[name]} if function.lacking else {"torch": _TORCH[name], "numpy": _NUMPY[name]}
    return Operation(partial(read_request, takes=function.takes), rules)


OPERATIONS = {name: _operation(name) for name in FUNCTIONS}


def nearest_operations() -> str:
    """List the operations there are."""
    return ", ".join(sorted(OPERATIONS))
