"""What a ratio with its interval says: same, faster, slower, or not enough to tell."""

from enum import Enum

from segcli.bench.comparing.bootstrap import Ratio


class Verdict(Enum):
    """What a comparison of one kernel comes to; the worst first."""

    SLOWER = "slower"
    """Surely slower, by more than the minimum effect."""
    AMBIGUOUS = "ambiguous"
    """The samples allow more than one of the others."""
    SAME = "same"
    """Surely no further apart than the minimum effect."""
    FASTER = "faster"
    """Surely faster, by more than the minimum effect."""
    INCOMPARABLE = "incomparable"
    """In one run alone, not timed, or timed otherwise."""


def verdict_of(ratio: Ratio, min_effect: float) -> Verdict:
    """Judge an interval: it must lie wholly beyond the minimum effect, or wholly within.

    Args:
        ratio: The second side's median over the first's.
        min_effect: 0.03 lets up to 1.03 times as long, and as much the other way, count as the same.

    Examples:
        >>> verdict_of(Ratio(1.10, 1.05, 1.15), 0.03).value
        'slower'
        >>> verdict_of(Ratio(1.04, 1.02, 1.06), 0.03).value
        'ambiguous'
    """
    most = 1 + min_effect
    if ratio.low > most:
        return Verdict.SLOWER
    if ratio.high * most < 1:
        return Verdict.FASTER
    return Verdict.SAME if ratio.low * most >= 1 and ratio.high <= most else Verdict.AMBIGUOUS


def fair_verdict(shown: Ratio, other: Ratio, min_effect: float) -> Verdict:
    """Judge a ratio that is known twice: by the clock, and beside the reference workload.

    One alone accuses no kernel: by the clock it may be the machine that changed, beside the reference it may be the
    reference. So a difference must show in the other as well, which need not be as sure of it: its value lies beyond
    the minimum effect, and its interval has no room for the opposite.

    Args:
        shown: The ratio that is judged.
        other: The one that must agree.
        min_effect: As in `verdict_of`.

    Examples:
        >>> slower, same = Ratio(1.10, 1.05, 1.15), Ratio(1.00, 0.99, 1.01)
        >>> fair_verdict(slower, Ratio(1.10, 0.99, 1.21), 0.03).value, fair_verdict(slower, same, 0.03).value
        ('slower', 'ambiguous')
        >>> fair_verdict(same, slower, 0.03).value
        'same'
    """
    verdict = verdict_of(shown, min_effect)
    if verdict in (Verdict.SLOWER, Verdict.FASTER) and _leaning(other, min_effect) is not verdict:
        return Verdict.AMBIGUOUS
    return verdict


def _leaning(ratio: Ratio, min_effect: float) -> Verdict | None:
    most = 1 + min_effect
    if ratio.value > most and ratio.low * most > 1:
        return Verdict.SLOWER
    return Verdict.FASTER if ratio.value * most < 1 and ratio.high < most else None
