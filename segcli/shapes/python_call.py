"""Reads the arguments of a call as Python does: of functions and layers of PyTorch that are written in Python.

A signature is written as Python writes it, without types: ``self, in_channels, kernel_size, stride=1, *, dtype=None``.
What stands behind ``=`` is for the reader only. ``self`` is counted, as Python's messages do, and not given.
"""

from collections.abc import Sequence
from functools import cache

from segcli.errors import SegcliError
from segcli.shapes.calls import Call
from segcli.shapes.records import record
from segcli.shapes.request import Given
from segcli.shapes.values import Item, Listed, RaisedError, Tensor, Value


@record(frozen=True, slots=True)
class _Parameters:
    """The parameters of a function.

    Attributes:
        positional: Those that may be given by position, in order.
        keyword_only: Those that may not.
        required: Those that have no default.
        hidden: How many stand in front that no call gives: 1 for ``self``.
    """

    positional: tuple[str, ...]
    keyword_only: tuple[str, ...]
    required: frozenset[str]
    hidden: int


@cache
def _parsed(signature: str) -> _Parameters:
    words = signature.split(", ")
    hidden = int(words[0] == "self")
    before, _, after = ", ".join(words[hidden:]).partition("*")
    positional, keyword_only = ([word for word in part.strip(", ").split(", ") if word] for part in (before, after))
    required = frozenset(word for word in (*positional, *keyword_only) if "=" not in word)
    return _Parameters(_names(positional), _names(keyword_only), required, hidden)


def _names(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(word.partition("=")[0] for word in words)


def bind_python(call: Call, function: str, signature: str) -> dict[str, Given]:
    """Bind the arguments of a call to the parameters of a function of Python.

    Args:
        call: The call; of a layer, either the one that makes it (``call.layer``) or the one that applies it.
        function: What Python's messages call it: ``Conv2d.__init__``, ``Conv2d.forward``, ``interpolate``.
        signature: Its parameters, as in ``self, input`` or ``input, size=None, *, mode='nearest'``.

    Returns:
        What was given, by parameter; a parameter that is left out is not in it.

    Raises:
        RaisedError: Python's TypeError.

    Examples:
        >>> size = Item(3, "3", (5, 6))
        >>> call = Call("Upsample", "nn", (("scale_factor", size),), (0, 7), "", "", 0)
        >>> bind_python(call, "Upsample.__init__", "self, size=None, scale_factor=None")["scale_factor"].value
        3
    """
    known = _parsed(signature)
    bound: dict[str, Given] = {}
    positional = [item for keyword, item in call.arguments if not keyword]
    for place, (name, item) in enumerate(zip(known.positional, positional, strict=False)):
        bound[name] = Given(name, item, place + 1)
    for keyword, item in call.arguments:
        if not keyword:
            continue
        if keyword not in (*known.positional, *known.keyword_only):
            raise RaisedError(item.span, "TypeError", f"{function}() got an unexpected keyword argument '{keyword}'")
        if keyword in bound:
            raise RaisedError(item.span, "TypeError", f"{function}() got multiple values for argument '{keyword}'")
        bound[keyword] = Given(keyword, item, 0)
    if len(positional) > len(known.positional):
        surplus = positional[len(known.positional)].span
        raise RaisedError(surplus, "TypeError", _too_many(function, known, len(positional), bound))
    for names, what in ((known.positional, "positional"), (known.keyword_only, "keyword-only")):
        missing = [name for name in names if name in known.required and name not in bound]
        if missing:
            words = f"{function}() missing {len(missing)} required {what} argument{'s' * (len(missing) > 1)}"
            raise RaisedError(call.span, "TypeError", f"{words}: {_listed(missing)}")
    return bound


def _too_many(function: str, known: _Parameters, number: int, bound: dict[str, Given]) -> str:
    most = len(known.positional) + known.hidden
    least = sum(name in known.required for name in known.positional) + known.hidden
    takes = f"takes from {least} to {most}" if least < most else f"takes {most}"
    given = number + known.hidden
    plural = "s" * (most != 1 or least < most)
    only = sum(name in bound for name in known.keyword_only)
    if only:
        many, more = "s" * (given != 1), "s" * (only != 1)
        tail = f"{given} positional argument{many} (and {only} keyword-only argument{more}) were given"
    else:
        tail = f"{given} {'was' if given == 1 else 'were'} given"
    return f"{function}() {takes} positional argument{plural} but {tail}"


def _listed(names: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    if len(quoted) <= 2:  # noqa: PLR2004 - no comma between two
        return " and ".join(quoted)
    return f"{', '.join(quoted[:-1])}, and {quoted[-1]}"


def n_tuple(item: Item, number: int) -> tuple[Item, ...]:
    """Return what layers make of ``int or tuple of n ints``: a tuple as it is, anything else that many times.

    Like PyTorch's own helper it looks at neither the number of values in a tuple nor at their types.

    Args:
        item: What was given.
        number: How many there are to be.

    Raises:
        RaisedError: The TypeError for a 0-d tensor, over which Python cannot go.
        SegcliError: For a tensor with axes, whose elements are not known.

    Examples:
        >>> [each.value for each in n_tuple(Item(3, "3", (0, 1)), 2)]
        [3, 3]
    """
    value = item.value
    if isinstance(value, Listed):
        return value.items
    if isinstance(value, str):
        return tuple(Item(letter, item.text, item.span) for letter in value)
    if isinstance(value, Tensor):
        if not value.shape:
            raise RaisedError(item.span, "TypeError", "iteration over a 0-d tensor")
        message = f"{item.text} is a tensor, expected an int or a tuple of ints"
        raise SegcliError(message, hint="write the numbers themselves")
    return (item,) * number


def value_of(bound: dict[str, Given], name: str, default: Value = None) -> Value:
    """Return an argument, or its default where it is not given."""
    return bound[name].value if name in bound else default
