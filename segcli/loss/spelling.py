"""How a person writes losses and their parameters; nothing here knows a tensor."""

import math
import re
from fractions import Fraction

from segcli.errors import SegcliError, nearest
from segcli.loss.settings import LOSSES

# Longer lists are refused before they are read.
_MAX_CHARACTERS = 10_000


def parse_losses(text: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Read a list of losses, or a sum of them; of a sum also what each counts in it.

    Raises:
        SegcliError: For an unknown one, or none.

    Examples:
        >>> parse_losses("ce, dice")
        (('ce', 'dice'), ())
        >>> parse_losses("ce + 0.5*dice")
        (('ce', 'dice'), (1.0, 0.5))
    """
    if len(text) > _MAX_CHARACTERS:
        message = f"--loss has {len(text)} characters, expected a few names"
        raise SegcliError(message)
    if re.search(r"[+*]|-\s", text) or re.match(r"\s*[-.0-9]", text):
        return _parse_sum(text)
    names = tuple(dict.fromkeys(name.strip().lower().replace("_", "-") for name in text.split(",")))
    if names == ("none",):
        return (), ()
    for name in names:
        if name not in LOSSES:
            message = f"unknown loss {name!r}"
            raise SegcliError(message, hint=nearest(name, [*LOSSES, "none"]))
    return names, ()


def _parse_sum(text: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    from segcli.nn.losses.expression import parse

    try:
        # As in a list, the mode says which.
        terms = parse(re.sub(r"\blovasz\b(?!-)", "lovasz-softmax", text))
    except ValueError as error:
        message, _, rest = str(error).partition(" There are ")
        raise SegcliError(
            message.rstrip("?"), hint=f"known: {rest}" if rest else "for example: ce + 0.5*dice"
        ) from error
    bare = re.search(r"\blovasz\b(?!-)", text) is not None
    names = ("lovasz" if bare and term.name == "lovasz-softmax" else term.name for term in terms)
    return tuple(names), tuple(term.factor for term in terms)


def parse_n_min(text: str) -> int | Fraction:
    """Read a count, or a share of the valid pixels.

    Raises:
        SegcliError: For anything else.

    Examples:
        >>> parse_n_min("100000"), parse_n_min("1/16"), parse_n_min("0.0625")
        (100000, Fraction(1, 16), Fraction(1, 16))
    """
    stripped = text.strip()
    # Digits are counted before they are read: int() of a megabyte of them takes minutes.
    if re.fullmatch(r"[0-9]{1,18}", stripped):
        return int(stripped)
    if re.fullmatch(r"[0-9]{1,9}/0*[1-9][0-9]{0,8}|[0-9]{0,9}\.[0-9]{1,18}", stripped):
        share = Fraction(stripped)
        if share <= 1:
            return share
    message = f"--n-min {text[:40]!r} is neither a count nor a share of the valid pixels"
    raise SegcliError(message, hint="write it as 100000, 1/16 or 0.0625")


def parse_alpha(text: str | None) -> float | tuple[float, ...] | None:
    """Read a number, or one a class.

    Raises:
        SegcliError: For anything else.

    Examples:
        >>> parse_alpha("0.25"), parse_alpha("1,2,0.5")
        (0.25, (1.0, 2.0, 0.5))
    """
    values = parse_numbers(text, "--alpha", "a number or one a class", "0.25, or 1,2,0.5 for three classes")
    return values if values is None or len(values) > 1 else values[0]


def parse_numbers(text: str | None, option: str, what: str, example: str) -> tuple[float, ...] | None:
    """Read numbers with commas between them.

    Raises:
        SegcliError: For anything else.

    Examples:
        >>> parse_numbers("1, 2.5", "--class-weights", "one a class", "1,2.5")
        (1.0, 2.5)
    """
    if text is None:
        return None
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        message = f"{option} {text[:40]!r} is not {what}"
        raise SegcliError(message, hint=f"write it as {example}") from error
    if not all(map(math.isfinite, values)):
        message = f"{option} {text[:40]!r} is not finite, expected {what}"
        raise SegcliError(message)
    return values


def parse_names(text: str) -> tuple[str, ...]:
    """Read names with commas between them; an empty text has none.

    Examples:
        >>> parse_names("road, car"), parse_names("")
        (('road', 'car'), ())
    """
    return tuple(name.strip() for name in text.split(",")) if text else ()
