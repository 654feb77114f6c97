"""Parses and prints sizes, counts, bytes and times."""

import math
import re

from segcli.errors import SegcliError

_DECIMAL = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
# Torch keeps sizes and element counts in int64.
INT64_MAX = 2**63 - 1


def parse_size(text: str, what: str = "size") -> tuple[int, ...]:
    """Read a spatial size or a shape: ``8x16`` or ``8,16``; ``()`` is the empty one.

    Raises:
        SegcliError: Where ``text`` is not a list of whole numbers from 0 to 2^63 - 1.

    Examples:
        >>> parse_size("512x1024")
        (512, 1024)
        >>> parse_size("8,16,3")
        (8, 16, 3)
    """
    stripped = text.strip().strip("()").strip().rstrip(",")
    if not stripped:
        if text.strip() == "()":
            return ()
        message = f"{what} is empty, expected whole numbers such as 8x16"
        raise SegcliError(message)
    parts = re.split(r"\s*[x,]\s*", stripped)
    # Digits are checked before int(): int() of a megabyte of digits takes minutes, or raises its own error.
    if not all(re.fullmatch(r"[0-9]{1,19}", part) and int(part) <= INT64_MAX for part in parts):
        shown = text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - a message stays on one line
        message = f"{what} {shown!r} is not a list of whole numbers from 0 to 2^63 - 1"
        raise SegcliError(message, hint="write it as 8x16 or 8,16")
    return tuple(int(part) for part in parts)


def format_size(size: tuple[int, ...]) -> str:
    """Print a spatial size.

    Examples:
        >>> format_size((512, 1024))
        '512x1024'
    """
    return "x".join(str(side) for side in size)


def format_shape(shape: tuple[int, ...]) -> str:
    """Print a shape as Python writes a tuple.

    Examples:
        >>> format_shape((4,))
        '(4,)'
    """
    return str(tuple(shape))


def format_count(count: float) -> str:
    """Print a count with thousands separators.

    Examples:
        >>> format_count(1814073344)
        '1,814,073,344'
    """
    return f"{count:,}"


def format_bytes(count: float) -> str:
    """Print bytes in decimal units, three significant digits.

    Examples:
        >>> format_bytes(147712)
        '148 kB'
        >>> format_bytes(999)
        '999 B'
    """
    return _scaled(count, "B", whole=True)


def format_rate(per_second: float, unit: str) -> str:
    """Print a rate such as bytes or operations a second.

    Examples:
        >>> format_rate(12_500_000_000, "B/s")
        '12.5 GB/s'
    """
    return _scaled(per_second, unit, whole=False)


def format_seconds(seconds: float) -> str:
    """Print a duration with three significant digits.

    Examples:
        >>> format_seconds(0.00123456)
        '1.23 ms'
        >>> format_seconds(75)
        '1 min 15 s'
    """
    minute = 60.0
    if seconds >= minute:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s"
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= scale:
            return f"{_three_digits(seconds / scale)} {unit}"
    return f"{_three_digits(seconds / 1e-9)} ns"


def format_number(value: float) -> str:
    """Print a real number with six significant digits.

    Examples:
        >>> format_number(0.105360516)
        '0.105361'
        >>> format_number(float("nan"))
        'nan'
    """
    return f"{value:.6g}"


def format_ratio(value: float) -> str:
    """Print how many times as much one thing is as another, three significant digits.

    Examples:
        >>> format_ratio(0.1267)
        '0.127x'
    """
    return f"{_three_digits(value)}x"


def _scaled(value: float, unit: str, *, whole: bool) -> str:
    for scale, prefix in _DECIMAL:
        if value >= scale:
            return f"{_three_digits(value / scale)} {prefix}{unit}"
    return f"{int(value)} {unit}" if whole else f"{_three_digits(value)} {unit}"


def _three_digits(value: float) -> str:
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"
