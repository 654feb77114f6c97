"""Other projects' OHEM: their numbers, their errors, and their rules written out once more by sorting."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from segcli.nn import OhemCrossEntropyLoss, OhemSelection, ohem_cross_entropy_loss, ohem_selection
from segcli.nn.losses.ohem_semantics import SEMANTICS, Semantics

P = (0.05, 0.2, 0.4, 0.6, 0.65, 0.7, 0.8, 0.9, 0.95, 0.99)
IGNORED = (0.5, 0.5)
# p = .7 sits on the threshold: a hair beside it, it falls where the project's comparison puts it.
STRICT, INCLUSIVE = 0.7 - 1e-9, 0.7 + 1e-9
PROJECTS = SEMANTICS[1:]
NAN, INDEX_ERROR = math.nan, "IndexError"

# thresh .7, two classes, label 0 has these p, and two pixels are ignored.
CASES: dict[str, tuple[tuple[float, ...], int, int]] = {
    "k=3": (P + IGNORED, 2, 3),
    "k=8": (P + IGNORED, 2, 8),
    "k=11 > n_valid": (P + IGNORED, 2, 11),
    "k=numel": (P + IGNORED, 2, 12),
    "no valid pixel": (IGNORED, 2, 1),
    "six ties": ((0.9,) * 6, 0, 2),
}
TABLE: dict[Semantics, tuple[float | str, ...]] = {
    "exact": (1.29261, 0.893531, 0.720959, 0.720959, 0, 0.105361),
    "notes": (1.29261, 0.893531, 0.655417, INDEX_ERROR, 0, 0.105361),
    # Its own count is a sixteenth of the valid pixels; with the counts of the others it is the notes' rule, but for
    # the look past the last pixel.
    "bisenet": (1.29261, 0.893531, 0.655417, 0.600799, 0, 0.105361),
    "mmseg": (0.53859, 0.595687, 0.599962, 0.599962, 0, 0),
    "hrnet": (1.29261, 0.893531, 0.799949, 0.799949, INDEX_ERROR, NAN),
    "paddle": (1.29258, 1.006110, 0.720951, 0.720951, 0, 0),
    "torchseg": (1.13662, 0.893531, 0.720959, 0.720959, NAN, 0.105361),
}


def two_classes(p: tuple[float, ...], n_ignored: int = 0, n_images: int = 1) -> tuple[Tensor, Tensor]:
    """Return logits of which label 0 has probabilities ``p``, the last ``n_ignored`` ignored."""
    chances = torch.tensor(p, dtype=torch.float64)
    labels = torch.zeros(len(p), dtype=torch.int64)
    labels[len(p) - n_ignored :] = 255
    logits = torch.stack([chances.log(), (1 - chances).log()])
    return logits.view(2, n_images, -1).movedim(1, 0), labels.view(n_images, -1)


def thresh_of(semantics: Semantics) -> float:
    return INCLUSIVE if semantics == "torchseg" else STRICT


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("semantics", TABLE)
def test_the_table_of_implementations(semantics: Semantics, case: str) -> None:
    p, n_ignored, n_min = CASES[case]
    value = TABLE[semantics][list(CASES).index(case)]
    logits, labels = two_classes(p, n_ignored)
    logits.requires_grad_()
    settings: dict[str, Any] = {"thresh": thresh_of(semantics), "n_min": n_min, "semantics": semantics}
    if value == INDEX_ERROR:
        with pytest.raises(IndexError, match=f"semantics '{semantics}' looks at"):
            ohem_cross_entropy_loss(logits, labels, **settings)
        return
    loss = ohem_cross_entropy_loss(logits, labels, **settings)
    assert loss.item() == pytest.approx(value, abs=5e-6, nan_ok=True)
    loss.backward()  # type: ignore[no-untyped-call]
    # Also of NaN: torch's mean of nothing has a gradient of 0.
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert bool(logits.grad.any()) == (value not in (0, NAN) and not math.isnan(float(value)))


@pytest.mark.parametrize("case", [*list(CASES)[:4], "six ties"])
def test_exact_has_the_sixth_column_too(case: str) -> None:
    # ohem_label_kernel.cu of CoinCheung/pytorch-loss: first k, and p up to thresh itself; it gives NaN where nothing is
    # valid, which is the one cell that differs.
    column = {"k=3": 1.13662, "k=8": 0.893531, "k=11 > n_valid": 0.720959, "k=numel": 0.720959, "six ties": 0.105361}
    p, n_ignored, n_min = CASES[case]
    loss = ohem_cross_entropy_loss(*two_classes(p, n_ignored), thresh=INCLUSIVE, n_min=n_min)
    assert loss.item() == pytest.approx(column[case], abs=5e-6)


@pytest.mark.parametrize(
    ("semantics", "n_kept"), [("exact", 2), ("notes", 2), ("mmseg", 0), ("hrnet", 0), ("paddle", 0), ("torchseg", 6)]
)
def test_how_many_of_six_ties_are_kept(semantics: Semantics, n_kept: int) -> None:
    chosen = ohem_selection(*two_classes((0.9,) * 6), thresh=0.7, n_min=2, semantics=semantics)
    assert chosen.n_kept == n_kept
    assert chosen.share.sum().item() == pytest.approx(n_kept)
    assert chosen.branch == ("none" if not n_kept else "all" if n_kept == 6 else "top-k")


@pytest.mark.parametrize("semantics", SEMANTICS)
def test_on_the_threshold_itself_only_torchseg_keeps(semantics: Semantics) -> None:
    # Two equal logits: p is exactly a half in any precision.
    logits, labels = torch.zeros(1, 2, 4), torch.zeros(1, 4, dtype=torch.int64)
    logits[0, 0, 0] = -3
    chosen = ohem_selection(logits, labels, thresh=0.5, n_min=1, semantics=semantics)
    assert chosen.n_kept == (4 if semantics == "torchseg" else 1)
    assert chosen.n_hard == 1


def mean(values: Tensor) -> float:
    return values.mean().item() if len(values) else NAN


def by_sorting(semantics: Semantics, losses: Tensor, valid: Tensor, thresh: float, n_min: int, n_images: int) -> float:
    """Do what each project's code says, line by line, with a sort; NaN is the mean of nothing."""
    bound, everything = -math.log(thresh), torch.where(valid, losses, 0)
    p, order = torch.exp(-losses[valid]).sort()
    ranked = losses[valid][order]
    n_valid = len(p)
    if semantics == "notes":
        top = everything.sort(descending=True).values
        return mean(top[top > bound] if top[n_min] > bound else top[:n_min])
    if semantics == "bisenet":
        hard = everything[everything > bound]
        return mean(everything.topk(n_min).values if len(hard) < n_min else hard)
    if semantics == "mmseg":
        least = p[min(n_min * n_images, n_valid - 1)].item() if n_valid else 0.0
        return ranked[p < max(least, thresh)].sum().item() / losses.numel()
    if semantics == "hrnet":
        return mean(ranked[p < max(p[min(max(1, n_min), n_valid - 1)].item(), thresh)])
    if semantics == "paddle":
        kept = torch.ones_like(p, dtype=torch.bool)
        if 0 < n_min < n_valid:
            kept = p < max(p[n_min - 1].item(), thresh)
        return (ranked[kept].sum() / losses.numel() / (kept.sum() / losses.numel() + 1e-5)).item()
    kept = p <= max(p[n_min - 1].item(), thresh) if 0 < n_min <= n_valid else torch.ones_like(p, dtype=torch.bool)
    return mean(ranked[kept])


