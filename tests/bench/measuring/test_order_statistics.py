from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segcli.bench.measuring.order_statistics import Summary, median_interval_rank, quantile, summarise

TIMES = st.lists(st.floats(1e-9, 1e3), min_size=1, max_size=60)


@given(TIMES, st.floats(0, 1))
@example([1.0], 0.5)
def test_quantiles_are_numpys(samples: list[float], fraction: float) -> None:
    assert quantile(sorted(samples), fraction) == pytest.approx(np.quantile(samples, fraction), rel=1e-12)


@given(TIMES)
@example([1.0, 2.0])
def test_a_summary_is_numpys(samples: list[float]) -> None:
    summary = summarise(samples)
    assert summary.median == pytest.approx(np.median(samples), rel=1e-12)
    assert summary.quartiles == pytest.approx(np.quantile(samples, [0.25, 0.75]), rel=1e-12)
    assert summary == summarise(sorted(samples), ordered=True)
    if summary.ci95 is not None:
        assert min(samples) <= summary.ci95[0] <= summary.median <= summary.ci95[1] <= max(samples)


def chance_that_the_median_is_missed(count: int, rank: int) -> Fraction:
    """Count the ways in which fewer than ``rank`` samples fall below the median, or fewer above."""
    return 2 * Fraction(sum(comb(count, below) for below in range(rank)), 2**count)


@pytest.mark.parametrize("count", [6, 7, 10, 25, 70, 200])
def test_the_interval_is_the_narrowest_that_holds_95_percent(count: int) -> None:
    rank = median_interval_rank(count)
    assert rank is not None
    assert chance_that_the_median_is_missed(count, rank) <= Fraction(5, 100)
    assert chance_that_the_median_is_missed(count, rank + 1) > Fraction(5, 100)


@pytest.mark.parametrize("count", [201, 500, 2_001])
def test_many_samples_have_nearly_that_interval(count: int) -> None:
    rank = median_interval_rank(count)
    assert rank is not None
    assert chance_that_the_median_is_missed(count, rank - 1) <= Fraction(5, 100)
    assert chance_that_the_median_is_missed(count, rank + 2) > Fraction(5, 100)


@pytest.mark.parametrize(("count", "rank"), [(1, None), (5, None), (6, 1), (8, 1), (9, 2), (20, 6), (100, 40)], ids=str)
def test_ranks_are_those_of_the_tables(count: int, rank: int | None) -> None:
    assert median_interval_rank(count) == rank


def test_relative_error_is_half_the_interval_over_the_median() -> None:
    assert Summary(10.0, (9.0, 12.0), (9.5, 11.0)).relative_error == pytest.approx(0.15)
    assert Summary(10.0, (9.0, 12.0), (9.5, 11.0)).iqr == pytest.approx(1.5)


def test_without_an_interval_there_is_no_relative_error() -> None:
    assert Summary(10.0, None, (9.5, 11.0)).relative_error is None


def test_a_clock_that_sees_nothing_is_not_asked_for_ever() -> None:
    assert Summary(0.0, (0.0, 0.0), (0.0, 0.0)).relative_error == 0
