"""What of the input each position along one axis sees, exactly, without a border and without torch.

Source: Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019, which walks
single paths of convolutions and pooling. Here a map may be enlarged again: then neighbours see more or less in turn.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import floor, gcd, lcm

# More positions in a pattern than this are not followed: sizes that hardly divide one another.
MAX_PERIOD = 4096
# No position: beyond all others, however far a pattern is continued.
_NOTHING = (1 << 80, -(1 << 80))


class PeriodError(ValueError):
    """A pattern of more than `MAX_PERIOD` positions."""


@dataclass(frozen=True)
class Field:
    """The first and the last pixel that each position sees, in a pattern that repeats.

    Attributes:
        low: The first pixel of the positions 0, 1, ... of one period.
        high: The last one of each.
        advance: How many pixels further the next period lies.
    """

    low: tuple[int, ...]
    high: tuple[int, ...]
    advance: int

    @property
    def size(self) -> int:
        """The largest extent of any position; 0 where none sees anything."""
        return max(0, *(high - low + 1 for low, high in zip(self.low, self.high, strict=True)))

    @property
    def stride(self) -> Fraction:
        """Pixels from one position to the next, on average."""
        return Fraction(self.advance, len(self.low))

    def at(self, position: int) -> tuple[int, int]:
        """Return the first and the last pixel of a position, which may lie anywhere."""
        periods, place = divmod(position, len(self.low))
        return self.low[place] + periods * self.advance, self.high[place] + periods * self.advance


# One position a pixel: the input itself.
PIXELS = Field((0,), (0,), 1)


def reading(field: Field, every: int, moves: int, taps: Callable[[int], Iterable[int]]) -> Field:
    """Return what a layer sees that reads positions of another.

    Args:
        field: What those positions see.
        every: After how many outputs the reading repeats,
        moves: and how many positions further that is.
        taps: The positions that an output reads.

    Raises:
        PeriodError: Where the pattern gets too long.
    """
    period = len(field.low)
    repeats = period // gcd(period, moves)
    if every * repeats > MAX_PERIOD:
        raise PeriodError
    seen = [_union(field.at(tap) for tap in taps(position)) for position in range(every * repeats)]
    advance = field.advance * (moves * repeats) // period
    return Field(tuple(low for low, _ in seen), tuple(high for _, high in seen), advance)


def _union(spans: Iterable[tuple[int, int]]) -> tuple[int, int]:
    low, high = _NOTHING
    for first, last in spans:
        low, high = min(low, first), max(high, last)
    return low, high


@lru_cache(maxsize=1024)
def windowed(field: Field, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Field:
    """Return what a convolution or a pooling sees.

    Examples:
        >>> windowed(windowed(PIXELS, 7, stride=2, padding=3), 3, stride=2, padding=1).size
        11
    """

    def taps(position: int) -> Iterable[int]:
        begin = position * stride - padding
        return range(begin, begin + dilation * (kernel - 1) + 1, dilation)

    return reading(field, 1, stride, taps)


@lru_cache(maxsize=1024)
def transposed(field: Field, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Field:
    """Return what a transposed convolution sees.

    Examples:
        >>> transposed(PIXELS, 4, stride=2, padding=1).size, transposed(PIXELS, 3, stride=2, padding=1).size
        (2, 2)
    """

    def taps(position: int) -> Iterable[int]:
        reach = (position + padding - dilation * tap for tap in range(kernel))
        return [place // stride for place in reach if place % stride == 0]

    return reading(field, stride, 1, taps)


@lru_cache(maxsize=1024)
def nearest(field: Field, ratio: Fraction, *, exact: bool = False) -> Field:
    """Return what nearest neighbour resizing sees.

    Args:
        field: What the positions see that it reads.
        ratio: Input over output.
        exact: Whether it goes by the middle of a position, as ``nearest-exact`` does, or by its begin.
    """
    begin = Fraction(1, 2) if exact else Fraction(0)
    return reading(field, ratio.denominator, ratio.numerator, lambda position: [floor((position + begin) * ratio)])


@lru_cache(maxsize=1024)
def interpolated(field: Field, ratio: Fraction, reach: int, *, aligned: bool = False, antialias: bool = False) -> Field:
    """Return what linear (``reach`` 1) or cubic (2) interpolation sees, less what it weights with 0.

    Args:
        field: What the positions see that it reads.
        ratio: Input over output; of the distances between their corners, where these are aligned.
        reach: How many positions it reads on each side.
        aligned: Whether the corners are aligned.
        antialias: Whether it reaches further where it makes smaller.

    Examples:
        >>> interpolated(PIXELS, Fraction(1, 2), 1).size, interpolated(PIXELS, Fraction(1), 2).size
        (2, 1)
    """
    scale = max(ratio, Fraction(1)) if antialias else Fraction(1)

    def weighs(tap: int, place: Fraction) -> bool:
        # Both kernels are 0 at all whole distances but their middle.
        away = abs(tap - place) / scale
        return not away or (away < reach and away.denominator != 1)

    def taps(position: int) -> Iterable[int]:
        place = position * ratio if aligned else (position + Fraction(1, 2)) * ratio - Fraction(1, 2)
        around = range(floor(place - reach * scale), floor(place + reach * scale) + 2)
        return [tap for tap in around if weighs(tap, place)]

    return reading(field, ratio.denominator, ratio.numerator, taps)


@lru_cache(maxsize=1024)
def adaptive(field: Field, ratio: Fraction) -> Field:
    """Return what adaptive pooling sees; ``ratio`` is input over output."""

    def taps(position: int) -> Iterable[int]:
        return range(floor(position * ratio), -floor(-(position + 1) * ratio))

    return reading(field, ratio.denominator, ratio.numerator, taps)


def sliced(field: Field, start: int, step: int = 1) -> Field:
    """Return what every ``step``-th position from ``start`` on sees; padding starts below 0."""
    return reading(field, 1, step, lambda position: [start + position * step])


@lru_cache(maxsize=1024)
def joined(fields: frozenset[Field]) -> tuple[Field, ...]:
    """Return what paths see that meet: one field for those of the same stride, which is its pattern's.

    Raises:
        PeriodError: Where a pattern gets too long.
    """
    by_stride: dict[Fraction, list[Field]] = {}
    for field in fields:
        by_stride.setdefault(field.stride, []).append(field)
    return tuple(_together(by_stride[stride]) for stride in sorted(by_stride))


def _together(fields: list[Field]) -> Field:
    if len(fields) == 1:
        return fields[0]
    period = lcm(*(len(field.low) for field in fields))
    if period > MAX_PERIOD:
        raise PeriodError
    seen = [_union(field.at(position) for field in fields) for position in range(period)]
    advance = fields[0].advance * period // len(fields[0].low)
    return Field(tuple(low for low, _ in seen), tuple(high for _, high in seen), advance)
