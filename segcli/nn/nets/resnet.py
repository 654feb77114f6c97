"""ResNet: residual networks of 18 to 152 layers, as classifiers and as feature pyramids.

Source:
    He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, table 1, with the stride of a
    bottleneck in its 3x3 convolution ("v1.5") as in torchvision 0.28 (pytorch/vision 8fb8771), whose state dicts these
    networks load.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

Pyramid = tuple[Tensor, Tensor, Tensor, Tensor]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut.

    Shape:
        (N, in_channels, H, W) to (N, channels, ceil(H / stride), ceil(W / stride)).
    """

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        """Stride in the first convolution."""
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = _shortcut(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Add the convolutions of ``x`` to its shortcut."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        out: Tensor = self.relu(y + (x if self.downsample is None else self.downsample(x)))
        return out


class Bottleneck(nn.Module):
    """A 3x3 convolution between two 1x1 ones, that narrow and widen, beside a shortcut.

    Shape:
        (N, in_channels, H, W) to (N, 4 channels, ceil(H / stride), ceil(W / stride)).
    """

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        """Stride in the 3x3 convolution."""
        super().__init__()
        out_channels = self.expansion * channels
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Add the convolutions of ``x`` to its shortcut."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        out: Tensor = self.relu(y + (x if self.downsample is None else self.downsample(x)))
        return out


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
        nn.BatchNorm2d(out_channels),
    )


class Plan(NamedTuple):
    """What sets one ResNet apart from another: its blocks, and how many in each of the four stages."""

    block: type[BasicBlock] | type[Bottleneck]
    depths: tuple[int, int, int, int]


RESNET18 = Plan(BasicBlock, (2, 2, 2, 2))
RESNET34 = Plan(BasicBlock, (3, 4, 6, 3))
RESNET50 = Plan(Bottleneck, (3, 4, 6, 3))
RESNET101 = Plan(Bottleneck, (3, 4, 23, 3))
RESNET152 = Plan(Bottleneck, (3, 8, 36, 3))


class Trunk(nn.Module):
    """The stem and the four stages, which every ResNet here has at its top level; what follows is its own."""

    def __init__(self, plan: Plan) -> None:
        """Build the layers; who derives from this calls `initialise` when all are there."""
        super().__init__()
        expansion = plan.block.expansion
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = _stage(plan.block, plan.depths[0], 64, 64, 1)
        self.layer2 = _stage(plan.block, plan.depths[1], 64 * expansion, 128, 2)
        self.layer3 = _stage(plan.block, plan.depths[2], 128 * expansion, 256, 2)
        self.layer4 = _stage(plan.block, plan.depths[3], 256 * expansion, 512, 2)

    def pyramid(self, image: Tensor) -> Pyramid:
        """Return what the four stages make, at strides of 4, 8, 16 and 32."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        stride4 = self.layer1(x)
        stride8 = self.layer2(stride4)
        stride16 = self.layer3(stride8)
        return stride4, stride8, stride16, self.layer4(stride16)


def _stage(
    block: type[BasicBlock] | type[Bottleneck], depth: int, in_channels: int, channels: int, stride: int
) -> nn.Sequential:
    first = block(in_channels, channels, stride)
    return nn.Sequential(first, *(block(channels * block.expansion, channels) for _ in range(depth - 1)))


def initialise(trunk: Trunk) -> None:
    """Draw convolutions with variance 2 / fan-out (He et al., ICCV 2015) as torchvision does; the rest is torch's."""
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


class ResNet(Trunk):
    """A ResNet that classifies images of any size.

    Its state dict has torchvision's keys, so that a checkpoint of it loads as it is:
    ``net.load_state_dict(torch.load("resnet50.pth", map_location="cpu", weights_only=True))``.

    Shape:
        (N, 3, H, W) to logits (N, num_classes).

    Args:
        plan: Which ResNet.
        num_classes: How many logits.
    """

    def __init__(self, plan: Plan, num_classes: int = 1000) -> None:
        """Build and initialise the layers."""
        super().__init__(plan)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * plan.block.expansion, num_classes)
        initialise(self)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of a batch of images."""
        pooled = self.avgpool(self.pyramid(image)[-1])
        logits: Tensor = self.fc(torch.flatten(pooled, 1))
        return logits


class ResNetFeatures(Trunk):
    """A ResNet that hands on its feature maps, for networks that stand on it.

    Its state dict has torchvision's keys but for the classifier's. Of a classifier's checkpoint load
    ``{key: value for key, value in state.items() if not key.startswith("fc.")}``.

    Shape:
        (N, 3, H, W) to four maps (N, C, ceil(H / s), ceil(W / s)) at strides s of 4, 8, 16 and 32, with C of 64, 128,
        256 and 512, four times that from ResNet-50 on.

    Args:
        plan: Which ResNet.
    """

    def __init__(self, plan: Plan) -> None:
        """Build and initialise the layers."""
        super().__init__(plan)
        initialise(self)

    def forward(self, image: Tensor) -> Pyramid:
        """Return the feature maps of a batch of images, the finest first."""
        return self.pyramid(image)


def resnet18(num_classes: int = 1000) -> ResNet:
    """Return a ResNet-18 classifier, initialised at random.

    Examples:
        >>> with torch.device("meta"):
        ...     print(resnet18(10)(torch.empty(2, 3, 224, 224)).shape)
        torch.Size([2, 10])
    """
    return ResNet(RESNET18, num_classes)


def resnet34(num_classes: int = 1000) -> ResNet:
    """Return a ResNet-34 classifier, initialised at random."""
    return ResNet(RESNET34, num_classes)


def resnet50(num_classes: int = 1000) -> ResNet:
    """Return a ResNet-50 classifier, initialised at random."""
    return ResNet(RESNET50, num_classes)


def resnet101(num_classes: int = 1000) -> ResNet:
    """Return a ResNet-101 classifier, initialised at random."""
    return ResNet(RESNET101, num_classes)


def resnet152(num_classes: int = 1000) -> ResNet:
    """Return a ResNet-152 classifier, initialised at random."""
    return ResNet(RESNET152, num_classes)


def resnet18_features() -> ResNetFeatures:
    """Return the feature pyramid of a ResNet-18, initialised at random.

    Examples:
        >>> with torch.device("meta"):
        ...     [tuple(level.shape) for level in resnet18_features()(torch.empty(1, 3, 64, 96))]
        [(1, 64, 16, 24), (1, 128, 8, 12), (1, 256, 4, 6), (1, 512, 2, 3)]
    """
    return ResNetFeatures(RESNET18)


def resnet34_features() -> ResNetFeatures:
    """Return the feature pyramid of a ResNet-34, initialised at random."""
    return ResNetFeatures(RESNET34)


def resnet50_features() -> ResNetFeatures:
    """Return the feature pyramid of a ResNet-50, initialised at random."""
    return ResNetFeatures(RESNET50)


def resnet101_features() -> ResNetFeatures:
    """Return the feature pyramid of a ResNet-101, initialised at random."""
    return ResNetFeatures(RESNET101)


def resnet152_features() -> ResNetFeatures:
    """Return the feature pyramid of a ResNet-152, initialised at random."""
    return ResNetFeatures(RESNET152)
