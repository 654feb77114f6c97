"""What several networks are made of."""

from collections.abc import Sequence

import torch
from torch import Tensor, fx, nn

from segcli.nn.nets.sides import Join, check_sides


class ConvBNReLU(nn.Module):
    """A convolution without bias that keeps the size but for its stride, batch norm and ReLU.

    Shape:
        (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1) -> None:
        """Name the layers as CoinCheung/BiSeNet does."""
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the three."""
        y: Tensor = self.relu(self.bn(self.conv(x)))
        return y


def check_image(net: str, image: Tensor | fx.Proxy, joins: Sequence[Join], channels: int = 3) -> None:
    """Refuse what is no batch of images, or images of a size that a layer of ``joins`` cannot take.

    Tracers, whose tensors have no sizes yet, are let through.

    Raises:
        ValueError: Naming the shape that was expected; a `segcli.nn.nets.sides.SizeError` for a size.
    """
    if isinstance(image, fx.Proxy) or torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return
    if image.dim() != 4 or image.shape[1] != channels:  # noqa: PLR2004 - batch, channels, height, width
        message = f"{net} takes images of shape (N, {channels}, H, W), got {tuple(image.shape)}"
        raise ValueError(message)
    check_sides(net, image.shape[2], image.shape[3], joins)
