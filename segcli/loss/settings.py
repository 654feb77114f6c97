"""Which losses, with which parameters, over what: what a person asked for, as plain data."""

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, Literal

KnownMode = Literal["multiclass", "multilabel", "binary"]
Mode = Literal["auto", KnownMode]
Over = Literal["file", "all"]

# What is evaluated where no loss is named.
USUAL_LOSSES = ("ce", "ohem", "dice", "focal", "bce")
# "lovasz" is that of the mode.
LOSSES = (
    *USUAL_LOSSES,
    "tversky",
    "focal-tversky",
    "jaccard",
    "generalized-dice",
    "lovasz",
    "lovasz-softmax",
    "lovasz-hinge",
)
_OF_REGIONS = ("dice", "tversky", "focal-tversky", "jaccard", "generalized-dice")
# A softmax over classes has no meaning where they do not exclude one another, and a sigmoid none where they do.
LOSSES_OF_MODE: dict[KnownMode, tuple[str, ...]] = {
    "multiclass": ("ce", "ohem", "focal", *_OF_REGIONS, "lovasz-softmax"),
    "multilabel": ("bce", "ohem", "focal", *_OF_REGIONS, "lovasz-hinge"),
    "binary": ("bce", "ohem", "focal", *_OF_REGIONS, "lovasz-hinge"),
}


@dataclass(frozen=True)
class LossSettings:
    """Parameters of an evaluation; those of the losses are described in ``segcli.nn``.

    Where a parameter is None, each loss that has it takes its own default.

    Attributes:
        losses: Which losses, of ``LOSSES``.
        factors: What each counts in a sum; none where no sum was asked for.
        all_that_apply: Whether losses that do not apply to the data are left out, and not refused.
        mode: How logits and labels belong together; ``auto`` tells by their shapes.
        from_logits: Whether logits are given, or the probabilities themselves.
        class_weights: One a class; for binary two, of label 0 and of label 1. None for equal ones.
        class_names: One a class; none for numbers.
        tversky_alpha: What a false positive costs, of tversky and focal-tversky.
        tversky_beta: What a false negative costs there.
        tversky_gamma: The exponent of focal-tversky.
        lovasz_classes: Which classes a Lovász loss is the mean of.
        backend: What computes, of `segcli.nn.kernels.backends`.
        over: Whether a loss is that of each file and their mean, or that of all pixels of all files as one batch.
        metrics: Whether predictions are counted against labels.
        gradient: Whether the gradient's norm is computed.
    """

    losses: tuple[str, ...] = USUAL_LOSSES
    factors: tuple[float, ...] = ()
    all_that_apply: bool = True
    mode: Mode = "auto"
    from_logits: bool = True
    thresh: float = 0.7
    n_min: int | Fraction = Fraction(1, 16)
    semantics: str = "exact"
    gamma: float = 2.0
    alpha: float | tuple[float, ...] | None = None
    mean: Literal["valid", "all", "weights"] | None = None
    smooth: float | None = None
    squared: bool = False
    reduce: Literal["image", "batch"] = "image"
    absent: Literal["skip", "zero", "count"] = "skip"
    tversky_alpha: float = 0.3
    tversky_beta: float = 0.7
    tversky_gamma: float = 0.75
    weighting: Literal["square", "simple", "uniform"] = "square"
    lovasz_classes: Literal["present", "all"] | None = None
    class_weights: tuple[float, ...] | None = None
    ignore_index: int = 255
    class_names: tuple[str, ...] = ()
    backend: Literal["auto", "eager", "compiled", "triton"] = "auto"
    over: Over = "file"
    metrics: bool = False
    gradient: bool = False

    def as_json(self, losses: tuple[str, ...]) -> dict[str, Any]:
        """Return what a document says of the settings.

        Args:
            losses: Those that applied.

        Examples:
            >>> LossSettings().as_json(("ce",))["n_min"]
            '1/16'
        """
        left_out = ("losses", "factors", "all_that_apply", "mode", "class_names", "backend")
        shown = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name not in left_out}
        return {"losses": losses, "factors": self.factors} | {name: written(value) for name, value in shown.items()}


def written(value: object) -> Any:  # noqa: ANN401 - whatever JSON has
    """Return a parameter as a document holds it.

    Examples:
        >>> written(Fraction(1, 16)), written(7)
        ('1/16', 7)
    """
    return str(value) if isinstance(value, Fraction) else value
