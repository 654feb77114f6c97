import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from segcli.bench.comparing.bootstrap import Ratio
from segcli.bench.comparing.verdicts import Verdict, fair_verdict, verdict_of

MIRRORED = {Verdict.SLOWER: Verdict.FASTER, Verdict.FASTER: Verdict.SLOWER}
RATIOS = (
    st.lists(st.floats(0.5, 2), min_size=3, max_size=3)
    .map(sorted)
    .map(lambda three: Ratio(three[1], three[0], three[2]))
)
SLOWER, SAME, FASTER = Ratio(1.1, 1.05, 1.15), Ratio(1.0, 0.99, 1.01), Ratio(0.9, 0.85, 0.95)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.031, 1.2, Verdict.SLOWER),
        (1.03, 1.2, Verdict.AMBIGUOUS),
        (1.0, 1.031, Verdict.AMBIGUOUS),
        (0.98, 1.03, Verdict.SAME),
        (1.01, 1.02, Verdict.SAME),
        (0.97, 1.0, Verdict.AMBIGUOUS),
        (0.9, 1.1, Verdict.AMBIGUOUS),
        (0.8, 0.98, Verdict.AMBIGUOUS),
        (0.8, 0.97, Verdict.FASTER),
    ],
    ids=str,
)
def test_an_interval_is_judged_by_the_minimum_effect(low: float, high: float, verdict: Verdict) -> None:
    assert verdict_of(Ratio((low + high) / 2, low, high), 0.03) is verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.001, 1.002, Verdict.SLOWER),
        (1.0, 1.0, Verdict.SAME),
        (1.0, 1.1, Verdict.AMBIGUOUS),
        (0.9, 0.99, Verdict.FASTER),
    ],
    ids=str,
)
def test_without_a_minimum_effect_every_sure_difference_counts(low: float, high: float, verdict: Verdict) -> None:
    assert verdict_of(Ratio(low, low, high), 0.0) is verdict


@given(RATIOS, st.floats(0, 0.2))
@example(SLOWER, 0.03)
def test_swapping_the_sides_mirrors_the_verdict(ratio: Ratio, min_effect: float) -> None:
    mirrored = Ratio(1 / ratio.value, 1 / ratio.high, 1 / ratio.low)
    # On the very threshold rounding decides.
    edges = (1 + min_effect, 1 / (1 + min_effect))
    assume(all(abs(bound - edge) > 1e-9 for bound in (ratio.low, ratio.high) for edge in edges))
    verdict = verdict_of(ratio, min_effect)
    assert verdict_of(mirrored, min_effect) is MIRRORED.get(verdict, verdict)


@given(RATIOS, RATIOS, st.floats(0, 0.2))
@example(SLOWER, SAME, 0.03)
def test_a_difference_is_one_only_where_the_other_shows_it_too(shown: Ratio, other: Ratio, min_effect: float) -> None:
    verdict = fair_verdict(shown, other, min_effect)
    alone = verdict_of(shown, min_effect)
    assert verdict in (alone, Verdict.AMBIGUOUS)
    if verdict in MIRRORED:
        assert verdict_of(Ratio(other.value, other.value, other.value), min_effect) is verdict
        assert verdict_of(other, min_effect) in (verdict, Verdict.AMBIGUOUS)
    if alone is Verdict.SAME:
        assert verdict is Verdict.SAME


@pytest.mark.parametrize(
    ("shown", "other", "verdict"),
    [
        (SLOWER, SLOWER, Verdict.SLOWER),
        (SLOWER, SAME, Verdict.AMBIGUOUS),
        (SLOWER, Ratio(1.1, 0.98, 1.2), Verdict.SLOWER),
        (SLOWER, Ratio(1.1, 0.97, 1.2), Verdict.AMBIGUOUS),
        (SLOWER, Ratio(1.02, 1.01, 1.04), Verdict.AMBIGUOUS),
        (FASTER, FASTER, Verdict.FASTER),
        (FASTER, SAME, Verdict.AMBIGUOUS),
        (FASTER, SLOWER, Verdict.AMBIGUOUS),
        (FASTER, Ratio(0.9, 0.8, 1.02), Verdict.FASTER),
        (FASTER, Ratio(0.9, 0.8, 1.04), Verdict.AMBIGUOUS),
    ],
    ids=str,
)
def test_one_ratio_alone_accuses_no_kernel(shown: Ratio, other: Ratio, verdict: Verdict) -> None:
    assert fair_verdict(shown, other, 0.03) is verdict
