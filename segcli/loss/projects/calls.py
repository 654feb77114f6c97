"""How a user of a project calls its loss, with the same parameters."""

import math
from fractions import Fraction

from segcli.loss.projects.known import ProjectLoss
from segcli.loss.projects.reads import Reads
from segcli.loss.projects.result import ProjectSettings


def call(project: str, loss: ProjectLoss, reads: Reads) -> str:
    """Fill in the settings.

    Examples:
        >>> import torch
        >>> from segcli.loss.projects.known import PROJECTS
        >>> reads = Reads(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 1, 1]]), ProjectSettings())
        >>> call("smp", PROJECTS["smp"].losses[0], reads)
        'SoftCrossEntropyLoss(smooth_factor=0, ignore_index=255)'
    """
    settings, multiclass = reads.settings, reads.multiclass
    per_image = settings.reduce == "image"
    return loss.call.format(
        mode=settings.mode,
        thresh=f"{settings.thresh:g}",
        n_min=_n_min(project, loss, reads),
        gamma=f"{settings.gamma:g}",
        alpha=_alpha(project, settings),
        smooth=f"{settings.smooth:g}",
        squared=settings.squared,
        naive=not settings.squared,
        batch=not per_image,
        per_image=per_image,
        mmseg_per_image="per_image=True" if per_image else "reduction='none'",
        tversky_alpha=f"{settings.tversky_alpha:g}",
        tversky_beta=f"{settings.tversky_beta:g}",
        ignore_index=settings.ignore_index,
        ignore="" if settings.ignore_index is None else f", ignore_index={settings.ignore_index}",
        activation="softmax=True, to_onehot_y=True" if multiclass else "sigmoid=True",
        focal_activation="use_softmax=True, to_onehot_y=True, " if multiclass else "",
        kornia_focal="focal_loss" if multiclass else "binary_focal_loss_with_logits",
    )


def _n_min(project: str, loss: ProjectLoss, reads: Reads) -> str:
    n_min = reads.settings.n_min
    if isinstance(n_min, int):
        return str(n_min)
    count = Fraction(math.floor(n_min * reads.n_valid))
    # A count of mmseg's sampler is for an image.
    return str(count / max(1, reads.n_images) if project == "mmseg" and not loss.form else count)


def _alpha(project: str, settings: ProjectSettings) -> str:
    alpha = settings.alpha
    if alpha is None:
        return "0.5" if project == "mmseg" else "None"
    if isinstance(alpha, float | int):
        return f"{alpha:g}"
    of_classes = f"[{', '.join(f'{part:g}' for part in alpha)}]"
    return {"smp": "None", "kornia": f"None, weight={of_classes}"}.get(project, of_classes)
