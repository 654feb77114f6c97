import pytest
import torch
from torch.nn import functional

from segcli.nn import CrossEntropyLoss, cross_entropy_loss

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(2, 4, 5, 3, generator=GENERATOR)
LABELS = torch.randint(0, 4, (2, 5, 3), generator=GENERATOR)
LABELS[0, 0] = 255


@pytest.mark.parametrize("weight", [None, [1.0, 0.5, 2.0, 0.0]], ids=["plain", "weighted"])
def test_it_is_torchs_mean(weight: list[float] | None) -> None:
    expected = functional.cross_entropy(
        LOGITS, LABELS, ignore_index=255, weight=None if weight is None else torch.tensor(weight)
    )
    torch.testing.assert_close(cross_entropy_loss(LOGITS, LABELS, weight=weight), expected)
    torch.testing.assert_close(CrossEntropyLoss(weight)(LOGITS, LABELS), expected)


def test_where_all_weights_are_zero_it_is_zero_and_not_nan() -> None:
    assert cross_entropy_loss(LOGITS, LABELS, weight=[0.0] * 4).item() == 0


def test_a_sum_of_many_pixels_does_not_stall() -> None:
    # One by one in float32, 2^24 + 1 is 2^24 again.
    losses = cross_entropy_loss(
        torch.zeros(1, 2, 1).expand(1, 2, 2**24 + 2**20), torch.zeros(1, 2**24 + 2**20, dtype=torch.uint8)
    )
    assert losses.item() == pytest.approx(0.6931471805599453, rel=1e-7)


def test_weights_must_be_one_a_class() -> None:
    with pytest.raises(ValueError, match=r"weight has shape \(3,\), expected \(4,\): one a class"):
        cross_entropy_loss(LOGITS, LABELS, weight=[1, 2, 3])


def test_its_settings_are_said() -> None:
    assert repr(CrossEntropyLoss(ignore_index=-1)) == "CrossEntropyLoss(ignore_index=-1)"
