"""What holds for every loss alike."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from segcli import nn
from segcli.nn import bce_with_logits_loss, cross_entropy_loss, dice_loss, focal_loss, ohem_cross_entropy_loss

Loss = Callable[..., Tensor]

MULTICLASS: dict[str, Loss] = {
    "ce": cross_entropy_loss,
    "ohem": ohem_cross_entropy_loss,
    "dice": dice_loss,
    "focal": focal_loss,
}
LAYOUTS = {"NC": (6, 3), "NCL": (2, 3, 7), "NCHW": (2, 3, 4, 5), "NCDHW": (2, 3, 2, 4, 5)}
# Settings in which a gradient has something to go wrong.
GRADIENT_CASES: list[tuple[Loss, dict[str, Any]]] = [
    (cross_entropy_loss, {}),
    (cross_entropy_loss, {"weight": [1.0, 0.0, 2.0]}),
    (ohem_cross_entropy_loss, {"thresh": 0.3, "n_min": 2}),
    (ohem_cross_entropy_loss, {"thresh": 0.01, "n_min": 5}),
    (ohem_cross_entropy_loss, {"n_min": 1.0, "weight": [1.0, 0.5, 2.0]}),
    (dice_loss, {}),
    (dice_loss, {"smooth": 0, "squared": True, "reduce": "batch", "absent": "count"}),
    (focal_loss, {}),
    (focal_loss, {"gamma": 0.5, "alpha": [0.1, 1.0, 2.0]}),
    (focal_loss, {"gamma": 0.0, "alpha": 0.25}),
]


def inputs(shape: tuple[int, ...], seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape, dtype=torch.float64, generator=generator)
    labels = torch.randint(0, shape[1], (shape[0], *shape[2:]), generator=generator)
    labels.flatten()[1] = 255
    return logits, labels


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("loss", "settings"), GRADIENT_CASES)
def test_gradients_are_those_of_finite_differences(loss: Loss, settings: dict[str, Any], layout: str) -> None:
    logits, labels = inputs(LAYOUTS[layout])
    assert torch.autograd.gradcheck(lambda x: loss(x, labels, **settings), logits.requires_grad_())


@pytest.mark.parametrize("mode", ["multilabel", "binary"])
@pytest.mark.parametrize("loss", [dice_loss, focal_loss, bce_with_logits_loss])
def test_gradients_of_sigmoids_too(loss: Loss, mode: str) -> None:
    logits, _ = inputs((2, 3, 4))
    labels = torch.tensor([0, 1, 255]).repeat(8).view(2, 3, 4)
    settings: dict[str, Any] = {} if loss is bce_with_logits_loss else {"mode": mode}
    assert torch.autograd.gradcheck(lambda x: loss(x, labels, **settings), logits.requires_grad_())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("loss", MULTICLASS.values(), ids=MULTICLASS)
def test_the_layout_of_pixels_does_not_matter(loss: Loss, layout: str) -> None:
    logits, labels = inputs(LAYOUTS[layout])
    logits, labels = logits.movedim(1, -1).flatten(0, -2).T[None], labels.flatten()[None]
    shaped = inputs(LAYOUTS[layout])
    settings = {"reduce": "batch"} if loss is dice_loss else {}
    torch.testing.assert_close(loss(*shaped, **settings), loss(logits, labels, **settings))


@pytest.mark.parametrize("loss", MULTICLASS.values(), ids=MULTICLASS)
def test_strides_do_not_matter(loss: Loss) -> None:
    logits, labels = inputs((2, 3, 4, 6))
    strided = logits.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2), labels.mT.contiguous().mT
    assert not strided[0].is_contiguous()
    torch.testing.assert_close(loss(*strided), loss(logits, labels))
    torch.testing.assert_close(
        loss(logits[..., ::2], labels[..., ::2]), loss(logits[..., ::2].clone(), labels[..., ::2].clone())
    )


@pytest.mark.parametrize("kind", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16])
@pytest.mark.parametrize("loss", MULTICLASS.values(), ids=MULTICLASS)
def test_whole_labels_of_any_width(loss: Loss, kind: torch.dtype) -> None:
    logits, labels = inputs((2, 3, 4))
    ignore_index = 100
    labels[labels == 255] = ignore_index
    narrow = labels.to(kind)
    assert loss(logits, narrow, ignore_index=ignore_index) == loss(logits, labels, ignore_index=ignore_index)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 1e-6), (torch.float16, 1e-6)])
@pytest.mark.parametrize("loss", MULTICLASS.values(), ids=MULTICLASS)
def test_lower_precision_is_computed_in_float32(loss: Loss, dtype: torch.dtype, tolerance: float) -> None:
    logits, labels = inputs((2, 3, 40, 50))
    rounded = logits.to(dtype).requires_grad_()
    value = loss(rounded, labels)
    value.backward()  # type: ignore[no-untyped-call]
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(loss(rounded.detach().double(), labels).item(), rel=tolerance)
    assert rounded.grad is not None
    assert rounded.grad.dtype == dtype
    assert rounded.grad.isfinite().all()


@pytest.mark.parametrize("loss", MULTICLASS.values(), ids=MULTICLASS)
def test_autocast_does_not_lower_the_precision(loss: Loss) -> None:
    logits, labels = inputs((2, 3, 40, 50))
    half = logits.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(half, labels)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(half, labels))


@pytest.mark.parametrize("loss", MULTICLASS.values(), ids=MULTICLASS)
def test_it_is_deterministic_where_torch_is_asked_to_be(loss: Loss) -> None:
    logits, labels = inputs((2, 3, 40, 50))
    torch.use_deterministic_algorithms(mode=True)
    try:
        values = {loss(logits.float().requires_grad_(), labels).item() for _ in range(5)}
    finally:
        torch.use_deterministic_algorithms(mode=False)
    assert len(values) == 1


DEGENERATE = {
    "nothing valid": ((2, 3, 4), 255),
    "empty batch": ((0, 3, 4), 0),
    "no pixels": ((2, 3, 0), 0),
    "one pixel": ((1, 3), 255),
}


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.parametrize("loss", MULTICLASS.values(), ids=MULTICLASS)
def test_with_nothing_to_learn_from_it_is_zero_with_a_graph(loss: Loss, case: str) -> None:
    shape, label = DEGENERATE[case]
    logits = torch.randn(shape, requires_grad=True)
    value = loss(logits, torch.full((shape[0], *shape[2:]), label))
    value.backward()  # type: ignore[no-untyped-call]
    assert (value.item(), value.shape) == (0.0, ())
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("loss", [dice_loss, focal_loss, bce_with_logits_loss])
@pytest.mark.parametrize("label", [255, None], ids=["nothing valid", "empty batch"])
def test_sigmoids_with_nothing_to_learn_from_too(loss: Loss, label: int | None) -> None:
    logits = torch.randn((0 if label is None else 2, 3, 4), requires_grad=True)
    settings: dict[str, Any] = {} if loss is bce_with_logits_loss else {"mode": "multilabel"}
    value = loss(logits, torch.full(logits.shape, label or 0), **settings)
    value.backward()  # type: ignore[no-untyped-call]
    assert value.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("loss", MULTICLASS.values(), ids=MULTICLASS)
def test_an_absent_class_and_saturated_logits_are_finite(loss: Loss) -> None:
    logits = torch.tensor([[[1e4, -1e4], [-1e4, 1e4], [0.0, 0.0]]], requires_grad=True)
    value = loss(logits, torch.tensor([[0, 0]]))
    value.backward()  # type: ignore[no-untyped-call]
    expected = {"ce": 1e4, "ohem": 2e4, "focal": 1e4, "dice": 1 - (2 * 1 + 1) / (1 + 2 + 1)}
    name = next(name for name, known in MULTICLASS.items() if known is loss)
    assert value.item() == pytest.approx(expected[name])
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("loss", MULTICLASS.values(), ids=MULTICLASS)
def test_what_ignored_pixels_hold_does_not_matter(loss: Loss) -> None:
    logits, labels = inputs((2, 3, 4, 5))
    changed = torch.where((labels == 255).unsqueeze(1), torch.tensor(50.0, dtype=torch.float64), logits)
    assert loss(changed, labels) == loss(logits, labels)


@pytest.mark.parametrize("loss", MULTICLASS.values(), ids=MULTICLASS)
def test_without_validation_good_inputs_give_the_same(loss: Loss) -> None:
    logits, labels = inputs((2, 3, 4, 5))
    assert loss(logits, labels, validate=False) == loss(logits, labels)
    assert loss(torch.full((1, 2, 1), torch.nan), torch.zeros(1, 1, dtype=torch.int64), validate=False).shape == ()


def test_names_are_handed_on_lazily() -> None:
    assert all(getattr(nn, name) for name in nn.__all__)
    with pytest.raises(AttributeError, match=r"module 'segcli.nn' has no attribute 'TverskiLoss'"):
        _ = nn.TverskiLoss


@pytest.mark.cuda
@pytest.mark.parametrize(("loss", "settings"), GRADIENT_CASES)
def test_a_gpu_agrees_with_the_cpu(loss: Loss, settings: dict[str, Any]) -> None:
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        logits, labels = inputs((2, 3, 40, 50))
        here = logits.to(dtype).requires_grad_()
        there = here.detach().cuda().requires_grad_()
        ours, theirs = loss(here, labels, **settings), loss(there, labels.cuda(), **settings)
        ours.backward()  # type: ignore[no-untyped-call]
        theirs.backward()  # type: ignore[no-untyped-call]
        torch.testing.assert_close(theirs.cpu(), ours)
        assert there.grad is not None
        torch.testing.assert_close(there.grad.cpu(), here.grad)
