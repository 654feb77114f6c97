"""BiSeNet V2: a detail branch and a semantic branch, each of which guides the other where they meet.

Source:
    Yu et al., "BiSeNet V2: Bilateral Network with Guided Aggregation for Real-time Semantic Segmentation", IJCV 2021,
    as in CoinCheung/BiSeNet 6b4b67a (lib/models/bisenetv2.py), whose state dicts this network loads.
"""

import torch
from torch import Tensor, nn

from segcli.nn.nets.bisenetv2_branches import (
    DetailBranch,
    GatherExpansion,
    GatherExpansionDown,
    SemanticBranch,
    depthwise,
    pointwise,
)
from segcli.nn.nets.blocks import ConvBNReLU, check_image
from segcli.nn.nets.sides import BISENET_V2


class GuidedAggregation(nn.Module):
    """Both branches, each weighted by the other at the other's size, added up.

    Shape:
        (N, 128, H, W) and (N, 128, H / 4, W / 4) to (N, 128, H, W).
    """

    def __init__(self) -> None:
        """Name the layers as upstream does: left is the detail branch, right the semantic one."""
        super().__init__()
        self.left1 = _separable()
        self.left2 = nn.Sequential(nn.Conv2d(128, 128, 3, 2, 1, bias=False), nn.BatchNorm2d(128), nn.AvgPool2d(3, 2, 1))
        self.right1 = nn.Sequential(nn.Conv2d(128, 128, 3, 1, 1, bias=False), nn.BatchNorm2d(128))
        self.right2 = _separable()
        self.up1 = nn.Upsample(scale_factor=4.0)
        self.up2 = nn.Upsample(scale_factor=4.0)
        self.conv = nn.Sequential(nn.Conv2d(128, 128, 3, 1, 1, bias=False), nn.BatchNorm2d(128), nn.ReLU(inplace=True))

    def forward(self, detail: Tensor, semantic: Tensor) -> Tensor:
        """Aggregate the two."""
        fine = self.left1(detail) * torch.sigmoid(self.up1(self.right1(semantic)))
        coarse = self.left2(detail) * torch.sigmoid(self.right2(semantic))
        out: Tensor = self.conv(fine + self.up2(coarse))
        return out


def _separable() -> nn.Sequential:
    return nn.Sequential(depthwise(128, 128), nn.BatchNorm2d(128), pointwise(128, 128))


class SegmentationHead(nn.Module):
    """A 3x3 convolution, dropout of 0.1, logits, and their bilinear enlargement with the corners not aligned.

    Shape:
        (N, in_channels, H, W) to (N, n_classes, up_factor H, up_factor W).

    Args:
        in_channels: Of the map.
        channels: Of the convolution.
        n_classes: How many logits a pixel.
        up_factor: How many times larger the logits are.
        aux: Whether a second convolution, of up_factor^2 channels, follows at twice the size.
    """

    def __init__(self, in_channels: int, channels: int, n_classes: int, up_factor: int, *, aux: bool) -> None:
        """Name the layers as upstream does."""
        super().__init__()
        self.conv = ConvBNReLU(in_channels, channels)
        self.drop = nn.Dropout(0.1)
        between: nn.Module = nn.Identity()
        if aux:
            last_channels = up_factor * up_factor
            between = nn.Sequential(nn.Upsample(scale_factor=2.0), ConvBNReLU(channels, last_channels))
            channels, up_factor = last_channels, up_factor // 2
        self.conv_out = nn.Sequential(
            between,
            nn.Conv2d(channels, n_classes, 1),
            nn.Upsample(scale_factor=up_factor, mode="bilinear", align_corners=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.conv_out(self.drop(self.conv(x)))
        return logits


class BiSeNetV2(nn.Module):
    """BiSeNet V2; see `bisenet_v2`."""

    def __init__(self, n_classes: int, *, aux: bool = True) -> None:
        """Build and initialise the layers."""
        super().__init__()
        self.aux = aux
        self.detail = DetailBranch()
        self.segment = SemanticBranch()
        self.bga = GuidedAggregation()
        self.head = SegmentationHead(128, 1024, n_classes, up_factor=8, aux=False)
        if aux:
            self.aux2 = SegmentationHead(16, 128, n_classes, up_factor=4, aux=True)
            self.aux3 = SegmentationHead(32, 128, n_classes, up_factor=8, aux=True)
            self.aux4 = SegmentationHead(64, 128, n_classes, up_factor=16, aux=True)
            self.aux5_4 = SegmentationHead(128, 128, n_classes, up_factor=32, aux=True)
        _initialise(self)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of a batch of images; in training those of the auxiliary heads behind them."""
        check_image("bisenet_v2", image, BISENET_V2)
        stride4, stride8, stride16, stride32, context = self.segment(image)
        logits = self.head(self.bga(self.detail(image), context))
        if self.aux and self.training:
            return logits, self.aux2(stride4), self.aux3(stride8), self.aux4(stride16), self.aux5_4(stride32)
        return (logits,)


def _initialise(net: nn.Module) -> None:
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(module, GatherExpansion | GatherExpansionDown):
            # Each starts as its shortcut alone.
            nn.init.zeros_(module.conv2.get_parameter("1.weight"))


def bisenet_v2(n_classes: int = 19, *, aux: bool = True) -> BiSeNetV2:
    """Return a BiSeNet V2, initialised at random.

    Its state dict has the keys of CoinCheung/BiSeNet's in its ``aux_mode="train"``, so that a checkpoint of it loads as
    it is: ``net.load_state_dict(torch.load("model_final_v2_city.pth", map_location="cpu", weights_only=True))``.

    Convolutions are drawn with variance 2 / fan-out, and the last batch norm of each gather-and-expansion layer starts
    at 0, as upstream does before it downloads a backbone.

    Args:
        n_classes: How many logits a pixel.
        aux: Whether it has the four auxiliary heads, which run in training mode (``net.train()``) alone. Without them
            it is what upstream builds as ``aux_mode="eval"``, and wants their keys out of the state dict.

    Shape:
        (N, 3, H, W), both sides multiples of 32, to a tuple of logits (N, n_classes, H, W): one, or five in training
        mode. In training mode N is at least 2, for the batch norm of image-wide means.

    Raises:
        segcli.nn.nets.sides.SizeError: A ValueError, from the network, for sides that it cannot take.

    Examples:
        >>> with torch.device("meta"):
        ...     [tuple(logits.shape) for logits in bisenet_v2().eval()(torch.empty(1, 3, 64, 96))]
        [(1, 19, 64, 96)]
    """
    return BiSeNetV2(n_classes, aux=aux)
