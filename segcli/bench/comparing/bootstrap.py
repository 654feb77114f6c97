"""The bootstrap distribution of medians whose samples come in passes, and the interval of their ratio."""

from dataclasses import dataclass
from functools import lru_cache
from math import log
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Counts = NDArray[np.intp]

Passes = tuple[tuple[float, ...], ...]
"""Samples in seconds, above 0, by the pass in which they were taken; a pass has one at least."""

RESAMPLES = 20_000
"""Of each ratio: a bound of its interval is then sure to a fiftieth of the ratio's own standard error."""
FEW_PASSES = 5
"""Up to here a resample draws samples as well as passes."""
# Numbers that are summed at once.
_AT_ONCE = 2_000_000
_TAIL = 0.025
_STREAMS = (0, 1)


@dataclass(frozen=True)
class Timed:
    """What a side of a comparison has of a kernel.

    Attributes:
        kernel: Its samples.
        reference: The reference workload's in the same passes; empty for a ratio that is not scaled by it.
    """

    kernel: Passes
    reference: Passes = ()

    def beside(self) -> "Timed":
        """Return both in units of the reference's median, pass by pass: what a pass slows alike is gone.

        Examples:
            >>> Timed(((2.0, 4.0), (8.0,)), ((1.0, 3.0), (4.0,))).beside()
            Timed(kernel=((1.0, 2.0), (2.0,)), reference=((0.5, 1.5), (1.0,)))
        """
        units = [median(each) for each in self.reference]
        return Timed(in_units(self.kernel, units), in_units(self.reference, units))


def in_units(passes: Passes, units: list[float]) -> Passes:
    """Return passes with each in a unit of its own."""
    return tuple(tuple(sample / unit for sample in each) for each, unit in zip(passes, units, strict=True))


@dataclass(frozen=True)
class Ratio:
    """A ratio of medians, the second side's over the first's, with its 95 % interval.

    Attributes:
        value: The ratio.
        low: The lower bound of its interval.
        high: The upper.
        p_value: How often resampling shows no difference, of both tails: at most 0.05 where the interval shows one.
    """

    value: float
    low: float
    high: float
    p_value: float = 1.0

    @property
    def spread(self) -> float:
        """The width of the interval, of logarithms."""
        return log(self.high / self.low)


def ratio_of(first: Timed, second: Timed, *, min_effect: float = 0.0) -> Ratio:
    """Return the ratio of two medians, its 95 % bootstrap interval and its p-value.

    The interval is the percentile one, of logarithms: swapping the sides mirrors it. The one that is corrected for bias
    (BCa) asks for the jackknife, which fails for medians (Efron 1982, section 3.4). With few passes a percentile
    interval is too narrow twice: in its variance, see `log_medians`, and in its tails, which are widened to Student's.

    Args:
        first: Of the first side.
        second: Of the second.
        min_effect: The least share that counts as a difference, for the p-value.

    Source:
        Hesterberg (2015), What teachers should know about the bootstrap, The American Statistician 69, section 4.

    Examples:
        >>> ratio_of(Timed(((1.0,) * 9,)), Timed(((2.0,) * 9,)))
        Ratio(value=2.0, low=2.0, high=2.0, p_value=0.0001)
        >>> ratio_of(Timed(((1.0,) * 9,), ((3.0,) * 9,)), Timed(((2.0,) * 9,), ((6.0,) * 9,)))
        Ratio(value=1.0, low=1.0, high=1.0, p_value=1.0)
    """
    import numpy as np

    if first.reference and second.reference:
        first, second = first.beside(), second.beside()
    # Each side once with either stream of random numbers: whichever side comes first, they are the same.
    logs = np.concatenate([_logs(second, 1) - _logs(first, 0), _logs(second, 0) - _logs(first, 1)])
    value = _median(second.kernel) / _median(first.kernel)
    logs = np.log(value) + (logs - np.log(value)) * _widening(len(first.kernel) + len(second.kernel) - len(_STREAMS))
    low, high = np.exp(np.quantile(logs, (_TAIL, 1 - _TAIL)))
    return Ratio(value, float(low), float(high), _p_value(logs, value, min_effect))


def _p_value(logs: "Array", value: float, min_effect: float) -> float:
    """Return twice the share of resamples that differ by no more than the minimum effect, or the other way."""
    import numpy as np

    beyond = np.log1p(min_effect)
    others = int(np.count_nonzero(logs <= beyond if value > 1 else logs >= -beyond))
    # None of them says only that it takes more resamples to see one.
    return min(1.0, 2 * max(1, others) / len(logs))


