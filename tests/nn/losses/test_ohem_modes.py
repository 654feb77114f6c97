"""OHEM of sigmoids, by label, in graphs of torch.compile, at its corners; and the other two losses in such graphs."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from segcli.nn import (
    OhemCrossEntropyLoss,
    cross_entropy_loss,
    focal_loss,
    kernels,
    ohem_cross_entropy_loss,
    ohem_selection,
)
from segcli.nn.losses.cross_entropy import cross_entropy_of
from segcli.nn.losses.ohem import ohem_of

BRANCHES: dict[str, dict[str, Any]] = {
    "hard": {"thresh": 0.5, "n_min": 2},
    "few hard": {"thresh": 0.05, "n_min": 0},
    "top-k": {"thresh": 0.01, "n_min": 7},
    "all": {"thresh": 0.01, "n_min": 1.0},
    "none": {"thresh": 0.0, "n_min": 0},
}
MODES = ("multiclass", "multilabel", "binary")


def inputs(mode: str, seed: int = 0, scale: float = 2.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shape = (2, 5, 6) if mode == "binary" else (2, 3, 5, 6)
    logits = scale * torch.randn(shape, dtype=torch.float64, generator=generator)
    label_shape = (2, 5, 6) if mode == "multiclass" else shape
    labels = torch.randint(3 if mode == "multiclass" else 2, label_shape, generator=generator)
    return logits, labels.masked_fill(torch.rand(label_shape, generator=generator) < 0.2, 255)


def weight_of(mode: str) -> list[float]:
    return [0.5, 2.0] if mode == "binary" else [0.5, 2.0, 1.0]


def by_sorting(
    logits: Tensor, labels: Tensor, mode: str, *, thresh: float, n_min: float, weight: list[float] | None
) -> Tensor:
    """Apply the rule with a sort, and autograd's own gradient."""
    valid = labels != 255
    y = labels.masked_fill(~valid, 0)
    if mode == "multiclass":
        losses = torch.nn.functional.cross_entropy(logits, y, reduction="none")
    else:
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, y.double(), reduction="none")
    weights = torch.ones_like(losses)
    if weight is not None:
        of_class = torch.tensor(weight, dtype=torch.float64)
        weights = of_class.view(-1, 1, 1).expand_as(losses) if mode == "multilabel" else of_class[y]
    ranked, order = losses[valid].sort(descending=True)
    n_hard = int((ranked > (-math.log(thresh) if thresh else math.inf)).sum())
    least = n_min if isinstance(n_min, int) else math.floor(n_min * len(ranked))
    m = max(min(least, len(ranked)), n_hard)
    kept = weights[valid][order][:m]
    return (kept * ranked[:m]).sum() / kept.sum() if m else ranked.sum() * 0


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("mode", MODES)
def test_value_and_gradient_are_those_of_the_rule(mode: str, branch: str, weighted: bool) -> None:  # noqa: FBT001 - a parameter of the test
    logits, labels = inputs(mode)
    logits.requires_grad_()
    settings: dict[str, Any] = BRANCHES[branch] | {"weight": weight_of(mode) if weighted else None}
    loss = ohem_cross_entropy_loss(logits, labels, mode=mode, **settings)  # type: ignore[arg-type]
    expected = by_sorting(logits, labels, mode, **settings)
    torch.testing.assert_close(loss, expected)
    ours, theirs = (torch.autograd.grad(value, logits)[0] for value in (loss, expected))
    torch.testing.assert_close(ours, theirs)
    chosen = ohem_selection(logits, labels, mode=mode, **settings)  # type: ignore[arg-type]
    assert chosen.branch == ("hard" if branch == "few hard" else branch)
    assert chosen.share.shape == labels.shape


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("mode", MODES)
def test_gradients_are_those_of_finite_differences(mode: str, branch: str) -> None:
    logits, labels = (part[:1, ..., :3, :4] for part in inputs(mode))
    settings: dict[str, Any] = BRANCHES[branch] | {"mode": mode}
    loss = lambda x: ohem_cross_entropy_loss(x, labels, **settings)  # noqa: E731 - what gradcheck takes
    assert torch.autograd.gradcheck(loss, logits.clone().requires_grad_())


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("mode", MODES)
def test_sums_by_label_are_those_of_the_share(mode: str, branch: str) -> None:
    logits, labels = inputs(mode)
    settings = BRANCHES[branch]
    found = kernels.statistics(logits, labels, mode=mode, thresh=settings["thresh"], pixels=True)  # type: ignore[arg-type]
    parts = ohem_of(found, n_min=settings["n_min"])
    share = ohem_selection(logits, labels, mode=mode, **settings).share  # type: ignore[arg-type]
    assert found.pixels is not None
    for label in range(3 if mode == "multiclass" else 2):
        here = (labels == label) * share
        over = (0, 1, 2) if mode != "multilabel" else (0, 2, 3)
        at = parts.kept[label] if mode == "multiclass" else parts.kept[:, label]
        torch.testing.assert_close(at, here.sum(over).expand_as(at))
        at = parts.losses[label] if mode == "multiclass" else parts.losses[:, label]
        torch.testing.assert_close(at, (here * found.pixels).sum(over).expand_as(at))
    assert parts.loss == OhemCrossEntropyLoss(**settings).of(found).loss
    assert parts.choice.n_kept == pytest.approx(parts.kept.sum().item())


