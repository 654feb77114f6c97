import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segcli.nn import bce_with_logits_loss, cross_entropy_loss, dice_loss
from segcli.nn.kernels.checks import first_bad_label, first_bad_logit
from segcli.nn.losses.inputs import as_logits, read

GOOD = torch.zeros(2, 3, 4)
LABELS = torch.zeros(2, 4, dtype=torch.int64)


@pytest.mark.parametrize(
    ("logits", "labels", "words"),
    [
        (GOOD.long(), LABELS, r"logits are torch.int64, expected a floating dtype"),
        (GOOD, LABELS.float(), r"labels are torch.float32, expected whole numbers such as torch.int64"),
        (GOOD, LABELS.to(torch.complex64), r"labels are torch.complex64"),
        (torch.zeros(2), LABELS, r"logits have shape \(2,\), expected \(N, C, \*S\)"),
        (GOOD[:, :1], LABELS, r"the softmax of 1 class is no choice, expected 2 classes or more"),
        (GOOD, LABELS[:, :2], r"labels have shape \(2, 2\), expected \(2, 4\) to match multiclass logits"),
        (GOOD, LABELS + 3, r"labels hold 3 at \(0, 0\), expected 0 to 2, or ignore_index 255"),
        (GOOD, LABELS - 1, r"labels hold -1 at \(0, 0\)"),
        (GOOD + math.nan, LABELS, r"logits hold nan at \(0, 0, 0\), expected finite numbers"),
        (GOOD - math.inf, LABELS, r"logits hold -inf at \(0, 0, 0\)"),
        (GOOD.half() + math.inf, LABELS, r"logits hold inf at \(0, 0, 0\)"),
    ],
)
def test_bad_inputs_name_the_first_bad_place(logits: torch.Tensor, labels: torch.Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        cross_entropy_loss(logits, labels)


def test_labels_out_of_range_never_reach_a_kernel() -> None:
    # Torch's backward on the CPU would write out of bounds.
    labels = LABELS.clone()
    labels[1, 2] = 10**9
    with pytest.raises(ValueError, match=r"labels hold 1e\+09 at \(1, 2\), expected 0 to 2"):
        cross_entropy_loss(GOOD.requires_grad_(), labels)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (GOOD[:, :2], r"labels have shape \(2, 2, 4\), expected \(2, 3, 4\) to match multilabel logits"),
        (GOOD + 2, r"labels hold 2 at \(0, 0, 0\), expected 0 to 1"),
        (GOOD + 0.5, r"labels hold 0.5 at \(0, 0, 0\)"),
        (GOOD + math.nan, r"labels hold nan at \(0, 0, 0\)"),
    ],
)
def test_bad_binary_labels_are_refused(labels: torch.Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        dice_loss(GOOD.detach(), labels, mode="multilabel")


def test_bce_takes_soft_labels_but_nothing_beyond() -> None:
    assert bce_with_logits_loss(torch.zeros(1, 2), torch.tensor([[0.25, 0.5]])).item() == pytest.approx(0.693147)
    with pytest.raises(ValueError, match=r"labels hold 1.5 at \(0, 1\)"):
        bce_with_logits_loss(torch.zeros(1, 2), torch.tensor([[0.25, 1.5]]))


def test_an_unknown_mode_is_refused() -> None:
    mode: Any = "softmax"
    with pytest.raises(ValueError, match="mode is 'softmax', expected multiclass, multilabel, binary"):
        read(GOOD, LABELS, mode=mode)


def test_tensors_on_two_devices_are_refused() -> None:
    with pytest.raises(ValueError, match="labels are on meta, logits on cpu: expected one device"):
        cross_entropy_loss(GOOD, LABELS.to("meta"))


def test_a_scalar_is_no_batch() -> None:
    with pytest.raises(ValueError, match=r"logits have shape \(\), expected \(N, \*S\)"):
        bce_with_logits_loss(torch.tensor(0.0), torch.tensor(0), mode="binary")


def test_ignoring_nothing_makes_every_label_count() -> None:
    with pytest.raises(ValueError, match=r"labels hold 255 at \(0, 0\), expected 0 to 2$"):
        cross_entropy_loss(GOOD.detach(), LABELS + 255, ignore_index=None)


def test_a_narrow_label_does_not_wrap_around() -> None:
    # In uint8, -1 would be 255: what is ignored must be what was said.
    labels = torch.tensor([[0, 255]], dtype=torch.uint8)
    assert first_bad_label(labels, 3, -1) == ((0, 1), 255)
    assert first_bad_label(torch.tensor([0, 1], dtype=torch.uint8), 300, 255) is None


def test_a_sum_that_overflows_is_no_bad_logit() -> None:
    assert first_bad_logit(torch.full((4,), 3e38)) is None
    assert first_bad_logit(torch.tensor([3e38, 3e38, math.inf])) == ((2,), math.inf)
    assert first_bad_logit(torch.full((100,), 60000.0, dtype=torch.float16)) is None


@given(st.lists(st.integers(-3, 7), min_size=1, max_size=12), st.sampled_from([-1, 2, 5, 255]))
def test_the_first_bad_label_is_what_a_loop_finds(values: list[int], ignore_index: int) -> None:
    expected = next(
        (((place,), value) for place, value in enumerate(values) if value != ignore_index and not 0 <= value < 4), None
    )
    assert first_bad_label(torch.tensor(values), 4, ignore_index) == expected


@given(st.lists(st.sampled_from([0.0, 1e-45, 1e-30, 0.1, 0.5, 0.9, 1.0]), min_size=1, max_size=6))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_the_sigmoid_of_logits_is_the_probability(dtype: torch.dtype, values: list[float]) -> None:
    p = torch.tensor([values], dtype=dtype)
    logits = as_logits(p, "multilabel")
    assert logits.isfinite().all()
    assert logits.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(logits.sigmoid(), p.to(logits.dtype), rtol=1e-5, atol=1e-37)


def test_the_softmax_of_logits_is_the_probabilities() -> None:
    p = torch.tensor([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]]).T[None]
    torch.testing.assert_close(as_logits(p, "multiclass").softmax(1), p)
    assert as_logits(p, "multiclass").min() == -100


