"""How far two tensors are from one another, element by element."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from segcli.elements.decoding import Array, decode
from segcli.elements.strides import DENSE_BOX, Sizes, View, boxes, gather, memory_order

Advance = Callable[[int], None]
Number = bool | int | float | str
_WIDE_INTEGER_BYTES = 8


@dataclass(frozen=True)
class Gap:
    """What lies between two tensors of one shape.

    Attributes:
        elements: How many elements each has.
        unequal: How many differ. NaN equals NaN, and 0.0 equals -0.0.
        beyond: How many differ by more than the tolerance.
        nonfinite: How many differ where one of both is NaN or infinite; all of them are beyond the tolerance.
        max_abs: The largest difference of the others.
        mean_abs: Their mean difference, over all elements.
        relative: Their mean difference over the mean magnitude in the second tensor; infinite where that is 0.
        at: The index of the largest difference; of the first nonfinite one, where there is one.
        first: The first tensor's element there; a complex one as text.
        second: The second tensor's.
    """

    elements: int
    unequal: int
    beyond: int
    nonfinite: int
    max_abs: float
    mean_abs: float
    relative: float
    at: Sizes
    first: Number
    second: Number


def compare(one: View, two: View, *, atol: float = 0.0, rtol: float = 0.0, advance: Advance) -> Gap | None:
    """Compare two tensors of one shape.

    Args:
        one: The first.
        two: The second; its dtype and the order in memory may be others.
        atol: An element is beyond the tolerance where it differs by more than ``atol + rtol * |second|``.
        rtol: See ``atol``.
        advance: Told of bytes of ``one`` as they are done with.

    Returns:
        None where all elements are equal.
    """
    order = memory_order(one)
    one, two = one.permuted(order), two.permuted(order)
    times, one, two = _without_repeats(one, two)
    done = 0
    if (one.dtype, one.byteorder) == (two.dtype, two.byteorder):
        done = _equal_bytes(one, two, advance)
        if done == one.count:
            return None
    tally = _Tally(atol, rtol)
    seen = 0
    for start, size in boxes(one, two):
        tally.add_box(
            start, size, *(decode(gather(view, start, size), view.dtype, view.byteorder) for view in (one, two))
        )
        seen += int(np.prod(size))
        if seen > done:
            advance((seen - done) * one.item_bytes)
            done = seen
    return tally.gap(one.count, times, order) if tally.unequal else None


def _without_repeats(one: View, two: View) -> tuple[int, View, View]:
    """Shorten axes along which both tensors repeat themselves; return how many times all is there, too."""
    times = 1
    shape = list(one.shape)
    for axis, size in enumerate(shape):
        if one.stride[axis] == two.stride[axis] == 0 and size:
            times *= size
            shape[axis] = 1
    return times, replace(one, shape=tuple(shape)), replace(two, shape=tuple(shape))


def _equal_bytes(one: View, two: View, advance: Advance) -> int:
    """Return how many elements there are before the first box whose bytes differ."""
    done = 0
    for start, size in boxes(one, two):
        if gather(one, start, size) != gather(two, start, size):
            return done
        done += int(np.prod(size))
        advance(int(np.prod(size)) * one.item_bytes)
    return done


@dataclass
class _Tally:
    """What was counted so far; ``worst`` is the largest difference's box, its place in it, and both elements."""

    atol: float
    rtol: float
    unequal: int = 0
    beyond: int = 0
    nonfinite: int = 0
    max_abs: float = 0.0
    sum_abs: float = 0.0
    sum_second: float = 0.0
    at: list[int] = field(default_factory=list)
    pair: tuple[Number, Number] = (0, 0)
    # Memory that is used over and over: allocating it anew takes longer than the work.
    _scratch: tuple[Array, Array] = field(default_factory=lambda: (np.empty(DENSE_BOX), np.empty(DENSE_BOX)))

    def add_box(self, start: Sizes, size: Sizes, one: Array, two: Array) -> None:
        for begin in range(0, len(one), DENSE_BOX):
            place = self._add(one[begin : begin + DENSE_BOX], two[begin : begin + DENSE_BOX])
            if place is not None:
                place += begin
                within = np.unravel_index(place, size)
                self.at = [first + int(index) for first, index in zip(start, within, strict=True)]
                self.pair = (_number(one[place]), _number(two[place]))

    def _add(self, one: Array, two: Array) -> int | None:
        """Count some elements; return the place of the worst of them, if none before was worse."""
        with np.errstate(invalid="ignore", over="ignore"):
            gaps, size_two = _gaps(one, two, self._scratch)
            place = int(gaps.argmax())
            bad = np.zeros(0, bool)
            # The largest is NaN where one is: where it is finite, all are.
            if not np.isfinite(gaps[place]):
                bad = _nonfinite(one, two, gaps, size_two)
                place = int(gaps.argmax())
            unequal = int(np.count_nonzero(gaps != 0)) + int(np.count_nonzero(bad))
            if self.atol or self.rtol:
                far = int(np.count_nonzero(gaps > self.atol + self.rtol * size_two))
                self.beyond += far + int(np.count_nonzero(bad))
            else:
                self.beyond += unequal
            self.unequal += unequal
            self.sum_abs += float(gaps.sum())
            self.sum_second += float(size_two.sum())
        is_worst = float(gaps[place]) > self.max_abs
        self.max_abs = max(self.max_abs, float(gaps[place]))
        had_bad = self.nonfinite > 0
        self.nonfinite += int(np.count_nonzero(bad))
        if self.nonfinite and not had_bad:
            return int(bad.argmax())
        return place if is_worst and not had_bad else None

    def gap(self, elements: int, times: int, order: Sizes) -> Gap:
        at = [0] * len(order)
        for axis, index in zip(order, self.at, strict=True):
            at[axis] = index
        relative = self.sum_abs / self.sum_second if self.sum_second else float("inf") if self.sum_abs else 0.0
        return Gap(
            elements=elements * times,
            unequal=self.unequal * times,
            beyond=self.beyond * times,
            nonfinite=self.nonfinite * times,
            max_abs=self.max_abs,
            mean_abs=self.sum_abs / elements,
            relative=relative,
            at=tuple(at),
            first=self.pair[0],
            second=self.pair[1],
        )


