"""Cuts an expression into tokens."""

import re

from segcli.errors import SegcliError
from segcli.shapes.records import record
from segcli.shapes.values import Span
from segcli.units import INT64_MAX

# A line of code, generously: what is longer is no expression that a person stares at.
MAX_CHARACTERS = 10_000

_HINT = "an expression computes with named tensors: 'src[a, b, :]', 'x.argmax(dim=1)', 'a + b'"

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)
    | (?P<name>[^\W\d]\w*)
    | (?P<text>"[^"\\]*"|'[^'\\]*')
    | (?P<mark>\.\.\.|(?:\*\*|//|<<|>>|[+*/%@&|^-])=|\*\*|//|<<|>>|[=!<>]=|[\[\]().,:=+*/%@<>&|^~-])
    | (?P<end>\Z)
    | (?P<other>.)
    )""",
    re.VERBOSE,
)

# Python's own rules: no leading zeros, underscores between digits only.
_INTEGER = re.compile(r"0+(?:_?0)*|[1-9](?:_?[0-9])*")


@record(frozen=True, slots=True)
class Token:
    """A piece of an expression: a ``number``, a ``name``, a ``text`` in quotes, a ``mark``, or the ``end``."""

    kind: str
    text: str
    span: Span


def pointed(text: str, span: Span, window: int = 90) -> str:
    """Return a line of the expression with carets under a part of it; a long one is cut around that part.

    Examples:
        >>> print(pointed("y[0, 5]", (5, 6)))
          y[0, 5]
               ^
    """
    start, end = span
    left = max(0, min(start - window // 3, len(text) - window))
    shown = "".join(char if char.isprintable() else "?" for char in text[left : left + window])
    before, after = "..." if left else "", "..." if left + window < len(text) else ""
    carets = "^" * max(1, min(end, left + window) - start)
    return f"  {before}{shown}{after}\n  {' ' * (len(before) + start - left)}{carets}"


def refusal(text: str, span: Span, message: str, hint: str = "") -> SegcliError:
    """Return the error for an expression that cannot be read, with a caret under the part at fault."""
    return SegcliError(f"{message}\n{pointed(text, span)}", hint=hint)


def scan(text: str) -> list[Token]:
    """Cut ``text`` into tokens, the last of kind ``end``.

    Raises:
        SegcliError: For an expression that is too long, or a character that no expression has.

    Examples:
        >>> [token.text for token in scan("x[0, :]")]
        ['x', '[', '0', ',', ':', ']', '']
    """
    if len(text) > MAX_CHARACTERS:
        message = f"the expression has {len(text):,} characters, expected at most {MAX_CHARACTERS:,}"
        raise SegcliError(message)
    tokens: list[Token] = []
    for found in _TOKEN.finditer(text):
        # One of the groups matches; by its number, as its name would be looked up twice.
        number = found.lastindex or 0
        token = Token(found.lastgroup or "", found[number], found.span(number))
        if token.kind == "other":
            raise refusal(text, token.span, f"unexpected {token.text!r} in the expression", _HINT)
        tokens.append(token)
    return tokens


def read_number(token: Token, text: str) -> int | float:
    """Return the value of a number.

    Raises:
        SegcliError: For a number that Python would not read, or an integer beyond int64.
    """
    if _INTEGER.fullmatch(token.text):
        digits = token.text.replace("_", "")
        # Digits are counted before int(): int() of a long string is slow, or an error of its own.
        if len(digits) <= len(str(INT64_MAX)) and int(digits) <= INT64_MAX:
            return int(digits)
        shown = token.text if len(token.text) <= 40 else token.text[:40] + "..."  # noqa: PLR2004 - a line's worth
        raise refusal(text, token.span, f"{shown} is larger than 2^63 - 1, the largest index there is")
    if re.fullmatch(r"(?:[0-9](?:_?[0-9])*)?\.?(?:[0-9](?:_?[0-9])*)?(?:[eE][+-]?[0-9]+)?", token.text) and (
        "." in token.text or "e" in token.text.lower()
    ):
        return float(token.text)
    raise refusal(text, token.span, f"{token.text!r} is not a number")
