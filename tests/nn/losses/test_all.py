"""What holds for every loss alike."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from segcli import nn

LAYOUTS = {"NC": (6, 3), "NCL": (2, 3, 7), "NCHW": (2, 3, 2, 3), "NCDHW": (1, 3, 2, 2, 2)}


@dataclass(frozen=True)
class Case:
    """A loss in a mode, with settings in which a gradient has something to go wrong."""

    function: str
    module: str
    mode: str = "multiclass"
    settings: dict[str, Any] = field(default_factory=dict)
    # Neither is a setting of every loss: Lovász's softmax has one mode, BCE takes probabilities by another name.
    says_mode: bool = True
    takes_probabilities: bool = True

    @property
    def all_settings(self) -> dict[str, Any]:
        """Its settings, the mode among them."""
        return {**self.settings, **({"mode": self.mode} if self.says_mode else {})}

    def __call__(self, logits: Tensor, labels: Tensor, **more: Any) -> Tensor:  # noqa: ANN401 - settings of any loss
        return getattr(nn, self.function)(logits, labels, **{**self.all_settings, **more})  # type: ignore[no-any-return]

    def make(self, **more: Any) -> torch.nn.Module:  # noqa: ANN401 - settings of any loss
        return getattr(nn, self.module)(**{**self.all_settings, **more})  # type: ignore[no-any-return]

    def inputs(self, shape: tuple[int, ...] = (2, 3, 4, 5), seed: int = 0) -> tuple[Tensor, Tensor]:
        """Return float64 logits and int64 labels of ``shape``, which has a class axis; some labels are ignored."""
        generator = torch.Generator().manual_seed(seed)
        logits = torch.randn(shape, dtype=torch.float64, generator=generator)
        labels = torch.randint(0, shape[1] if self.mode == "multiclass" else 2, shape, generator=generator)
        labels = self.of_classes(labels)
        labels.flatten()[1::7] = 255
        return (logits[:, 0] if self.mode == "binary" else logits), labels

    def of_classes(self, labels: Tensor) -> Tensor:
        """Take the class axis away where labels have none."""
        return labels if self.mode == "multilabel" else labels[:, 0].contiguous()

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.softmax(1) if self.mode == "multiclass" else logits.sigmoid()


def _cases() -> dict[str, Case]:
    of_all_modes: dict[str, tuple[str, str, list[dict[str, Any]]]] = {
        "ce": ("cross_entropy_loss", "CrossEntropyLoss", [{}, {"mean": "all"}]),
        "ohem": (
            "ohem_cross_entropy_loss",
            "OhemCrossEntropyLoss",
            [{"thresh": 0.5, "n_min": 2}, {"thresh": 0.01, "n_min": 5}, {"n_min": 1.0}],
        ),
        "focal": ("focal_loss", "FocalLoss", [{}, {"gamma": 0.5, "alpha": 0.25}, {"gamma": 0.0}]),
        "dice": (
            "dice_loss",
            "DiceLoss",
            [{}, {"smooth": 0, "squared": True, "reduce": "batch", "absent": "count"}],
        ),
        "jaccard": ("jaccard_loss", "JaccardLoss", [{}]),
        "tversky": ("tversky_loss", "TverskyLoss", [{}]),
        "focal-tversky": ("focal_tversky_loss", "FocalTverskyLoss", [{}]),
        "generalized-dice": ("generalized_dice_loss", "GeneralizedDiceLoss", [{}]),
        "combined": ("combined_loss", "CombinedLoss", [{"expression": "ce + 0.5 * dice"}]),
    }
    cases = {
        f"{name}{n or ''}-{mode}": Case(function, module, mode, settings)
        for name, (function, module, variants) in of_all_modes.items()
        for mode in ("multiclass", "multilabel", "binary")
        for n, settings in enumerate(variants)
    }
    for name, function, module in (("ce", "cross_entropy_loss", "CrossEntropyLoss"), ("dice", "dice_loss", "DiceLoss")):
        cases[f"{name}-weighted"] = Case(function, module, settings={"weight": [1.0, 0.0, 2.0]})
    softmax: list[dict[str, Any]] = [{}, {"classes": "all", "reduce": "batch", "weight": [1.0, 0.5, 2.0]}]
    for n, settings in enumerate(softmax):
        cases[f"lovasz-softmax{n or ''}"] = Case(
            "lovasz_softmax_loss", "LovaszSoftmaxLoss", settings=settings, says_mode=False
        )
    for mode in ("multilabel", "binary"):
        cases[f"lovasz-hinge-{mode}"] = Case("lovasz_hinge_loss", "LovaszHingeLoss", mode)
        cases[f"bce-{mode}"] = Case(
            "bce_with_logits_loss", "BCEWithLogitsLoss", mode, {"pos_weight": 3.0}, takes_probabilities=False
        )
    lovasz = {"expression": "lovasz-softmax + ohem - 0.1 * focal"}
    cases["combined-lovasz"] = Case("combined_loss", "CombinedLoss", settings=lovasz)
    return cases


CASES = _cases()
every_loss = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def gradient(loss: Callable[..., Tensor], logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return value and gradient."""
    x = logits.detach().requires_grad_()
    value = loss(x, labels)
    return value.detach(), torch.autograd.grad(value, x)[0]