def _gaps(one: Array, two: Array, scratch: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return the absolute differences and the second tensor's magnitudes as float64, in ``scratch`` where that does."""
    if one.dtype.kind in "iu" and two.dtype.kind in "iu" and _WIDE_INTEGER_BYTES in (one.itemsize, two.itemsize):
        # float64 does not tell neighbours among large ones. Differences wrap around to what they are.
        left, right = one.astype(np.uint64), two.astype(np.uint64)
        gaps = np.where(one > two, left - right, right - left).astype(np.float64)
        return gaps, np.abs(two.astype(np.float64))
    if "c" in one.dtype.kind + two.dtype.kind:
        right = two.astype(np.complex128)
        return np.abs(one - right), np.abs(right)
    gaps, size_two = (memory[: len(one)] for memory in scratch)
    np.copyto(gaps, one)
    np.copyto(size_two, two)
    np.subtract(gaps, size_two, out=gaps)
    return np.abs(gaps, out=gaps), np.abs(size_two, out=size_two)


def _nonfinite(one: Array, two: Array, gaps: Array, size_two: Array) -> Array:
    """Return where elements differ of which one is NaN or infinite; there, and where they are equal, no gap stays."""
    same = (one == two) | (np.isnan(one) & np.isnan(two))
    finite = np.isfinite(one) & np.isfinite(two)
    gaps[~finite | same] = 0.0
    size_two[~finite] = 0.0
    lost: Array = ~(same | finite)
    return lost


def _number(value: np.generic) -> Number:
    number = value.item()
    return str(number) if isinstance(number, complex) else number
