"""What is asked of a project's losses, and what they answer: plain data."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal


@dataclass(frozen=True)
class ProjectSettings:
    """The parameters of both: ours has them all, a project those that `ProjectLoss.takes` names.

    Attributes:
        mode: ``multiclass`` or ``binary``.
        losses: Which losses, by the names of ``segcli loss --loss``; None for all that the project has.
        thresh: Of OHEM, a probability.
        n_min: Of OHEM, a count or a share of the valid pixels.
        gamma: Of focal.
        alpha: Of focal: None, a number, or for multiclass one a class.
        smooth: Of the region losses.
        squared: Of Dice and Jaccard.
        reduce: Of the region losses and Lovász.
        absent: Of the region losses.
        tversky_alpha: What a false positive costs.
        tversky_beta: What a false negative costs.
        ignore_index: The label of pixels that do not count; None where all do, and no project is given one.
    """

    mode: Literal["multiclass", "binary"] = "multiclass"
    losses: tuple[str, ...] | None = None
    thresh: float = 0.7
    n_min: int | Fraction = Fraction(1, 16)
    gamma: float = 2.0
    alpha: float | tuple[float, ...] | None = None
    smooth: float = 1.0
    squared: bool = False
    reduce: Literal["image", "batch"] = "image"
    absent: Literal["skip", "zero", "count"] = "skip"
    tversky_alpha: float = 0.3
    tversky_beta: float = 0.7
    ignore_index: int | None = 255


@dataclass(frozen=True)
class Step:
    """A convention changed, on the way from our number to theirs.

    Attributes:
        key: Which convention: the same word for the same change, whatever the data.
        words: What the project does, with the counts of this data.
        value: The loss after it; NaN where the project's is, or where it raises.
    """

    key: str
    words: str
    value: float


@dataclass(frozen=True)
class ProjectValue:
    """A project's loss beside ours.

    Attributes:
        project: By its name in `PROJECTS`.
        loss: By its name in segcli.
        call: How a user of the project calls it, with the same parameters where it has them.
        value: Theirs; NaN where they have no number.
        ours: Ours.
        steps: From ours to theirs, one convention at a time: only what changes the number on this data, so that the
            last value is theirs. Empty where both are the same.
        error: What the project raises or returns in place of a number; else empty.
        remark: What is worth knowing though it changes nothing here; else empty.
    """

    project: str
    loss: str
    call: str
    value: float
    ours: float
    steps: tuple[Step, ...] = ()
    error: str = ""
    remark: str = ""

    @property
    def reasons(self) -> tuple[str, ...]:
        """The steps in words, with the number before and after each.

        Examples:
            >>> step = Step("mean", "2 ignored pixels are counted in the mean", 0.25)
            >>> ProjectValue("smp", "ce", "SoftCrossEntropyLoss(...)", 0.25, 0.5, (step,)).reasons
            ('2 ignored pixels are counted in the mean: 0.5 -> 0.25',)
        """
        before = (self.ours, *(step.value for step in self.steps))
        return tuple(
            f"{step.words}: {format_value(start)} -> {self.error or format_value(step.value)}"
            if step is self.steps[-1]
            else f"{step.words}: {format_value(start)} -> {format_value(step.value)}"
            for start, step in zip(before, self.steps, strict=False)
        )


def format_value(value: float) -> str:
    """Print a loss as the reasons do.

    Examples:
        >>> format_value(0.123456789), format_value(float("nan"))
        ('0.123457', 'NaN')
    """
    return "NaN" if math.isnan(value) else f"{value:.6g}"
