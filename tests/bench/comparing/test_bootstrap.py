from collections.abc import Sequence
from math import comb, exp, log

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from segcli.bench.comparing import bootstrap
from segcli.bench.comparing.bootstrap import RESAMPLES, Passes, Timed, _widening, independent, log_medians, ratio_of

Array = NDArray[np.float64]
SAMPLES = st.lists(st.floats(1e-6, 1e-2), min_size=1, max_size=12).map(tuple)
PASSES = st.lists(SAMPLES, min_size=1, max_size=4).map(tuple)


def drawn(
    generator: np.random.Generator, *, share: float = 1.0, between: float = 0.01, correlation: float = 0.5
) -> Passes:
    """Draw three passes of 20 samples each around a millisecond, correlated within a pass, with a tail upwards."""

    def one() -> tuple[float, ...]:
        noise = generator.normal(size=20)
        for index in range(1, 20):
            noise[index] = correlation * noise[index - 1] + (1 - correlation**2) ** 0.5 * noise[index]
        tail = 0.1 * generator.exponential(size=20) * (generator.random(20) < 0.05)
        return tuple(1e-3 * share * np.exp(0.02 * noise + between * generator.normal() + tail))

    return tuple(one() for _ in range(3))


def by_hand(passes: Passes, generator: np.random.Generator) -> Array:
    """Resample as the words say it: one pass fewer than there are, then as many samples as those have."""
    medians = []
    for _ in range(4_000):
        chosen = generator.integers(len(passes), size=max(1, len(passes) - 1))
        pool = [sample for index in chosen for sample in passes[index]]
        medians.append(log(np.median(generator.choice(pool, size=len(pool)))))
    return np.array(medians)


