"""Which differences are sure among many: of a hundred kernels that are compared, some differ by chance."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from segcli.bench.comparing.pairing import Pair
from segcli.bench.comparing.verdicts import Verdict

FALSE_SHARE = 0.05
"""How many of the kernels called slower or faster may be so by chance, on average."""
_DIFFERENT = (Verdict.SLOWER, Verdict.FASTER)


def sure_among(pairs: Sequence[Pair]) -> list[Pair]:
    """Return pairs, with those ambiguous whose difference is sure by itself, but not among so many.

    A kernel alone keeps its verdict, and so do all where all differ: there the bound is that of a 95 % interval.

    Args:
        pairs: Of every kernel that is compared.

    Source:
        Benjamini and Hochberg (1995), Controlling the false discovery rate, J. R. Stat. Soc. B 57.
    """
    judged = [each for each in pairs if each.p_value is not None]
    # What one of its two ratios does not show is no candidate, but was compared.
    bound = bound_among((each.p_value or 0.0 for each in judged if each.verdict in _DIFFERENT), len(judged))
    reason = f"its difference would be sure of one kernel; of {len(judged):,} some differ so by chance"
    return [
        replace(each, verdict=Verdict.AMBIGUOUS, reason=reason)
        if each.verdict in _DIFFERENT and (each.p_value or 0.0) > bound
        else each
        for each in pairs
    ]


def bound_among(p_values: Iterable[float], count: int, share: float = FALSE_SHARE) -> float:
    """Return the p-value up to which differences are sure, so that no more than a share of them are chance.

    Args:
        p_values: Of what may be different.
        count: How many were compared.
        share: Of what is called different.

    Returns:
        The largest of the p-values that, with r of them no larger, is at most r/count of the share; 0 for none.

    Examples:
        >>> bound_among([0.03], 1), bound_among([0.03], 10), bound_among([0.001, 0.008, 0.03], 10)
        (0.03, 0.0, 0.008)
    """
    ranked = enumerate(sorted(p_values), start=1)
    return max((p_value for rank, p_value in ranked if p_value <= rank / count * share), default=0.0)
