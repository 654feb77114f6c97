"""TMO makes the scores and masks of its project, with output selection and without."""

import pytest
import torch
from torch import Tensor, nn

from segcli.nn import nets
from segcli.nn.nets import TMO, SizeError
from segcli.nn.nets.tmo_resnet101 import confidence
from tests.nn.nets.filling import fill, image, summary
from tests.nn.nets.upstream import TMO_MASKS, TMO_SCORES


@pytest.fixture(scope="module")
def net() -> TMO:
    return fill(nets.tmo(size=64)).eval()


@pytest.fixture(scope="module")
def clip() -> tuple[Tensor, Tensor]:
    """Four frames whose flows tell as much as their images, more, less, and nonsense."""
    factors = torch.tensor([1, 3, 0.2, -2.0], dtype=torch.float64).view(4, 1, 1, 1)
    return image(4, 3, 50, 70, stream=2), image(4, 3, 50, 70, stream=3) * factors


@pytest.fixture
def undecided(net: TMO, monkeypatch: pytest.MonkeyPatch) -> TMO:
    """The network with scores far apart, and about half of each frame object."""
    predictor = net.vos.decoder.predictor
    weight, bias = predictor.get_parameter("conv.weight"), predictor.get_parameter("conv.bias")
    shifted = bias.detach() + torch.tensor([9.0, 0.0])
    monkeypatch.setattr(weight, "data", weight.detach() * 40)
    monkeypatch.setattr(bias, "data", shifted)
    return net


@torch.no_grad()
def test_scores_are_those_of_upstream(net: TMO) -> None:
    scores = net(image(2, 3, 50, 70), image(2, 3, 48, 64, stream=1))
    assert scores.shape == (2, 2, 50, 70)
    assert summary(scores) == pytest.approx(TMO_SCORES, rel=1e-7, abs=1e-7)


@torch.no_grad()
def test_masks_are_those_of_upstream(undecided: TMO, clip: tuple[Tensor, Tensor]) -> None:
    # Each frame stands for itself: of upstream's four these two are enough, with motion and without.
    images, flows = (frames[1::2] for frames in clip)
    chosen, moving = undecided.select(images, flows), undecided(images, flows)
    assert moving.argmax(1).sum((1, 2)).tolist() == TMO_MASKS[False][1::2]
    assert chosen.argmax(1).sum((1, 2)).tolist() == TMO_MASKS[True][1::2]
    torch.testing.assert_close(chosen[0], moving[0])


def test_confidence_is_what_unlikely_classes_leave_of_a_tenth() -> None:
    probabilities = torch.tensor([[[0.04, 0.3], [0.96, 0.7]], [[0.5, 0.98], [0.5, 0.02]], [[0.5, 0.9], [0.5, 0.1]]])
    # 0.1 - 0.04, 0.1 - 0.02, nothing.
    torch.testing.assert_close(confidence(probabilities.log()), torch.tensor([0.06, 0.08, 0.0]), atol=1e-6, rtol=0)
    # Upstream's own words for one frame.
    scores = image(1, 2, 40, 40, stream=7) * 12
    p = scores.softmax(1)
    torch.testing.assert_close(confidence(scores)[0], torch.sum((0.1 - p[p < 0.1]) ** 2) ** 0.5)


class Product(nn.Module):
    """Stands for the encoders and the decoder where only sizes matter."""

    def forward(self, images: Tensor, flows: Tensor) -> Tensor:
        return images[:, :2] * flows[:, :2]


def test_without_a_size_frames_keep_theirs() -> None:
    with torch.device("meta"):
        resizing, keeping = nets.tmo(size=64), nets.tmo(size=None)
    for net in (resizing, keeping):
        net.register_module("vos", Product())
    images, flows = image(2, 3, 64, 64), image(2, 3, 64, 64, stream=1)
    torch.testing.assert_close(resizing(images, flows), keeping(images, flows))
    assert keeping(images[..., :32], flows[..., :32]).equal((images * flows)[:, :2, :, :32])
    with pytest.raises(SizeError, match=r"got 50x64: vos\.decoder\.cbam2 makes 8x8 of 4x4 at stride 16"):
        keeping(images[:, :, :50], flows[:, :, :50])
    with pytest.raises(SizeError, match="got 64x31: "):
        keeping(images, flows[..., :31])


def test_a_size_that_is_no_multiple_is_refused_before_anything_is_built() -> None:
    refused = r"tmo takes sides that are multiples of 32, got 360x360: .* work: 352x352, 384x384"
    with pytest.raises(SizeError, match=refused):
        nets.tmo(size=360)
