"""A table of corners for losses.md: cog prints the value of every loss where others have NaN, or no gradient."""

import torch
from torch import Tensor

from segcli import nn

MULTICLASS = {
    "ce": nn.cross_entropy_loss,
    "ohem": nn.ohem_cross_entropy_loss,
    "focal": nn.focal_loss,
    "dice": nn.dice_loss,
    "jaccard": nn.jaccard_loss,
    "tversky": nn.tversky_loss,
    "focal-tversky": nn.focal_tversky_loss,
    "generalized-dice": nn.generalized_dice_loss,
    "lovasz-softmax": nn.lovasz_softmax_loss,
}
BINARY = {"bce": nn.bce_with_logits_loss, "lovasz-hinge": nn.lovasz_hinge_loss}
N_CLASSES = 3


def table() -> None:
    """Print the value of every loss in every corner; each has a gradient, and that is finite."""
    print("\n| loss | nothing valid | empty batch | sure and right | sure and wrong |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, loss in MULTICLASS.items():
        print(_row(name, [_value(loss, logits, labels) for logits, labels in _multiclass()]))
    for name, loss in BINARY.items():
        print(_row(name, [_value(loss, logits, labels, mode="binary") for logits, labels in _binary()]))
    print()


def _multiclass() -> list[tuple[Tensor, Tensor]]:
    labels = torch.tensor([[0, 1, 2, 0, 1, 2]])
    sure = 1e4 * torch.nn.functional.one_hot(labels, N_CLASSES).permute(0, 2, 1).double()
    wrong = (labels + 1) % N_CLASSES
    return [(sure, torch.full_like(labels, 255)), (sure[:0], labels[:0]), (sure, labels), (sure, wrong)]


def _binary() -> list[tuple[Tensor, Tensor]]:
    labels = torch.tensor([[0, 1, 0, 1]])
    sure = 1e4 * (2 * labels - 1).double()
    return [(sure, torch.full_like(labels, 255)), (sure[:0], labels[:0]), (sure, labels), (sure, 1 - labels)]


def _value(loss, logits: Tensor, labels: Tensor, **settings: str) -> float:  # noqa: ANN001 - any of the losses
    leaf = logits.clone().requires_grad_()
    value = loss(leaf, labels, **settings)
    (gradient,) = torch.autograd.grad(value, leaf)
    if not gradient.isfinite().all():
        message = f"{loss.__name__} has a gradient that is not finite"
        raise ValueError(message)
    return value.item()


def _row(name: str, values: list[float]) -> str:
    return f"| `{name}` | {' | '.join(f'{value:.6g}' for value in values)} |"
