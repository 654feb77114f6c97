"""The Lovász losses against the definition: the extension of a set function, from the function's values alone."""

from itertools import pairwise, permutations
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from segcli.nn import LovaszHingeLoss, LovaszSoftmaxLoss, lovasz_hinge_loss, lovasz_softmax_loss
from segcli.nn.losses import lovasz
from segcli.nn.losses.lovasz import Classes, Reduce
from segcli.nn.losses.lovasz_extension import extension

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(3, 4, 5, 6, dtype=torch.float64, generator=GENERATOR)
LABELS = torch.randint(0, 4, (3, 5, 6), generator=GENERATOR)
LABELS[0, 0] = 255
LABELS[1][LABELS[1] == 2] = 0
LABELS[2][LABELS[2] == 2] = 1
MASKS = torch.randint(0, 2, (3, 4, 5, 6), generator=GENERATOR)
MASKS[1, 2] = 0
MASKS[0, :, 0] = 255


def jaccard_of(mistaken: set[int], foreground: set[int]) -> float:
    """Return the Jaccard loss of a set of mistaken pixels: Berman et al. 2018, equation 5."""
    return len(mistaken) / len(foreground | mistaken) if mistaken else 0.0


def by_levels(errors: list[float], foreground: set[int]) -> float:
    """Return the extension as the integral over t of the set function at the pixels whose error is t or more."""
    levels = [*sorted({*errors, 0.0}, reverse=True)]
    return sum(
        (upper - lower) * jaccard_of({i for i, error in enumerate(errors) if error >= upper}, foreground)
        for upper, lower in pairwise(levels)
    )


def by_orders(errors: list[float], foreground: set[int]) -> float:
    """Return the extension of a submodular function as the largest over all orders of the pixels."""
    values = []
    for order in permutations(range(len(errors))):
        sets = [set(order[:n]) for n in range(len(order) + 1)]
        values.append(
            sum(
                errors[pixel] * (jaccard_of(after, foreground) - jaccard_of(before, foreground))
                for pixel, before, after in zip(order, sets, sets[1:], strict=False)
            )
        )
    return max(values)


def by_classes(errors: Tensor, foreground: Tensor, valid: Tensor, *, present: bool) -> float | None:
    """Return the mean over the classes of one group, (C, n), or None where nothing counts."""
    values = []
    for e, f, v in zip(errors, foreground, valid, strict=True):
        of_class = {i for i, label in enumerate(f[v].tolist()) if label}
        if of_class or not present:
            values.append(by_levels(e[v].tolist(), of_class))
    return sum(values) / len(values) if values and valid.any() else None


def softmax_groups(reduce: str) -> list[tuple[Tensor, Tensor, Tensor]]:
    p, one_hot = LOGITS.softmax(1), torch.stack([LABELS.eq(c) for c in range(4)], 1)
    errors = torch.where(one_hot, 1 - p, p)
    return groups(errors, one_hot, (LABELS != 255).unsqueeze(1).expand_as(p), reduce)


def hinge_groups(reduce: str) -> list[tuple[Tensor, Tensor, Tensor]]:
    errors = (1 - LOGITS * torch.where(MASKS == 1, 1, -1)).clamp(min=0)
    return groups(errors, MASKS == 1, MASKS != 255, reduce)


def groups(errors: Tensor, foreground: Tensor, valid: Tensor, reduce: str) -> list[tuple[Tensor, Tensor, Tensor]]:
    parts = tuple(t.movedim(1, 0).flatten(2) for t in (errors, foreground, valid))
    if reduce == "batch":
        return [(parts[0].flatten(1), parts[1].flatten(1), parts[2].flatten(1))]
    return [(parts[0][:, n], parts[1][:, n], parts[2][:, n]) for n in range(len(LABELS))]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[list[float]], list[list[bool]]]:
    # A coarse grid, so that errors tie and some are 0.
    n_groups, n = draw(st.tuples(st.integers(1, 3), st.integers(0, 9)))
    error, of_class = st.sampled_from([0.0, 0.125, 0.25, 0.5, 0.75, 1.0, 2.5]), st.booleans()
    rows = [draw(st.lists(error, min_size=n, max_size=n)) for _ in range(n_groups)]
    return rows, [draw(st.lists(of_class, min_size=n, max_size=n)) for _ in range(n_groups)]


