"""TMO: the salient object of a video, from appearance, and from motion where there is some.

Source:
    Cho et al., "Treating Motion as Option to Reduce Motion Dependency in Unsupervised Video Object Segmentation", WACV
    2023, and "Treating Motion as Option with Output Selection ...", TCSVT 2025, as in suhwan-cho/TMO 1c16c60 (tmo.py,
    ``TMO("rn101", aos)``), whose state dicts this network loads.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from segcli.nn.nets.blocks import check_image
from segcli.nn.nets.resnet import RESNET101, Pyramid, Trunk, initialise
from segcli.nn.nets.sides import TMO as JOINS
from segcli.nn.nets.sides import check_sides

# The mean and standard deviation of ImageNet's channels, of images from 0 to 1; upstream's flow images take them too.
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
# Below which a class's probability counts as confidence that it is another: h of the TCSVT paper.
_UNLIKELY = 0.1


class Conv(nn.Sequential):
    """A convolution with bias that keeps the size, and a ReLU where ``relu`` says so, named as upstream does."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3, *, relu: bool = False) -> None:
        """Draw weights with variance 2 / fan-in, uniformly; biases are 0."""
        super().__init__()
        conv = nn.Conv2d(in_channels, out_channels, kernel, 1, kernel // 2)
        nn.init.kaiming_uniform_(conv.weight)
        nn.init.zeros_(conv.get_parameter("bias"))
        self.add_module("conv", conv)
        if relu:
            self.add_module("relu", nn.ReLU())


class BlockAttention(nn.Module):
    """A 3x3 convolution, weighted channel by channel, then position by position (CBAM, Woo et al., ECCV 2018).

    Shape:
        (N, channels, H, W) to the same.
    """

    def __init__(self, channels: int) -> None:
        """Name the layers as upstream does."""
        super().__init__()
        self.conv1 = Conv(channels, channels)
        self.conv2 = nn.Sequential(Conv(channels, channels, 1, relu=True), Conv(channels, channels, 1))
        self.conv3 = nn.Sequential(Conv(2, 16, relu=True), Conv(16, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Weight the convolution of ``x``."""
        x = self.conv1(x)
        mean, greatest = functional.adaptive_avg_pool2d(x, (1, 1)), functional.adaptive_max_pool2d(x, (1, 1))
        x = x * torch.sigmoid(self.conv2(mean) + self.conv2(greatest))
        over_channels = torch.cat((x.mean(1, keepdim=True), torch.max(x, dim=1, keepdim=True)[0]), dim=1)
        return x * torch.sigmoid(self.conv3(over_channels))


class Encoder(Trunk):
    """ResNet-101's feature pyramid of images from 0 to 1, which it normalises itself."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        """Build and initialise the layers."""
        super().__init__(RESNET101)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1))
        initialise(self)

    def forward(self, image: Tensor) -> Pyramid:
        """Return the feature maps at strides 4, 8, 16 and 32."""
        return self.pyramid((image - self.mean) / self.std)


class Decoder(nn.Module):
    """Adds the pyramids of appearance and motion, and goes up them from stride 32 to 4, then to the input's size."""

    def __init__(self) -> None:
        """Name the layers as upstream does."""
        super().__init__()
        self.conv1 = Conv(2048, 256, 1, relu=True)
        self.blend1 = Conv(256, 256, relu=True)
        self.cbam1 = BlockAttention(256)
        self.conv2 = Conv(1024, 256, 1, relu=True)
        self.blend2 = Conv(512, 256, relu=True)
        self.cbam2 = BlockAttention(256)
        self.conv3 = Conv(512, 256, 1, relu=True)
        self.blend3 = Conv(512, 256, relu=True)
        self.cbam3 = BlockAttention(256)
        self.conv4 = Conv(256, 256, 1, relu=True)
        self.blend4 = Conv(512, 256, relu=True)
        self.cbam4 = BlockAttention(256)
        self.predictor = Conv(256, 2)

    def forward(self, appearance: Pyramid, motion: Pyramid) -> Tensor:
        """Return scores of background and object at the size of what was encoded."""
        stride4, stride8, stride16, stride32 = (a + m for a, m in zip(appearance, motion, strict=True))
        x = self.cbam1(self.blend1(self.conv1(stride32)))
        x = self.cbam2(self.blend2(torch.cat((self.conv2(stride16), _enlarged(x, 2)), dim=1)))
        x = self.cbam3(self.blend3(torch.cat((self.conv3(stride8), _enlarged(x, 2)), dim=1)))
        x = self.cbam4(self.blend4(torch.cat((self.conv4(stride4), _enlarged(x, 2)), dim=1)))
        return _enlarged(self.predictor(x), 4)


def _enlarged(x: Tensor, factor: int) -> Tensor:
    return functional.interpolate(x, scale_factor=factor, mode="bicubic")


class VideoObjectSegmentation(nn.Module):
    """Two encoders that share no weights, and the decoder."""

    def __init__(self) -> None:
        """Name the parts as upstream does."""
        super().__init__()
        self.app_encoder = Encoder()
        self.mo_encoder = Encoder()
        self.decoder = Decoder()

    def forward(self, images: Tensor, flows: Tensor) -> Tensor:
        """Return the scores of images of appearance and of motion, at their size."""
        scores: Tensor = self.decoder(self.app_encoder(images), self.mo_encoder(flows))
        return scores


class TMO(nn.Module):
    """Treating motion as option; see `tmo`."""

    def __init__(self, *, size: int | None = 384) -> None:
        """Build and initialise the layers."""
        super().__init__()
        if size is not None:
            check_sides("tmo", size, size, JOINS)
        self.size = size
        self.vos = VideoObjectSegmentation()

    def forward(self, images: Tensor, flows: Tensor) -> Tensor:
        """Return the scores of a batch of frames; frames of one video or of many, for each stands for itself."""
        scores: Tensor = self.vos(self._sized(images), self._sized(flows))
        return self._like(scores, images)

    def select(self, images: Tensor, flows: Tensor) -> Tensor:
        """Return, frame by frame, the scores with motion, or without where those are the more confident.

        Without motion the image takes the place of the flow; `confidence` says which of the two is surer. What upstream
        does for a batch of one with ``aos=True``.

        Shape:
            As `forward`: (N, 3, H, W) twice to (N, 2, H, W).

        Source:
            Cho et al., TCSVT 2025, adaptive output selection.
        """
        images, flows, original = self._sized(images), self._sized(flows), images
        appearance = self.vos.app_encoder(images)
        still = self.vos.decoder(appearance, self.vos.mo_encoder(images))
        moving = self.vos.decoder(appearance, self.vos.mo_encoder(flows))
        better = (confidence(still) > confidence(moving)).view(-1, 1, 1, 1)
        return self._like(torch.where(better, still, moving), original)

    def _sized(self, images: Tensor) -> Tensor:
        if self.size is None:
            check_image("tmo", images, JOINS)
            return images
        check_image("tmo", images, ())
        return functional.interpolate(images, size=(self.size, self.size), mode="bicubic")

    def _like(self, scores: Tensor, images: Tensor) -> Tensor:
        return scores if self.size is None else functional.interpolate(scores, size=images.shape[-2:], mode="bicubic")


def confidence(scores: Tensor) -> Tensor:
    """Return how sure each frame's scores are: the root of the sum of squares of what unlikely classes leave of 0.1.

    Shape:
        (N, C, H, W) to (N,).

    Examples:
        >>> confidence(torch.tensor([0.98, 0.02]).log().view(1, 2, 1, 1))
        tensor([0.0800])
    """
    missing = (_UNLIKELY - scores.softmax(1)).clamp(min=0)
    return missing.flatten(1).square().sum(1).sqrt()


def tmo(*, size: int | None = 384) -> TMO:
    """Return a TMO on two ResNet-101, initialised at random.

    Its state dict has the keys of suhwan-cho/TMO's, so that a checkpoint of it loads as it is:
    ``net.load_state_dict(torch.load("TMO_rn101.pth", map_location="cpu", weights_only=True))``. Upstream trains with
    frozen batch norms (``net.eval()``), from ImageNet's encoders.

    ``net(images, flows)`` are the scores that upstream's ``TMO("rn101", aos=False)`` makes of a batch of clips with
    their two first axes as one: ``net(clips.flatten(0, 1), flows.flatten(0, 1)).unflatten(0, clips.shape[:2])``; its
    masks are their ``argmax``. `TMO.select` are those of ``aos=True``.

    Args:
        size: To what height and width images and flows are resized, bicubically, and the scores back from it: 384 as
            upstream does. None leaves them at their own size.

    Shape:
        Images (N, 3, H, W) from 0 to 1 and flows (N, 3, H', W') as images of optical flow from 0 to 1, to scores
        (N, 2, H, W) of background and object. Where ``size`` is None both are of one size, multiples of 32.

    Raises:
        segcli.nn.nets.sides.SizeError: A ValueError, for a ``size`` that is no multiple of 32; for images from the
            network, where ``size`` is None.

    Examples:
        >>> with torch.device("meta"):
        ...     frames = torch.empty(1, 3, 480, 854)
        ...     print(tmo()(frames, frames).shape)
        torch.Size([1, 2, 480, 854])
    """
    return TMO(size=size)
