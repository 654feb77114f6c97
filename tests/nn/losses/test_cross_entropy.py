"""Cross-entropy against torch's, in its three modes and by its three means."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from segcli.nn import CrossEntropyLoss, cross_entropy_loss, kernels
from segcli.nn.losses.cross_entropy import cross_entropy_of

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(2, 4, 5, 3, generator=GENERATOR)
LABELS = torch.randint(0, 4, (2, 5, 3), generator=GENERATOR)
LABELS[0, 0] = 255
ELEMENTS = torch.randint(0, 2, (2, 4, 5, 3), generator=GENERATOR)
ELEMENTS[1, 2, 0] = 255
WEIGHT = [1.0, 0.5, 2.0, 0.0]


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
def test_it_is_torchs_mean(weight: list[float] | None) -> None:
    expected = functional.cross_entropy(
        LOGITS, LABELS, ignore_index=255, weight=None if weight is None else torch.tensor(weight)
    )
    torch.testing.assert_close(cross_entropy_loss(LOGITS, LABELS, weight=weight), expected)
    torch.testing.assert_close(CrossEntropyLoss(weight)(LOGITS, LABELS), expected)


def test_the_means_differ_in_what_they_divide_by() -> None:
    total = functional.cross_entropy(LOGITS, LABELS, torch.tensor(WEIGHT), ignore_index=255, reduction="sum")
    valid = LABELS != 255
    weights = torch.tensor(WEIGHT)[LABELS[valid]].sum()
    below = {"weights": weights, "valid": valid.sum(), "all": torch.tensor(LABELS.numel())}
    for mean, divisor in below.items():
        settings: dict[str, Any] = {"weight": WEIGHT, "mean": mean}
        torch.testing.assert_close(cross_entropy_loss(LOGITS, LABELS, **settings), total / divisor)
        torch.testing.assert_close(CrossEntropyLoss(**settings)(LOGITS, LABELS), total / divisor)


def binary(logits: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return torch's losses of the valid elements, weighted."""
    valid = labels != 255
    losses = functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="none")
    return (losses if weight is None else losses * weight)[valid]


def test_elements_have_binary_cross_entropy() -> None:
    of_classes = torch.tensor(WEIGHT).view(4, 1, 1)
    valid = ELEMENTS != 255
    torch.testing.assert_close(cross_entropy_loss(LOGITS, ELEMENTS, mode="multilabel"), binary(LOGITS, ELEMENTS).mean())
    torch.testing.assert_close(
        cross_entropy_loss(LOGITS, ELEMENTS, mode="multilabel", weight=WEIGHT),
        binary(LOGITS, ELEMENTS, of_classes).sum() / (of_classes * valid).sum(),
    )
    torch.testing.assert_close(
        cross_entropy_loss(LOGITS, ELEMENTS, mode="multilabel", weight=WEIGHT, mean="valid"),
        binary(LOGITS, ELEMENTS, of_classes).sum() / valid.sum(),
    )
    torch.testing.assert_close(
        cross_entropy_loss(LOGITS[:, 2], ELEMENTS[:, 2], mode="binary"), binary(LOGITS[:, 2], ELEMENTS[:, 2]).mean()
    )


@pytest.mark.parametrize("weight", [None, [0.5, 2.0]], ids=["plain", "weighted"])
@pytest.mark.parametrize("mean", ["valid", "all", "weights"])
def test_two_classes_are_binary(mean: Any, weight: list[float] | None) -> None:  # noqa: ANN401 - a literal
    two, labels = LOGITS[:, :2], ELEMENTS[:, 2]
    settings: dict[str, Any] = {"mean": mean, "weight": weight}
    torch.testing.assert_close(
        cross_entropy_loss(two[:, 1] - two[:, 0], labels, mode="binary", **settings),
        cross_entropy_loss(two, labels, **settings),
    )


@pytest.mark.parametrize("mode", ["multiclass", "multilabel", "binary"])
def test_probabilities_in_place_of_logits(mode: Any) -> None:  # noqa: ANN401 - a literal
    logits, labels = (LOGITS, LABELS) if mode == "multiclass" else (LOGITS, ELEMENTS)
    p = logits.softmax(1) if mode == "multiclass" else logits.sigmoid()
    torch.testing.assert_close(
        cross_entropy_loss(p, labels, mode=mode, from_logits=False), cross_entropy_loss(logits, labels, mode=mode)
    )
    torch.testing.assert_close(
        CrossEntropyLoss(mode=mode, from_logits=False)(p, labels), CrossEntropyLoss(mode=mode)(logits, labels)
    )


def test_one_read_serves_many_losses() -> None:
    found = kernels.statistics(LOGITS, LABELS)
    loss = cross_entropy_of(found, weight=WEIGHT)
    assert loss.dtype == torch.float64
    assert loss.float() == cross_entropy_loss(LOGITS, LABELS, weight=WEIGHT)
    assert CrossEntropyLoss(WEIGHT).of(found) == loss


@pytest.mark.parametrize("mean", ["valid", "all", "weights"])
def test_where_all_weights_are_zero_it_is_zero_and_not_nan(mean: Any) -> None:  # noqa: ANN401 - a literal
    logits = LOGITS.clone().requires_grad_()
    loss = cross_entropy_loss(logits, LABELS, weight=[0.0] * 4, mean=mean)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_a_sum_of_many_pixels_does_not_stall() -> None:
    # One by one in float32, 2^24 + 1 is 2^24 again.
    losses = cross_entropy_loss(
        torch.zeros(1, 2, 1).expand(1, 2, 2**24 + 2**20), torch.zeros(1, 2**24 + 2**20, dtype=torch.uint8)
    )
    assert losses.item() == pytest.approx(0.6931471805599453, rel=1e-7)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"weight": [1, 2, 3]}, r"weight has shape \(3,\), expected \(4,\): one a class"),
        ({"weight": [1, 2, 3], "mode": "multilabel"}, r"weight has shape \(3,\), expected \(4,\): one a class"),
        ({"weight": [1.0], "mode": "binary"}, "weight holds 1 values, expected 2 for binary: of label 0, and of label"),
        ({"mean": "median"}, "mean is 'median', expected valid, all, weights"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], words: str) -> None:
    labels = LABELS if settings.get("mode", "multiclass") == "multiclass" else ELEMENTS
    with pytest.raises(ValueError, match=words):
        cross_entropy_loss(LOGITS, labels, **settings)
    with pytest.raises(ValueError, match=words):
        CrossEntropyLoss(**settings)(LOGITS, labels)


def test_its_settings_are_said() -> None:
    assert repr(CrossEntropyLoss(ignore_index=-1)) == (
        "CrossEntropyLoss(mean='weights', mode='multiclass', ignore_index=-1)"
    )
