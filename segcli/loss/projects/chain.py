"""From one number to another, one convention at a time."""

import math
from dataclasses import dataclass

from segcli.loss.projects.result import Step

# Less than this, relatively, is rounding, and no reason.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Chain:
    """A number, and the steps that have led to it.

    Examples:
        >>> chain = Chain(0.5).then("a", "nothing", 0.5).then("b", "the half", 0.25)
        >>> chain.value, [step.key for step in chain.steps]
        (0.25, ['b'])
    """

    ours: float
    steps: tuple[Step, ...] = ()

    @property
    def value(self) -> float:
        """The number now."""
        return self.steps[-1].value if self.steps else self.ours

    def then(self, key: str, words: str, value: float) -> "Chain":
        """Return the chain with a step more; without one where the number stays."""
        return Chain(self.ours, (*self.steps, Step(key, words, value))) if self.moves(value) else self

    def moves(self, value: float) -> bool:
        """Whether ``value`` is another number than that of now."""
        return not _same(self.value, value)


def _same(first: float, second: float) -> bool:
    if math.isnan(first) or math.isnan(second):
        return math.isnan(first) and math.isnan(second)
    return math.isclose(first, second, rel_tol=_ROUNDING, abs_tol=1e-12)
