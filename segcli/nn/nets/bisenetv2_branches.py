"""The two branches of BiSeNet V2, and the layers that they are made of.

Source:
    Yu et al., "BiSeNet V2: Bilateral Network with Guided Aggregation for Real-time Semantic Segmentation", IJCV 2021,
    table 1 and figures 4 and 5, as in CoinCheung/BiSeNet 6b4b67a (lib/models/bisenetv2.py). That departs from the
    paper: a ReLU behind a depthwise convolution of each gather-and-expansion layer, and a batch norm with ReLU behind
    the last convolution of context embedding.
"""

import torch
from torch import Tensor, nn

from segcli.nn.nets.blocks import ConvBNReLU

# How many times wider a gather-and-expansion layer is inside: epsilon in the paper.
_EXPANSION = 6


def depthwise(channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3x3 convolution without bias, each of whose outputs reads one input channel."""
    return nn.Conv2d(channels, out_channels, 3, stride, 1, groups=channels, bias=False)


def pointwise(channels: int, out_channels: int) -> nn.Conv2d:
    """Return a 1x1 convolution without bias."""
    return nn.Conv2d(channels, out_channels, 1, bias=False)


class DetailBranch(nn.Module):
    """Eight 3x3 convolutions with many channels: fine maps at stride 8.

    Shape:
        (N, 3, H, W) to (N, 128, H / 8, W / 8).
    """

    def __init__(self) -> None:
        """Name the layers as upstream does."""
        super().__init__()
        self.S1 = nn.Sequential(ConvBNReLU(3, 64, stride=2), ConvBNReLU(64, 64))
        self.S2 = nn.Sequential(ConvBNReLU(64, 64, stride=2), ConvBNReLU(64, 64), ConvBNReLU(64, 64))
        self.S3 = nn.Sequential(ConvBNReLU(64, 128, stride=2), ConvBNReLU(128, 128), ConvBNReLU(128, 128))

    def forward(self, image: Tensor) -> Tensor:
        """Return the features of a batch of images."""
        features: Tensor = self.S3(self.S2(self.S1(image)))
        return features


class Stem(nn.Module):
    """Two ways down from stride 2 to 4, a convolution and a maximum, side by side.

    Shape:
        (N, 3, H, W) to (N, 16, H / 4, W / 4).
    """

    def __init__(self) -> None:
        """Name the layers as upstream does."""
        super().__init__()
        self.conv = ConvBNReLU(3, 16, stride=2)
        self.left = nn.Sequential(ConvBNReLU(16, 8, kernel=1), ConvBNReLU(8, 16, stride=2))
        self.right = nn.MaxPool2d(3, 2, 1)
        self.fuse = ConvBNReLU(32, 16)

    def forward(self, image: Tensor) -> Tensor:
        """Return the features of a batch of images."""
        x = self.conv(image)
        features: Tensor = self.fuse(torch.cat((self.left(x), self.right(x)), dim=1))
        return features


class GatherExpansion(nn.Module):
    """A gather-and-expansion layer that keeps size and width: 3x3, depthwise and wider, 1x1 and narrow, beside itself.

    Shape:
        (N, channels, H, W) to the same.
    """

    def __init__(self, channels: int) -> None:
        """Name the layers as upstream does."""
        super().__init__()
        wide = _EXPANSION * channels
        self.conv1 = ConvBNReLU(channels, channels)
        self.dwconv = nn.Sequential(depthwise(channels, wide), nn.BatchNorm2d(wide), nn.ReLU(inplace=True))
        self.conv2 = nn.Sequential(pointwise(wide, channels), nn.BatchNorm2d(channels))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Add the convolutions of ``x`` to ``x``."""
        out: Tensor = self.relu(self.conv2(self.dwconv(self.conv1(x))) + x)
        return out


class GatherExpansionDown(nn.Module):
    """A gather-and-expansion layer of stride 2, beside a shortcut that is depthwise separable.

    Shape:
        (N, in_channels, H, W) to (N, out_channels, ceil(H / 2), ceil(W / 2)).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        """Name the layers as upstream does."""
        super().__init__()
        wide = _EXPANSION * in_channels
        self.conv1 = ConvBNReLU(in_channels, in_channels)
        self.dwconv1 = nn.Sequential(depthwise(in_channels, wide, stride=2), nn.BatchNorm2d(wide))
        self.dwconv2 = nn.Sequential(depthwise(wide, wide), nn.BatchNorm2d(wide), nn.ReLU(inplace=True))
        self.conv2 = nn.Sequential(pointwise(wide, out_channels), nn.BatchNorm2d(out_channels))
        self.shortcut = nn.Sequential(
            depthwise(in_channels, in_channels, stride=2),
            nn.BatchNorm2d(in_channels),
            pointwise(in_channels, out_channels),
            nn.BatchNorm2d(out_channels),
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Add the convolutions of ``x`` to its shortcut."""
        y = self.conv2(self.dwconv2(self.dwconv1(self.conv1(x))))
        out: Tensor = self.relu(y + self.shortcut(x))
        return out


class ContextEmbedding(nn.Module):
    """Adds to every position what the whole image holds.

    Shape:
        (N, 128, H, W) to the same.
    """

    def __init__(self) -> None:
        """Name the layers as upstream does."""
        super().__init__()
        self.bn = nn.BatchNorm2d(128)
        self.conv_gap = ConvBNReLU(128, 128, kernel=1)
        self.conv_last = ConvBNReLU(128, 128)

    def forward(self, x: Tensor) -> Tensor:
        """Embed the context of ``x``."""
        context = self.conv_gap(self.bn(x.mean((2, 3), keepdim=True)))
        out: Tensor = self.conv_last(context + x)
        return out


class SemanticBranch(nn.Module):
    """Narrow, quick steps down to stride 32: maps of a wide receptive field."""

    def __init__(self) -> None:
        """Name the layers as upstream does."""
        super().__init__()
        self.S1S2 = Stem()
        self.S3 = nn.Sequential(GatherExpansionDown(16, 32), GatherExpansion(32))
        self.S4 = nn.Sequential(GatherExpansionDown(32, 64), GatherExpansion(64))
        self.S5_4 = nn.Sequential(GatherExpansionDown(64, 128), *(GatherExpansion(128) for _ in range(3)))
        self.S5_5 = ContextEmbedding()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return maps of 16, 32, 64 and 128 channels at strides 4 to 32, and the last with its context."""
        stride4 = self.S1S2(image)
        stride8 = self.S3(stride4)
        stride16 = self.S4(stride8)
        stride32 = self.S5_4(stride16)
        return stride4, stride8, stride16, stride32, self.S5_5(stride32)
