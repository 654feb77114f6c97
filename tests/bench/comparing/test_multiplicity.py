from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from segcli.bench.comparing.multiplicity import FALSE_SHARE, bound_among, sure_among
from segcli.bench.comparing.pairing import Pair
from segcli.bench.comparing.verdicts import Verdict

LEFT = "its difference would be sure of one kernel; of 100 some differ so by chance"


def made(verdict: Verdict, p_value: float | None = None) -> Pair:
    group = ("index", "forward", (64, 128), "float32", "cpu", "hot", "host")
    return Pair(*group, "argmax", "", verdict, p_value=p_value)


def verdicts(pairs: list[Pair]) -> list[str]:
    return [each.verdict.value for each in sure_among(pairs)]


@given(st.lists(st.floats(0, 1), max_size=40), st.integers(0, 40))
@example([0.05], 0)
@example([0.01, 0.04, 0.05], 0)
@example([0.04, 0.04], 2)
def test_differences_are_sure_as_scipy_finds_them(p_values: list[float], others: int) -> None:
    count = len(p_values) + others
    bound = bound_among(p_values, count)
    if not count:
        assert bound == 0
        return
    adjusted = false_discovery_control([*p_values, *[1.0] * others])[: len(p_values)]
    # Within rounding of the share itself either answer will do.
    clear = np.abs(adjusted - FALSE_SHARE) > 1e-12
    assert ((np.array(p_values) <= bound) == (adjusted <= FALSE_SHARE))[clear].all()


def test_of_many_kernels_those_that_one_in_so_many_would_show_by_chance_are_ambiguous() -> None:
    pairs = [made(Verdict.SLOWER, 0.0004), made(Verdict.SLOWER, 0.002), made(Verdict.FASTER, 0.002)]
    pairs += [made(Verdict.AMBIGUOUS, 0.3)] * 97
    found = sure_among(pairs)
    assert [each.verdict.value for each in found[:3]] == ["slower", "ambiguous", "ambiguous"]
    assert [each.reason for each in found[:4]] == ["", LEFT, LEFT, ""]


@pytest.mark.parametrize("count", [1, 2, 100])
def test_one_kernel_alone_or_all_that_differ_keep_their_verdict(count: int) -> None:
    assert verdicts([made(Verdict.SLOWER, 0.05)] * count) == ["slower"] * count
    assert verdicts([made(Verdict.FASTER, 0.05)] * count) == ["faster"] * count


def test_what_one_ratio_does_not_show_makes_no_other_sure() -> None:
    refuted = [made(Verdict.AMBIGUOUS, 0.0001)] * 9
    assert verdicts([made(Verdict.SLOWER, 0.04), *refuted]) == ["ambiguous"] * 10


def test_what_has_no_interval_was_not_compared() -> None:
    few = replace(made(Verdict.AMBIGUOUS), reason="3 samples in A, and an interval takes 6")
    gone = replace(made(Verdict.INCOMPARABLE), reason="only in A")
    pairs = [made(Verdict.SLOWER, 0.04), few, gone]
    assert sure_among(pairs) == pairs


def test_no_kernels_are_no_trouble() -> None:
    assert sure_among([]) == []