def alternating(samples: Array) -> tuple[float, ...]:
    """Order samples so that none is alike to the one before: they are worth as many as they are."""
    ranked, half = np.sort(samples), len(samples) // 2
    return tuple(ranked[[place // 2 + half * (place % 2 == 0) for place in range(len(ranked))]])


@pytest.mark.parametrize("passes", [1, 2, 3, 5])
def test_the_distribution_is_that_of_resampling_by_hand(passes: int) -> None:
    generator = np.random.default_rng(passes)
    made = tuple(alternating(np.exp(generator.normal(0.05 * place, 0.1, 101))) for place in range(passes))
    found, expected = log_medians(made, 0), by_hand(made, generator)
    points = np.quantile(expected, np.linspace(0.01, 0.99, 99)) + 1e-12
    apart = [abs(float(np.mean(found <= point) - np.mean(expected <= point))) for point in points]
    # Neighbouring ranks have 8 % each, and of an even count the medians lie between two.
    assert max(apart) < 0.08


@pytest.mark.parametrize(("passes", "samples"), [(6, 1), (9, 1), (20, 1), (7, 4)], ids=str)
def test_of_many_passes_only_these_are_drawn(passes: int, samples: int) -> None:
    generator = np.random.default_rng(passes)
    made = tuple(tuple(np.exp(generator.normal(0.05 * place, 0.1, samples))) for place in range(passes))
    medians = []
    for _ in range(4_000):
        chosen = generator.integers(passes, size=passes - 1)
        medians.append(np.median([log(sample) for index in chosen for sample in made[index]]))
    found = log_medians(made, 0)
    points = np.quantile(medians, np.linspace(0.01, 0.99, 99)) + 1e-12
    apart = [abs(float(np.mean(found <= point) - np.mean(np.array(medians) <= point))) for point in points]
    # Four standard errors of a share of 4,000.
    assert max(apart) < 4 * 0.5 / 4_000**0.5


def test_many_samples_are_summed_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made = drawn(np.random.default_rng(3)) * 3
    whole = log_medians(made, 0)
    monkeypatch.setattr(bootstrap, "_AT_ONCE", 777 * len(made) * 20)
    log_medians.cache_clear()
    assert np.array_equal(log_medians(made, 0), whole)


def test_the_median_of_one_pass_has_its_exact_distribution() -> None:
    # Five samples: at least three of five draws must be among the k smallest.
    samples = (4.0, 1.0, 8.0, 2.0, 16.0)
    below = [sum(comb(5, many) * (k / 5) ** many * (1 - k / 5) ** (5 - many) for many in (3, 4, 5)) for k in range(6)]
    found = np.exp(log_medians((samples,), 0))
    shares = [float(np.mean(np.isclose(found, sample))) for sample in sorted(samples)]
    assert shares == pytest.approx([float(share) for share in np.diff(below)], abs=4 * 0.5 / (RESAMPLES / 2) ** 0.5)


def test_a_pass_drawn_of_two_is_one_or_the_other() -> None:
    found = np.exp(log_medians(((1.0,) * 9, (2.0,) * 9), 0))
    assert sorted(set(np.round(found, 12))) == [1.0, 2.0]
    assert float(np.mean(found)) == pytest.approx(1.5, abs=0.02)


def test_what_slows_a_kernel_and_its_reference_in_the_same_pass_cancels() -> None:
    first = Timed(((1.0,) * 9, (2.0,) * 9), ((3.0,) * 9, (6.0,) * 9))
    second = Timed(((2.0,) * 9, (1.0,) * 9), ((6.0,) * 9, (3.0,) * 9))
    scaled = ratio_of(first, second)
    assert (scaled.value, scaled.low, scaled.high) == pytest.approx((1, 1, 1))
    by_clock = ratio_of(Timed(first.kernel), Timed(second.kernel))
    assert by_clock.value == 1
    assert by_clock.low < 0.5
    assert by_clock.high > 2


@pytest.mark.parametrize(
    ("samples", "worth"),
    [
        ((1.0,) * 7, 7),
        ((1.0,), 1),
        ((1.0, 2.0), 2),
        # Alternating ones are worth no more than they are.
        ((1.0, 2.0) * 8, 16),
        # Blocks of 3: 1 + 2 (2/3 x 13/16 + 1/3 x 10/16) = 2.5.
        ((1.0,) * 8 + (2.0,) * 8, 16 / 2.5),
    ],
    ids=["constant", "one", "two", "alternating", "halves"],
)
def test_samples_that_follow_one_another_are_worth_less(samples: Sequence[float], worth: float) -> None:
    assert independent(np.array(samples)) == pytest.approx(worth)


@pytest.mark.parametrize(("freedom", "point"), [(2, 4.303), (4, 2.776), (10, 2.228)], ids=str)
def test_few_passes_have_the_tails_of_student(freedom: int, point: float) -> None:
    # The 97.5 % points as printed in every table of the t distribution.
    normal = np.random.default_rng(99).normal(size=RESAMPLES)
    assert np.quantile(normal * _widening(freedom), 0.975) == pytest.approx(point, rel=0.05)


def test_of_one_pass_a_side_nothing_is_widened() -> None:
    # Of nine samples the 2nd and the 8th, as order statistics have it within one rank.
    found = ratio_of(Timed((tuple(np.exp(np.arange(9.0))),)), Timed(((1.0,) * 9,)))
    assert np.log([found.low, found.high]).round() == pytest.approx([-7, -1], abs=1)


def test_the_interval_holds_the_true_ratio_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    ratios = [ratio_of(Timed(drawn(generator)), Timed(drawn(generator, share=1.1))) for _ in range(200)]
    assert sum(ratio.low <= 1.1 <= ratio.high for ratio in ratios) >= 186


def test_of_many_passes_with_few_samples_it_does_too_and_is_narrow() -> None:
    generator = np.random.default_rng(0)

    def timed(share: float) -> Timed:
        return Timed(tuple(tuple(share * np.exp(generator.normal(0, 0.04, 2))) for _ in range(20)))

    ratios = [ratio_of(timed(1.0), timed(1.1)) for _ in range(200)]
    assert sum(ratio.low <= 1.1 <= ratio.high for ratio in ratios) >= 186
    # The median of 40 normal samples has a standard deviation of 1.25 of the mean's, the ratio the root of two of that.
    width = 2 * 1.96 * 1.25 * 2**0.5 * 0.04 / 40**0.5
    assert np.mean([ratio.spread for ratio in ratios]) == pytest.approx(width, rel=0.2)


def test_correlated_samples_widen_the_interval() -> None:
    def width(correlation: float) -> float:
        generator = np.random.default_rng(0)
        pairs = [
            (drawn(generator, correlation=correlation, between=0), drawn(generator, correlation=correlation, between=0))
            for _ in range(40)
        ]
        found = [ratio_of(Timed(first), Timed(second)) for first, second in pairs]
        return float(np.mean([log(ratio.high / ratio.low) for ratio in found]))

    assert width(0.9) > 1.5 * width(0.0)


@given(PASSES, PASSES)
@example(((1.0,),), ((1.0, 2.0), (3.0,)))
def test_swapping_the_sides_mirrors_the_interval(first: Passes, second: Passes) -> None:
    there, back = ratio_of(Timed(first), Timed(second)), ratio_of(Timed(second), Timed(first))
    assert (1 / back.value, 1 / back.high, 1 / back.low) == pytest.approx((there.value, there.low, there.high))
    if abs(there.value - 1) > 1e-9:
        assert back.p_value == pytest.approx(there.p_value)


@given(PASSES, PASSES, st.floats(0, 0.2))
@example(((1.0,),), ((1.0, 2.0), (3.0,)), 0.03)
@example(((1.0,) * 9,), ((2.0,) * 9,), 0.03)
@example(((2.0,) * 9,), ((1.0,) * 9,), 0.03)
def test_a_p_value_of_one_in_twenty_is_where_the_interval_begins_to_show_a_difference(
    first: Passes, second: Passes, min_effect: float
) -> None:
    ratio, most = ratio_of(Timed(first), Timed(second), min_effect=min_effect), 1 + min_effect
    # On the very threshold rounding decides.
    assume(all(abs(bound / edge - 1) > 1e-9 for bound in (ratio.low, ratio.high) for edge in (most, 1 / most)))
    shows = ratio.low > most or ratio.high * most < 1
    assert ratio.p_value <= 0.05 if shows else ratio.p_value >= 0.05
    assert 2 / RESAMPLES <= ratio.p_value <= 1


def test_differences_that_are_none_have_small_p_values_as_seldom_as_they_say() -> None:
    generator = np.random.default_rng(0)

    def timed() -> Timed:
        return Timed(tuple(tuple(np.exp(generator.normal(0, 0.04, 2))) for _ in range(16)))

    found = np.array([ratio_of(timed(), timed()).p_value for _ in range(400)])
    # Of 400 some 40, 8 and 2, and three standard deviations more.
    for level, most in ((0.1, 58), (0.02, 17), (0.005, 7)):
        assert (found <= level).sum() <= most
    assert (found <= 0.1).any()


@given(PASSES, PASSES, st.floats(1e-3, 1e3))
@example(((1.0, 2.0),), ((1.5,),), 2.0)
def test_a_machine_that_is_slower_all_over_changes_nothing_beside_the_reference(
    first: Passes, second: Passes, share: float
) -> None:
    slower = tuple(tuple(share * sample for sample in each) for each in second)
    plain = ratio_of(Timed(first, first), Timed(second, second))
    scaled = ratio_of(Timed(first, first), Timed(slower, slower))
    assert (scaled.value, scaled.low, scaled.high) == pytest.approx((plain.value, plain.low, plain.high))


@given(PASSES, st.floats(1e-2, 1e2))
@example(((1.0, 2.0), (4.0,)), 3.0)
def test_by_the_clock_the_interval_scales_with_the_times(passes: Passes, share: float) -> None:
    slower = tuple(tuple(share * sample for sample in each) for each in passes)
    plain, scaled = ratio_of(Timed(passes), Timed(passes)), ratio_of(Timed(passes), Timed(slower))
    assert (scaled.low, scaled.high) == pytest.approx((share * plain.low, share * plain.high))
    assert plain.value == 1
    assert plain.low <= 1 + 1e-12
    assert plain.high >= 1 - 1e-12


def test_the_same_runs_give_the_same_interval() -> None:
    made = drawn(np.random.default_rng(1)), drawn(np.random.default_rng(2))
    first = ratio_of(*(Timed(each) for each in made))
    log_medians.cache_clear()
    assert ratio_of(*(Timed(each) for each in made)) == first
    assert exp(log(first.low)) == pytest.approx(first.low)
