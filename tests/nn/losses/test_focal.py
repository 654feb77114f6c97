import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from segcli.nn import FocalLoss, cross_entropy_loss, focal_loss, kernels
from segcli.nn.losses.focal import focal_of

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(2, 4, 5, 3, dtype=torch.float64, generator=GENERATOR)
LABELS = torch.randint(0, 4, (2, 5, 3), generator=GENERATOR)
LABELS[0, 0] = 255
BINARY = torch.randint(0, 2, (2, 5, 3), generator=GENERATOR)


def test_gamma_zero_is_cross_entropy() -> None:
    torch.testing.assert_close(focal_loss(LOGITS, LABELS, gamma=0.0), cross_entropy_loss(LOGITS, LABELS))
    torch.testing.assert_close(
        focal_loss(LOGITS[:, 0], BINARY, gamma=0.0, mode="binary"),
        functional.binary_cross_entropy_with_logits(LOGITS[:, 0], BINARY.double()),
    )


def test_three_equal_channels() -> None:
    assert focal_loss(
        torch.tensor([[[1.0, 1.0], [0.5, 0.0]]]).expand(1, 3, 2, 2).contiguous(),
        torch.zeros(1, 2, 2, dtype=torch.int64),
    ).item() == pytest.approx(0.488272, abs=1e-6)
    assert focal_loss(torch.ones(1, 3), torch.tensor([2])).item() == pytest.approx((2 / 3) ** 2 * math.log(3), rel=1e-6)


@pytest.mark.parametrize(
    ("p", "value", "easier"), [(0.9, 0.00105360516, 100), (0.968, None, 1000)], ids=["p=.9", "p=.968"]
)
def test_the_papers_figures(p: float, value: float | None, easier: float) -> None:
    logits = torch.tensor([[1 - p, p]], dtype=torch.float64).log()
    focal = focal_loss(logits, torch.tensor([1]))
    if value is not None:
        assert focal.item() == pytest.approx(value, rel=1e-8)
    assert cross_entropy_loss(logits, torch.tensor([1])).item() / focal.item() == pytest.approx(easier, rel=0.03)


def test_ignoring_nothing_changes_nothing() -> None:
    # MONAI multiplies the mean by C as soon as ignore_index is given.
    labels = LABELS % 4
    assert focal_loss(LOGITS, labels, ignore_index=255) == focal_loss(LOGITS, labels, ignore_index=None)


def test_ignored_pixels_are_not_in_the_denominator() -> None:
    # kornia keeps them there.
    half = torch.cat([LABELS[:, :2] % 4, torch.full((2, 3, 3), 255)], dim=1)
    torch.testing.assert_close(focal_loss(LOGITS, half), focal_loss(LOGITS[:, :, :2], LABELS[:, :2] % 4))


def test_multiclass_is_the_softmax_form_and_no_mean_over_one_against_rest() -> None:
    # On such a pixel smp's "multiclass" gives less than a third.
    logits = torch.tensor([[2.0, 0.0, -1.0]], dtype=torch.float64)
    p = logits.softmax(1)[0, 2].item()
    assert focal_loss(logits, torch.tensor([2])).item() == pytest.approx((1 - p) ** 2 * -math.log(p))