@pytest.mark.parametrize("layout", LAYOUTS)
@every_loss
def test_gradients_are_those_of_finite_differences(case: Case, layout: str) -> None:
    logits, labels = case.inputs(LAYOUTS[layout])
    # All of the Jacobian once, and a random direction of it in the other layouts.
    whole = layout == "NCL"
    assert torch.autograd.gradcheck(lambda x: case(x, labels), logits.requires_grad_(), fast_mode=not whole)


@every_loss
def test_the_module_is_the_function(case: Case) -> None:
    logits, labels = case.inputs()
    module = case.make()
    assert module(logits, labels) == case(logits, labels)
    assert not module.state_dict()
    for again in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):  # noqa: S301 - our own bytes
        assert again(logits, labels) == case(logits, labels)
        assert repr(again) == repr(module)
    buffers = dict(module.to(torch.float64).named_buffers())
    assert all(buffer.dtype == torch.float64 for buffer in buffers.values())
    weighted = [name for name in ("weight", "pos_weight") if name in case.settings]
    assert sorted(buffers) == weighted
    moved = module.to("meta")
    assert all(buffer.device.type == "meta" for buffer in moved.buffers())


@every_loss
def test_the_layout_of_pixels_does_not_matter(case: Case) -> None:
    logits, labels = case.inputs((2, 3, 4, 5))
    axes = 1 if case.mode == "binary" else 2
    flat = gradient(case, logits.flatten(axes), labels.flatten(-2))
    shaped = gradient(case, logits, labels)
    torch.testing.assert_close(shaped[0], flat[0])
    torch.testing.assert_close(shaped[1].flatten(axes), flat[1])


@every_loss
def test_strides_do_not_matter(case: Case) -> None:
    logits, labels = case.inputs((2, 3, 4, 6))
    expected = gradient(case, logits, labels)
    last = logits.movedim(1, -1).contiguous().movedim(-1, 1), labels.mT.contiguous().mT
    wide = torch.stack([logits, logits + 1], -1).flatten(-2)[..., ::2], torch.stack([labels] * 2, -1)[..., 0]
    for strided in (last, wide):
        assert not strided[0].is_contiguous()
        torch.testing.assert_close(gradient(case, *strided), expected)


@every_loss
def test_whole_labels_of_any_width(case: Case) -> None:
    logits, labels = case.inputs((2, 3, 4))
    labels[labels == 255] = 100
    expected = case(logits, labels, ignore_index=100)
    for kind in (torch.uint8, torch.int8, torch.int16, torch.uint16, torch.int32):
        assert case(logits, labels.to(kind), ignore_index=100) == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@every_loss
