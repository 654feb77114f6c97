"""What is measured of a file, by the library's own losses; whole, in blocks, and as one of many."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, get_args

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from segcli.errors import SegcliError
from segcli.loss import evaluate
from segcli.loss.collecting import Collector
from segcli.loss.evaluation import Evaluation, result_of
from segcli.loss.measuring import reader
from segcli.loss.measuring.levels import Scale, levels_of
from segcli.loss.result import LossResult, OhemValue
from segcli.loss.settings import LOSSES_OF_MODE, KnownMode, LossSettings
from segcli.loss.sources.reading import Arrangement, sample_of
from segcli.loss.sources.sample import Pair
from segcli.loss.spreading.measured import add_into
from segcli.nn import CombinedLoss, kernels
from segcli.nn.losses.lovasz import lovasz_hinge_loss, lovasz_softmax_loss
from tests.loss.measuring.test_batch import drawn

MODES = get_args(KnownMode)


@contextmanager
def small_blocks(block_bytes: int, pixel_bytes: int) -> Iterator[None]:
    """Let few bytes be a large file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "BLOCK_BYTES", block_bytes)
        patch.setattr(reader, "PIXEL_BYTES", pixel_bytes)
        yield


def library(name: str, logits: Tensor, labels: Tensor, mode: KnownMode, **parameters: Any) -> float:  # noqa: ANN401 - of the loss
    """Ask the loss that training code imports."""
    if name == "lovasz-softmax":
        return lovasz_softmax_loss(logits, labels, **parameters).item()
    if name == "lovasz-hinge":
        return lovasz_hinge_loss(logits, labels, mode=mode, **parameters).item()
    own = "ce" if name == "bce" else name
    named: dict[str, Any] = {own.replace("-", "_"): parameters}
    return float(CombinedLoss(own, mode=mode, **named)(logits, labels).item())


def over_files(
    files: list[tuple[Tensor, Tensor]], settings: LossSettings, axes: dict[str, Any] | None = None
) -> LossResult:
    """Evaluate files as a command does."""
    evaluation = Evaluation(settings, Arrangement(mode=settings.mode), axes or {}, n_pairs=len(files))
    collector, total = Collector(), dict[str, Tensor]()
    samples = [
        sample_of(Pair(str(i), f"{i}.pt", f"{i}.npy"), *tensors, Arrangement(mode=settings.mode))
        for i, tensors in enumerate(files)
    ]
    for sample in samples:
        measured = evaluation.measure(sample)
        add_into(total, measured.tally)
        collector.add(measured.line)

    def read_again(scales: Sequence[Scale]) -> list[Tensor]:
        levels: dict[str, Tensor] = {}
        for sample in samples:
            add_into(levels, evaluation.levels_again(sample, scales))
        return [levels_of(levels, len(total["sums"]), str(i)) for i in range(len(scales))]

    return result_of(evaluation, collector, total, ("logits", "labels"), read_again=read_again)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("block_bytes", "pixel_bytes"), [(2**28, 2**30), (300, 2**30), (300, 0)])
def test_every_loss_is_that_of_the_library(mode: KnownMode, block_bytes: int, pixel_bytes: int) -> None:
    logits, labels = drawn(mode, 5, n_images=3)
    names = LOSSES_OF_MODE[mode]
    asked = LossSettings(losses=names, all_that_apply=False, mode=mode)
    with small_blocks(block_bytes, pixel_bytes):
        found = evaluate(logits, labels, asked).losses
    assert tuple(found) == names
    for name in names:
        assert found[name].value == pytest.approx(library(name, logits, labels, mode), rel=1e-6), name


@given(
    st.sampled_from(MODES),
    st.integers(0, 10_000),
    st.sampled_from([0.0, 0.2, 0.7, 1.0]),
    st.sampled_from([0, 1, 7, 1000]),
    st.sampled_from([(2**28, 2**30), (300, 0)]),
)
@settings(max_examples=40)
@example("multiclass", 0, 0.0, 7, (300, 0))
def test_ohem_chooses_as_the_library_does(
    mode: KnownMode, seed: int, thresh: float, n_min: int, sizes: tuple[int, int]
) -> None:
    logits, labels = drawn(mode, seed)
    # Ties, of which only a part is kept.
    logits = logits.round()
    asked = LossSettings(losses=("ohem",), mode=mode, thresh=thresh, n_min=n_min)
    with small_blocks(*sizes):
        found = evaluate(logits, labels, asked).losses["ohem"]
    expected = library("ohem", logits, labels, mode, thresh=thresh, n_min=n_min)
    assert found.value == pytest.approx(expected, rel=2e-6, abs=1e-9)
    selection = kernels.statistics(logits, labels, mode=mode, thresh=thresh, n_min=n_min).selection
    assert isinstance(found, OhemValue)
    assert selection is not None
    assert (found.n_valid, found.n_hard, found.n_min, found.n_kept, found.branch) == (
        selection.n_valid,
        selection.n_hard,
        selection.n_min,
        selection.n_kept,
        selection.branch,
    )
    assert sum(found.n_kept_per_class) == pytest.approx(found.n_kept)