@pytest.mark.parametrize("mode", ["multiclass", "binary"])
@pytest.mark.parametrize("gamma", [0.0, 0.1, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_saturated_pixels_have_a_finite_gradient(mode: str, gamma: float, dtype: torch.dtype) -> None:
    # With gamma < 1 torchvision, smp and MONAI give NaN.
    if mode == "binary":
        logits, labels = torch.tensor([[1e4, -1e4, 0.5, 30.0]]), torch.tensor([[1, 1, 0, 1]])
    else:
        logits, labels = torch.tensor([[[1e4, 1e4, 0.5, 30.0], [-1e4, 0.0, 0.1, -30.0]]]), torch.tensor([[0, 1, 1, 0]])
    logits = logits.to(dtype).requires_grad_()
    loss = focal_loss(logits, labels, gamma=gamma, mode=mode)  # type: ignore[arg-type]
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert loss.isfinite()
    assert logits.grad.isfinite().all()
    assert logits.grad[..., 1].any()


def test_two_classes_are_binary() -> None:
    two, one = LOGITS[:, :2], LOGITS[:, 1] - LOGITS[:, 0]
    torch.testing.assert_close(focal_loss(two, BINARY), focal_loss(one, BINARY, mode="binary"))
    torch.testing.assert_close(
        focal_loss(two, BINARY, alpha=[0.75, 0.25]), focal_loss(one, BINARY, alpha=0.25, mode="binary")
    )


def test_alpha_of_classes_scales_each_and_a_number_scales_all() -> None:
    plain = focal_loss(LOGITS, LABELS)
    torch.testing.assert_close(focal_loss(LOGITS, LABELS, alpha=0.25), plain / 4)
    by_class = [focal_loss(LOGITS, LABELS, alpha=[float(c == label) for c in range(4)]) for label in range(4)]
    torch.testing.assert_close(sum(by_class), plain)


def test_alpha_of_multilabel_is_a_class() -> None:
    logits, labels = LOGITS[:, :2], torch.stack([BINARY, 1 - BINARY], dim=1)
    parts = [focal_loss(logits[:, c], labels[:, c], alpha=a, mode="binary") for c, a in enumerate((0.25, 0.6))]
    torch.testing.assert_close(focal_loss(logits, labels, alpha=[0.25, 0.6], mode="multilabel"), sum(parts) / 2)
    torch.testing.assert_close(
        focal_loss(logits, labels, alpha=0.3, mode="multilabel"),
        sum(focal_loss(logits[:, c], labels[:, c], alpha=0.3, mode="binary") for c in range(2)) / 2,
    )


def test_the_module_is_the_function() -> None:
    of_classes = FocalLoss(gamma=1.5, alpha=[1, 2, 3, 4])
    assert of_classes(LOGITS, LABELS) == focal_loss(LOGITS, LABELS, gamma=1.5, alpha=[1, 2, 3, 4])
    assert of_classes.to(torch.float64).alpha.dtype == torch.float64  # type: ignore[union-attr]
    assert FocalLoss(alpha=0.25)(LOGITS, LABELS) == focal_loss(LOGITS, LABELS, alpha=0.25)
    assert (
        repr(FocalLoss(alpha=0.25))
        == "FocalLoss(gamma=2.0, alpha=0.25, mean='valid', mode='multiclass', ignore_index=255)"
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"gamma": -1.0}, "gamma is -1, expected a finite number of 0 or more"),
        ({"gamma": math.inf}, "gamma is inf"),
        ({"alpha": -0.5}, r"alpha is \[-0.5\], expected finite numbers"),
        ({"alpha": 2.0, "mode": "binary"}, r"alpha is \[2.0\], expected numbers from 0 to 1: label 0 takes 1 - alpha"),
        ({"alpha": [0.1, 0.2, 0.3]}, r"alpha has shape \(3,\), expected \(4,\)"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FocalLoss(**settings)(LOGITS, LABELS)  # type: ignore[arg-type]


def test_alpha_of_binary_is_one_number() -> None:
    with pytest.raises(ValueError, match="alpha holds 2 values, expected one number for binary logits"):
        focal_loss(LOGITS[:, 0], BINARY, alpha=[0.1, 0.9], mode="binary")


@pytest.mark.parametrize("alpha", [None, 0.3, [0.1, 0.4, 0.3, 0.9]])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_the_means_differ_in_what_they_divide_by(gamma: float, alpha: Any) -> None:  # noqa: ANN401 - as it is given
    valid = LABELS != 255
    losses = functional.cross_entropy(LOGITS, LABELS, ignore_index=255, reduction="none")[valid]
    of_classes = torch.ones(4).double() if alpha is None else torch.tensor(alpha).double().expand(4)
    weights = of_classes[LABELS[valid]]
    total = (weights * (1 - (-losses).exp()) ** gamma * losses).sum()
    settings: dict[str, Any] = {"gamma": gamma, "alpha": alpha}
    below = {"weights": weights.sum(), "valid": valid.sum(), "all": torch.tensor(LABELS.numel())}
    for mean, divisor in below.items():
        torch.testing.assert_close(focal_loss(LOGITS, LABELS, mean=mean, **settings), total / divisor)  # type: ignore[arg-type]
        torch.testing.assert_close(FocalLoss(mean=mean, **settings)(LOGITS, LABELS), total / divisor)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["multiclass", "multilabel", "binary"])
def test_probabilities_in_place_of_logits(mode: Any) -> None:  # noqa: ANN401 - a literal
    labels = LABELS if mode == "multiclass" else torch.stack([BINARY] * 4, 1)
    p = LOGITS.softmax(1) if mode == "multiclass" else LOGITS.sigmoid()
    torch.testing.assert_close(
        focal_loss(p, labels, mode=mode, from_logits=False), focal_loss(LOGITS, labels, mode=mode)
    )


def test_one_read_serves_many_losses() -> None:
    found = kernels.statistics(LOGITS, LABELS, gamma=1.5)
    assert focal_of(found, alpha=0.25) == focal_loss(LOGITS, LABELS, gamma=1.5, alpha=0.25)
    assert FocalLoss(gamma=1.5, alpha=[1, 2, 3, 4]).of(found) == focal_of(found, alpha=[1, 2, 3, 4])


@pytest.mark.parametrize("mode", ["multiclass", "multilabel", "binary"])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 3.7])
def test_gradients_are_those_of_finite_differences(mode: Any, gamma: float) -> None:  # noqa: ANN401 - a literal
    labels = {"multiclass": LABELS, "multilabel": torch.stack([BINARY] * 4, 1), "binary": BINARY}[mode]
    logits = (LOGITS[:, 0] if mode == "binary" else LOGITS)[..., :3, :2].clone().requires_grad_()
    settings: dict[str, Any] = {"gamma": gamma, "alpha": 0.25, "mode": mode}
    loss = lambda x: focal_loss(x, labels[..., :3, :2], **settings)  # noqa: E731 - what gradcheck takes
    assert torch.autograd.gradcheck(loss, logits)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_monais_softmax_focal_divides_by_all_classes_too(gamma: float) -> None:
    # monai 1.6.1: the mean over C times the pixels, all but one of a pixel's terms being 0.
    peer = pytest.importorskip("monai.losses").FocalLoss(gamma=gamma, to_onehot_y=True, use_softmax=True)
    labels = LABELS % 4
    torch.testing.assert_close(focal_loss(LOGITS, labels, gamma=gamma).float() / 4, peer(LOGITS, labels.unsqueeze(1)))


