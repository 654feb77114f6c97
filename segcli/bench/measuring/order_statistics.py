"""Median, quartiles and a confidence interval of the median, with nothing assumed of the distribution.

Timings are skewed and have tails, so means, standard deviations and Student's t do not describe them; ranks do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb, floor, sqrt

# Up to here the binomial tail is summed exactly; beyond, its normal approximation gives the same ranks within one.
_EXACT_UP_TO = 200
# The 97.5 % point of the standard normal distribution.
_Z = 1.959964


@dataclass(frozen=True)
class Summary:
    """What a set of samples says.

    Attributes:
        median: The middle sample, or the mean of the middle two.
        ci95: A 95 % confidence interval of the median; None below six samples, which cannot give one.
        quartiles: The first and the third.
    """

    median: float
    ci95: tuple[float, float] | None
    quartiles: tuple[float, float]

    @property
    def iqr(self) -> float:
        """The interquartile range."""
        return self.quartiles[1] - self.quartiles[0]

    @property
    def relative_error(self) -> float | None:
        """Half the width of the interval over the median; None where there is no interval."""
        if self.ci95 is None:
            return None
        width = self.ci95[1] - self.ci95[0]
        # A clock too coarse to see the work says 0 every time, and will not say more however long it is asked.
        return width / 2 / self.median if width else 0.0


def summarise(samples: Sequence[float], *, ordered: bool = False) -> Summary:
    """Summarise at least one sample.

    Args:
        samples: The samples, in any order.
        ordered: Whether they are sorted already.

    Examples:
        >>> summarise([3.0, 1.0, 2.0, 5.0, 4.0, 6.0])
        Summary(median=3.5, ci95=(1.0, 6.0), quartiles=(2.25, 4.75))
        >>> summarise([1.0, 2.0]).ci95 is None
        True
    """
    ranked = samples if ordered else sorted(samples)
    rank = median_interval_rank(len(ranked))
    ci95 = None if rank is None else (ranked[rank - 1], ranked[-rank])
    return Summary(quantile(ranked, 0.5), ci95, (quantile(ranked, 0.25), quantile(ranked, 0.75)))


def quantile(ranked: Sequence[float], fraction: float) -> float:
    """Return a quantile of sorted samples, interpolated linearly between ranks (numpy's default method).

    Examples:
        >>> quantile([1.0, 2.0, 3.0, 4.0], 0.25)
        1.75
    """
    position = (len(ranked) - 1) * fraction
    below = floor(position)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (ranked[above] - ranked[below]) * (position - below)


@lru_cache(maxsize=1024)
def median_interval_rank(count: int) -> int | None:
    """Return the rank k for which the k-th smallest and k-th largest samples enclose the median with 95 %.

    It is the largest k with P(Binomial(count, 1/2) < k) <= 2.5 %; None where there is none.

    Source:
        Conover, Practical Nonparametric Statistics, 3rd ed., section 3.2.

    Examples:
        >>> median_interval_rank(5), median_interval_rank(6), median_interval_rank(20)
        (None, 1, 6)
    """
    if count > _EXACT_UP_TO:
        return floor((count - _Z * sqrt(count)) / 2)
    # 2.5 % is 1/40, so that everything stays in whole numbers.
    tail, rank = 0, 0
    while 40 * (tail + comb(count, rank)) <= 2**count:
        tail += comb(count, rank)
        rank += 1
    return rank or None