@given(case=cases(), present=st.booleans(), dtype=st.sampled_from([torch.float32, torch.float64]))
@example(case=([[0.5, 0.5, 0.5]], [[False, True, False]]), present=True, dtype=torch.float32)
@example(case=([[1.0, 0.0], [0.0, 0.0]], [[False, False], [True, False]]), present=False, dtype=torch.float64)
def test_the_extension_is_its_definition(
    *, case: tuple[list[list[float]], list[list[bool]]], present: bool, dtype: torch.dtype
) -> None:
    errors, foreground = torch.tensor(case[0], dtype=dtype), torch.tensor(case[1], dtype=torch.bool)
    values, slopes = extension(errors, foreground, torch.ones_like(foreground), present=present)
    sets = [{i for i, label in enumerate(row) if label} for row in case[1]]
    expected = [
        by_levels(row, of_class) if of_class or not present else 0.0
        for row, of_class in zip(case[0], sets, strict=True)
    ]
    assert values.tolist() == pytest.approx(expected, abs=1e-12)
    # Piecewise linear and without a constant: the slopes are the gradient on this piece.
    assert (slopes * errors).sum(1).tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("foreground", [set(), {0}, {1, 3}, {0, 1, 2, 3, 4}])
def test_two_definitions_of_the_extension_agree(foreground: set[int]) -> None:
    errors = [0.9, 0.25, 0.25, 0.6, 0.1]
    value, _ = extension(
        torch.tensor([errors], dtype=torch.float64),
        torch.tensor([[i in foreground for i in range(5)]]),
        torch.ones(1, 5, dtype=torch.bool),
        present=False,
    )
    assert by_orders(errors, foreground) == pytest.approx(by_levels(errors, foreground))
    assert value.item() == pytest.approx(by_orders(errors, foreground))


@pytest.mark.parametrize("reduce", ["image", "batch"])
@pytest.mark.parametrize("classes", ["present", "all"])
def test_softmax_is_the_mean_of_its_definition(classes: Classes, reduce: Reduce) -> None:
    values = [by_classes(*group, present=classes == "present") for group in softmax_groups(reduce)]
    expected = sum(value for value in values if value is not None) / len(values)
    assert lovasz_softmax_loss(LOGITS, LABELS, classes=classes, reduce=reduce).item() == pytest.approx(expected)
    assert LovaszSoftmaxLoss(classes, reduce)(LOGITS, LABELS).item() == pytest.approx(expected)


@pytest.mark.parametrize("reduce", ["image", "batch"])
@pytest.mark.parametrize("classes", ["present", "all"])
def test_hinge_is_the_mean_of_its_definition(classes: Classes, reduce: Reduce) -> None:
    values = [by_classes(*group, present=classes == "present") for group in hinge_groups(reduce)]
    expected = sum(value for value in values if value is not None) / len(values)
    settings: dict[str, Any] = {"classes": classes, "reduce": reduce, "mode": "multilabel"}
    assert lovasz_hinge_loss(LOGITS, MASKS, **settings).item() == pytest.approx(expected)
    assert LovaszHingeLoss(**settings)(LOGITS, MASKS).item() == pytest.approx(expected)


def test_binary_is_multilabel_of_one_class() -> None:
    for reduce in ("image", "batch"):
        settings: dict[str, Any] = {"reduce": reduce}
        one = lovasz_hinge_loss(LOGITS[:, 2], MASKS[:, 2], **settings)
        assert one == lovasz_hinge_loss(LOGITS[:, 2:3], MASKS[:, 2:3], mode="multilabel", **settings)


@pytest.mark.parametrize("seed", range(5))
def test_with_predictions_of_0_and_1_it_is_one_minus_the_iou(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (1, 40), generator=generator)
    predicted = torch.randint(0, 5, (1, 40), generator=generator).clamp(max=3)
    p = torch.nn.functional.one_hot(predicted, 4).movedim(2, 1).double()
    ious = [
        ((predicted == c) & (labels == c)).sum() / ((predicted == c) | (labels == c)).sum()
        for c in sorted(set(labels[0].tolist()))
    ]
    expected = 1 - sum(iou.item() for iou in ious) / len(ious)
    assert lovasz_softmax_loss(p, labels, from_logits=False).item() == pytest.approx(expected, abs=1e-7)
    # A hinge of 0 or 1: logits of 1 or -1 where right, of 0 where mistaken.
    sign = torch.where(labels == 1, 1.0, -1.0)
    wrong = predicted != labels
    mistaken = {i for i, value in enumerate(wrong[0].tolist()) if value}
    foreground = {i for i, value in enumerate(labels[0].tolist()) if value == 1}
    hinge = lovasz_hinge_loss(sign.masked_fill(wrong, 0), (labels == 1).int())
    assert hinge.item() == pytest.approx(jaccard_of(mistaken, foreground))