@pytest.mark.parametrize("alpha", [None, 0.3])
def test_monais_sigmoid_focal_is_ours(alpha: float | None) -> None:
    peer = pytest.importorskip("monai.losses").FocalLoss(gamma=2.0, alpha=alpha)
    labels = torch.stack([BINARY, 1 - BINARY, BINARY, BINARY], 1)
    ours = focal_loss(LOGITS, labels, alpha=alpha, mode="multilabel")
    torch.testing.assert_close(ours.float(), peer(LOGITS, labels))


def test_kornias_softmax_focal_divides_by_all_classes_too() -> None:
    # kornia 0.9.0: class 0 takes 1 - alpha, all others alpha; ignored pixels and C are in the denominator.
    peer = pytest.importorskip("kornia.losses").focal_loss
    settings: dict[str, Any] = {"alpha": [0.7, 0.3, 0.3, 0.3], "mean": "all"}
    ours = focal_loss(LOGITS, LABELS, **settings)
    torch.testing.assert_close(ours / 4, peer(LOGITS, LABELS, 0.3, reduction="mean", ignore_index=255))


def test_kornias_binary_focal_is_ours() -> None:
    peer = pytest.importorskip("kornia.losses").binary_focal_loss_with_logits
    labels = torch.stack([BINARY, 1 - BINARY, BINARY, BINARY], 1)
    ours = focal_loss(LOGITS, labels, alpha=0.25, mode="multilabel")
    torch.testing.assert_close(ours, peer(LOGITS, labels.double(), 0.25, 2.0, reduction="mean"))
