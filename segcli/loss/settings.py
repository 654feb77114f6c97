"""Which losses, with which parameters; and how a person writes them."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from segcli.errors import SegcliError, nearest

KnownMode = Literal["multiclass", "multilabel", "binary"]
Mode = Literal["auto", KnownMode]

LOSSES = ("ce", "ohem", "dice", "focal", "bce")
# A softmax over classes has no meaning where they do not exclude one another, and a sigmoid none where they do.
LOSSES_OF_MODE: dict[KnownMode, tuple[str, ...]] = {
    "multiclass": ("ce", "ohem", "dice", "focal"),
    "multilabel": ("dice", "focal", "bce"),
    "binary": ("ohem", "dice", "focal", "bce"),
}


@dataclass(frozen=True)
class LossSettings:
    """Parameters of an evaluation; those of the losses are described in ``segcli.nn``.

    Attributes:
        losses: Which losses, of ``LOSSES``.
        all_that_apply: Whether losses that do not apply to the data are left out, and not refused.
        mode: How logits and labels belong together; ``auto`` tells by their shapes.
        class_names: One a class; none for numbers.
    """

    losses: tuple[str, ...] = LOSSES
    all_that_apply: bool = True
    mode: Mode = "auto"
    thresh: float = 0.7
    n_min: int | Fraction = Fraction(1, 16)
    gamma: float = 2.0
    alpha: float | tuple[float, ...] | None = None
    smooth: float = 1.0
    squared: bool = False
    reduce: Literal["image", "batch"] = "image"
    absent: Literal["skip", "zero", "count"] = "skip"
    ignore_index: int = 255
    class_names: tuple[str, ...] = ()

    def as_json(self, losses: tuple[str, ...]) -> dict[str, Any]:
        """Return what a document says of the settings; ``losses`` are those that applied.

        Examples:
            >>> LossSettings().as_json(("ce",))["n_min"]
            '1/16'
        """
        return {
            "losses": losses,
            "thresh": self.thresh,
            "n_min": self.n_min if isinstance(self.n_min, int) else str(self.n_min),
            "gamma": self.gamma,
            "alpha": self.alpha,
            "smooth": self.smooth,
            "squared": self.squared,
            "reduce": self.reduce,
            "absent": self.absent,
            "ignore_index": self.ignore_index,
        }


def parse_losses(text: str) -> tuple[str, ...]:
    """Read a list of losses.

    Raises:
        SegcliError: For an unknown one, or none.

    Examples:
        >>> parse_losses("ce, dice")
        ('ce', 'dice')
    """
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",")))
    for name in names:
        if name not in LOSSES:
            message = f"unknown loss {name!r}"
            raise SegcliError(message, hint=nearest(name, list(LOSSES)))
    return names


def parse_n_min(text: str) -> int | Fraction:
    """Read a count, or a share of the valid pixels.

    Raises:
        SegcliError: For anything else.

    Examples:
        >>> parse_n_min("100000"), parse_n_min("1/16"), parse_n_min("0.0625")
        (100000, Fraction(1, 16), Fraction(1, 16))
    """
    stripped = text.strip()
    # Digits are counted before they are read: int() of a megabyte of them takes minutes.
    if re.fullmatch(r"[0-9]{1,18}", stripped):
        return int(stripped)
    if re.fullmatch(r"[0-9]{1,9}/0*[1-9][0-9]{0,8}|[0-9]{0,9}\.[0-9]{1,18}", stripped):
        share = Fraction(stripped)
        if share <= 1:
            return share
    message = f"--n-min {text[:40]!r} is neither a count nor a share of the valid pixels"
    raise SegcliError(message, hint="write it as 100000, 1/16 or 0.0625")


def parse_alpha(text: str | None) -> float | tuple[float, ...] | None:
    """Read a number, or one a class.

    Raises:
        SegcliError: For anything else.

    Examples:
        >>> parse_alpha("0.25"), parse_alpha("1,2,0.5")
        (0.25, (1.0, 2.0, 0.5))
    """
    if text is None:
        return None
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        message = f"--alpha {text[:40]!r} is neither a number nor one a class"
        raise SegcliError(message, hint="write it as 0.25, or 1,2,0.5 for three classes") from error
    return values[0] if len(values) == 1 else values
