"""Where a project raises, or returns what is no number."""

from dataclasses import dataclass

from segcli.loss.projects.known import ProjectLoss
from segcli.loss.projects.reads import Reads

# Of labels: (N, H, W).
_PLANAR = 3


@dataclass(frozen=True)
class Refusal:
    """What a project does in place of a number, and why."""

    error: str
    words: str


def refusal(project: str, loss: ProjectLoss, reads: Reads) -> Refusal | None:
    """Return why a project has no number for this data; None where it has one, or where its OHEM raises."""
    if loss.planar and reads.labels.dim() != _PLANAR:
        return Refusal("(N, C, H, W) alone", f"labels have {reads.labels.dim() - 1} axes of space, it takes 2")
    if (project, loss.name) in (("monai", "generalized-dice"), ("kornia", "lovasz-softmax")):
        return _one_hot(reads)
    if loss.name == "lovasz-softmax":
        return _lovasz(project, reads)
    return _mmseg(loss, reads) if project == "mmseg" else None


def _one_hot(reads: Reads) -> Refusal | None:
    if not reads.multiclass or not reads.outside:
        return None
    index = reads.settings.ignore_index
    return Refusal("RuntimeError", f"there is no ignore_index: label {index} is none of {reads.n_classes} classes")


def _mmseg(loss: ProjectLoss, reads: Reads) -> Refusal | None:
    settings = reads.settings
    if loss.name == "bce" and not reads.n_valid:
        return Refusal("RuntimeError", "nothing is valid: it looks for the largest of no labels")
    if loss.name == "tversky" and settings.tversky_alpha + settings.tversky_beta != 1:
        return Refusal("AssertionError", "alpha and beta do not add up to 1")
    if loss.name == "dice" and not reads.multiclass and settings.ignore_index == 0:
        return Refusal("AssertionError", "ignore_index takes out the only class")
    if loss.name == "ohem" and not loss.form and isinstance(settings.n_min, int) and settings.n_min <= 1:
        return Refusal("AssertionError", "min_kept has to be above 1")
    return None


def _lovasz(project: str, reads: Reads) -> Refusal | None:
    by_image = reads.settings.reduce == "image"
    n_valid = (~reads.ignored).flatten(1).sum(1).tolist() if by_image else [reads.n_valid]
    if project == "mmseg" and 1 in n_valid:
        return Refusal("IndexError", "a pixel that alone is valid loses its axis")
    if 0 not in n_valid:
        return None
    if project == "mmseg" and by_image:
        if any(n_valid):
            return Refusal("RuntimeError", "an image without a valid pixel has no number to stack with the others")
        return Refusal("NaN", "nothing is valid: the mean of nothing")
    if n_valid[0]:
        return Refusal("RuntimeError", "an image without a valid pixel has no number to add to the others")
    return Refusal(f"a tensor of shape (0, {reads.n_classes})", "nothing is valid in the first group of pixels")
