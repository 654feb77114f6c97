from statistics import median

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from segcli.bench.comparing.bootstrap import Passes
from segcli.bench.comparing.controls import Accompanied, following, without

Array = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)


def passes(logs: Array) -> Passes:
    return tuple((float(np.exp(each)),) for each in logs)


def about(*sides: Passes) -> Array:
    logs = [np.log([median(each) for each in side]) for side in sides]
    return np.concatenate([each - each.mean() for each in logs])


def has_outliers(side: Passes) -> bool:
    logs = np.log([median(each) for each in side])
    away = np.abs(logs - np.median(logs))
    return bool((away > 3 * 1.4826 * np.median(away)).any())


def drawn(seed: int, slopes: tuple[float, ...], alike: float, noise: float) -> list[Accompanied]:
    """Draw two sides whose kernel follows workloads by slopes; the workloads follow one another as they are alike."""
    generator = np.random.default_rng(seed)
    sides = []
    for _ in range(2):
        # Bounded: few are outliers.
        own = generator.uniform(-0.1, 0.1, (len(slopes), 20))
        workloads = alike * own[0] + (1 - alike) * own
        kernel = slopes @ workloads + noise * generator.uniform(-1, 1, 20)
        sides.append(Accompanied(passes(kernel), tuple(passes(each) for each in workloads)))
    return sides


@given(SEEDS, st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=3).map(tuple), st.floats(0, 0.9))
@example(0, (0.5, 0.5), 0.9)
@example(0, (-0.5, 1.5), 0.5)
def test_slopes_are_those_of_a_fit_within_bounds(seed: int, slopes: tuple[float, ...], alike: float) -> None:
    first, second = drawn(seed, slopes, alike, noise=0.02)
    assume(not any(has_outliers(each) for side in (first, second) for each in (side.kernel, *side.workloads)))
    kernel = about(first.kernel, second.kernel)
    workloads = np.array([about(*both) for both in zip(first.workloads, second.workloads, strict=True)])
    wanted = lsq_linear(workloads.T, kernel, (0, 1)).x
    found = np.array(following(first, second))
    assert ((found >= 0) & (found <= 1)).all()

    def missed(shares: Array) -> float:
        return float(np.sum((kernel - shares @ workloads) ** 2))

    assert missed(found) == pytest.approx(missed(wanted), rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("slopes", [(0.0, 1.0), (1.0, 0.0), (0.3, 0.6)], ids=str)
def test_what_a_kernel_follows_is_taken_out(slopes: tuple[float, ...]) -> None:
    first, second = drawn(1, slopes, alike=0.0, noise=0.0)
    shares = following(first, second)
    assert shares == pytest.approx(slopes, abs=1e-6)
    assert about(without([first], shares).kernel) == pytest.approx(np.zeros(20), abs=1e-6)


def test_workloads_that_are_one_share_what_follows_them() -> None:
    (side, _) = drawn(1, (1.0,), alike=0.0, noise=0.0)
    twice = Accompanied(side.kernel, side.workloads * 2)
    assert sum(following(twice, twice)) == pytest.approx(1)


def test_one_outlier_that_both_share_tells_little() -> None:
    generator = np.random.default_rng(0)
    kernel, workload = generator.normal(0, 0.01, (2, 20))
    kernel[7], workload[7] = 3.0, 3.0
    side = Accompanied(passes(kernel), (passes(workload),))
    assert following(side, side)[0] < 0.6


def test_without_workloads_nothing_is_taken_out() -> None:
    side = Accompanied(((1.0, 2.0), (3.0,)), ())
    assert following(side, side) == ()
    assert without([side], ()).kernel == side.kernel