@settings(max_examples=20)
@given(st.sampled_from(MODES), st.integers(0, 10_000), st.sampled_from([0, 3, 60]))
def test_over_all_files_the_losses_are_those_of_one_batch(mode: KnownMode, seed: int, n_min: int) -> None:
    files = [drawn(mode, seed + i, n_images=1 + i % 2) for i in range(3)]
    logits, labels = (torch.cat(parts) for parts in zip(*files, strict=True))
    names = LOSSES_OF_MODE[mode][:-1]
    asked = LossSettings(losses=names, mode=mode, over="all", reduce="batch", n_min=n_min, metrics=True)
    found = over_files(files, asked)
    for name in names:
        own: dict[str, Any] = {"thresh": 0.7, "n_min": n_min} if name == "ohem" else {}
        own |= {"reduce": "batch"} if name not in ("ce", "bce", "ohem", "focal") else {}
        assert found.losses[name].value == pytest.approx(library(name, logits, labels, mode, **own), rel=2e-6), name
    whole = evaluate(logits, labels, asked)
    for name in names:
        pairs = zip(found.losses[name].per_class, whole.losses[name].per_class, strict=True)
        assert all(a is b is None or a == pytest.approx(b, rel=1e-5) for a, b in pairs), name
    assert found.metrics == whole.metrics
    assert found.histogram == whole.histogram
    assert found.inputs.n_images == len(logits)


@settings(max_examples=20)
@given(st.sampled_from(MODES), st.integers(0, 10_000))
def test_over_all_files_image_means_are_those_of_one_batch(mode: KnownMode, seed: int) -> None:
    files = [drawn(mode, seed + i, n_images=1 + i % 2) for i in range(3)]
    logits, labels = (torch.cat(parts) for parts in zip(*files, strict=True))
    names = LOSSES_OF_MODE[mode][3:]
    found = over_files(files, LossSettings(losses=names, mode=mode, over="all"))
    for name in names:
        assert found.losses[name].value == pytest.approx(library(name, logits, labels, mode), rel=2e-6), name


@settings(max_examples=20)
@given(st.sampled_from(MODES), st.integers(0, 10_000))
def test_over_files_the_losses_are_means(mode: KnownMode, seed: int) -> None:
    files = [drawn(mode, seed + i) for i in range(3)]
    names = LOSSES_OF_MODE[mode]
    found = over_files(files, LossSettings(losses=names, mode=mode))
    for name in names:
        mean = sum(library(name, *tensors, mode) for tensors in files) / 3
        assert found.losses[name].value == pytest.approx(mean, rel=1e-6), name


@pytest.mark.parametrize("over", ["file", "all"])
@pytest.mark.parametrize("mode", MODES)
def test_each_point_of_a_sweep_is_an_evaluation_of_its_own(mode: KnownMode, over: Any) -> None:  # noqa: ANN401 - a literal
    files = [drawn(mode, i) for i in range(2)]
    axes = {"thresh": (0.3, 0.9), "n_min": (2, 40), "gamma": (0.5, 3.0), "smooth": (0.0, 10.0)}
    asked = LossSettings(losses=("ohem", "focal", "dice", "tversky"), mode=mode, over=over)
    swept = over_files(files, asked, axes)
    assert len(swept.sweep) == 4 + 2 + 2 + 2
    for point in swept.sweep:
        there = LossSettings(losses=(point.loss,), mode=mode, over=over, **point.point)
        assert point.value == pytest.approx(over_files(files, there).losses[point.loss].value, rel=1e-5), point


def test_a_file_with_nothing_valid_has_no_part_in_a_mean() -> None:
    logits, labels = drawn("multiclass", 1)
    nothing = torch.full_like(labels, 255)
    one = over_files([(logits, labels)], LossSettings())
    two = over_files([(logits, labels), (logits, nothing)], LossSettings())
    assert {name: loss.value for name, loss in one.losses.items()} == {
        name: pytest.approx(loss.value) for name, loss in two.losses.items()
    }
    assert two.notes == ("1: no pixel is valid, so every loss is 0 by definition",)
    alone = over_files([(logits, nothing)], LossSettings())
    assert {loss.value for loss in alone.losses.values()} == {0.0}
    assert alone.losses["ohem"].branch == "none"  # type: ignore[attr-defined]