@st.composite
def drawn(draw: st.DrawFn) -> tuple[list[float], int, int, int, float]:
    n_images = draw(st.integers(1, 3))
    n_pixels = draw(st.integers(1, 9)) * n_images
    # A coarse grid, so that there are ties; none of them on a threshold.
    p = draw(st.lists(st.sampled_from([0.05, 0.2, 0.41, 0.63, 0.77, 0.92]), min_size=n_pixels, max_size=n_pixels))
    n_ignored, n_min = draw(st.integers(0, n_pixels)), draw(st.integers(0, n_pixels + 2))
    return p, n_images, n_ignored, n_min, draw(st.sampled_from([0.3, 0.5, 0.7, 0.85]))


@pytest.mark.parametrize("semantics", PROJECTS)
@given(case=drawn())
@example(case=([0.92] * 6, 1, 0, 2, 0.7))
@example(case=([0.92] * 6, 2, 6, 1, 0.7))
@example(case=([0.05, 0.92, 0.92], 1, 0, 0, 0.85))
@example(case=([0.92, 0.92, 0.92], 1, 1, 0, 0.5))
@example(case=([0.05, 0.2, 0.41, 0.63], 2, 0, 2, 0.3))
def test_it_is_the_projects_rule(semantics: Semantics, case: tuple[list[float], int, int, int, float]) -> None:
    p, n_images, n_ignored, n_min, thresh = case
    logits, labels = two_classes(tuple(p), n_ignored, n_images)
    losses = logits.logsumexp(1).sub(logits[:, 0]).flatten()
    rule = (semantics, losses, labels.flatten() != 255, thresh, n_min, n_images)
    settings: dict[str, Any] = {"thresh": thresh, "n_min": n_min, "semantics": semantics}
    try:
        expected = by_sorting(*rule)
    except (IndexError, RuntimeError):
        with pytest.raises(IndexError, match=semantics):
            ohem_cross_entropy_loss(logits, labels, **settings)
        return
    chosen = ohem_selection(logits, labels, **settings)
    assert chosen.loss.item() == pytest.approx(expected, rel=1e-6, abs=1e-9, nan_ok=True)
    # What is said of the choice is what was chosen.
    assert chosen.share.sum().item() == pytest.approx(chosen.n_kept)
    assert (chosen.branch == "none") == (chosen.n_kept == 0)
    if chosen.branch == "hard":
        assert (chosen.n_kept, chosen.threshold) == (chosen.n_hard, thresh)


