"""How faces read names, patterns and sizes."""

from segcli.errors import SegcliError
from segcli.units import parse_size


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
    """Read sizes; a comma stands between two, so that a size is written with an x."""
    return tuple(_size(part) for part in text.split(",")) if text else ()


def _size(text: str) -> tuple[int, int]:
    match parse_size(text, "--size"):
        case (side,):
            return side, side
        case (high, wide):
            return high, wide
        case sides:
            message = f"--size {text} has {len(sides)} sides, expected one or two"
            raise SegcliError(message)
