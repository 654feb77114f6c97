from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional

from segcli.nn import BCELoss, BCEWithLogitsLoss, bce_loss, bce_with_logits_loss, cross_entropy_loss
from segcli.nn.losses.means import Mean

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


def test_without_a_class_axis_the_mode_is_binary() -> None:
    labels = torch.tensor([0, 1, 1])
    assert bce_with_logits_loss(torch.zeros(3), labels, mode="binary").item() == pytest.approx(0.693147)
    with pytest.raises(ValueError, match=r"weight has shape \(3,\), expected \(1,\)"):
        bce_with_logits_loss(torch.zeros(3), labels, mode="binary", weight=[1, 2, 3])
    one = bce_with_logits_loss(LOGITS[:, 0], LABELS[:, 0], mode="binary", pos_weight=2.0)
    torch.testing.assert_close(one, bce_with_logits_loss(LOGITS[:, :1], LABELS[:, :1], pos_weight=[2.0]))


@pytest.mark.parametrize("pos_weight", [None, [1.0, 2.0, 0.5]])
@pytest.mark.parametrize("weight", [None, [1.0, 0.0, 3.0]])
@pytest.mark.parametrize("mean", ["weights", "valid", "all"])
def test_hard_labels_and_soft_labels_that_are_hard_agree(
    mean: Mean, weight: list[float] | None, pos_weight: list[float] | None
) -> None:
    labels = LABELS.clone()
    labels[0, :, 0] = 255
    grads = []
    for given in (labels, labels.double(), labels.to(torch.uint8)):
        x = LOGITS.double().requires_grad_()
        loss = bce_with_logits_loss(x, given, weight=weight, pos_weight=pos_weight, mean=mean)
        grads.append((loss.detach(), *torch.autograd.grad(loss, x)))
    torch.testing.assert_close(grads[1], grads[0])
    assert torch.equal(grads[2][1], grads[0][1])


def test_each_mean_divides_by_what_it_says() -> None:
    labels = LABELS.clone()
    labels[:, :, :2] = 255
    weight = torch.tensor([1.0, 0.5, 2.0])
    costs = functional.binary_cross_entropy_with_logits(LOGITS, (labels == 1).float(), reduction="none")
    valid = labels != 255
    weights = weight.view(1, -1, 1, 1) * valid
    above = (costs * weights).sum()
    for mean, below in (("weights", weights.sum()), ("valid", valid.sum()), ("all", torch.tensor(labels.numel()))):
        settings: dict[str, Any] = {"weight": weight, "mean": mean}
        for given in (labels, labels.float()):
            torch.testing.assert_close(bce_with_logits_loss(LOGITS, given, **settings), above / below)


SURE = torch.tensor([[0.0, 1.0, 0.0, 1.0, 1e-30, 0.3, 0.7, 1e-8]])


@pytest.mark.parametrize("labels", [torch.tensor([[1, 0, 0, 1, 1, 0, 1, 0]]), torch.full((1, 8), 0.25)])
def test_of_probabilities_it_is_torchs_with_its_least_logarithm(labels: torch.Tensor) -> None:
    expected = functional.binary_cross_entropy(SURE, labels.float())
    torch.testing.assert_close(bce_loss(SURE, labels), expected)
    torch.testing.assert_close(BCELoss()(SURE, labels), expected)
    p = LOGITS.sigmoid()
    weights = torch.tensor([1.0, 2.0, 0.5])
    torched = functional.binary_cross_entropy(p, LABELS.float(), weight=weights.view(1, 3, 1, 1).expand_as(p))
    torch.testing.assert_close(bce_loss(p, LABELS, weight=weights, mean="valid"), torched)
    torch.testing.assert_close(BCELoss(weights, mean="valid")(p, LABELS), torched)


def test_a_sure_probability_has_no_large_gradient() -> None:
    p = SURE.clone().requires_grad_()
    bce_loss(p, torch.tensor([[1, 0, 0, 1, 1, 0, 1, 0]])).backward()  # type: ignore[no-untyped-call]
    assert p.grad is not None
    # Torch's would be 1e12 / 8 for the first two.
    assert p.grad[0, :4].abs().max() <= 1 / 8
    assert p.grad[0, 5].item() == pytest.approx(1 / 0.7 / 8)


@pytest.mark.parametrize("loss", [bce_loss, bce_with_logits_loss])
def test_gradients_are_those_of_finite_differences(loss: Callable[..., torch.Tensor]) -> None:
    p = (LOGITS[:1, :, :2].double() / 4).sigmoid().requires_grad_()
    for labels in (LABELS[:1, :, :2], LABELS[:1, :, :2] * 0.6):
        assert torch.autograd.gradcheck(lambda x, y: loss(x, y, pos_weight=[1.0, 3.0, 0.5]), (p, labels))


@pytest.mark.parametrize("extreme", [1e4, -1e4])
def test_soft_labels_and_large_logits_are_finite(extreme: float) -> None:
    x = torch.full((1, 2), extreme, requires_grad=True)
    loss = bce_with_logits_loss(x, torch.tensor([[0.5, 255.0]]))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 5e3
    assert x.grad is not None
    assert x.grad.tolist() == [[0.5 if extreme > 0 else -0.5, 0]]


def test_soft_labels_with_nothing_valid_are_zero_with_a_graph() -> None:
    for shape in ((2, 3), (0, 3), (2, 3, 0)):
        x = torch.zeros(shape, requires_grad=True)
        loss = bce_with_logits_loss(x, torch.full(shape, 255.0))
        loss.backward()  # type: ignore[no-untyped-call]
        assert loss.item() == 0
        assert x.grad is not None
        assert not x.grad.any()


def test_bad_values_beside_soft_labels_are_named() -> None:
    with pytest.raises(ValueError, match=r"logits hold inf at \(0, 1\), expected finite numbers"):
        bce_with_logits_loss(torch.tensor([[0.0, torch.inf]]), torch.tensor([[0.5, 0.5]]))
    unseen = bce_with_logits_loss(torch.zeros(1, 2), torch.tensor([[0.5, 7.0]]), validate=False)
    assert unseen.isfinite()


def test_soft_labels_in_a_graph_of_compile() -> None:
    compiled = torch.compile(bce_with_logits_loss, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(LOGITS, LABELS * 0.3), bce_with_logits_loss(LOGITS, LABELS * 0.3))


def test_its_settings_are_checked_and_said() -> None:
    with pytest.raises(ValueError, match=r"pos_weight is \[-1.0\]"):
        BCEWithLogitsLoss(pos_weight=-1.0)
    with pytest.raises(ValueError, match=r"mean is 'sum', expected valid, all, weights"):
        BCELoss(mean="sum")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"mode is 'multiclass', expected multilabel or binary"):
        bce_loss(SURE, SURE, mode="multiclass")
    assert repr(BCELoss()) == "BCELoss(mean='weights', mode='multilabel', ignore_index=255)"
