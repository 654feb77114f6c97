"""A project's losses of one batch beside ours."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from segcli.loss.projects.calls import call
from segcli.loss.projects.chain import Chain
from segcli.loss.projects.generalized import generalized_chain, our_generalized
from segcli.loss.projects.half import half_loss
from segcli.loss.projects.known import PROJECTS, ProjectLoss, check_project
from segcli.loss.projects.lovasz import hinge_chain, our_hinge, our_softmax, softmax_chain
from segcli.loss.projects.mining import mined, our_ohem
from segcli.loss.projects.pixelwise import our_pixel_rule, pixel_chain, pixel_loss, their_pixel_rule
from segcli.loss.projects.reads import Reads
from segcli.loss.projects.refusals import refusal
from segcli.loss.projects.region import region_chain, region_loss
from segcli.loss.projects.region_rules import our_region_rule, their_region_rule
from segcli.loss.projects.result import ProjectSettings, ProjectValue, format_value

if TYPE_CHECKING:
    from torch import Tensor

_PIXELWISE = ("ce", "bce", "focal")
_REGION = ("dice", "jaccard", "tversky")
# A chain, and what the project does in place of a number.
_Found = tuple[Chain, str]


def project_values(project: str, logits: "Tensor", labels: "Tensor", settings: ProjectSettings) -> list[ProjectValue]:
    """Return what a project's losses say of a batch, beside ours, with the reasons where they differ.

    Values are to float32's rounding those of the project on the same tensors, with the same parameters where it has
    them and its defaults where it has not. Region losses of half types are added up in that type where the project
    does, and overflow as they do there.

    Args:
        project: Of `PROJECTS`.
        logits: Floating.
        labels: Whole numbers; for binary 0, 1 and ``ignore_index``.
        settings: Which losses, with which parameters.

    Shape:
        logits (N, C, *S) and labels (N, *S) for multiclass; both (N, *S) for binary.

    Raises:
        SegcliError: For an unknown project.
        ValueError: For inputs that do not fit, naming the first bad place, and for settings out of range.

    Examples:
        >>> import torch
        >>> labels = torch.tensor([[0, 0, 1, 255]])
        >>> value, *_ = project_values("smp", torch.zeros(1, 2, 4), labels, ProjectSettings(losses=("ce",)))
        >>> value.reasons
        ('1 ignored pixel counted in the mean: 0.693147 -> 0.51986',)
    """
    check_project(project)
    return values_of_reads(project, Reads(logits, labels, settings))


def values_of_reads(project: str, reads: Reads) -> list[ProjectValue]:
    """Do what `project_values` does, of reads that several projects share.

    Examples:
        >>> import torch
        >>> reads = Reads(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 1, 255]]), ProjectSettings(losses=("focal",)))
        >>> [f"{value.value:.4f}" for project in ("smp", "monai") for value in values_of_reads(project, reads)]
        ['0.1733', '0.1733']
    """
    import torch

    settings = reads.settings
    with torch.inference_mode():
        return [
            _value(project, loss, reads)
            for loss in PROJECTS[project].losses
            if settings.mode in loss.modes and (settings.losses is None or loss.name in settings.losses)
        ]


def _value(project: str, loss: ProjectLoss, reads: Reads) -> ProjectValue:
    refused = refusal(project, loss, reads)
    if refused:
        chain = Chain(_OURS[loss.name](loss.name, reads)).then("error", refused.words, math.nan)
        error = refused.error
    else:
        chain, error = _THEIRS[loss.name](project, loss, reads)
    return ProjectValue(
        project,
        loss.name,
        call(project, loss, reads),
        chain.value,
        chain.ours,
        chain.steps,
        error,
        _remark(project, loss, reads, chain.value),
    )


def _ohem(project: str, loss: ProjectLoss, reads: Reads) -> _Found:
    if loss.form and not reads.n_valid:
        # mmseg's copy of HRNet's looks first whether anything is valid.
        return Chain(our_ohem(reads)), ""
    semantics: Any = "hrnet" if loss.form else project
    found = mined(reads, semantics)
    return found.chain, found.error


def _pixelwise(project: str, loss: ProjectLoss, reads: Reads) -> _Found:
    settings = reads.settings
    ours, theirs = our_pixel_rule(loss.name, settings), their_pixel_rule(project, loss.name, settings)
    return pixel_chain(reads, ours, theirs), ""


def _region(project: str, loss: ProjectLoss, reads: Reads) -> _Found:
    ours = our_region_rule(loss.name, reads.settings)
    chain = region_chain(reads, ours, their_region_rule(project, loss.name, loss.form, reads))
    return _in_their_dtype(project, loss, reads, chain)


def _generalized(project: str, loss: ProjectLoss, reads: Reads) -> _Found:
    return _in_their_dtype(project, loss, reads, generalized_chain(reads))


def _in_their_dtype(project: str, loss: ProjectLoss, reads: Reads, chain: Chain) -> _Found:
    half = half_loss(project, loss.name, loss.form, reads)
    if half is None:
        return chain, ""
    dtype = str(reads.logits.dtype).removeprefix("torch.")
    return chain.then("dtype", f"sums are {dtype}, as the logits are", half), ""


def _remark(project: str, loss: ProjectLoss, reads: Reads, value: float) -> str:
    if project == "monai" and loss.name == "focal" and reads.multiclass and reads.settings.ignore_index is not None:
        without = "" if reads.n_ignored else f": {format_value(value / reads.n_classes)} here"
        return f"without ignore_index the mean is over the {reads.n_classes} classes of a pixel too{without}"
    return ""


_OURS: dict[str, Callable[[str, Reads], float]] = {
    "ohem": lambda _, reads: our_ohem(reads),
    **dict.fromkeys(_PIXELWISE, lambda loss, reads: pixel_loss(reads, our_pixel_rule(loss, reads.settings))),
    **dict.fromkeys(_REGION, lambda loss, reads: region_loss(reads, our_region_rule(loss, reads.settings))),
    "generalized-dice": lambda _, reads: our_generalized(reads),
    "lovasz-softmax": lambda _, reads: our_softmax(reads),
    "lovasz-hinge": lambda _, reads: our_hinge(reads),
}
_THEIRS: dict[str, Callable[[str, ProjectLoss, Reads], _Found]] = {
    "ohem": _ohem,
    **dict.fromkeys(_PIXELWISE, _pixelwise),
    **dict.fromkeys(_REGION, _region),
    "generalized-dice": _generalized,
    "lovasz-softmax": lambda project, _, reads: (softmax_chain(project, reads), ""),
    "lovasz-hinge": lambda project, _, reads: (hinge_chain(project, reads), ""),
}
