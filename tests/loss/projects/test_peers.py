"""MONAI's and kornia's own code on drawn inputs, beside what is said of it."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import settings as testing
from hypothesis import strategies as st
from torch import Tensor

from segcli.loss.projects import ProjectSettings, ProjectValue, project_values
from tests.loss.projects.cases import CASES

kornia = pytest.importorskip("kornia.losses", reason="kornia is not installed: pip install -e '.[dev]'")
monai = pytest.importorskip("monai.losses", reason="monai is not installed: pip install -e '.[dev]'")

Drawn = tuple[Tensor, Tensor, ProjectSettings]
CALLS = dict[str, Callable[[], Tensor]]


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    """Draw a batch with ignored pixels, absent classes and empty images, and settings."""
    mode: Any = draw(st.sampled_from(["multiclass", "binary"]))
    n_images, n_classes = draw(st.integers(1, 3)), draw(st.integers(2, 5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))
    logits = torch.randn(n_images, n_classes, 4, 3, generator=generator) * draw(st.sampled_from([0.5, 3.0]))
    present = draw(st.integers(1, n_classes)) if mode == "multiclass" else draw(st.integers(1, 2))
    labels = torch.randint(0, present, (n_images, 4, 3), generator=generator)
    index = draw(st.sampled_from([255, None, -1, 0]))
    if index is not None:
        labels[torch.rand(labels.shape, generator=generator) < draw(st.sampled_from([0.0, 0.3]))] = index
        labels[: draw(st.integers(0, n_images))] = index
    alphas = [None, 0.25, tuple(0.1 * (1 + part) for part in range(n_classes))]
    settings = ProjectSettings(
        mode=mode,
        ignore_index=index,
        gamma=draw(st.sampled_from([0.5, 2.0])),
        alpha=draw(st.sampled_from(alphas[: 3 if mode == "multiclass" else 2])),
        smooth=draw(st.sampled_from([1.0, 1e-3])),
        squared=draw(st.booleans()),
        reduce=draw(st.sampled_from(["image", "batch"])),
        absent=draw(st.sampled_from(["skip", "zero", "count"])),
    )
    return logits if mode == "multiclass" else logits[:, 0].contiguous(), labels, settings


def examples(test: Callable[..., None]) -> Callable[..., None]:
    """Pin the cases that are pinned for the other projects."""
    for case in CASES.values():
        test = example((case.logits, case.labels, case.settings))(test)
    return test


def of_monai(logits: Tensor, labels: Tensor, settings: ProjectSettings) -> CALLS:
    multiclass = settings.mode == "multiclass"
    x, y = logits if multiclass else logits.unsqueeze(1), labels.unsqueeze(1)
    activation: dict[str, Any] = {"softmax": True, "to_onehot_y": True} if multiclass else {"sigmoid": True}
    smooth = {"smooth_nr": settings.smooth, "smooth_dr": settings.smooth}
    ignore = {} if settings.ignore_index is None else {"ignore_index": settings.ignore_index}
    batch = {"batch": settings.reduce == "batch"}
    softmax = {"use_softmax": True, "to_onehot_y": True} if multiclass else {}
    costs = {"alpha": settings.tversky_alpha, "beta": settings.tversky_beta}
    return {
        "focal": lambda: monai.FocalLoss(gamma=settings.gamma, alpha=settings.alpha, **softmax, **ignore)(x, y),
        "dice": lambda: monai.DiceLoss(squared_pred=settings.squared, **activation, **smooth, **batch, **ignore)(
            x, y.double()
        ),
        "tversky": lambda: monai.TverskyLoss(**costs, **activation, **smooth, **batch, **ignore)(x, y),
        "generalized-dice": lambda: monai.GeneralizedDiceLoss(**activation, **smooth, **batch)(x, y),
    }


def of_kornia(logits: Tensor, labels: Tensor, settings: ProjectSettings) -> CALLS:
    focal = {"gamma": settings.gamma, "reduction": "mean", "ignore_index": settings.ignore_index}
    if settings.mode == "binary":
        x, y = logits.unsqueeze(1), labels.unsqueeze(1)
        return {
            "focal": lambda: kornia.binary_focal_loss_with_logits(x, y, alpha=settings.alpha, **focal),
            "lovasz-hinge": lambda: kornia.lovasz_hinge_loss(x, labels),
        }
    weight = torch.tensor(settings.alpha) if isinstance(settings.alpha, tuple) else None
    alpha = None if weight is not None else settings.alpha
    dice = partial(kornia.dice_loss, logits, labels, ignore_index=settings.ignore_index)
    return {
        "focal": lambda: kornia.focal_loss(logits, labels, alpha=alpha, weight=weight, **focal),
        "dice": dice,
        "dice macro": lambda: dice(average="macro"),
        "tversky": lambda: kornia.tversky_loss(
            logits, labels, settings.tversky_alpha, settings.tversky_beta, ignore_index=settings.ignore_index
        ),
        "lovasz-softmax": lambda: kornia.lovasz_softmax_loss(logits, labels),
    }


def compare(values: list[ProjectValue], calls: CALLS) -> None:
    assert len(values) == len(calls)
    for found, (name, theirs) in zip(values, calls.items(), strict=True):
        assert name.startswith(found.loss)
        if found.error:
            with pytest.raises(RuntimeError, match=r"out of bounds|Class values|classes|labels"):
                theirs()
            assert math.isnan(found.value)
        else:
            assert found.value == pytest.approx(theirs().item(), rel=3e-5, abs=3e-6, nan_ok=True)


@examples
@testing(max_examples=60)
@given(drawn())
def test_monai(inputs: Drawn) -> None:
    compare(project_values("monai", *inputs), of_monai(*inputs))


@examples
@testing(max_examples=60)
@given(drawn())
def test_kornia(inputs: Drawn) -> None:
    compare(project_values("kornia", *inputs), of_kornia(*inputs))


def test_what_is_flat_alone() -> None:
    logits, labels = torch.zeros(1, 3, 2, 2, 2), torch.zeros(1, 2, 2, 2, dtype=torch.int64)
    found = project_values("kornia", logits, labels, ProjectSettings())
    assert [value.loss for value in found if value.error] == ["dice", "dice", "tversky", "lovasz-softmax"]
    for value, theirs in zip(found, of_kornia(logits, labels, ProjectSettings()).values(), strict=True):
        if value.error:
            assert value.error == "(N, C, H, W) alone"
            with pytest.raises(ValueError, match=r"[sS]hape"):
                theirs()


@pytest.mark.parametrize(
    ("mode", "reduce", "dtype"),
    [
        ("multiclass", "image", torch.float16),
        ("multiclass", "batch", torch.bfloat16),
        ("binary", "image", torch.float16),
        ("binary", "batch", torch.float16),
    ],
)
def test_monai_adds_up_in_the_dtype_of_half_logits(mode: Any, reduce: Any, dtype: torch.dtype) -> None:  # noqa: ANN401 - literals
    generator = torch.Generator().manual_seed(0)
    # Where half of 90,000 pixels are above the largest float16 in sum, the softmax of one class is not.
    logits = torch.randn(1, 2, 300, 300, generator=generator).add(2).to(dtype)
    labels = torch.randint(0, 2, (1, 300, 300), generator=generator)
    logits = logits if mode == "multiclass" else logits[:, 0]
    settings = ProjectSettings(
        mode=mode, reduce=reduce, ignore_index=None, losses=("dice", "tversky", "generalized-dice")
    )
    calls = of_monai(logits, labels, settings)
    calls["dice"] = lambda: of_monai_dice(logits, labels, settings)
    compare(project_values("monai", logits, labels, settings), {name: calls[name] for name in settings.losses or ()})
    masked = replace(settings, ignore_index=255, losses=("dice", "tversky"))
    calls = of_monai(logits, labels, masked)
    compare(project_values("monai", logits, labels, masked), {name: calls[name] for name in ("dice", "tversky")})


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_kornia_adds_up_half_logits_in_float32(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 3, 300, 300, generator=generator).to(dtype)
    labels = torch.randint(0, 3, (1, 300, 300), generator=generator)
    settings = ProjectSettings(losses=("dice", "tversky"))
    calls = of_kornia(logits, labels, settings)
    for found, name in zip(
        project_values("kornia", logits, labels, settings), ("dice", "dice macro", "tversky"), strict=True
    ):
        # The answer is rounded to the logits' dtype.
        assert found.value == pytest.approx(calls[name]().item(), rel=4e-3)


def of_monai_dice(logits: Tensor, labels: Tensor, settings: ProjectSettings) -> Tensor:
    """MONAI's Dice of whole labels, as they are saved."""
    multiclass = settings.mode == "multiclass"
    activation: dict[str, Any] = {"softmax": True, "to_onehot_y": True} if multiclass else {"sigmoid": True}
    loss: Tensor = monai.DiceLoss(smooth_nr=1, smooth_dr=1, batch=settings.reduce == "batch", **activation)(
        logits if multiclass else logits.unsqueeze(1), labels.unsqueeze(1)
    )
    return loss