def test_lower_precision_is_computed_in_float32(case: Case, dtype: torch.dtype) -> None:
    logits, labels = case.inputs((2, 3, 40, 50))
    rounded = logits.to(dtype)
    value, grad = gradient(case, rounded, labels)
    exact, exact_grad = gradient(case, rounded.double(), labels)
    assert (value.dtype, grad.dtype) == (torch.float32, dtype)
    assert value.item() == pytest.approx(exact.item(), rel=2e-6, abs=1e-7)
    # float16 has no smaller steps than 6e-8.
    step = {torch.float32: 1e-5, torch.bfloat16: 2**-7, torch.float16: 2**-9}[dtype]
    # Lovász's slopes hang on the order of errors, and two that float32 rounds to one stand in their own.
    floor = 1e-6 if "lovasz" in str(case) else 1e-7
    torch.testing.assert_close(grad.double(), exact_grad, rtol=step, atol=floor)


@every_loss
def test_300_by_300_in_float16_is_finite_and_right(case: Case) -> None:
    logits, labels = case.inputs((1, 3, 300, 300))
    half = logits.half()
    assert case(half, labels).item() == pytest.approx(case(half.double(), labels).item(), rel=2e-6, abs=1e-7)


@every_loss
def test_autocast_does_not_lower_the_precision(case: Case) -> None:
    logits, labels = case.inputs((2, 3, 20, 30))
    half = logits.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = case(half, labels)
    assert value.dtype == torch.float32
    assert value == case(half, labels)


@every_loss
def test_two_runs_are_the_same_to_the_last_bit(case: Case) -> None:
    logits, labels = case.inputs((2, 3, 40, 50))
    torch.use_deterministic_algorithms(mode=True)
    try:
        first, *others = [gradient(case, logits.float(), labels) for _ in range(3)]
    finally:
        torch.use_deterministic_algorithms(mode=False)
    for value, grad in others:
        assert torch.equal(value, first[0])
        assert torch.equal(grad, first[1])


@every_loss
def test_compile_makes_one_graph(case: Case) -> None:
    module = case.make()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    torch._dynamo.reset()
    logits, labels = case.inputs((2, 3, 4))
    torch.testing.assert_close(gradient(compiled, logits, labels), gradient(module, logits, labels))


@pytest.mark.parametrize(
    "case", [case for case in CASES.values() if case.takes_probabilities], ids=lambda case: f"{case.module}-{case.mode}"
)
def test_compile_makes_one_graph_of_probabilities_too(case: Case) -> None:
    module = case.make(from_logits=False, validate=False)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    torch._dynamo.reset()
    logits, labels = case.inputs((2, 3, 4))
    p = case.probabilities(logits)
    torch.testing.assert_close(gradient(compiled, p, labels), gradient(module, p, labels))


@every_loss
def test_probabilities_give_what_logits_give(case: Case) -> None:
    logits, labels = case.inputs()
    if case.takes_probabilities:
        given = gradient(lambda x, y: case(case.probabilities(x), y, from_logits=False), logits, labels)
        torch.testing.assert_close(given, gradient(case, logits, labels))
    else:
        given = gradient(lambda x, y: nn.bce_loss(x.sigmoid(), y, **case.all_settings), logits, labels)
        torch.testing.assert_close(given, gradient(case, logits, labels))


DEGENERATE = {"nothing valid": ((2, 3, 4), 255), "empty batch": ((0, 3, 4), 0), "no pixels": ((2, 3, 0), 0)}


@pytest.mark.parametrize("empty", DEGENERATE)
@every_loss
def test_with_nothing_to_learn_from_it_is_zero_with_a_graph(case: Case, empty: str) -> None:
    shape, label = DEGENERATE[empty]
    logits, _ = case.inputs(shape)
    x = logits.detach().requires_grad_()
    value = case(x, case.of_classes(torch.full(shape, label)))
    assert value.requires_grad
    (grad,) = torch.autograd.grad(value, x)
    assert (value.item(), value.shape) == (0.0, ())
    assert not grad.any()


@every_loss
def test_one_pixel_is_a_batch(case: Case) -> None:
    logits, _ = case.inputs((1, 3))
    for label in (0, 1, 255):
        value, grad = gradient(case, logits, case.of_classes(torch.full((1, 3), label)))
        assert value.isfinite()
        assert grad.isfinite().all()


