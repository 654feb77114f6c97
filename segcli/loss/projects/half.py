"""Region losses in the dtype of half logits, as the projects add them up: sums above 65,504 are infinite in float16."""

from typing import TYPE_CHECKING

from segcli.loss.projects.reads import Reads

if TYPE_CHECKING:
    from torch import Tensor


def half_loss(project: str, loss: str, form: str, reads: Reads) -> float | None:
    """Return the loss in the logits' dtype; None where the project takes float32, or the dtype is not a half type."""
    import torch

    if reads.logits.dtype not in (torch.float16, torch.bfloat16):
        return None
    if project == "smp":
        return float(_smp(loss, reads))
    if project == "mmseg":
        return float(_mmseg_tversky(reads) if loss == "tversky" else _mmseg_dice(reads, by_default=form == "default"))
    if project == "monai" and not (loss == "dice" and reads.settings.squared):
        return float(_monai_generalized(reads) if loss == "generalized-dice" else _monai(loss, reads))
    return None


def _smp(loss: str, reads: Reads) -> "Tensor":
    import torch
    from torch.nn.functional import logsigmoid

    logits, settings = reads.logits, reads.settings
    p = logits.log_softmax(1).exp() if reads.multiclass else logsigmoid(logits.unsqueeze(1)).exp()
    p = (p * ~reads.ignored.unsqueeze(1)).flatten(2)
    y = _targets(reads).to(p.dtype)
    alpha, beta = _costs(loss, reads)
    predicted, labelled = p.sum((0, 2)), y.sum((0, 2))
    apart = torch.linalg.vector_norm(p - y, ord=1, dim=(0, 2))
    overlap = (predicted + labelled - apart) / 2
    below = overlap + alpha * (predicted - overlap) + beta * (labelled - overlap) + settings.smooth
    losses = 1 - (overlap + settings.smooth) / below.clamp_min(1e-7)
    mean: Tensor = (losses * (labelled > 0)).mean()
    return mean


def _monai(loss: str, reads: Reads) -> "Tensor":
    import torch

    settings = reads.settings
    p = _monai_p(reads)
    if settings.ignore_index is not None:
        # The mask is float32, and makes it all so.
        p = p * (~reads.ignored).flatten(1).unsqueeze(1).float()
    # One-hot labels are made in float32, those of one class stay what they are.
    y = _targets(reads).to(torch.float32 if reads.multiclass else torch.int64)
    axes = [0, 2] if settings.reduce == "batch" else [2]
    alpha, beta = _costs(loss, reads)
    smooth, overlap = settings.smooth, (p * y).sum(axes)
    if loss == "tversky":
        wrong, missed = (p * (1 - y)).sum(axes), ((1 - p) * y).sum(axes)
        return (1 - (overlap + smooth) / (overlap + alpha * wrong + beta * missed + smooth)).mean()
    wrong, missed = p.sum(axes) - overlap, y.sum(axes) - overlap
    return (1 - (2 * overlap + smooth) / (2 * (overlap + alpha * wrong + beta * missed) + smooth)).mean()


def _monai_generalized(reads: Reads) -> "Tensor":
    import torch
    from torch.nn.functional import one_hot

    p, smooth = _monai_p(reads), reads.settings.smooth
    y = reads.labels.flatten(1).unsqueeze(1)
    if reads.multiclass:
        y = one_hot(y.squeeze(1), reads.n_classes).movedim(2, 1).float()
    axes = [0, 2] if reads.settings.reduce == "batch" else [2]
    overlap, volume = (p * y).sum(axes), y.sum(axes).float()
    below = 2 * (overlap + 0.5 * (p.sum(axes) - overlap) + 0.5 * (y.sum(axes) - overlap))
    weights = volume.square().reciprocal()
    weights = weights.masked_fill(weights.isinf(), 0)
    weights = torch.where(volume == 0, weights.amax(-1, keepdim=True), weights)
    return (1 - (2 * (overlap * weights).sum(-1) + smooth) / ((below * weights).sum(-1) + smooth)).mean()


def _monai_p(reads: Reads) -> "Tensor":
    return (reads.logits.softmax(1) if reads.multiclass else reads.logits.unsqueeze(1).sigmoid()).flatten(2)


def _mmseg_tversky(reads: Reads) -> "Tensor":
    from torch.nn.functional import one_hot

    settings, n_classes = reads.settings, reads.n_classes
    y = one_hot(reads.labels.flatten(1).clamp(0, n_classes - 1), n_classes).movedim(2, 1)
    p, mask = reads.logits.softmax(1).flatten(2), (~reads.ignored).flatten(1).unsqueeze(1).long()
    hit, wrong, missed = ((part * mask).sum(2) for part in (p * y, p * (1 - y), (1 - p) * y))
    smooth = settings.smooth
    below = hit + settings.tversky_alpha * wrong + settings.tversky_beta * missed + smooth
    of_classes = (1 - (hit + smooth) / below).mean(0)
    of_classes[[index for index in range(n_classes) if index == settings.ignore_index]] = 0
    return of_classes.sum() / n_classes


def _mmseg_dice(reads: Reads, *, by_default: bool) -> "Tensor":
    """Labels are float32, sum(p) is of the logits' dtype."""
    from torch.nn.functional import one_hot

    settings, n_classes = reads.settings, reads.n_classes
    logits = reads.logits if reads.multiclass else reads.logits.unsqueeze(1)
    p = (logits.sigmoid() if by_default else logits.softmax(1)).flatten(2)
    y = one_hot(reads.labels.flatten(1).clamp(0, n_classes), n_classes + 1)[..., :n_classes].movedim(2, 1)
    kept = [index for index in range(n_classes) if index != settings.ignore_index]
    p, y, eps = p[:, kept].flatten(1), y[:, kept].flatten(1).float(), 1e-3
    if by_default or settings.squared:
        return (1 - 2 * (p * y).sum(1) / ((p * p).sum(1) + eps + (y * y).sum(1) + eps)).mean()
    return (1 - (2 * (p * y).sum(1) + eps) / (p.sum(1) + y.sum(1) + eps)).mean()


def _costs(loss: str, reads: Reads) -> tuple[float, float]:
    if loss == "tversky":
        return reads.settings.tversky_alpha, reads.settings.tversky_beta
    return (0.5, 0.5) if loss == "dice" else (1.0, 1.0)


def _targets(reads: Reads) -> "Tensor":
    """Return 1 where the label is the class, else 0: (N, C, pixels), int64."""
    import torch

    labels = reads.labels.masked_fill(reads.ignored, 0).flatten(1)
    y = torch.nn.functional.one_hot(labels, reads.n_classes).movedim(2, 1) if reads.multiclass else labels.unsqueeze(1)
    return y * ~reads.ignored.flatten(1).unsqueeze(1)