@pytest.mark.parametrize("reduce", ["image", "batch"])
@pytest.mark.parametrize("classes", ["present", "all"])
def test_its_gradient_is_that_of_finite_differences(classes: Classes, reduce: Reduce) -> None:
    settings: dict[str, Any] = {"classes": classes, "reduce": reduce, "weight": [1.0, 0.5, 2.0, 1.0]}
    logits = LOGITS[..., :2].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: lovasz_softmax_loss(x, LABELS[..., :2], **settings), logits)
    assert torch.autograd.gradcheck(
        lambda x: lovasz_hinge_loss(x, MASKS[..., :2], mode="multilabel", **settings), logits
    )
    assert torch.autograd.gradcheck(
        lambda x: lovasz_softmax_loss(x.softmax(1), LABELS[..., :2], from_logits=False, **settings), logits
    )


def test_its_gradient_is_that_of_the_sorted_form_in_autograd() -> None:
    # Algorithm 1 as it is printed, differentiated by torch.
    x = torch.randn(1, 3, 200, dtype=torch.float64, generator=GENERATOR, requires_grad=True)
    labels = torch.randint(0, 3, (1, 200), generator=GENERATOR)
    losses = []
    for c in range(3):
        of_class = (labels[0] == c).double()
        errors, order = (of_class - x.softmax(1)[0, c]).abs().sort(descending=True)
        of_class = of_class[order]
        union = of_class.sum() + (1 - of_class).cumsum(0)
        jaccard = 1 - (of_class.sum() - of_class.cumsum(0)) / union
        losses.append(errors @ torch.cat([jaccard[:1], jaccard.diff()]))
    expected = torch.stack(losses).mean()
    ours = lovasz_softmax_loss(x, labels)
    assert ours.item() == pytest.approx(expected.item())
    torch.testing.assert_close(torch.autograd.grad(ours, x), torch.autograd.grad(expected, x))


def test_weights_are_of_classes_in_the_mean() -> None:
    labels = LABELS % 4
    for weight in ([1.0, 1.0, 1.0, 1.0], [3.0, 0.0, 0.0, 1.0]):
        mean = lovasz_softmax_loss(LOGITS, labels, weight=weight, classes="all", reduce="batch").item()
        parts = [
            lovasz_softmax_loss(LOGITS, labels, weight=[float(c == k) for k in range(4)], classes="all", reduce="batch")
            for c in range(4)
        ]
        expected = sum(w * part.item() for w, part in zip(weight, parts, strict=True)) / sum(weight)
        assert mean == pytest.approx(expected)
    assert lovasz_softmax_loss(LOGITS, LABELS, weight=[0.0] * 4).item() == 0


def test_an_image_without_anything_valid_is_not_in_the_mean() -> None:
    labels = LABELS.clone()
    labels[0] = 255
    assert lovasz_softmax_loss(LOGITS, labels) == lovasz_softmax_loss(LOGITS[1:], labels[1:])
    masks = MASKS.clone()
    masks[0] = 255
    assert lovasz_hinge_loss(LOGITS, masks, mode="multilabel") == lovasz_hinge_loss(
        LOGITS[1:], masks[1:], mode="multilabel"
    )


def test_without_foreground_it_is_the_largest_error() -> None:
    logits = torch.tensor([[0.5, -2.0, 0.0], [-2.0, -3.0, -5.0]], requires_grad=True)
    labels = torch.zeros(2, 3, dtype=torch.uint8)
    loss = lovasz_hinge_loss(logits, labels)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx((1.5 + 0) / 2)
    assert logits.grad is not None
    assert logits.grad.tolist() == [[0.5, 0, 0], [0, 0, 0]]
    # No image counts, or none is left to count.
    assert lovasz_hinge_loss(logits, labels, classes="present").item() == 0


