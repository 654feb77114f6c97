import math

import pytest
import torch

from segcli.nn import (
    FocalTverskyLoss,
    JaccardLoss,
    TverskyLoss,
    dice_loss,
    focal_tversky_loss,
    jaccard_loss,
    kernels,
    tversky_loss,
)
from segcli.nn.losses.dice import dice_of
from segcli.nn.losses.focal_tversky import focal_tversky_of
from segcli.nn.losses.jaccard import jaccard_of
from segcli.nn.losses.tversky import tversky_of
from tests.nn.losses.regions import MODES, draw

# One class of one image: 3 pixels found with 0.75, 1 of the 4 others predicted with 0.5. TP 2.25, FP 0.5, FN 0.75.
P = torch.tensor([[0.75, 0.75, 0.75, 0.5, 0.0, 0.0, 0.0]], dtype=torch.float64)
Y = torch.tensor([[1, 1, 1, 0, 0, 0, 0]])


@pytest.mark.parametrize(("alpha", "beta"), [(0.3, 0.7), (0.7, 0.3), (0.0, 1.0), (1.0, 0.0), (2.0, 3.0)])
def test_the_two_kinds_of_mistakes_cost_what_is_said(alpha: float, beta: float) -> None:
    loss = tversky_loss(P, Y, alpha=alpha, beta=beta, smooth=0, mode="binary", from_logits=False)
    assert loss.item() == pytest.approx(1 - 2.25 / (2.25 + alpha * 0.5 + beta * 0.75), rel=1e-12)


@pytest.mark.parametrize("reduce", ["image", "batch"])
@pytest.mark.parametrize("mode", MODES)
def test_of_halves_it_is_dice_with_twice_the_smooth(mode: str, reduce: str) -> None:
    logits, labels = draw(mode)
    for smooth in (0.0, 1e-6, 0.5):
        ours = tversky_loss(logits, labels, alpha=0.5, beta=0.5, smooth=smooth, mode=mode, reduce=reduce)  # type: ignore[arg-type]
        dice = dice_loss(logits, labels, smooth=2 * smooth, mode=mode, reduce=reduce)  # type: ignore[arg-type]
        torch.testing.assert_close(ours, dice, rtol=1e-14, atol=0)


@pytest.mark.parametrize("mode", MODES)
def test_of_ones_it_is_jaccard(mode: str) -> None:
    logits, labels = draw(mode)
    ours = tversky_loss(logits, labels, alpha=1, beta=1, mode=mode)  # type: ignore[arg-type]
    torch.testing.assert_close(ours, jaccard_loss(logits, labels, mode=mode))  # type: ignore[arg-type]


def test_jaccard_is_dice_over_two_less_dice() -> None:
    found = kernels.statistics(*draw(), squares=True)
    for squared in (False, True):
        for smooth in (0.0, 0.5):
            dice = 1 - dice_of(found, smooth=2 * smooth, squared=squared, absent="count").losses
            jaccard = 1 - jaccard_of(found, smooth=smooth, squared=squared, absent="count").losses
            torch.testing.assert_close(jaccard, dice / (2 - dice))


def test_jaccard_of_labels_is_intersection_over_union() -> None:
    predicted, labels = torch.tensor([[0, 0, 1, 1, 2, 2]]), torch.tensor([[0, 1, 1, 1, 2, 0]])
    p = torch.nn.functional.one_hot(predicted).movedim(-1, 1).double()
    # Union and intersection of each class, counted by hand.
    expected = 1 - (1 / 3 + 2 / 3 + 1 / 2) / 3
    assert jaccard_loss(p, labels, smooth=0, from_logits=False).item() == pytest.approx(expected, rel=1e-12)


def test_focal_tversky_raises_each_class_before_the_mean() -> None:
    logits, labels = draw(shape=(2, 3, 40))
    found = kernels.statistics(logits, labels)
    plain = tversky_of(found).losses
    for gamma in (0.75, 2.0):
        parts = focal_tversky_of(found, gamma=gamma)
        torch.testing.assert_close(parts.losses, plain**gamma)
        torch.testing.assert_close(parts.loss, (plain**gamma).mean())
    torch.testing.assert_close(focal_tversky_of(found, gamma=1).loss, tversky_of(found).loss)


def test_the_papers_gamma_is_one_over_ours() -> None:
    # Abraham and Khan 2018, equation 4: (1 - TI)^(1 / gamma) with 4/3, false negatives costing 0.7.
    tversky = (2.25 + 1) / (2.25 + 0.7 * 0.75 + 0.3 * 0.5 + 1)
    loss = focal_tversky_loss(P, Y, mode="binary", from_logits=False)
    assert loss.item() == pytest.approx((1 - tversky) ** (1 / (4 / 3)), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_near_and_at_no_mistake_the_gradient_is_finite(dtype: torch.dtype) -> None:
    labels = torch.tensor([[0, 1, 1, 0, 1]])
    for size in (1.0, 5.0, 10.0, 16.0, 17.0, 20.0, 40.0, 1e4):
        logits = ((labels.unsqueeze(1) == torch.tensor([[[0], [1]]])) * size).to(dtype).requires_grad_()
        loss = focal_tversky_loss(logits, labels, gamma=0.2, smooth=0)
        loss.backward()  # type: ignore[no-untyped-call]
        assert 0 <= loss.item() < 1
        assert logits.grad is not None
        assert logits.grad.isfinite().all()


def test_they_say_their_settings() -> None:
    assert repr(TverskyLoss()) == (
        "TverskyLoss(alpha=0.3, beta=0.7, smooth=1.0, reduce='image', absent='skip', mode='multiclass', "
        "ignore_index=255)"
    )
    assert repr(JaccardLoss()) == (
        "JaccardLoss(smooth=1.0, squared=False, reduce='image', absent='skip', mode='multiclass', ignore_index=255)"
    )
    assert repr(FocalTverskyLoss()).startswith("FocalTverskyLoss(gamma=0.75, alpha=0.3, beta=0.7, smooth=1.0")


@pytest.mark.parametrize("module", [TverskyLoss, FocalTverskyLoss])
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"alpha": -0.1}, "alpha is -0.1, expected a finite number of 0 or more"),
        ({"beta": math.inf}, "beta is inf, expected a finite number of 0 or more"),
        ({"alpha": 0, "beta": 0}, "alpha and beta are 0, expected one above 0: no mistake would cost anything"),
    ],
)
def test_costs_out_of_range_are_refused(module: type[TverskyLoss], settings: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        module(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(("gamma", "words"), [(0, "gamma is 0, expected a number above 0"), (math.nan, "gamma is nan")])
def test_exponents_out_of_range_are_refused(gamma: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FocalTverskyLoss(gamma=gamma)
    with pytest.raises(ValueError, match=words):
        focal_tversky_loss(*draw(), gamma=gamma)
