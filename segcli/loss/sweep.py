"""The grid of a sweep, as a person writes it: ``thresh=0.5:0.95:0.05``, ``n_min=1/64,1/16``."""

import math
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from segcli.errors import SegcliError, nearest
from segcli.loss.cases import MAX_POINTS, PARAMETERS
from segcli.loss.spelling import parse_n_min

# What may be swept: the numbers among the settings.
SWEPT = ("thresh", "n_min", "gamma", "alpha", "smooth", "tversky_alpha", "tversky_beta", "tversky_gamma")
_RANGE = 3


def parse_sweep(texts: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Read the axes of a grid.

    Values are separated by commas; ``first:last:step`` is a range that holds its last value where a step lands on it.

    Raises:
        SegcliError: For an unknown parameter, values that are none, and a grid of too many points.

    Examples:
        >>> parse_sweep(["thresh=0.5:0.7:0.1", "n-min=1/64,1000"])
        {'thresh': (0.5, 0.6, 0.7), 'n_min': (Fraction(1, 64), 1000)}
    """
    axes: dict[str, tuple[Any, ...]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        known = name.strip().lower().replace("-", "_")
        if not equals or not values.strip():
            message = f"--sweep {text[:60]!r} names no values"
            raise SegcliError(message, hint="for example: --sweep thresh=0.5:0.95:0.05 --sweep n_min=1/64,1/16")
        if known not in SWEPT:
            message = f"--sweep {known[:40]!r} is no parameter that can be swept"
            raise SegcliError(message, hint=nearest(known, list(SWEPT)))
        if known in axes:
            message = f"--sweep {known} is given twice, expected one list of values"
            raise SegcliError(message, hint=f"--sweep {known}=A,B,C")
        axes[known] = _values(known, values)
    n_points = math.prod(map(len, axes.values()))
    if n_points > MAX_POINTS:
        message = f"--sweep asks for {n_points} points, expected at most {MAX_POINTS}"
        raise SegcliError(message, hint="take larger steps, or sweep one parameter after the other")
    return axes


def check_swept(axes: dict[str, tuple[Any, ...]], losses: Sequence[str]) -> None:
    """Refuse an axis that no loss has.

    Raises:
        SegcliError: Naming the losses that have it.

    Examples:
        >>> check_swept({"thresh": (0.5,)}, ["ohem"])
    """
    for name in axes:
        owners = [loss for loss, parameters in PARAMETERS.items() if name in parameters.values()]
        if not set(owners) & set(losses):
            message = f"--sweep {name} changes none of {', '.join(losses) or 'no losses'}"
            raise SegcliError(message, hint=f"evaluate one that has it: --loss {' or '.join(owners)}")


def _values(name: str, text: str) -> tuple[Any, ...]:
    parts = [part.strip() for part in text.split(",", MAX_POINTS)]
    values = [value for part in parts for value in (_range(name, part) if ":" in part else [_value(name, part)])]
    return tuple(dict.fromkeys(values))


def _value(name: str, text: str) -> float | int | Fraction:
    return parse_n_min(text) if name == "n_min" else float(_number(name, text))


def _number(name: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        message = f"--sweep {name} has {text[:40]!r}, expected a number"
        raise SegcliError(message, hint=f"for example: --sweep {name}=0.5,0.6 or {name}=0.5:0.9:0.1") from error
    if not number.is_finite() or not math.isfinite(float(number)):
        message = f"--sweep {name} has {text[:40]!r}, expected a finite number"
        raise SegcliError(message)
    return number


def _range(name: str, text: str) -> list[Any]:
    """Return first, first + step ... in decimal, where ten steps of 0.1 are 1."""
    parts = text.split(":")
    if len(parts) != _RANGE:
        message = f"--sweep {name} has {text[:40]!r}, expected FIRST:LAST:STEP"
        raise SegcliError(message, hint=f"for example: --sweep {name}=0.5:0.9:0.1")
    first, last, step = (_number(name, part) for part in parts)
    if step == 0 or (last - first) / step < 0:
        message = f"--sweep {name} has {text[:40]!r}, whose step of {step} leads away from {last}"
        raise SegcliError(message)
    n_values = int((last - first) / step) + 1
    if n_values > MAX_POINTS:
        message = f"--sweep {name} has {n_values} values, expected at most {MAX_POINTS}"
        raise SegcliError(message, hint="take larger steps")
    return [_value(name, str(first + i * step)) for i in range(n_values)]
