"""Reads the arguments of a call as PyTorch's parser does (``torch/csrc/utils/python_arg_parser.cpp`` of PyTorch 2.13).

A function has signatures, written as ``int k, int dim=, *, bool? stable=``: a type with ``?`` takes None, a name with
``=`` may be left out, and ``*`` stands before what is given by keyword only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from segcli.shapes.request import Given, Request
from segcli.shapes.values import Listed, RaisedError, Span, Value, type_name

_TYPES = {"int": "int", "ints": "tuple of ints", "bool": "bool", "number": "Number"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a signature, by its name and PyTorch's name of its type."""

    name: str
    kind: str
    optional: bool
    nullable: bool
    keyword_only: bool


@dataclass(frozen=True, slots=True)
class Signatures:
    """The signatures of a function, in the order in which they are tried.

    Attributes:
        of_method: Those of ``x.f(...)``.
        of_torch: Those of ``torch.f(x, ...)``, ``x`` left out.
    """

    of_method: tuple[str, ...]
    of_torch: tuple[str, ...]


def signatures(*of_method: str, out: Sequence[bool] = ()) -> Signatures:
    """Return the signatures of a function; ``out`` tells which of them take ``out=`` as ``torch.f``."""
    pairs = zip(of_method, out or [True] * len(of_method), strict=True)
    of_torch = (
        f"{text}{', ' * bool(text)}{'' if '*' in text else '*, '}out out=" if has else text for text, has in pairs
    )
    return Signatures(of_method, tuple(of_torch))


@cache
def _parsed(text: str) -> tuple[Parameter, ...]:
    parameters = []
    keyword_only = False
    for word in filter(None, text.split(", ")):
        if word == "*":
            keyword_only = True
            continue
        kind, name = word.split()
        parameters.append(
            Parameter(name.rstrip("="), kind.rstrip("?"), name.endswith("="), kind.endswith("?"), keyword_only)
        )
    return tuple(parameters)


def choose(request: Request, known: Signatures) -> dict[str, Given]:
    """Bind a call's arguments to the parameters of the first signature that takes them.

    Args:
        request: The call.
        known: The function's signatures.

    Raises:
        RaisedError: The TypeError of PyTorch, where none does.
    """
    texts = known.of_torch if request.of_torch else known.of_method
    every = [_parsed(text) for text in texts]
    for parameters in every:
        bound = _match(request, parameters, raising=len(every) == 1)
        if bound is not None:
            return bound
    plausible = [parameters for parameters in every if len(parameters) >= len(request.arguments)]
    if len(plausible) == 1:
        _match(request, plausible[0], raising=True)
    words = f"{request.name}() received an invalid combination of arguments - got {request.types}"
    raise RaisedError(_span(request), "TypeError", words)


def _span(request: Request) -> Span:
    given = request.given.get("dim") or request.given.get("keepdim")
    return given.item.span if given else request.span


def _match(request: Request, parameters: Sequence[Parameter], *, raising: bool) -> dict[str, Given] | None:
    """Return the arguments by parameter, or None where they do not fit; ``raising`` says why not instead."""
    positional = [given for given in request.arguments if given.position]
    keywords = {given.name: given for given in request.arguments if not given.position}
    bound: dict[str, Given] = {}
    for place, parameter in enumerate(parameters):
        given = positional[place] if place < len(positional) else keywords.get(parameter.name)
        if given is None and parameter.optional:
            continue
        surplus = given is not None and bool(given.position) and parameter.keyword_only
        if given is None or surplus or not takes(parameter, given.value):
            if raising:
                raise _unfit(request, parameters, parameter, given)
            return None
        bound[parameter.name] = given
    return bound if len(bound) == len(request.arguments) else None


def _unfit(request: Request, parameters: Sequence[Parameter], parameter: Parameter, given: Given | None) -> RaisedError:
    """Return the error of a signature that does not take a call."""
    if given is None:
        words = f'{request.name}() missing 1 required positional arguments: "{parameter.name}"'
        return RaisedError(_span(request), "TypeError", words)
    if given.position and parameter.keyword_only:
        return RaisedError(_span(request), "TypeError", _surplus(request, parameters))
    return RaisedError(given.item.span, "TypeError", _mismatch(request.name, parameter, given))


def _surplus(request: Request, parameters: Sequence[Parameter]) -> str:
    count = sum(1 for given in request.arguments if given.position)
    most = sum(not parameter.keyword_only for parameter in parameters) + request.of_torch
    least = sum(not parameter.optional for parameter in parameters) + request.of_torch
    return (
        f"{request.name}() takes from {least} to {most} positional arguments but {count + request.of_torch} were given"
    )


def takes(parameter: Parameter, value: Value) -> bool:
    """Tell whether a parameter takes a value."""
    if value is None:
        return parameter.nullable
    if parameter.kind == "bool":
        return isinstance(value, bool)
    if parameter.kind == "number":
        return isinstance(value, int | float)
    if parameter.kind == "ints" and isinstance(value, Listed):
        return not value.items or is_integer(value.items[0].value)
    return parameter.kind in ("int", "ints") and is_integer(value)


def is_integer(value: Value) -> bool:
    """Tell whether a value is an int and no bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def _mismatch(name: str, parameter: Parameter, given: Given) -> str:
    found = f"not {type_name(given.value)}"
    if parameter.kind == "ints" and isinstance(given.value, Listed):
        found = f"but found element of type {type_name(given.value.items[0].value)} at pos 0"
    position = f" (position {given.position})" if given.position else ""
    return f"{name}(): argument '{parameter.name}'{position} must be {_TYPES[parameter.kind]}, {found}"


def read_dims(name: str, bound: Mapping[str, Given]) -> tuple[int, ...] | None:
    """Return the dimensions that were asked for as written, or None where none were.

    Raises:
        RaisedError: The TypeError of PyTorch for what is no int; from the second on, a bool passes for one.
    """
    given = bound.get("dim")
    if given is None or given.value is None:
        return None
    if not isinstance(given.value, Listed):
        return (as_int(given.value),)
    dims = []
    for place, item in enumerate(given.value.items):
        if not isinstance(item.value, int):
            words = (
                f"{name}(): argument 'dim' failed to unpack the object at pos {place + 1} with error "
                f'"type must be tuple of ints,but got {type_name(item.value)}"'
            )
            raise RaisedError(given.item.span, "TypeError", words)
        dims.append(int(item.value))
    return tuple(dims)


def as_int(value: Value) -> int:
    """Return what a signature found to be an int or a bool."""
    return int(value) if isinstance(value, int) else 0


def flag(bound: Mapping[str, Given], name: str, *, default: bool = False) -> bool:
    """Return a bool argument, or what it is where it is not given."""
    return bool(bound[name].value) if name in bound else default
