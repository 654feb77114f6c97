"""Reads the arguments of a call as PyTorch's parser does (``torch/csrc/utils/python_arg_parser.cpp`` of PyTorch 2.13).

A function has signatures, written as ``int k, int dim=, *, bool? stable=``: a type with ``?`` takes None, a name with
``=`` may be left out, and ``*`` stands before what is given by keyword only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

from segcli.errors import SegcliError
from segcli.shapes.records import record
from segcli.shapes.request import Given, Request
from segcli.shapes.values import (
    INTEGER,
    DType,
    Listed,
    Pair,
    Parts,
    RaisedError,
    Span,
    Symbol,
    Tensor,
    Unknown,
    Value,
    type_name,
)

_TYPES = {
    "int": "int",
    "ints": "tuple of ints",
    "sizes": "tuple of ints",
    "bool": "bool",
    "number": "Number",
    "float": "float",
    "Tensor": "Tensor",
    "Tensors": "tuple of Tensors",
    "dtype": "torch.dtype",
    "str": "str",
    "device": "torch.device",
}


_CLASSES = {"bool": bool, "Tensor": Tensor, "dtype": DType, "str": str, "device": str}
# NumPy's names, which PyTorch's parser takes as well.
_ALSO = {"dim": "axis", "keepdim": "keepdims"}


@record(frozen=True, slots=True)
class Parameter:
    """One parameter of a signature, by its name and PyTorch's name of its type."""

    name: str
    kind: str
    optional: bool
    nullable: bool
    keyword_only: bool


@record(frozen=True, slots=True)
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
def read_signature(text: str) -> tuple[Parameter, ...]:
    """Read a signature as it is written."""
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
    every = [read_signature(text) for text in texts]
    for parameters in every:
        bound = _match(request, parameters, raising=len(every) == 1)
        if bound is not None:
            return bound
    count = len(request.arguments)
    plausible = [
        parameters for parameters in every if sum(not each.optional for each in parameters) <= count <= len(parameters)
    ]
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
    if raising and len(positional) > sum(not parameter.keyword_only for parameter in parameters):
        raise RaisedError(_span(request), "TypeError", _surplus(request, parameters))
    for place, parameter in enumerate(parameters):
        given = positional[place] if place < len(positional) else _by_name(keywords, parameter.name)
        if given is None and parameter.optional:
            continue
        surplus = given is not None and bool(given.position) and parameter.keyword_only
        if given is None or surplus or not takes(parameter, given.value):
            if raising:
                raise _unfit(request, parameters, parameter, given)
            return None
        bound[parameter.name] = given
    if len(bound) == len(request.arguments):
        return bound
    if raising:
        raise _unknown(request, parameters)
    return None


def _by_name(keywords: Mapping[str, Given], name: str) -> Given | None:
    return keywords.get(name) or keywords.get(_ALSO.get(name, ""))


def _unknown(request: Request, parameters: Sequence[Parameter]) -> RaisedError:
    """Return the error of arguments that a signature has no parameter for."""
    names = [parameter.name for parameter in parameters]
    keywords = [given for given in request.arguments if not given.position]
    places = len(request.arguments) - len(keywords)
    given, before, free = {each.name for each in keywords}, names[:places], names[places:]
    free += [_ALSO[name] for name in free if name in _ALSO and name not in given]
    odd = next(each for each in keywords if each.name not in free)
    words = f"{request.name}() got an unexpected keyword argument '{odd.name}'"
    if odd.name in before:
        words = f"{request.name}() got multiple values for argument '{odd.name}'"
    return RaisedError(odd.item.span, "TypeError", words)


def _unfit(request: Request, parameters: Sequence[Parameter], parameter: Parameter, given: Given | None) -> RaisedError:
    """Return the error of a signature that does not take a call."""
    if given is None:
        return RaisedError(_span(request), "TypeError", _missing(request, parameters))
    return RaisedError(given.item.span, "TypeError", _mismatch(request.name, parameter, given))


