"""A small segmentation network that params.md counts, and one whose receptive field cannot be followed."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class SmallNet(nn.Module):
    """Two paths of other strides that meet, and an auxiliary head that only training runs."""

    def __init__(self, n_classes: int = 3, width: int = 16) -> None:
        """Make the layers."""
        super().__init__()
        self.detail = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.context = nn.Sequential(nn.Conv2d(3, width, 7, stride=4, padding=3), nn.Conv2d(width, width, 3, padding=1))
        self.mix = nn.Parameter(torch.empty(n_classes, width, 1, 1))
        self.aux = nn.Conv2d(width, n_classes, 1)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return the logits, and while training those of the auxiliary head."""
        detail, context = self.detail(image), self.context(image)
        larger = functional.interpolate(context, detail.shape[-2:], mode="bilinear")
        logits = {"out": functional.conv2d(detail + larger, self.mix)}
        return logits | {"aux": self.aux(context)} if self.training else logits


class Rolled(nn.Conv2d):
    """A convolution whose output is rolled about."""

    def forward(self, image: Tensor) -> Tensor:
        """Return it."""
        return torch.roll(super().forward(image), 1, -1)


def rolled() -> Rolled:
    """Return such a convolution, as the factory of a network would."""
    return Rolled(3, 8, 3)
