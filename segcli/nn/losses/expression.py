"""The sum of losses that an expression such as ``ce + 0.5 * dice`` means; nothing here knows a tensor.

The grammar::

    expression = [sign] term {sign term}
    term       = [number "*"] name | name "*" number
    sign       = "+" | "-"
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches

# The short names, as `segcli loss` has them, and the file and class of each.
NAMES: dict[str, tuple[str, str]] = {
    "ce": ("cross_entropy", "CrossEntropyLoss"),
    "ohem": ("ohem", "OhemCrossEntropyLoss"),
    "bce": ("bce", "BCEWithLogitsLoss"),
    "focal": ("focal", "FocalLoss"),
    "dice": ("dice", "DiceLoss"),
    "generalized-dice": ("generalized_dice", "GeneralizedDiceLoss"),
    "jaccard": ("jaccard", "JaccardLoss"),
    "tversky": ("tversky", "TverskyLoss"),
    "focal-tversky": ("focal_tversky", "FocalTverskyLoss"),
    "lovasz-softmax": ("lovasz", "LovaszSoftmaxLoss"),
    "lovasz-hinge": ("lovasz", "LovaszHingeLoss"),
}

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)|(?P<name>[a-z]+(?:[-_][a-z]+)*)|(?P<sign>[-+])|(?P<times>\*)"
    r"|(?P<end>$)|(?P<stray>\S))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Term:
    """A loss, and what it counts in the sum."""

    name: str
    factor: float


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    place: int


class _Tokens:
    """The tokens of an expression, one after the other."""

    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._tokens = [
            _Token(match.lastgroup or "", match[match.lastgroup or 0], match.start(match.lastgroup or 0))
            for match in _TOKEN.finditer(expression)
        ]
        self._next = 0

    @property
    def kind(self) -> str:
        """What comes next."""
        return self._tokens[self._next].kind

    def take(self, kind: str, expected: str) -> str:
        """Return the text of the next token, and go past it.

        Raises:
            ValueError: Where it is of another kind.
        """
        token = self._tokens[self._next]
        if token.kind != kind:
            found = "the end" if token.kind == "end" else f"{token.text!r} at character {token.place + 1}"
            message = f"the loss {self._expression!r} has {found}, expected {expected}"
            raise ValueError(message)
        self._next += token.kind != "end"
        return token.text


def parse(expression: str) -> tuple[Term, ...]:
    """Return the losses that an expression adds up.

    Raises:
        ValueError: Naming the place that is wrong, or the loss that is unknown and the nearest.

    Examples:
        >>> parse("ce + 0.5 * dice")
        (Term(name='ce', factor=1.0), Term(name='dice', factor=0.5))
    """
    tokens = _Tokens(expression)
    terms: list[Term] = []
    sign = tokens.take("sign", "") if tokens.kind == "sign" else "+"
    while True:
        name, factor = _term(tokens)
        known = known_name(name)
        if known in (term.name for term in terms):
            message = f"the loss {expression!r} has {known} twice, expected once: add up the factors"
            raise ValueError(message)
        terms.append(Term(known, -factor if sign == "-" else factor))
        if tokens.kind == "end":
            return tuple(terms)
        sign = tokens.take("sign", "+, - or the end")


def _term(tokens: _Tokens) -> tuple[str, float]:
    if tokens.kind == "number":
        factor = float(tokens.take("number", ""))
        tokens.take("times", "* and the name of a loss")
        return tokens.take("name", "the name of a loss"), factor
    name = tokens.take("name", "a number or the name of a loss")
    if tokens.kind != "times":
        return name, 1.0
    tokens.take("times", "")
    return name, float(tokens.take("number", "a number"))


def known_name(name: str) -> str:
    """Return the name of a loss as it is listed; underscores and capitals are no difference.

    Raises:
        ValueError: For a loss that there is not, naming the nearest.

    Examples:
        >>> known_name("focal_tversky")
        'focal-tversky'
        >>> known_name("dise")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: there is no loss 'dise', did you mean dice? There are ce, ohem, ...
    """
    known = name.lower().replace("_", "-")
    if known in NAMES:
        return known
    parts = known.split("-")
    if len(parts) > 1 and all(part in NAMES for part in parts):
        message = f"there is no loss {name!r}: set a minus apart, {' - '.join(parts)}"
        raise ValueError(message)
    (nearest,) = get_close_matches(known, NAMES, n=1, cutoff=0)
    message = f"there is no loss {name!r}, did you mean {nearest}? There are {', '.join(NAMES)}"
    raise ValueError(message)
