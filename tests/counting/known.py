"""Networks with published figures that segcli itself does not hold, and a way to count any."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from segcli.counting.building import build_on_meta
from segcli.counting.networks import Input, count
from segcli.counting.result import Network, Seen


class Function(nn.Module):
    """A forward that is written where it is used."""

    def __init__(self, forward: Callable[..., Any], *modules: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(modules)
        self._forward = forward

    def forward(self, *inputs: Tensor) -> Any:  # noqa: ANN401 - whatever it returns
        return self._forward(*self.layers, *inputs)


def counted(build: Callable[[], nn.Module], *shapes: Sequence[int]) -> Network:
    net = build_on_meta(build)
    assert isinstance(net, nn.Module)
    return count(net, [Input(tuple(shape)) for shape in shapes], name="net")


def seen(forward: Callable[..., Any], *shapes: Sequence[int]) -> Seen:
    """What the first output of a function of tensors sees."""
    return counted(lambda: Function(forward), *shapes).outputs[0]


def vgg16_features() -> nn.Module:
    layers: list[nn.Module] = []
    channels = 3
    for width, repeats in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(repeats):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers)


def alexnet_features() -> nn.Module:
    """Krizhevsky's one-tower network of 2014, without padding in its first convolution."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.Conv2d(384, 384, 3, padding=1),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.MaxPool2d(3, 2),
    )


def mobilenet_v1_features() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 32, 3, stride=2, padding=1)]
    channels = 32
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for width, stride in plan:
        layers += [nn.Conv2d(channels, channels, 3, stride, 1, groups=channels), nn.Conv2d(channels, width, 1)]
        channels = width
    return nn.Sequential(*layers)


class InvertedResidual(nn.Module):
    def __init__(self, channels: int, width: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = channels * expansion
        widen = [] if expansion == 1 else conv_norm(channels, inner, 1)
        narrow = [nn.Conv2d(inner, width, 1, bias=False), nn.BatchNorm2d(width)]
        self.conv = nn.Sequential(*widen, *conv_norm(inner, inner, 3, stride, groups=inner), *narrow)
        self.is_residual = stride == 1 and channels == width

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.is_residual else y


def conv_norm(channels: int, width: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(channels, width, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(width), nn.ReLU6(inplace=True)]


def mobilenet_v2() -> nn.Module:
    layers: list[nn.Module] = conv_norm(3, 32, 3, 2)
    channels = 32
    plan = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for expansion, width, repeats, stride in plan:
        for repeat in range(repeats):
            layers.append(InvertedResidual(channels, width, stride if repeat == 0 else 1, expansion))
            channels = width
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(1280, 1000)]
    return nn.Sequential(*layers, *conv_norm(320, 1280, 1), *head)


def with_stride_in_the_1x1(net: nn.Module) -> nn.Module:
    """ResNet as it was published first."""
    from segcli.nn.nets.resnet import Bottleneck

    for block in net.modules():
        if isinstance(block, Bottleneck):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
    return net


def image(*sides: int) -> tuple[int, ...]:
    return (1, 3, *sides)
