from typing import Literal

import pytest
import torch

from segcli.nn import GeneralizedDiceLoss, dice_loss, generalized_dice_loss
from segcli.nn.losses.generalized_dice import volume_weights
from tests.nn.losses.regions import draw

VOLUMES = torch.tensor([[8.0, 2.0, 0.0], [0.0, 0.0, 0.0]])


@pytest.mark.parametrize(
    ("weighting", "absent", "expected"),
    [
        ("square", "skip", [[1 / 64, 1 / 4, 0], [0, 0, 0]]),
        ("square", "count", [[1 / 64, 1 / 4, 1 / 4], [1, 1, 1]]),
        ("simple", "skip", [[1 / 8, 1 / 2, 0], [0, 0, 0]]),
        ("simple", "count", [[1 / 8, 1 / 2, 1 / 2], [1, 1, 1]]),
        ("uniform", "skip", [[1, 1, 0], [0, 0, 0]]),
        ("uniform", "count", [[1, 1, 1], [1, 1, 1]]),
    ],
)
def test_the_less_there_is_of_a_class_the_more_it_weighs(
    weighting: Literal["square", "simple", "uniform"], absent: Literal["skip", "count"], expected: list[list[float]]
) -> None:
    assert volume_weights(VOLUMES, weighting, absent).tolist() == expected


def test_every_present_class_counts_the_same_where_all_is_predicted_evenly() -> None:
    # Sudre et al.: with weights of 1 / volume^2, what p y adds up to over the volume is a mean of recalls over volume.
    labels = torch.tensor([[0] * 90 + [1] * 10])
    logits = torch.zeros(1, 2, 100, dtype=torch.float64)
    weights = torch.tensor([1 / 90**2, 1 / 10**2], dtype=torch.float64)
    expected = 1 - 2 * (weights * torch.tensor([45.0, 5.0])).sum() / (weights * torch.tensor([140.0, 60.0])).sum()
    torch.testing.assert_close(generalized_dice_loss(logits, labels), expected)


def test_of_two_classes_as_large_as_one_another_it_is_dice_of_all_pixels() -> None:
    logits, _ = draw(shape=(1, 2, 10))
    labels = torch.tensor([[0, 1] * 5])
    p = logits.softmax(1).gather(1, labels.unsqueeze(1))
    torch.testing.assert_close(generalized_dice_loss(logits, labels), 1 - p.mean())


def test_of_one_class_it_is_dice() -> None:
    logits, labels = draw("binary", ignored=0)
    ours = generalized_dice_loss(logits, labels, mode="binary", weighting="simple")
    torch.testing.assert_close(ours, dice_loss(logits, labels, mode="binary", smooth=0))


@pytest.mark.parametrize(("absent", "value"), [("skip", 0.0), ("count", 1.0)])
def test_an_empty_target_with_false_positives(absent: Literal["skip", "count"], value: float) -> None:
    logits = torch.full((1, 4, 4), 20.0, requires_grad=True)
    labels = torch.zeros(1, 4, 4, dtype=torch.uint8)
    loss = generalized_dice_loss(logits, labels, mode="binary", absent=absent)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == value
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_predicting_an_absent_class_costs_where_it_counts() -> None:
    labels = torch.zeros(1, 6, dtype=torch.int64)
    logits = torch.zeros(1, 3, 6, dtype=torch.float64)
    # The one class there: D = 2 * 2 / (2 + 6).
    assert generalized_dice_loss(logits, labels).item() == pytest.approx(1 / 2)
    # Three classes of one weight: D = 2 * 2 / (2 + 6 + 2 + 2).
    assert generalized_dice_loss(logits, labels, absent="count").item() == pytest.approx(2 / 3)


def test_images_without_a_class_have_no_part_in_the_mean() -> None:
    logits, labels = draw("multilabel", (2, 3, 6), ignored=0)
    labels[1] = 0
    ours = generalized_dice_loss(logits, labels, mode="multilabel")
    torch.testing.assert_close(ours, generalized_dice_loss(logits[:1], labels[:1], mode="multilabel"))


def test_a_smooth_that_is_harmless_elsewhere_hides_large_classes() -> None:
    # Why ours is 0 where MONAI's is 1e-5: all is wrong here, in two classes of 10^6 pixels.
    labels = torch.arange(2).repeat_interleave(10**6).unsqueeze(0)
    logits = torch.stack([labels * 20.0, -labels * 20.0], dim=1) - 10
    logits[:, 1] += 20
    assert generalized_dice_loss(logits, labels).item() == pytest.approx(1, abs=1e-6)
    assert generalized_dice_loss(logits, labels, smooth=1e-5).item() < 0.3


def test_its_settings_are_checked_and_said() -> None:
    with pytest.raises(ValueError, match="weighting is 'cube', expected square or simple or uniform"):
        GeneralizedDiceLoss("cube")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="absent is 'zero', expected skip or count"):
        GeneralizedDiceLoss(absent="zero")  # type: ignore[arg-type]
    assert repr(GeneralizedDiceLoss()) == (
        "GeneralizedDiceLoss(weighting='square', smooth=0.0, reduce='image', absent='skip', mode='multiclass', "
        "ignore_index=255)"
    )
