"""Cross-entropy, binary cross-entropy and focal under the conventions of all projects."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from segcli.loss.projects.chain import Chain
from segcli.loss.projects.reads import Reads
from segcli.loss.projects.region import many
from segcli.loss.projects.result import ProjectSettings
from segcli.nn.losses.focal import check_alpha

if TYPE_CHECKING:
    from torch import Tensor

Alpha = float | tuple[float, ...] | None


@dataclass(frozen=True)
class PixelRule:
    """The conventions of a mean over pixels.

    Attributes:
        focal: Whether (1 - p)^gamma is a factor.
        form: ``own``: the softmax of classes, the sigmoid of binary. ``sigmoid``: one for each class.
        alpha: None, a number, or one a class.
        sides: What alpha weighs. ``all``: every label alike, or each its own. ``background``: label 0 takes 1 - alpha.
            ``foreground``: where a sigmoid's label is 0, 1 - alpha.
        everywhere: Whether ignored pixels count below.
        by_class: Whether the mean is over the classes of a pixel too.
        share: Of all pixels, what is added to how many count below.
        nothing: The loss where nothing counts.
    """

    focal: bool = False
    form: Literal["own", "sigmoid"] = "own"
    alpha: Alpha = None
    sides: Literal["all", "background", "foreground"] = "all"
    everywhere: bool = False
    by_class: bool = False
    share: float = 0.0
    nothing: float = 0.0


_ORDER = (
    ("form", ("form",)),
    ("alpha", ("alpha", "sides")),
    ("mean", ("everywhere",)),
    ("classes", ("by_class",)),
    ("guard", ("share",)),
    ("nothing", ("nothing",)),
)


def our_pixel_rule(loss: str, settings: ProjectSettings) -> PixelRule:
    """Return ours of ``ce``, ``bce`` or ``focal``.

    Raises:
        ValueError: For an alpha that cannot weigh a class.
    """
    if loss != "focal":
        return PixelRule()
    check_alpha(settings.alpha, settings.mode)
    sides: Literal["all", "foreground"] = "all" if settings.mode == "multiclass" else "foreground"
    return PixelRule(focal=True, alpha=settings.alpha, sides=sides)


def their_pixel_rule(project: str, loss: str, settings: ProjectSettings) -> PixelRule:
    """Return a project's."""
    if loss == "focal":
        return _focal(project, settings)
    return {
        "mmseg": PixelRule(everywhere=True),
        "smp": PixelRule(everywhere=True),
        "paddle": PixelRule(share=1e-8),
    }.get(project, PixelRule(nothing=math.nan))


def _focal(project: str, settings: ProjectSettings) -> PixelRule:
    ours, alpha = our_pixel_rule("focal", settings), settings.alpha
    multiclass, number = settings.mode == "multiclass", isinstance(alpha, float | int)
    if project == "mmseg":
        theirs: Alpha = 0.5 if alpha is None else alpha
        return replace(ours, form="sigmoid", alpha=theirs, sides="foreground", everywhere=True, by_class=multiclass)
    if project == "smp":
        theirs = alpha if number else None
        return replace(ours, form="sigmoid", alpha=theirs, sides="foreground", by_class=multiclass, nothing=math.nan)
    sides: Any = ours.sides if not (multiclass and number) else "background"
    if project == "monai":
        return replace(ours, sides=sides, by_class=multiclass and settings.ignore_index is None)
    return replace(ours, sides=sides, everywhere=True, by_class=multiclass)


def pixel_chain(reads: Reads, ours: PixelRule, theirs: PixelRule) -> Chain:
    """Go from one rule to another."""
    rule, chain = ours, Chain(pixel_loss(reads, ours))
    for key, names in _ORDER:
        values: dict[str, Any] = {name: getattr(theirs, name) for name in names}
        rule = replace(rule, **values)
        chain = chain.then(key, _words(key, reads, rule), pixel_loss(reads, rule))
    return chain


def pixel_loss(reads: Reads, rule: PixelRule) -> float:
    """Return the loss by one rule.

    Examples:
        >>> import torch
        >>> reads = Reads(torch.zeros(1, 2, 4), torch.tensor([[0, 1, 255, 255]]), ProjectSettings())
        >>> round(pixel_loss(reads, PixelRule()), 4), round(pixel_loss(reads, PixelRule(everywhere=True)), 4)
        (0.6931, 0.3466)
    """
    read = reads.sigmoids if rule.form == "sigmoid" else reads.found
    sums = (read.focal if rule.focal else read.cross_entropy).sum(0)
    above = float((sums * _weights(rule, sums)).sum())
    below = reads.n_pixels if rule.everywhere else reads.n_valid
    if not below or (rule.nothing != 0 and not reads.n_valid):
        return rule.nothing
    return above / ((below + rule.share * reads.n_pixels) * (reads.n_classes if rule.by_class else 1))


def _weights(rule: PixelRule, like: "Tensor") -> "Tensor":
    """Return what each label weighs, to go with sums by label: (C,), or (C, 2) of sigmoids."""
    import torch

    if rule.alpha is None:
        return torch.ones_like(like)
    alpha = torch.as_tensor(rule.alpha, dtype=like.dtype, device=like.device).expand(len(like)).clone()
    if rule.sides == "background":
        alpha[0] = 1 - alpha[0]
    if like.dim() == 1:
        return alpha
    return torch.stack([1 - alpha if rule.sides == "foreground" else alpha, alpha], 1)


def _words(key: str, reads: Reads, rule: PixelRule) -> str:
    alpha = f"alpha {rule.alpha:g}" if isinstance(rule.alpha, float | int) else "alpha of each class"
    how = {
        "all": f"{alpha} weighs every label",
        "background": f"{alpha} weighs all classes but class 0, which takes 1 - alpha",
        "foreground": f"{alpha} weighs where a sigmoid's label is 1, 1 - alpha where it is 0",
    }[rule.sides]
    return {
        "form": "a sigmoid for each class against the rest, added up, in place of the softmax",
        "alpha": how if rule.alpha is not None else "no alpha a class",
        "mean": f"{many(reads.n_ignored, 'ignored pixel')} counted in the mean",
        "classes": f"the mean is over the {reads.n_classes} classes of a pixel too",
        "guard": f"{rule.share:g} of all pixels is added to how many are valid",
        "nothing": "nothing is valid: the mean of nothing is NaN",
    }[key]