def _missing(request: Request, parameters: Sequence[Parameter]) -> str:
    positions = sum(1 for given in request.arguments if given.position)
    names = [
        parameter.name
        for place, parameter in enumerate(parameters)
        if place >= positions and not parameter.optional and parameter.name not in request.given
    ]
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"{request.name}() missing {len(names)} required positional argument{'s' * (len(names) == 1)}: {quoted}"


def _surplus(request: Request, parameters: Sequence[Parameter]) -> str:
    count = sum(1 for given in request.arguments if given.position) + request.left_out
    most = sum(not parameter.keyword_only for parameter in parameters) + request.left_out
    least = sum(not parameter.optional for parameter in parameters) + request.left_out
    if least == most:
        given = f"{count} {'was' if count == 1 else 'were'} given"
        return f"{request.name}() takes {most} positional argument{'s' * (most != 1)} but {given}"
    return f"{request.name}() takes from {least} to {most} positional arguments but {count} were given"


def takes(parameter: Parameter, value: Value) -> bool:
    """Tell whether a parameter takes a value."""
    match parameter.kind:
        case _ if value is None:
            return parameter.nullable
        case "number" | "float" if isinstance(value, Unknown) and value.kind == "complex":
            message = f"a complex number that is not known is not supported as {parameter.name}"
            raise SegcliError(message, hint="use the 0-d tensor itself, without .item()")
        case "number" | "float":
            return isinstance(value, int | float | Symbol | Unknown) or (isinstance(value, Tensor) and not value.shape)
        case "ints" | "sizes" if isinstance(value, Listed):
            return not value.items or is_integer(value.items[0].value)
        case "int" | "ints":
            return is_integer(value)
        case "Tensors":
            return _are_tensors(value)
        case _:
            own = parameter.kind in _CLASSES and isinstance(value, _CLASSES[parameter.kind])
            return own or (parameter.kind == "device" and is_integer(value))


def _are_tensors(value: Value) -> bool:
    if isinstance(value, Listed):
        return all(isinstance(item.value, Tensor) for item in value.items)
    return isinstance(value, Parts | Pair)


def is_integer(value: Value) -> bool:
    """Tell whether a value passes for an int: an int, known or not, that is no bool, or a 0-d tensor of integers."""
    if isinstance(value, Tensor):
        return not value.shape and value.dtype in INTEGER
    return isinstance(value, int | Symbol) and not isinstance(value, bool)


def _mismatch(name: str, parameter: Parameter, given: Given) -> str:
    found = f"not {type_name(given.value)}"
    if parameter.kind in ("ints", "sizes") and isinstance(given.value, Listed) and given.position:
        found = f"but found element of type {type_name(given.value.items[0].value)} at pos 0"
    if parameter.kind == "Tensors" and isinstance(given.value, Listed):
        values = [item.value for item in given.value.items]
        place, value = next((place, value) for place, value in enumerate(values) if not isinstance(value, Tensor))
        return (
            f"expected Tensor as element {place} in argument {max(given.position - 1, 0)}, but got {type_name(value)}"
        )
    position = f" (position {given.position})" if given.position else ""
    return f"{name}(): argument '{parameter.name}'{position} must be {_TYPES.get(parameter.kind, 'Tensor')}, {found}"


def flag(bound: Mapping[str, Given], name: str, *, default: bool = False) -> bool:
    """Return a bool argument, or what it is where it is not given."""
    return bool(bound[name].value) if name in bound else default


def cast_first(source: Tensor, bound: Mapping[str, Given]) -> Tensor:
    """Return the tensor in the dtype that ``dtype=`` asks for: PyTorch casts before it computes."""
    wanted = bound["dtype"].value if "dtype" in bound else None
    return replace(source, dtype=wanted.name) if isinstance(wanted, DType) else source