GRADIENT_RULES: dict[Semantics, Callable[[Tensor], Tensor]] = {
    "notes": lambda top: top[:40].mean(),
    "bisenet": lambda top: top[:40].mean(),
    "mmseg": lambda top: top[:80].sum() / 240,
    "hrnet": lambda top: top[:40].mean(),
    "paddle": lambda top: top[:39].sum() / (39 + 240e-5),
    "torchseg": lambda top: top[:40].mean(),
}


@pytest.mark.parametrize("semantics", PROJECTS)
def test_its_gradient_is_that_of_the_rule(semantics: Semantics) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 5, 10, 12, dtype=torch.float64, generator=generator, requires_grad=True)
    labels = torch.randint(0, 5, (2, 10, 12), generator=generator)
    losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none").flatten()
    expected = torch.autograd.grad(GRADIENT_RULES[semantics](losses.sort(descending=True).values), logits)[0]
    loss = ohem_cross_entropy_loss(logits, labels, thresh=0.01, n_min=40, semantics=semantics)
    torch.testing.assert_close(torch.autograd.grad(loss, logits)[0], expected)


def test_saturated_pixels_tie_where_p_is_looked_at_and_not_where_losses_are() -> None:
    # In float32 the first three p are 1, though their losses differ.
    logits = torch.tensor([[[17.0, 17.5, 18.0, 2.0], [0.0, 0.0, 0.0, 0.0]]])
    labels = torch.zeros(1, 4, dtype=torch.int64)
    kept = {
        semantics: ohem_selection(logits, labels, thresh=0.5, n_min=2, semantics=semantics).n_kept
        for semantics in ("exact", "hrnet", "torchseg")
    }
    assert kept == {"exact": 2, "hrnet": 1, "torchseg": 4}