def test_metrics_are_those_of_counting() -> None:
    logits, labels = drawn("multiclass", 3)
    found = evaluate(logits, labels, LossSettings(metrics=True)).metrics
    assert found is not None
    valid = labels != 255
    predicted, known = logits.argmax(1)[valid], labels[valid].long()
    assert found.pixel_accuracy == pytest.approx((predicted == known).float().mean().item())
    iou = [(((predicted == c) & (known == c)).sum() / ((predicted == c) | (known == c)).sum()).item() for c in range(3)]
    assert found.iou_per_class == pytest.approx(iou)
    assert found.mean_iou == pytest.approx(sum(iou) / 3)


@pytest.mark.parametrize("mode", ["binary", "multilabel"])
@pytest.mark.parametrize("sizes", [(2**28, 2**30), (300, 2**30)])
def test_metrics_of_sigmoids_are_those_of_counting(mode: KnownMode, sizes: tuple[int, int]) -> None:
    logits, labels = drawn(mode, 3)
    with small_blocks(*sizes):
        found = evaluate(logits, labels, LossSettings(mode=mode, metrics=True)).metrics
    assert found is not None
    valid = labels != 255
    right = ((logits > 0) == (labels == 1))[valid]
    assert found.pixel_accuracy == pytest.approx(right.float().mean().item())


def test_gradients_are_those_of_autograd() -> None:
    logits, labels = drawn("multiclass", 3)
    asked = LossSettings(losses=("ce", "dice"), factors=(1.0, 0.5), all_that_apply=False, gradient=True)
    found = evaluate(logits, labels, asked)
    assert found.gradient is not None
    known = logits.clone().requires_grad_()
    CombinedLoss("ce + 0.5 * dice")(known, labels).backward()
    assert known.grad is not None
    expected = [known.grad.movedim(1, -1)[labels == c].norm().item() for c in range(3)]
    assert found.gradient["total"] == pytest.approx(expected, rel=1e-5)
    assert list(found.gradient) == ["ce", "dice", "total"]
    assert found.total == pytest.approx(found.losses["ce"].value + 0.5 * found.losses["dice"].value)


@pytest.mark.parametrize("mode", ["binary", "multilabel"])
def test_gradients_of_sigmoids_are_by_label_or_class(mode: KnownMode) -> None:
    logits, labels = drawn(mode, 3)
    found = evaluate(logits, labels, LossSettings(losses=("bce",), mode=mode, gradient=True)).gradient
    known = logits.clone().requires_grad_()
    CombinedLoss("ce", mode=mode)(known, labels).backward()
    assert known.grad is not None
    assert found is not None
    grad = known.grad
    by_label = [grad[labels == c].norm().item() for c in range(2)]
    by_class = [grad[:, c].norm().item() for c in range(3)] if mode == "multilabel" else []
    assert found["bce"] == pytest.approx(by_class or by_label, rel=1e-5)


def test_probabilities_are_taken_for_what_they_are() -> None:
    logits, labels = drawn("multiclass", 4)
    expected = evaluate(logits, labels)
    found = evaluate(logits.softmax(1), labels, LossSettings(from_logits=False))
    for name, loss in expected.losses.items():
        assert found.losses[name].value == pytest.approx(loss.value, rel=1e-4)
    assert found.notes == ()
    assert "say --probabilities" in evaluate(logits.softmax(1), labels).notes[0]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda logits, _: logits[0, 1, 2].fill_(float("nan")), r"0\.pt holds nan at \(0, 1, 2, 0\)"),
        (lambda _, labels: labels[1, 2].fill_(7), r"0\.npy holds 7 at \(1, 2, 0\), expected 0 to 2"),
    ],
)
@pytest.mark.parametrize("sizes", [(2**28, 2**30), (300, 2**30)])
def test_values_that_are_none_are_named(spoil: Any, words: str, sizes: tuple[int, int]) -> None:  # noqa: ANN401 - a function
    logits, labels = drawn("multiclass", 4)
    spoil(logits, labels)
    with small_blocks(*sizes), pytest.raises(SegcliError, match=words):
        over_files([(logits, labels)], LossSettings())


def test_parameters_out_of_range_are_named() -> None:
    logits, labels = drawn("multiclass", 4)
    with pytest.raises(SegcliError, match=r"thresh is 1\.5, expected a probability from 0 to 1"):
        evaluate(logits, labels, LossSettings(thresh=1.5))
    with pytest.raises(SegcliError, match="0: gamma is -1, expected a finite number of 0 or more"):
        over_files([(logits, labels)] * 2, LossSettings(gamma=-1))
