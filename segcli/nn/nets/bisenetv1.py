"""BiSeNet V1 on ResNet-18: a spatial path of fine maps beside a context path of wide ones.

Source:
    Yu et al., "BiSeNet: Bilateral Segmentation Network for Real-time Semantic Segmentation", ECCV 2018, as in
    CoinCheung/BiSeNet 6b4b67a (lib/models/bisenetv1.py), whose state dicts this network loads. It departs from the
    paper: one 1x1 convolution with batch norm in place of two in the fusion's attention, and a wide head.
"""

import torch
from torch import Tensor, nn

from segcli.nn.nets.blocks import ConvBNReLU, check_image
from segcli.nn.nets.resnet import Trunk, resnet18_features
from segcli.nn.nets.sides import BISENET_V1


class AttentionRefinement(nn.Module):
    """A 3x3 convolution, each channel of which is weighted by what the whole image holds of it.

    Shape:
        (N, in_channels, H, W) to (N, out_channels, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        """Name the layers as upstream does."""
        super().__init__()
        self.conv = ConvBNReLU(in_channels, out_channels)
        self.conv_atten = nn.Conv2d(out_channels, out_channels, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Refine ``x``."""
        features: Tensor = self.conv(x)
        pooled = features.mean((2, 3), keepdim=True)
        return features * torch.sigmoid(self.bn_atten(self.conv_atten(pooled)))


class ContextPath(nn.Module):
    """ResNet-18, whose two coarsest maps are refined, enlarged and added up, with the mean of the whole image."""

    def __init__(self) -> None:
        """Name the layers as upstream does."""
        super().__init__()
        self.resnet = resnet18_features()
        self.arm16 = AttentionRefinement(256, 128)
        self.arm32 = AttentionRefinement(512, 128)
        self.conv_head32 = ConvBNReLU(128, 128)
        self.conv_head16 = ConvBNReLU(128, 128)
        self.conv_avg = ConvBNReLU(512, 128, kernel=1)
        self.up32 = nn.Upsample(scale_factor=2.0)
        self.up16 = nn.Upsample(scale_factor=2.0)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return 128 channels at stride 8, and at stride 16."""
        _, _, stride16, stride32 = self.resnet(image)
        mean = self.conv_avg(stride32.mean((2, 3), keepdim=True))
        coarse = self.conv_head32(self.up32(self.arm32(stride32) + mean))
        fine = self.conv_head16(self.up16(self.arm16(stride16) + coarse))
        return fine, coarse


class SpatialPath(nn.Module):
    """Three convolutions of stride 2, then 1x1 to 128 channels: fine maps of a small receptive field."""

    def __init__(self) -> None:
        """Name the layers as upstream does."""
        super().__init__()
        self.conv1 = ConvBNReLU(3, 64, kernel=7, stride=2)
        self.conv2 = ConvBNReLU(64, 64, stride=2)
        self.conv3 = ConvBNReLU(64, 64, stride=2)
        self.conv_out = ConvBNReLU(64, 128, kernel=1)

    def forward(self, image: Tensor) -> Tensor:
        """Return 128 channels at stride 8."""
        features: Tensor = self.conv_out(self.conv3(self.conv2(self.conv1(image))))
        return features


class FeatureFusion(nn.Module):
    """Both paths side by side, mixed by a 1x1 convolution, and weighted like `AttentionRefinement` beside themselves.

    Shape:
        (N, in_channels / 2, H, W) twice to (N, out_channels, H, W).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        """Name the layers as upstream does."""
        super().__init__()
        self.convblk = ConvBNReLU(in_channels, out_channels, kernel=1)
        self.conv = nn.Conv2d(out_channels, out_channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        """Fuse the two."""
        features: Tensor = self.convblk(torch.cat((spatial, context), dim=1))
        pooled = features.mean((2, 3), keepdim=True)
        return features * torch.sigmoid(self.bn(self.conv(pooled))) + features


class SegmentationHead(nn.Module):
    """A 3x3 convolution, logits, and their bilinear enlargement with the corners not aligned.

    Shape:
        (N, in_channels, H, W) to (N, n_classes, up_factor H, up_factor W).
    """

    def __init__(self, in_channels: int, channels: int, n_classes: int, up_factor: int) -> None:
        """Name the layers as upstream does."""
        super().__init__()
        self.conv = ConvBNReLU(in_channels, channels)
        self.conv_out = nn.Conv2d(channels, n_classes, 1)
        self.up = nn.Upsample(scale_factor=up_factor, mode="bilinear", align_corners=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.up(self.conv_out(self.conv(x)))
        return logits


class BiSeNetV1(nn.Module):
    """BiSeNet V1 on ResNet-18; see `bisenet_v1`."""

    def __init__(self, n_classes: int, *, aux: bool = True) -> None:
        """Build and initialise the layers."""
        super().__init__()
        self.aux = aux
        self.cp = ContextPath()
        self.sp = SpatialPath()
        self.ffm = FeatureFusion(256, 256)
        self.conv_out = SegmentationHead(256, 256, n_classes, up_factor=8)
        if aux:
            self.conv_out16 = SegmentationHead(128, 64, n_classes, up_factor=8)
            self.conv_out32 = SegmentationHead(128, 64, n_classes, up_factor=16)
        _initialise(self)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of a batch of images; in training those of the auxiliary heads behind them."""
        check_image("bisenet_v1", image, BISENET_V1)
        stride8, stride16 = self.cp(image)
        logits = self.conv_out(self.ffm(self.sp(image), stride8))
        if self.aux and self.training:
            return logits, self.conv_out16(stride8), self.conv_out32(stride16)
        return (logits,)


def _initialise(net: nn.Module) -> None:
    for child in net.children():
        if isinstance(child, Trunk):
            continue
        if isinstance(child, nn.Conv2d):
            nn.init.kaiming_normal_(child.weight, a=1)
            if child.bias is not None:
                nn.init.zeros_(child.bias)
        _initialise(child)


def bisenet_v1(n_classes: int = 19, *, aux: bool = True) -> BiSeNetV1:
    """Return a BiSeNet V1 on ResNet-18, initialised at random.

    Its state dict has the keys of CoinCheung/BiSeNet's in its ``aux_mode="train"``, so that a checkpoint of it loads as
    it is: ``net.load_state_dict(torch.load("model_final_v1_city_new.pth", map_location="cpu", weights_only=True))``.

    The ResNet is drawn as `segcli.nn.nets.resnet.initialise` does, where upstream downloads ImageNet's weights: load
    those into ``net.cp.resnet`` before training. Other convolutions are drawn with variance 1 / fan-in.

    Args:
        n_classes: How many logits a pixel.
        aux: Whether it has the two auxiliary heads, which run in training mode (``net.train()``) alone. Without them
            it is what upstream builds as ``aux_mode="eval"``, and wants their keys out of the state dict.

    Shape:
        (N, 3, H, W), both sides multiples of 32, to a tuple of logits (N, n_classes, H, W): one, or three in training
        mode. In training mode N is at least 2, for the batch norms of image-wide means.

    Raises:
        segcli.nn.nets.sides.SizeError: A ValueError, from the network, for sides that it cannot take.

    Examples:
        >>> with torch.device("meta"):
        ...     [tuple(logits.shape) for logits in bisenet_v1().eval()(torch.empty(1, 3, 64, 96))]
        [(1, 19, 64, 96)]
    """
    return BiSeNetV1(n_classes, aux=aux)