def test_a_probability_without_slope_has_a_gradient_of_zero_and_not_nan() -> None:
    p = torch.tensor([[0.0, 1e-45, 0.5, 1.0]], requires_grad=True)
    as_logits(p, "multilabel").sum().backward()  # type: ignore[no-untyped-call]
    assert p.grad is not None
    assert p.grad.tolist() == [[1, 1, 4, 1]]


def test_probabilities_have_the_gradient_of_the_logits_they_came_from() -> None:
    for mode, labels in (("multiclass", LABELS), ("multilabel", torch.ones(2, 3, 4))):
        settings: dict[str, Any] = {"mode": mode, "smooth": 0.5}
        x = torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
        p = x.softmax(1) if mode == "multiclass" else x.sigmoid()
        known, given = dice_loss(x, labels, **settings), dice_loss(p, labels, from_logits=False, **settings)
        torch.testing.assert_close(torch.autograd.grad(given, x), torch.autograd.grad(known, x))


@pytest.mark.parametrize(
    ("p", "mode", "words"),
    [
        ([[[0.5], [1.5]]], "multiclass", r"probabilities hold 1.5 at \(0, 1, 0\), expected 0 to 1 \(logits go without"),
        ([[[0.5], [-0.1]]], "multilabel", r"probabilities hold -0.1 at \(0, 1, 0\)"),
        ([[[0.5], [math.nan]]], "multiclass", r"probabilities hold nan at \(0, 1, 0\)"),
        (
            [[[0.5], [0.4]]],
            "multiclass",
            r"probabilities at \(0, 0\) sum to 0.9 over the classes, expected 1: a softmax",
        ),
    ],
)
def test_what_is_no_probability_is_refused_with_its_place(p: list[list[list[float]]], mode: Any, words: str) -> None:  # noqa: ANN401 - one of the modes
    with pytest.raises(ValueError, match=words):
        as_logits(torch.tensor(p), mode)
    assert as_logits(torch.tensor(p), mode, validate=False).shape == (1, 2, 1)


def test_probabilities_of_the_half_types_need_not_sum_to_one_exactly() -> None:
    p = torch.randn(1, 150, 40, generator=torch.Generator().manual_seed(0)).softmax(1)
    for dtype in (torch.float16, torch.bfloat16):
        assert read(p.to(dtype), LABELS[:1, :1].expand(1, 40), from_logits=False).count.sum() == 40


def test_probabilities_without_a_class_axis_are_refused_by_their_shape() -> None:
    with pytest.raises(ValueError, match=r"logits have shape \(3,\), expected \(N, C, \*S\)"):
        read(torch.full((3,), 0.5), torch.tensor([0, 1, 1]), from_logits=False)