@every_loss
def test_saturated_logits_are_finite(case: Case) -> None:
    logits, labels = case.inputs((2, 3, 4))
    for dtype in (torch.float64, torch.float32, torch.float16):
        for size in (1e4, -1e4):
            value, grad = gradient(case, (logits.sign() * size).to(dtype), labels)
            assert value.isfinite()
            assert grad.isfinite().all()


@every_loss
def test_an_absent_class_and_ties_are_finite(case: Case) -> None:
    logits, labels = case.inputs()
    none = labels.masked_fill((labels != 255) & (labels > 0), 0)
    for x in (logits, torch.zeros_like(logits)):
        value, grad = gradient(case, x, none)
        assert value.isfinite()
        assert grad.isfinite().all()


@every_loss
def test_what_ignored_pixels_hold_does_not_matter(case: Case) -> None:
    logits, labels = case.inputs()
    ignored = (labels == 255).unsqueeze(1) if case.mode == "multiclass" else labels == 255
    expected = gradient(case, logits, labels)
    changed = gradient(case, torch.where(ignored, torch.tensor(50.0, dtype=torch.float64), logits), labels)
    torch.testing.assert_close(changed, expected, rtol=1e-12, atol=0)
    assert not changed[1].masked_fill(~ignored, 0).any()


@every_loss
def test_logits_that_are_not_finite_are_named(case: Case) -> None:
    logits, labels = case.inputs((2, 3, 4, 5))
    place = (1, 2, 3) if case.mode == "binary" else (1, 2, 2, 4)
    # A later one is not named.
    logits[(-1,) * logits.dim()] = torch.nan
    for bad in (torch.nan, torch.inf, -torch.inf):
        logits[place] = bad
        words = rf"logits hold {bad} at \({', '.join(map(str, place))}\), expected finite numbers"
        with pytest.raises(ValueError, match=words):
            case(logits, labels)
        assert case(logits, labels, validate=False).shape == ()


@every_loss
def test_labels_that_are_none_are_named(case: Case) -> None:
    logits, labels = case.inputs((2, 3, 4, 5))
    place = (1, 2, 3, 4) if case.mode == "multilabel" else (1, 2, 3)
    labels[place] = 77
    most = 2 if case.mode == "multiclass" else 1
    words = rf"labels hold 77 at \({', '.join(map(str, place))}\), expected 0 to {most}, or ignore_index 255"
    with pytest.raises(ValueError, match=words):
        case(logits, labels)
    value, grad = gradient(lambda x, y: case(x, y, validate=False), logits, labels)
    assert value == case(logits, labels.index_put(tuple(map(torch.tensor, place)), torch.tensor(255)))
    assert grad.isfinite().all()


@every_loss
def test_without_validation_good_inputs_give_the_same(case: Case) -> None:
    logits, labels = case.inputs()
    assert case(logits, labels, validate=False) == case(logits, labels)


def test_names_are_handed_on_lazily() -> None:
    assert all(getattr(nn, name) for name in nn.__all__)
    assert set(nn.__all__) == set(nn._HOMES)
    with pytest.raises(AttributeError, match=r"module 'segcli.nn' has no attribute 'TverskiLoss'"):
        _ = nn.TverskiLoss


def test_every_module_and_function_is_among_the_cases() -> None:
    losses = {name for name in nn.__all__ if name.lower().endswith("loss")} - {"BCELoss", "bce_loss"}
    assert losses == {case.function for case in CASES.values()} | {case.module for case in CASES.values()}


@pytest.mark.cuda
@every_loss
def test_a_gpu_agrees_with_the_cpu(case: Case) -> None:
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        logits, labels = case.inputs((2, 3, 40, 50))
        here = gradient(case, logits.to(dtype), labels)
        there = gradient(case, logits.to(dtype).cuda(), labels.cuda())
        torch.testing.assert_close((there[0].cpu(), there[1].cpu()), here)
        module = case.make().cuda()
        assert module(logits.to(dtype).cuda(), labels.cuda()) == there[0]
