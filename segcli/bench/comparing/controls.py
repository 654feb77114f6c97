"""What a kernel follows of the reference workloads from pass to pass, and its samples without that.

A machine whose clock drifts slows its kernels and the product of matrices, one whose memory others use slows what
misses the caches and the copy. Which of them a kernel follows, and how far, the passes themselves tell.

Source:
    Control variates with estimated coefficients: Glasserman (2003), Monte Carlo Methods in Financial Engineering,
    section 4.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, product
from statistics import median
from typing import TYPE_CHECKING

from segcli.bench.comparing.bootstrap import Passes, Timed, in_units

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Accompanied:
    """A kernel's samples in one run, and those of workloads in the same passes.

    Attributes:
        kernel: Its passes.
        workloads: As many passes of each.
    """

    kernel: Passes
    workloads: tuple[Passes, ...]


def following(*runs: Accompanied) -> tuple[float, ...]:
    """Return how far a kernel follows each workload from pass to pass: 0 not at all, 1 in full proportion.

    They are the slopes, within 0 and 1, of the least-squares fit of logarithms of medians, each run about its own
    mean: what a change of the machine does to the kernel, as far as the workloads can tell, whatever a change of the
    kernel has done to it.

    Args:
        runs: Of both sides, one pass and as many workloads each at least.

    Source:
        The outliers are drawn in as by Huber (1981), Robust Statistics, section 7.

    Examples:
        >>> drifting = tuple((float(seconds),) for seconds in (1, 2, 4, 1, 2, 4))
        >>> steady = ((3.0,),) * 6
        >>> following(Accompanied(drifting, (drifting, steady)), Accompanied(drifting, (drifting, steady)))
        (1.0, 0.0)
        >>> following(Accompanied(steady, (drifting,)), Accompanied(steady, (drifting,)))
        (0.0,)
    """
    import numpy as np

    kernel = np.concatenate([_about(run.kernel) for run in runs])
    beside = zip(*(run.workloads for run in runs), strict=True)
    workloads = np.array([np.concatenate([_about(each) for each in all_runs]) for all_runs in beside])
    fits = (_fit(kernel, workloads, bounds) for bounds in product((None, 0.0, 1.0), repeat=len(workloads)))
    # What lies within the bounds and misses least is the best of all: the free ones within, the others on a bound.
    within = [shares for shares in fits if ((shares >= 0) & (shares <= 1)).all()]
    best = min(within, key=lambda shares: float(np.sum((kernel - shares @ workloads) ** 2)))
    return tuple(best.tolist())


def _fit(kernel: "Array", workloads: "Array", bounds: tuple[float | None, ...]) -> "Array":
    """Return the least-squares slopes where some are given."""
    import numpy as np

    shares = np.array([bound or 0.0 for bound in bounds])
    free = [place for place, bound in enumerate(bounds) if bound is None]
    if free:
        shares[free] = np.linalg.lstsq(workloads[free].T, kernel - shares @ workloads, rcond=None)[0]
    return shares


def without(side: Sequence[Accompanied], shares: tuple[float, ...]) -> Timed:
    """Return a kernel's samples without what it follows of the workloads; their noise is then among the passes'.

    Args:
        side: Its runs; where there are several, each becomes one pass.
        shares: How far it follows each workload.

    Examples:
        >>> run = Accompanied(((2.0, 4.0), (8.0,)), (((1.0, 1.0), (16.0,)),))
        >>> without([run], (0.5,))
        Timed(kernel=((2.0, 4.0), (2.0,)), reference=())
        >>> without([run, run], (0.5,))
        Timed(kernel=((2.0, 4.0, 2.0), (2.0, 4.0, 2.0)), reference=())
    """
    runs = [_without(run, shares) for run in side]
    return Timed(runs[0] if len(runs) == 1 else tuple(tuple(chain(*run)) for run in runs))


def _without(run: Accompanied, shares: tuple[float, ...]) -> Passes:
    kernel = run.kernel
    for workload, share in zip(run.workloads, shares, strict=True):
        kernel = in_units(kernel, [median(each) ** share for each in workload])
    return kernel


def _about(passes: Passes) -> "Array":
    """Return the logarithms of passes' medians about their mean, outliers drawn in to three deviations."""
    import numpy as np

    logs = np.log([median(each) for each in passes])
    logs -= np.median(logs)
    # Of normal numbers 1.4826 median deviations are one standard deviation.
    most = 3 * 1.4826 * np.median(np.abs(logs))
    logs = np.clip(logs, -most, most)
    about: Array = logs - logs.mean()
    return about