@lru_cache(maxsize=16)
def _widening(freedom: int) -> "Array":
    """Return what deviations are multiplied by, so that they are spread like Student's t instead of a normal number.

    How far passes lie apart is known from few of them. Of one pass a side nothing is known, and nothing is widened.

    Args:
        freedom: Passes beyond the first of each side.
    """
    import numpy as np

    if not freedom:
        return np.ones(RESAMPLES)
    chi_squared = np.random.default_rng(freedom).chisquare(freedom, RESAMPLES // len(_STREAMS))
    return np.tile(np.sqrt(freedom / chi_squared), len(_STREAMS))


def _logs(timed: Timed, stream: int) -> "Array":
    logs = log_medians(timed.kernel, stream)
    # What the reference's own median is not sure of; of the passes it was taken out.
    return logs - log_medians(timed.reference, stream, of_reference=True) if timed.reference else logs


# A kernel is asked for with and without its reference, a reference for every kernel of a group.
@lru_cache(maxsize=64)
def log_medians(passes: Passes, stream: int, *, of_reference: bool = False) -> "Array":
    """Return the logarithms of resampled medians.

    Passes are drawn with replacement. Of p passes p - 1 are drawn: p would give (p - 1)/p of the variance between
    passes, a third too little of three. What samples of one pass differ by is among what passes differ by, so of many
    passes nothing more is drawn. Few passes have few medians: there samples of the drawn ones are drawn, too, which
    widens rather than narrows. The median of n samples drawn with replacement is the sample at the rank of the median
    of n uniform numbers, which has a beta distribution: one random number stands for n. Samples that follow one another
    are alike: n is how many independent ones they are worth, as drawing them in blocks would find.

    Args:
        passes: The samples.
        stream: Which random numbers. A kernel and its reference get the same passes by the same stream.
        of_reference: Whether they are the reference's, whose samples are drawn apart from the kernel's.

    Returns:
        Half of `RESAMPLES`.

    Source:
        The groups alone: Davison and Hinkley (1997), Bootstrap Methods and their Application, section 3.8. One group
        fewer: Rao and Wu (1988), Resampling inference with complex survey data, JASA 83. The rank: Maritz and Jarrett
        (1978), A note on estimating the variance of the sample median, JASA 73.
    """
    import numpy as np

    logs = [np.log(np.asarray(each, dtype=np.float64)) for each in passes]
    times = _times_drawn(len(logs), stream)
    totals = times @ np.array([len(each) for each in logs])
    if len(logs) > FEW_PASSES:
        # Of an even number the mean of the middle two.
        return _at_ranks(logs, times, (totals - 1) // 2, totals // 2)
    shapes = (times @ np.array([independent(each) for each in logs]) + 1) / 2
    ranks = np.random.default_rng((stream, int(of_reference))).beta(shapes, shapes)
    return _at_ranks(logs, times, np.minimum((ranks * totals).astype(int), totals - 1))


def _at_ranks(logs: "list[Array]", times: "Counts", *ranks: "Counts") -> "Array":
    """Return, for each resample, the mean of the samples at ranks of what was drawn, counted from 0."""
    import numpy as np

    samples, owners = np.concatenate(logs), np.repeat(np.arange(len(logs)), [len(each) for each in logs])
    order = np.argsort(samples, kind="stable")
    # How many of the smallest samples are of which pass: whole numbers, which float32 holds up to 2^24.
    smallest = np.cumsum(owners[order, None] == np.arange(len(logs)), axis=0, dtype=np.float32)
    samples = samples[order]
    found = np.empty(len(times))
    rows = max(1, _AT_ONCE // len(order))
    for start in range(0, len(times), rows):
        some = slice(start, start + rows)
        drawn = times[some].astype(np.float32) @ smallest.T
        found[some] = sum(samples[(drawn > rank[some, None]).argmax(axis=1)] for rank in ranks) / len(ranks)
    return found


@lru_cache(maxsize=16)
def _times_drawn(count: int, stream: int) -> "Counts":
    """Return how often each resample draws each pass."""
    import numpy as np

    drawn = np.random.default_rng((stream, 2)).integers(count, size=(RESAMPLES // len(_STREAMS), max(1, count - 1)))
    times: Counts = (drawn[:, :, None] == np.arange(count)).sum(axis=1)
    return times


def independent(samples: "Array") -> float:
    """Return how many independent samples a pass is worth, as far as its median goes.

    What is counted is how long samples stay on one side of the median: n over the sum of the autocorrelations of
    that, with the weights that drawing blocks of n^(1/3) samples has.

    Source:
        Künsch (1989), The jackknife and the bootstrap for general stationary observations, Ann. Statist. 17.
    """
    import numpy as np

    count = len(samples)
    above = np.sign(samples - np.median(samples))
    above -= above.mean()
    variance = float(above @ above)
    if not variance:
        return float(count)
    block = round(count ** (1 / 3))
    together = sum((1 - lag / block) * float(above[lag:] @ above[:-lag]) for lag in range(1, block))
    # Never worth more than they are: what alternates in a few samples does so by chance.
    return float(count / max(1.0, 1 + 2 * together / variance))


def _median(passes: Passes) -> float:
    return median(sample for each in passes for sample in each)