def test_of_ties_the_first_is_passed_first() -> None:
    logits = torch.zeros(1, 2, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(lovasz_softmax_loss(logits, torch.tensor([[1, 0, 0, 1]])), logits)
    # All errors are 1/2. In order, class 0 rises by 1/3, 1/3, 1/3, 0 and class 1 by 1/2, 1/6, 1/12, 1/4.
    assert gradient[0, 0].tolist() == pytest.approx([5 / 48, -1 / 16, -5 / 96, 1 / 32])
    assert gradient[0, 1].tolist() == pytest.approx([-5 / 48, 1 / 16, 5 / 96, -1 / 32])


def test_many_classes_do_not_wrap_around_in_narrow_labels() -> None:
    logits = torch.randn(1, 300, 8, generator=GENERATOR)
    labels = torch.tensor([[0, 44, 3, 255, 43, 2, 1, 0]])
    assert lovasz_softmax_loss(logits, labels.to(torch.uint8)) == lovasz_softmax_loss(logits, labels)


@pytest.mark.parametrize(
    ("loss", "settings", "words"),
    [
        (LovaszSoftmaxLoss, {"classes": "some"}, "classes is 'some', expected present or all"),
        (LovaszHingeLoss, {"reduce": "mean"}, "reduce is 'mean', expected image or batch"),
        (LovaszHingeLoss, {"mode": "multiclass"}, "mode is 'multiclass', expected binary or multilabel"),
        (LovaszSoftmaxLoss, {"weight": [1, -1]}, r"weight is \[1.0, -1.0\]"),
        (LovaszSoftmaxLoss, {"process_group": "world", "reduce": "batch"}, "expected reduce='image'"),
    ],
)
def test_settings_out_of_range_are_refused(
    loss: type[LovaszHingeLoss | LovaszSoftmaxLoss], settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        loss(**settings)


def test_bad_values_are_named_where_they_were_given() -> None:
    bad = LOGITS.clone()
    bad[1, 2, 3, 4] = torch.nan
    with pytest.raises(ValueError, match=r"logits hold nan at \(1, 2, 3, 4\), expected finite numbers"):
        lovasz_softmax_loss(bad, LABELS)
    with pytest.raises(ValueError, match=r"labels hold 255 at \(0, 0, 0\), expected 0 to 3$"):
        lovasz_softmax_loss(LOGITS, LABELS, ignore_index=None)
    with pytest.raises(ValueError, match=r"labels hold 4 at \(0, 0, 0, 0\), expected 0 to 1"):
        lovasz_hinge_loss(LOGITS, torch.full(MASKS.shape, 4.0), mode="multilabel")
    assert lovasz_softmax_loss(bad, LABELS + 7, validate=False).shape == ()


def test_what_the_operator_found_is_raised_even_where_a_second_look_finds_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lovasz, "refuse_unsound", lambda *_: None)
    with pytest.raises(ValueError, match=r"logits hold nan at \(0, 0, 0\)"):
        lovasz_softmax_loss(LOGITS * torch.nan, LABELS)


def test_ignoring_nothing_counts_all() -> None:
    labels = LABELS % 4
    assert lovasz_softmax_loss(LOGITS, labels, ignore_index=None) == lovasz_softmax_loss(LOGITS, labels)


def test_the_modules_say_their_settings() -> None:
    assert repr(LovaszSoftmaxLoss()) == "LovaszSoftmaxLoss(classes='present', reduce='image', ignore_index=255)"
    assert repr(LovaszHingeLoss()) == "LovaszHingeLoss(classes='all', reduce='image', mode='binary', ignore_index=255)"


def test_with_all_classes_of_each_image_it_is_kornias() -> None:
    kornia = pytest.importorskip("kornia.losses")
    labels = LABELS % 4
    weight = torch.tensor([1.0, 3.0, 0.5, 2.0], dtype=torch.float64)
    ours = lovasz_softmax_loss(LOGITS, labels, classes="all", weight=weight)
    # Kornia divides by how many classes there are.
    theirs = kornia.lovasz_softmax_loss(LOGITS, labels, weight=weight) * 4 / weight.sum()
    torch.testing.assert_close(ours, theirs)
    masks = (labels > 1).to(torch.int64)
    masks[1] = 0
    torch.testing.assert_close(lovasz_hinge_loss(LOGITS[:, 0], masks), kornia.lovasz_hinge_loss(LOGITS[:, :1], masks))