def test_two_classes_are_binary() -> None:
    logits, labels = inputs("binary")
    two = torch.stack([torch.zeros_like(logits), logits], 1)
    for settings in BRANCHES.values():
        for weight in (None, [0.5, 2.0]):
            torch.testing.assert_close(
                ohem_cross_entropy_loss(logits, labels, mode="binary", weight=weight, **settings),
                ohem_cross_entropy_loss(two, labels, weight=weight, **settings),
            )


@pytest.mark.parametrize("mode", MODES)
def test_keeping_all_is_cross_entropy(mode: Any) -> None:  # noqa: ANN401 - a literal
    logits, labels = inputs(mode)
    for weight in (None, weight_of(mode)):
        plain = cross_entropy_loss(logits, labels, mode=mode, weight=weight)
        torch.testing.assert_close(ohem_cross_entropy_loss(logits, labels, mode=mode, weight=weight, n_min=1.0), plain)
        torch.testing.assert_close(ohem_cross_entropy_loss(logits, labels, mode=mode, weight=weight, thresh=1.0), plain)


@pytest.mark.parametrize("mode", MODES)
def test_probabilities_in_place_of_logits(mode: Any) -> None:  # noqa: ANN401 - a literal
    logits, labels = inputs(mode)
    p = logits.softmax(1) if mode == "multiclass" else logits.sigmoid()
    for settings in BRANCHES.values():
        torch.testing.assert_close(
            ohem_cross_entropy_loss(p, labels, mode=mode, from_logits=False, **settings),
            ohem_cross_entropy_loss(logits, labels, mode=mode, **settings),
        )


Loss = Callable[..., Tensor]
IN_GRAPHS: dict[str, tuple[Loss, dict[str, Any]]] = {
    "ce": (cross_entropy_loss, {"weight": "of mode"}),
    "ce all": (cross_entropy_loss, {"mean": "all"}),
    "focal": (focal_loss, {"gamma": 0.5, "alpha": 0.25}),
    "ohem hard": (ohem_cross_entropy_loss, BRANCHES["hard"]),
    "ohem top-k": (ohem_cross_entropy_loss, BRANCHES["top-k"] | {"weight": "of mode"}),
    "ohem mmseg": (ohem_cross_entropy_loss, BRANCHES["top-k"] | {"semantics": "mmseg"}),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", IN_GRAPHS)
def test_torch_compile_makes_one_graph_of_it(case: str, mode: str) -> None:
    loss, settings = IN_GRAPHS[case]
    settings = settings | {"mode": mode} | ({"weight": weight_of(mode)} if "weight" in settings else {})
    logits, labels = inputs(mode)
    plain, traced = (logits.clone().requires_grad_() for _ in range(2))
    compiled = torch.compile(lambda x, y: loss(x, y, **settings), fullgraph=True, backend="aot_eager")
    ours, theirs = compiled(traced, labels), loss(plain, labels, **settings)
    ours.backward()  # type: ignore[no-untyped-call]
    theirs.backward()  # type: ignore[no-untyped-call]
    assert torch.equal(ours, theirs)
    assert traced.grad is not None
    assert plain.grad is not None
    assert torch.equal(traced.grad, plain.grad)
    torch.compiler.reset()


def test_modules_compile_too() -> None:
    logits, labels = inputs("multiclass")
    module = OhemCrossEntropyLoss(n_min=7, weight=[1, 2, 3])
    assert torch.compile(module, fullgraph=True, backend="aot_eager")(logits, labels) == module(logits, labels)


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", ["nothing valid", "empty batch", "no pixels"])
def test_with_nothing_to_learn_from_it_is_zero_with_a_graph(case: str, mode: str, branch: str) -> None:
    shape = {"nothing valid": (2, 3, 4), "empty batch": (0, 3, 4), "no pixels": (2, 3, 0)}[case]
    logits = torch.randn(shape, requires_grad=True)
    labels = torch.full((shape[0], *shape[2:]) if mode == "multiclass" else shape, 255)
    value = ohem_cross_entropy_loss(logits, labels, mode=mode, **BRANCHES[branch])  # type: ignore[arg-type]
    value.backward()  # type: ignore[no-untyped-call]
    assert value.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("mode", MODES)
def test_saturated_logits_are_finite(mode: str, branch: str) -> None:
    logits, labels = inputs(mode, scale=1e4)
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        rounded = logits.clamp(-6e4, 6e4).to(dtype).requires_grad_()
        value = ohem_cross_entropy_loss(rounded, labels, mode=mode, **BRANCHES[branch])  # type: ignore[arg-type]
        value.backward()  # type: ignore[no-untyped-call]
        assert value.isfinite()
        assert rounded.grad is not None
        assert rounded.grad.isfinite().all()


def test_pixels_must_have_been_read() -> None:
    found = kernels.statistics(*inputs("multiclass"))
    with pytest.raises(
        ValueError, match="found has no losses of pixels, which OHEM chooses from: read with pixels=True"
    ):
        ohem_of(found)


def test_one_backward_serves_many_losses() -> None:
    logits, labels = inputs("multiclass")
    apart, together = (logits.clone().requires_grad_() for _ in range(2))
    (cross_entropy_loss(apart, labels) + ohem_cross_entropy_loss(apart, labels, n_min=9)).backward()  # type: ignore[no-untyped-call]
    found = kernels.statistics(together, labels, pixels=True)
    (cross_entropy_of(found) + ohem_of(found, n_min=9).loss).backward()  # type: ignore[no-untyped-call]
    assert apart.grad is not None
    assert together.grad is not None
    torch.testing.assert_close(together.grad, apart.grad)
