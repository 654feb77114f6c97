"""Losses: segcli's own beside torch's cross-entropy and the sorting OHEM that many repositories carry.

The references are written out from the definitions, and share no code with `segcli.nn`.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from segcli.bench.kernel import INDEX_BYTES, Call, Case, Cost, Kernel, Make, Suite, Tensors

if TYPE_CHECKING:
    import torch

_IGNORED = 255
_THRESH = 0.7
_KEPT_SHARE = 16
_GAMMA = 2.0
_SMOOTH = 1.0
_OHEM_GRADIENT_TOLERANCE = 0.1
"""Pixels at the border between kept and not change sides by a rounding: one in 200 gives this error (2-norm)."""


def _torch_cross_entropy(tensors: Tensors) -> Call:
    from torch.nn import functional

    logits, labels = tensors["logits"], tensors["labels"]
    return lambda: functional.cross_entropy(logits, labels, ignore_index=_IGNORED)


def _sorting_ohem(tensors: Tensors) -> Call:
    """Sort all pixel losses, as the notes and CoinCheung/BiSeNet's ``loss.py`` do."""
    from torch.nn import functional

    logits, labels = tensors["logits"], tensors["labels"]
    least, bound = labels.numel() // _KEPT_SHARE, -math.log(_THRESH)

    def call() -> "torch.Tensor":
        losses = functional.cross_entropy(logits, labels, ignore_index=_IGNORED, reduction="none").flatten()
        ranked = losses.sort(descending=True).values
        return (ranked[ranked > bound] if ranked[least] > bound else ranked[:least]).mean()

    return call


def _of_nn(name: str, targets: str = "labels") -> Make:
    """Return a loss of `segcli.nn`, without its look through the values: the data are known to be right."""

    def make(tensors: Tensors) -> Call:
        from segcli import nn

        return partial(getattr(nn, name)(validate=False), tensors["logits"], tensors[targets])

    return make


def _reference(loss: Callable[[Tensors], "torch.Tensor"]) -> Make:
    return lambda tensors: lambda: loss(tensors)


def _pixel_losses(tensors: Tensors) -> "torch.Tensor":
    """Return log(sum(exp(z))) - z[label] of the valid pixels, as one row."""
    logits, labels = tensors["logits"], tensors["labels"]
    valid = labels != _IGNORED
    labelled = logits.gather(1, labels.masked_fill(~valid, 0).unsqueeze(1)).squeeze(1)
    return (logits.logsumexp(1) - labelled)[valid]


def _plain_cross_entropy(tensors: Tensors) -> "torch.Tensor":
    return _pixel_losses(tensors).mean()


