"""Binds the arguments of a call, its tensors among them, to the parameters of a signature."""

from dataclasses import replace
from functools import cache

from segcli.shapes.calls import Call
from segcli.shapes.request import Given, Request
from segcli.shapes.signatures import Signatures, choose, is_integer, read_signature
from segcli.shapes.values import Item, Listed


def bind_call(call: Call, known: Signatures) -> dict[str, Given]:
    """Bind the arguments of a call, its tensors among them, to the parameters of PyTorch's first fitting signature.

    The tensor of a method stands before the others and belongs to no parameter. Where a signature takes ``ints``, or
    ``sizes`` (of which one alone is no list), and nothing else by position, they may stand by themselves:
    ``x.view(2, 3)``.

    Args:
        call: The call.
        known: The signatures: ``of_method`` without the tensor, ``of_torch`` with it.

    Raises:
        RaisedError: The TypeError of PyTorch, where none fits.
    """
    of_torch = call.space != "method"
    pairs = call.arguments if of_torch else call.arguments[1:]
    arguments = tuple(
        [Given(keyword, item, 0 if keyword else place + 1) for place, (keyword, item) in enumerate(pairs)]
    )
    by_name = {given.name: given for given in arguments if given.name}
    request = Request(call.name, call.span, call.text, pairs, arguments, by_name, of_torch)
    return choose(request if of_torch else _gathered(request, known), known)


def _gathered(request: Request, known: Signatures) -> Request:
    """Make one list of the numbers that stand by themselves in front."""
    numbers = tuple([given for given in request.arguments if given.position])
    if not numbers or not is_integer(numbers[0].value) or not any(map(_takes_numbers, known.of_method)):
        return request
    span = (numbers[0].item.span[0], numbers[-1].item.span[1])
    text = ", ".join(given.item.text for given in numbers)
    one = Given("", Item(Listed(tuple(given.item for given in numbers), is_tuple=True), text, span), 1)
    return replace(request, arguments=(one, *(given for given in request.arguments if given.name)))


@cache
def _takes_numbers(signature: str) -> bool:
    """Tell whether a signature takes a list of ints by position, and nothing else."""
    positional = [parameter for parameter in read_signature(signature) if not parameter.keyword_only]
    return len(positional) == 1 and positional[0].kind in ("ints", "sizes")
