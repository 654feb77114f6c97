import math
from typing import Literal

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from segcli.nn import DiceLoss, dice_loss
from segcli.nn.losses.dice import dice_parts

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(3, 4, 5, 6, dtype=torch.float64, generator=GENERATOR)
LABELS = torch.randint(0, 4, (3, 5, 6), generator=GENERATOR)
LABELS[0, 0] = 255
LABELS[1][LABELS[1] == 2] = 0
BINARY = torch.randint(0, 2, (3, 5, 6), generator=GENERATOR)

Absent = Literal["skip", "zero", "count"]


def by_hand(logits: Tensor, labels: Tensor, *, smooth: float, squared: bool) -> tuple[Tensor, Tensor]:
    """Return 1 - Dice of one image by class in plain words, and which classes it has."""
    valid = labels != 255
    p = logits.softmax(0)[:, valid]
    y = functional.one_hot(labels[valid], logits.shape[0]).T.to(p.dtype)
    below = (p.square() if squared else p).sum(1) + y.sum(1)
    return 1 - (2 * (p * y).sum(1) + smooth) / (below + smooth), y.sum(1) > 0


@pytest.mark.parametrize("smooth", [1.0, 0.0, 1e-6])
@pytest.mark.parametrize("squared", [False, True], ids=["plain", "squared"])
@pytest.mark.parametrize("absent", ["skip", "zero", "count"])
def test_every_convention_against_plain_words(smooth: float, *, squared: bool, absent: Absent) -> None:
    of_images = []
    for logits, labels in zip(LOGITS, LABELS, strict=True):
        losses, present = by_hand(logits, labels, smooth=smooth, squared=squared)
        mean = {"skip": losses[present].mean(), "zero": (losses * present).mean(), "count": losses.mean()}
        of_images.append(mean[absent])
    ours = dice_loss(LOGITS, LABELS, smooth=smooth, squared=squared, absent=absent)
    torch.testing.assert_close(ours, torch.stack(of_images).mean())


def test_the_batch_is_one_long_image() -> None:
    long = LOGITS.transpose(0, 1).flatten(1)[None], LABELS.flatten()[None]
    torch.testing.assert_close(dice_loss(LOGITS, LABELS, reduce="batch"), dice_loss(*long))


def test_the_value_that_monai_computes() -> None:
    logits, labels = torch.tensor([[[1.0, -1.0], [-1.0, 1.0]]]), torch.tensor([[[1, 0], [1, 1]]])
    assert dice_loss(logits, labels, mode="binary", smooth=1e-6).item() == pytest.approx(0.307576507, abs=1e-7)


def test_it_is_v_nets_where_squared_without_smooth() -> None:
    # V-Net has one foreground: D = 2 sum(p g) / (sum(p^2) + sum(g^2)).
    p, g = LOGITS[0, 0].sigmoid(), BINARY[0].to(torch.float64)
    expected = 1 - 2 * (p * g).sum() / ((p**2).sum() + (g**2).sum())
    ours = dice_loss(LOGITS[:1, 0], BINARY[:1], mode="binary", squared=True, smooth=0)
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize(
    ("absent", "value"), [("skip", 0.818182), ("zero", 0.0818182), ("count", 0.981818)], ids=["skip", "zero", "count"]
)
def test_ten_classes_of_which_one_is_there(absent: Absent, value: float) -> None:
    # kornia, smp and MONAI give these without saying which convention theirs is.
    loss = dice_loss(torch.zeros(1, 10, 8, 8), torch.zeros(1, 8, 8, dtype=torch.uint8), smooth=0, absent=absent)
    assert loss.item() == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(("absent", "value"), [("skip", 0.0), ("zero", 0.0), ("count", 0.9999994)])
def test_an_empty_target_with_false_positives(absent: Absent, value: float) -> None:
    logits = torch.full((1, 4, 4), 20.0, requires_grad=True)
    loss = dice_loss(logits, torch.zeros(1, 4, 4, dtype=torch.uint8), mode="binary", smooth=1e-5, absent=absent)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("mode", ["multiclass", "binary"])
def test_half_precision_of_a_large_image_is_finite_and_right(mode: Literal["multiclass", "binary"]) -> None:
    # 300 x 300 pixels overflow float16: smp and MONAI give NaN, kornia 0.
    generator = torch.Generator().manual_seed(3)
    shape = (1, 300, 300) if mode == "binary" else (1, 2, 300, 300)
    logits = (torch.randn(shape, generator=generator) + 4).half().requires_grad_()
    labels = torch.randint(0, 2, (1, 300, 300), generator=generator)
    loss = dice_loss(logits, labels, mode=mode)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(dice_loss(logits.detach().double(), labels, mode=mode).item(), rel=1e-6)
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_an_image_without_a_valid_pixel_does_not_count() -> None:
    labels = LABELS.clone()
    labels[2] = 255
    for absent in ("skip", "zero", "count"):
        torch.testing.assert_close(
            dice_loss(LOGITS, labels, absent=absent), dice_loss(LOGITS[:2], LABELS[:2], absent=absent)
        )


def test_two_classes_are_binary_for_each() -> None:
    two, one = LOGITS[:, :2], LOGITS[:, 1] - LOGITS[:, 0]
    losses = dice_parts(two, BINARY, reduce="batch").losses[0]
    torch.testing.assert_close(losses[1], dice_loss(one, BINARY, mode="binary", reduce="batch"))
    torch.testing.assert_close(losses[0], dice_loss(-one, 1 - BINARY, mode="binary", reduce="batch"))


def test_multilabel_is_binary_a_class() -> None:
    labels = torch.stack([BINARY, 1 - BINARY, BINARY, BINARY], dim=1)
    expected = torch.stack([dice_loss(LOGITS[:, c], labels[:, c], mode="binary") for c in range(4)]).mean()
    torch.testing.assert_close(dice_loss(LOGITS, labels, mode="multilabel"), expected)


def test_weights_are_of_classes() -> None:
    losses = dice_parts(LOGITS[:1], LABELS[:1]).losses[0]
    weight = torch.tensor([1.0, 0.0, 3.0, 0.0], dtype=torch.float64)
    expected = (losses * weight).sum() / weight.sum()
    torch.testing.assert_close(dice_loss(LOGITS[:1], LABELS[:1], weight=weight), expected)
    assert dice_loss(LOGITS, LABELS, weight=[0.0] * 4).item() == 0


def test_saturated_and_empty_without_smooth_is_no_nan() -> None:
    logits = torch.full((1, 2, 3), -1e4, requires_grad=True)
    loss = dice_loss(logits, torch.zeros(1, 2, 3), mode="binary", smooth=0, absent="count")
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_the_module_is_the_function() -> None:
    module = DiceLoss(smooth=0.5, squared=True, reduce="batch", absent="count", weight=[1, 2, 3, 4])
    expected = dice_loss(LOGITS, LABELS, smooth=0.5, squared=True, reduce="batch", absent="count", weight=[1, 2, 3, 4])
    assert module(LOGITS, LABELS) == expected
    assert repr(DiceLoss()) == (
        "DiceLoss(smooth=1.0, squared=False, reduce='image', absent='skip', mode='multiclass', ignore_index=255)"
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"smooth": -1.0}, "smooth is -1, expected a finite number of 0 or more"),
        ({"smooth": math.nan}, "smooth is nan"),
        ({"reduce": "sample"}, "reduce is 'sample', expected image or batch"),
        ({"absent": "ignore"}, "absent is 'ignore', expected skip or zero or count"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        DiceLoss(**settings)  # type: ignore[arg-type]