def chosen_with(semantics: Semantics, n_min: float | Fraction | None, n_images: int = 1) -> OhemSelection:
    return ohem_selection(
        *two_classes((0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97), 0, n_images),
        thresh=0.7,
        n_min=n_min,
        semantics=semantics,
    )


@pytest.mark.parametrize(
    ("semantics", "n_kept"),
    [("exact", 2), ("notes", 2), ("bisenet", 2), ("mmseg", 4), ("hrnet", 2), ("paddle", 1), ("torchseg", 2)],
)
def test_a_count_of_two_in_a_batch_of_two(semantics: Semantics, n_kept: int) -> None:
    assert chosen_with(semantics, 2, n_images=2).n_kept == n_kept
    # A share is one of the batch's valid pixels for every one.
    assert chosen_with(semantics, 0.25, n_images=2).n_kept == (2 if semantics == "mmseg" else n_kept)
    assert chosen_with(semantics, Fraction(1, 4), n_images=2).n_min == 2


@pytest.mark.parametrize(
    ("semantics", "n_kept"), [("exact", 0), ("mmseg", 0), ("hrnet", 1), ("paddle", 8), ("torchseg", 8)]
)
def test_a_count_of_zero(semantics: Semantics, n_kept: int) -> None:
    assert chosen_with(semantics, 0).n_kept == n_kept


@pytest.mark.parametrize("semantics", ["notes", "bisenet"])
def test_a_count_of_zero_is_the_mean_of_nothing_where_none_is_hard(semantics: Semantics) -> None:
    chosen = chosen_with(semantics, 0)
    assert math.isnan(chosen.loss.item())
    assert chosen.branch == "none"


def test_class_weights_are_those_of_each_project() -> None:
    logits, _ = two_classes((0.1, 0.3, 0.9, 0.9))
    labels, weight = torch.tensor([[0, 1, 0, 255]]), [1.0, 3.0]
    first, second = -math.log(0.1), -math.log(0.7)
    settings: dict[str, Any] = {"thresh": 0.75, "n_min": 1, "weight": weight}
    value = {
        s: ohem_cross_entropy_loss(logits, labels, semantics=s, **settings).item()
        for s in ("exact", "mmseg", "hrnet", "torchseg")
    }
    total = first + 3 * second
    assert value == {
        "exact": pytest.approx(total / 4),
        "torchseg": pytest.approx(total / 4),
        "hrnet": pytest.approx(total / 2),
        "mmseg": pytest.approx(total / 4),
    }
    for semantics in ("notes", "bisenet", "paddle"):
        with pytest.raises(ValueError, match=f"semantics '{semantics}' has no class weights; exact, mmseg"):
            OhemCrossEntropyLoss(weight=weight, semantics=semantics)


def test_elements_of_sigmoids_are_chosen_from_as_pixels_are() -> None:
    logits, labels = two_classes(P + IGNORED, 2)
    for semantics in SEMANTICS:
        settings: dict[str, Any] = {"thresh": thresh_of(semantics), "n_min": 3, "semantics": semantics}
        binary = ohem_cross_entropy_loss(logits[:, 1] - logits[:, 0], labels, mode="binary", **settings)
        torch.testing.assert_close(binary, ohem_cross_entropy_loss(logits, labels, **settings))


def test_an_empty_batch_is_the_mean_of_nothing_for_mmseg() -> None:
    nothing = torch.zeros(0, 2, 3), torch.zeros(0, 3, dtype=torch.int64)
    assert math.isnan(ohem_cross_entropy_loss(*nothing, semantics="mmseg").item())


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="semantics is 'caffe', expected exact, notes, bisenet"):
        OhemCrossEntropyLoss(semantics="caffe")  # type: ignore[arg-type]
