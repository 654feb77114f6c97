"""How faces read names, patterns and sizes."""

import re

from segcli.errors import SegcliError
from segcli.units import INT64_MAX

_SIDES = re.compile(r"([0-9]{1,19})(?:\s*x\s*([0-9]{1,19}))?")
_LONGEST_SHOWN = 60


def split_names(text: str) -> tuple[str, ...]:
    """Return the names between commas.

    Examples:
        >>> split_names("float32, bfloat16")
        ('float32', 'bfloat16')
    """
    return tuple(name.strip() for name in text.split(","))


def chosen_names(text: str) -> tuple[str, ...]:
    """Return the names between commas; none for ``all``.

    Examples:
        >>> chosen_names("all"), chosen_names("loss,conv")
        ((), ('loss', 'conv'))
    """
    return () if text == "all" else split_names(text)


def kernel_pattern(text: str) -> str:
    """Return a pattern of kernels; refuse an empty one, which an unset variable of a shell becomes."""
    if not text:
        message = "--kernel is empty, expected a pattern of names"
        raise SegcliError(message, hint="leave it out for all kernels")
    return text


def read_sizes(text: str) -> tuple[tuple[int, int], ...]:
    """Read sizes; a comma stands between two, so that a size is written with an x.

    Raises:
        SegcliError: Where one is no size.

    Examples:
        >>> read_sizes("512x1024, 8")
        ((512, 1024), (8, 8))
    """
    return tuple(_size(part.strip(), text) for part in text.split(",")) if text else ()


def _size(part: str, text: str) -> tuple[int, int]:
    found = _SIDES.fullmatch(part)
    sides = [int(side) for side in found.groups() if side] if found else []
    if not sides or max(sides) > INT64_MAX:
        given = "--size" if part == text.strip() else f"a size of --size {_shown(text)}"
        got = _shown(part) if part else "empty"
        message = f"{given} is {got}, expected HxW such as 512x1024, or one number for a square"
        raise SegcliError(message, hint="a comma stands between two sizes: 256x512,512x1024")
    return sides[0], sides[-1]


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "...")
