import pytest
import torch
from torch.nn import functional

from segcli.nn import BCEWithLogitsLoss, bce_with_logits_loss, cross_entropy_loss

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(2, 3, 5, 4, generator=GENERATOR)
LABELS = torch.randint(0, 2, (2, 3, 5, 4), generator=GENERATOR)


@pytest.mark.parametrize("labels", [LABELS, LABELS.bool(), LABELS * 0.3], ids=["whole", "bool", "soft"])
@pytest.mark.parametrize("pos_weight", [None, 3.0, [1.0, 2.0, 0.5]], ids=["plain", "number", "a class"])
def test_it_is_torchs_mean(labels: torch.Tensor, pos_weight: float | list[float] | None) -> None:
    weights = None if pos_weight is None else torch.tensor(pos_weight).view(-1, 1, 1)
    expected = functional.binary_cross_entropy_with_logits(LOGITS, labels.float(), pos_weight=weights)
    torch.testing.assert_close(bce_with_logits_loss(LOGITS, labels, pos_weight=pos_weight), expected)
    torch.testing.assert_close(BCEWithLogitsLoss(pos_weight=pos_weight)(LOGITS, labels), expected)


def test_ignored_elements_do_not_count() -> None:
    labels = LABELS.clone()
    labels[:, 1] = 255
    torch.testing.assert_close(
        bce_with_logits_loss(LOGITS, labels), bce_with_logits_loss(LOGITS[:, [0, 2]], LABELS[:, [0, 2]])
    )


def test_weights_are_of_classes_and_divide_the_mean() -> None:
    parts = [bce_with_logits_loss(LOGITS[:, c], LABELS[:, c]) for c in range(3)]
    expected = (parts[0] + 3 * parts[2]) / 4
    torch.testing.assert_close(bce_with_logits_loss(LOGITS, LABELS, weight=[1, 0, 3]), expected)
    torch.testing.assert_close(BCEWithLogitsLoss(weight=[1, 0, 3])(LOGITS, LABELS), expected)


def test_it_is_cross_entropy_of_two_classes() -> None:
    one, labels = LOGITS[:, 0], LABELS[:, 0]
    two = torch.stack([torch.zeros_like(one), one], dim=1)
    torch.testing.assert_close(bce_with_logits_loss(one, labels), cross_entropy_loss(two, labels))


def test_a_row_of_logits_has_no_class_axis() -> None:
    assert bce_with_logits_loss(torch.zeros(3), torch.tensor([0, 1, 1])).item() == pytest.approx(0.693147)
    with pytest.raises(ValueError, match=r"weight has shape \(3,\), expected \(1,\)"):
        bce_with_logits_loss(torch.zeros(3), torch.tensor([0, 1, 1]), weight=[1, 2, 3])


def test_its_settings_are_checked_and_said() -> None:
    with pytest.raises(ValueError, match=r"pos_weight is \[-1.0\]"):
        BCEWithLogitsLoss(pos_weight=-1.0)
    assert repr(BCEWithLogitsLoss()) == "BCEWithLogitsLoss(ignore_index=255)"
