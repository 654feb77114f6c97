from dataclasses import replace
from typing import Any

import pytest
import torch

from segcli.bench.kernel import Kernel, Mode
from segcli.bench.suites import loss_references as plain
from segcli.bench.suites.losses import LOSSES
from segcli.errors import ExitCode, SegcliError
from segcli.nn.kernels import backends
from tests.bench.test_suites import compared, tensors_of

KERNELS = {kernel.name: kernel for kernel in LOSSES.kernels}


def example(probabilities: list[float], labels: list[int]) -> dict[str, torch.Tensor]:
    """Two classes in one row: the probabilities are those of class 1."""
    p = torch.tensor([[[1 - each for each in probabilities], probabilities]], dtype=torch.float64)
    return {"logits": p.log().unsqueeze(2), "labels": torch.tensor([[labels]])}


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        # Class 0: TP 1.0, FP 0.2 (and an ignored pixel), FN 1.0; class 1: TP 0.8, FP 1.0, FN 0.2.
        (plain.dice, (1 - 3 / 4.2 + 1 - 2.6 / 3.8) / 2),
        (plain.dice_of_all_classes, (1 - 3 / 4.2 + 1 - 2.6 / 3.8) / 2),
        (plain.jaccard, (1 - 2 / 3.2 + 1 - 1.8 / 3) / 2),
        (plain.tversky, (1 - 2 / 2.76 + 1 - 1.8 / 2.24) / 2),
        (plain.focal_tversky, ((1 - 2 / 2.76) ** 0.75 + (1 - 1.8 / 2.24) ** 0.75) / 2),
        # Weights 1 / 2^2 and 1 / 1^2.
        (plain.generalized_dice, 1 - 2 * (1.0 / 4 + 0.8) / (3.2 / 4 + 2.8)),
        # Errors 0.6, 0.4, 0.2. Class 0 has the first two pixels, so that IoU falls by 1/2, 1/2 and 0; class 1 the
        # last one: a false positive halves IoU, the next leaves a third, and the missing pixel takes all.
        (plain.lovasz_softmax, ((0.6 + 0.4) / 2 + 0.6 / 2 + 0.4 / 6 + 0.2 / 3) / 2),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_references_by_hand(loss: Any, expected: float) -> None:  # noqa: ANN401 - any of them
    tensors = example([0.6, 0.4, 0.8, 0.9], [0, 0, 1, 255])
    assert loss(tensors).item() == pytest.approx(expected, rel=1e-12)


def test_dice_of_all_classes_counts_an_absent_one() -> None:
    tensors = example([0.5, 0.5], [0, 0])
    # Class 1 is predicted at 0.5 twice, and is nowhere: 1 - 1 / 2.
    assert plain.dice_of_all_classes(tensors).item() == pytest.approx((1 - 3 / 4 + 1 - 1 / 2) / 2)
    assert plain.dice(tensors).item() == pytest.approx(1 - 3 / 4)


@pytest.mark.parametrize("name", ["cross-entropy", "dice", "one-pass", "ohem", "lovasz-softmax", "generalized-dice"])
def test_the_loss_of_something_else_is_found(name: str) -> None:
    wrong = replace(KERNELS[name], make=KERNELS["focal"].make)
    assert "its output has a relative error" in compared(wrong, Mode.FORWARD, tensors_of(LOSSES)).reason


@pytest.mark.parametrize("backend", ["eager", "compiled"])
def test_each_backend_is_the_one_that_is_named(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    load = backends.load

    def noted(name: backends.Name) -> backends.Kernels:
        loaded.append(name)
        return load(name)

    monkeypatch.setattr(backends, "load", noted)
    KERNELS[f"one-pass-{backend}"].make(tensors_of(LOSSES))()
    assert set(loaded) == {backend}


def test_a_backend_that_is_missing_is_unsupported_here(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = SegcliError("no C++ compiler was found", code=ExitCode.UNAVAILABLE)
    monkeypatch.setattr(backends, "_without_compiler", lambda: lacking)
    with pytest.raises(NotImplementedError, match=r"no C\+\+ compiler was found"):
        KERNELS["one-pass-compiled"].make(tensors_of(LOSSES))


def test_triton_runs_on_cuda_alone() -> None:
    assert [kernel.name for kernel in LOSSES.kernels if "cpu" not in kernel.devices] == ["one-pass-triton"]


def cost(kernel: Kernel, mode: Mode) -> tuple[int, int]:
    found = kernel.cost(replace(LOSSES.case, size=(16, 24)), mode)
    return found.bytes, found.flops


def test_a_combined_loss_reads_once_what_two_losses_read_twice() -> None:
    # 768 pixels, 19 classes: 4 bytes a logit, 8 a label; a softmax with sums (6) a class, both losses' 7 a pixel.
    assert cost(KERNELS["one-pass"], Mode.FORWARD) == (768 * (4 * 19 + 8), 768 * (6 * 19 + 7))
    assert cost(KERNELS["one-pass"], Mode.TRAINING) == (768 * (12 * 19 + 24), 768 * (15 * 19 + 10))
    assert cost(KERNELS["one-pass"], Mode.TRAINING) == cost(KERNELS["ce-plus-dice"], Mode.TRAINING)