def _plain_ohem(tensors: Tensors) -> "torch.Tensor":
    losses = _pixel_losses(tensors)
    return _mean_of_hardest(losses, losses.numel() // _KEPT_SHARE)


def _plain_sorting_ohem(tensors: Tensors) -> "torch.Tensor":
    # Its share is of all pixels, the ignored ones included.
    return _mean_of_hardest(_pixel_losses(tensors), tensors["labels"].numel() // _KEPT_SHARE)


def _mean_of_hardest(losses: "torch.Tensor", least: int) -> "torch.Tensor":
    n_hard = int((losses > -math.log(_THRESH)).sum())
    n_kept = max(min(least, losses.numel()), n_hard)
    return losses.sort(descending=True).values[:n_kept].sum() / max(n_kept, 1)


def _plain_dice(tensors: Tensors) -> "torch.Tensor":
    """Return 1 - (2 sum(p y) + 1) / (sum(p) + sum(y) + 1), a mean over the classes present, then over images."""
    import torch

    losses = []
    for logits, labels in zip(tensors["logits"], tensors["labels"], strict=True):
        valid = labels != _IGNORED
        p, y = logits[:, valid].softmax(0), labels[valid]
        of_classes = [
            1 - (2 * p[index, y == index].sum() + _SMOOTH) / (p[index].sum() + (y == index).sum() + _SMOOTH)
            for index in y.unique().tolist()
        ]
        losses.append(torch.stack(of_classes).mean())
    return torch.stack(losses).mean()


def _plain_focal(tensors: Tensors) -> "torch.Tensor":
    losses = _pixel_losses(tensors)
    return ((1 - (-losses).exp()) ** _GAMMA * losses).mean()


def _plain_bce(tensors: Tensors) -> "torch.Tensor":
    from torch.nn import functional

    valid = tensors["targets"] != _IGNORED
    logits, targets = tensors["logits"][valid], tensors["targets"][valid]
    positive, negative = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    return -(targets * positive + (1 - targets) * negative).mean()


def _forward_cost(a_class: int, a_pixel: int, target_bytes: int = INDEX_BYTES) -> Callable[[Case], Cost]:
    """Read the logits and the targets once; FLOPs a class and a pixel."""

    def cost(case: Case) -> Cost:
        flops = case.pixels * (a_class * case.channels + a_pixel)
        return Cost(case.numel * case.item_bytes + case.pixels * target_bytes, flops)

    return cost


def _backward_cost(a_class: int, a_pixel: int, target_bytes: int = INDEX_BYTES) -> Callable[[Case], Cost]:
    """Read logits and targets again, write gradients; a float32 a pixel is kept, written and read back."""

    def cost(case: Case) -> Cost:
        flops = case.pixels * (a_class * case.channels + a_pixel)
        return Cost(2 * case.numel * case.item_bytes + case.pixels * (target_bytes + 8), flops)

    return cost


# Softmax cross-entropy: maximum, subtract, exp, add a class; log, add, subtract and the mean's sum a pixel.
# Backward: subtract, exp, multiply a class; the label's own subtraction a pixel.
_CE, _CE_BACKWARD = _forward_cost(4, 4), _backward_cost(3, 1)
# A comparison more a pixel, whatever the selection does.
_OHEM, _OHEM_BACKWARD = _forward_cost(4, 5), _backward_cost(3, 2)
# The softmax's division, and a sum a class; two sums a pixel. Backward: p again, then its product with the gradient,
# their sum, and p (gradient - sum).
_DICE, _DICE_BACKWARD = _forward_cost(6, 3), _backward_cost(8, 2)
# On top of cross-entropy: negate, exp, subtract, square, multiply; backward the slope of that.
_FOCAL, _FOCAL_BACKWARD = _forward_cost(4, 9), _backward_cost(3, 8)


def _bce_cost(case: Case) -> Cost:
    """max(z, 0) - z y + log(1 + exp(-|z|)), and the mean's sum: 9 FLOPs an element, a byte a target."""
    return _forward_cost(9, 0, target_bytes=case.channels)(case)


def _bce_backward_cost(case: Case) -> Cost:
    """(sigmoid(z) - y) / n: 6 FLOPs an element; nothing is kept."""
    return Cost(case.numel * (2 * case.item_bytes + 1), 6 * case.numel)


def _tensors(case: Case, generator: "torch.Generator") -> dict[str, "torch.Tensor"]:
    import torch

    labels = torch.randint(case.channels, (case.batch, *case.size), generator=generator)
    ignored = torch.rand(labels.shape, generator=generator) < 1 / 20
    classes = torch.arange(case.channels).view(-1, 1, 1)
    one_hot = labels.unsqueeze(1) == classes
    logits = torch.randn(case.shape, generator=generator).add_(one_hot, alpha=6)
    targets = one_hot.to(torch.uint8).masked_fill_(ignored.unsqueeze(1), _IGNORED)
    return {"logits": logits, "labels": labels.masked_fill_(ignored, _IGNORED), "targets": targets}


def _kernel(
    name: str,
    what: str,
    make: Make,
    loss: Callable[[Tensors], "torch.Tensor"],
    costs: tuple[Callable[[Case], Cost], Callable[[Case], Cost]],
    gradient_tolerance: float = 0.0,
) -> Kernel:
    return Kernel(
        name,
        what,
        make,
        _reference(loss),
        *costs,
        leaves=("logits",),
        gradient_tolerance=gradient_tolerance,
    )


LOSSES = Suite(
    name="loss",
    baseline="torch-cross-entropy",
    case=Case(2, 19, (256, 512)),
    tensor="logits",
    data="logits normal(0, 1), raised by 6 at the label; labels uniform, 1/20 ignored",
    tensors=_tensors,
    check_items=16,
    kernels=(
        _kernel(
            "torch-cross-entropy",
            "torch's cross_entropy, mean",
            _torch_cross_entropy,
            _plain_cross_entropy,
            (_CE, _CE_BACKWARD),
        ),
        _kernel(
            "cross-entropy",
            "segcli.nn.CrossEntropyLoss",
            _of_nn("CrossEntropyLoss"),
            _plain_cross_entropy,
            (_CE, _CE_BACKWARD),
        ),
        _kernel(
            "ohem",
            "segcli.nn.OhemCrossEntropyLoss",
            _of_nn("OhemCrossEntropyLoss"),
            _plain_ohem,
            (_OHEM, _OHEM_BACKWARD),
            _OHEM_GRADIENT_TOLERANCE,
        ),
        _kernel(
            "ohem-sort",
            "OHEM by sorting every loss",
            _sorting_ohem,
            _plain_sorting_ohem,
            (_OHEM, _OHEM_BACKWARD),
            _OHEM_GRADIENT_TOLERANCE,
        ),
        _kernel("dice", "segcli.nn.DiceLoss", _of_nn("DiceLoss"), _plain_dice, (_DICE, _DICE_BACKWARD)),
        _kernel("focal", "segcli.nn.FocalLoss, gamma 2", _of_nn("FocalLoss"), _plain_focal, (_FOCAL, _FOCAL_BACKWARD)),
        _kernel(
            "bce",
            "segcli.nn.BCEWithLogitsLoss",
            _of_nn("BCEWithLogitsLoss", "targets"),
            _plain_bce,
            (_bce_cost, _bce_backward_cost),
        ),
    ),
)
