"""The public face of the kernels: what goes in, what comes out, and what torch.compile makes of it."""

import math
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from segcli.errors import SegcliError
from segcli.nn import kernels
from segcli.nn.kernels import backends, build, triton_kernels
from segcli.nn.kernels.checks import Mode
from segcli.nn.kernels.reading import Statistics, argmax, statistics


def example(*shape: int, mode: Mode = "multiclass", ignored: float = 0.2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(sum(shape))
    logits = torch.randn(shape, generator=generator)
    label_shape = (shape[0], *shape[2:]) if mode == "multiclass" else shape
    labels = torch.randint(shape[1] if mode == "multiclass" else 2, label_shape, generator=generator)
    return logits, labels.masked_fill(torch.rand(label_shape, generator=generator) < ignored, 255)


SHAPES = [(3, 4), (2, 5, 7), (2, 3, 4, 5), (1, 3, 2, 4, 3)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_multiclass_sums_are_those_of_the_softmax(shape: tuple[int, ...]) -> None:
    logits, labels = example(*shape)
    found = statistics(logits, labels, pixels=True, squares=True, predictions=True, confusion=True, histogram=True)
    valid = labels != 255
    losses = functional.cross_entropy(logits, labels.masked_fill(~valid, 0), reduction="none")
    p = logits.softmax(1).movedim(1, -1)[valid]
    n, c = shape[:2]
    assert found.count.shape == found.cardinality.shape == (n, c)
    assert found.pixels is not None
    assert found.predictions is not None
    assert found.confusion is not None
    assert found.histogram is not None
    torch.testing.assert_close(found.pixels, losses.masked_fill(~valid, -1))
    torch.testing.assert_close(found.cross_entropy.sum(), losses[valid].sum().double())
    torch.testing.assert_close(found.focal.sum(), ((1 - (-losses).exp()) ** 2 * losses)[valid].sum().double())
    torch.testing.assert_close(found.cardinality.sum(0), p.sum(0).double())
    torch.testing.assert_close(found.squares.sum(0), p.square().sum(0).double())
    torch.testing.assert_close(found.intersection.sum(), (-losses).exp()[valid].sum().double())
    hard = (losses > -math.log(0.7)) & valid
    assert found.n_hard.sum() == hard.sum()
    torch.testing.assert_close(found.hard.sum(), losses[hard].sum().double())
    assert torch.equal(found.labelled.sum(0), torch.bincount(labels[valid], minlength=c).double())
    assert found.valid.shape == (n, 1)
    assert found.valid.sum() == valid.sum() == found.confusion.sum() == found.histogram.sum()
    assert torch.equal(found.predictions, logits.argmax(1))
    assert found.selection is None


@pytest.mark.parametrize("mode", ["multilabel", "binary"])
@pytest.mark.parametrize("kind", [torch.int64, torch.bool, torch.float32, torch.int8, torch.uint16], ids=str)
def test_sums_of_sigmoids_are_by_class_and_label(mode: Mode, kind: torch.dtype) -> None:
    logits, labels = example(2, 3, 6, mode=mode, ignored=0.0)
    found = statistics(logits, labels.to(kind), mode=mode, ignore_index=None)
    losses = functional.binary_cross_entropy_with_logits(logits, labels.float(), reduction="none")
    p, classes = logits.sigmoid(), (1 if mode == "binary" else 3)
    assert found.cross_entropy.shape == (2, classes, 2)
    torch.testing.assert_close(found.cross_entropy.sum(), losses.sum().double())
    torch.testing.assert_close(found.cross_entropy[..., 1].sum(), losses[labels == 1].sum().double())
    torch.testing.assert_close(found.intersection.sum(), p[labels == 1].sum().double())
    torch.testing.assert_close(found.cardinality.sum(), p.sum().double())
    assert found.labelled.shape == found.valid.shape == (2, classes)
    assert found.labelled.sum() == labels.sum()
    assert found.valid.sum() == labels.numel()


def test_a_selection_comes_with_n_min() -> None:
    logits, labels = example(2, 4, 50)
    found = statistics(logits, labels, thresh=0.1, n_min=40)
    assert found.selection is not None
    assert (found.selection.n_kept, found.selection.branch) == (40, "top-k")
    assert found.selection.share.sum().item() == pytest.approx(40)
    assert found.pixels is None


def test_places_are_told_as_they_were_given() -> None:
    logits, labels = example(2, 3, 4, 5)
    labels[1, 2, 3] = 7
    with pytest.raises(ValueError, match=r"labels hold 7 at \(1, 2, 3\), expected 0 to 2, or ignore_index 255"):
        statistics(logits, labels)
    logits[0, 1, 2, 3] = math.nan
    with pytest.raises(ValueError, match=r"logits hold nan at \(0, 1, 2, 3\), expected finite numbers"):
        statistics(logits, labels)
    assert statistics(logits, labels, validate=False).count.sum() == ((labels != 255) & (labels != 7)).sum()


def test_soft_labels_are_none_here() -> None:
    with pytest.raises(ValueError, match=r"labels hold 0.5 at \(0, 1\), expected 0 to 1"):
        statistics(torch.zeros(1, 2), torch.tensor([[1.0, 0.5]]), mode="binary")


def test_a_sum_that_overflows_is_no_bad_logit() -> None:
    assert statistics(torch.full((1, 2, 4), 3e38), torch.zeros(1, 4, dtype=torch.uint8)).count.sum() == 4


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"thresh": 1.5}, "thresh is 1.5, expected a probability"),
        ({"n_min": -1}, "n_min is -1, expected a count"),
        ({"gamma": -1.0}, "gamma is -1, expected a finite number of 0 or more"),
        ({"backend": "cuda"}, "backend is 'cuda', expected auto, eager, compiled, triton"),
        ({"mode": "binary", "confusion": True}, "labels have shape"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_settings_that_are_none_are_refused(settings: dict[str, Any], words: str) -> None:
    logits, labels = example(2, 3, 4)
    with pytest.raises(ValueError, match=words):
        statistics(logits, labels, **settings)


def test_sigmoids_have_no_confusion() -> None:
    with pytest.raises(ValueError, match="predictions and confusion are of classes that exclude one another"):
        statistics(torch.zeros(1, 2), torch.zeros(1, 2, dtype=torch.uint8), mode="binary", predictions=True)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4, 5)], ids=str)
def test_argmax_is_torchs(shape: tuple[int, ...]) -> None:
    logits = torch.randn(shape).bfloat16()
    assert torch.equal(argmax(logits), logits.argmax(1))


def test_squares_that_were_not_read_are_not_taken_for_none() -> None:
    with pytest.raises(ValueError, match="the sums of p\\^2 were not read"):
        statistics(*example(1, 2, 3)).squares  # noqa: B018 - the access is what is tested


def test_argmax_needs_classes() -> None:
    with pytest.raises(ValueError, match=r"logits are torch.float32 of shape \(3, 0\), expected floats"):
        argmax(torch.zeros(3, 0))


@pytest.mark.parametrize("mode", ["multiclass", "multilabel", "binary"])
def test_gradients_are_those_of_finite_differences(mode: Mode) -> None:
    logits, labels = example(2, 3, 5, mode=mode)
    logits = logits.double().requires_grad_()

    def all_sums(values: Tensor) -> tuple[Tensor, ...]:
        found = statistics(values, labels, mode=mode, pixels=True, squares=True, gamma=1.5)
        assert found.pixels is not None
        parts = (found.cross_entropy, found.focal, found.hard, found.intersection, found.cardinality, found.squares)
        return (*parts, found.pixels)

    assert torch.autograd.gradcheck(all_sums, (logits,))


def test_counts_have_no_gradient() -> None:
    logits, labels = example(2, 3, 5)
    found = statistics(logits.requires_grad_(), labels)
    assert not found.count.requires_grad
    assert not found.n_hard.requires_grad
    assert found.cross_entropy.requires_grad


@pytest.mark.parametrize("shape", [(2, 5, 7), (2, 5, 3, 4)], ids=str)
def test_a_graph_of_torch_compile_has_no_break(shape: tuple[int, ...]) -> None:
    logits, labels = example(*shape)

    def loss(values: Tensor) -> Tensor:
        found = statistics(values, labels, pixels=True)
        assert found.pixels is not None
        dice = 2 * found.intersection / (found.cardinality + found.labelled).clamp(min=1)
        return found.cross_entropy.sum() / found.valid.sum() + dice.mean() + found.pixels.clamp(min=0).sum()

    whole = torch.compile(loss, fullgraph=True, backend="aot_eager")
    values = logits.clone().requires_grad_()
    results = [whole(values), loss(values)]
    assert torch.equal(*results)
    gradients = [torch.autograd.grad(result, values)[0] for result in results]
    assert torch.equal(*gradients)
    assert torch.equal(torch.compile(argmax, fullgraph=True, backend="aot_eager")(logits), logits.argmax(1))


def test_what_compile_finds_wrong_is_told_too() -> None:
    logits, labels = example(2, 5, 7)
    logits[0, 1, 2] = math.inf
    whole = torch.compile(lambda x: statistics(x, labels).count, fullgraph=True, backend="aot_eager")
    with pytest.raises(ValueError, match=r"logits hold inf at \(0, 1, 2\)"):
        whole(logits)


@given(st.sampled_from([(0, 3, 4), (2, 3, 0), (0, 3, 0), (2, 3, 0, 5)]), st.booleans())
def test_an_empty_batch_has_empty_sums(shape: tuple[int, ...], ask: bool) -> None:  # noqa: FBT001 - drawn
    logits = torch.zeros(shape, requires_grad=True)
    labels = torch.zeros((shape[0], *shape[2:]), dtype=torch.uint8)
    found = statistics(logits, labels, pixels=ask, predictions=ask, confusion=ask, histogram=ask, n_min=3)
    assert found.count.sum() == 0
    (gradient,) = torch.autograd.grad(found.cross_entropy.sum(), logits)
    assert gradient.shape == shape
    assert found.selection is not None
    assert found.selection.branch == "none"


def test_the_package_knows_its_names() -> None:
    assert kernels.statistics is statistics
    assert kernels.Statistics is Statistics
    with pytest.raises(AttributeError, match=r"module 'segcli\.nn\.kernels' has no attribute 'softmax'"):
        kernels.softmax  # noqa: B018 - the access is what is tested


@pytest.fixture
def forgetful() -> Iterator[None]:
    """Let a process find out anew, before and after, what it has."""
    caches = (backends._without_compiler, backends._warn_once)
    for each in caches:
        each.cache_clear()
    yield
    for each in caches:
        each.cache_clear()


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch, forgetful: None) -> None:  # noqa: ARG001 - it comes before
    def fail() -> None:
        message = "no C++ compiler is found"
        raise build.CompilerUnavailable(message, hint="install one")

    monkeypatch.setattr(build, "load_library", fail)


@pytest.mark.usefixtures("forgetful")
def test_what_is_worth_compiling_is_compiled_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "load_library", lambda: None)
    small, large = (torch.empty(1, 2, n) for n in (3, backends.WORTH_COMPILING // 2))
    assert [backends.choose(logits, "auto") for logits in (small, large)] == ["eager", "compiled"]
    assert [backends.choose(small, name) for name in ("eager", "compiled")] == ["eager", "compiled"]


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_plain_torch_reads_and_says_so_once(recwarn: pytest.WarningsRecorder) -> None:
    logits, labels = torch.zeros(1, 2, backends.WORTH_COMPILING // 2), torch.zeros(1, backends.WORTH_COMPILING // 2)
    with pytest.warns(RuntimeWarning, match=r"reads with plain torch, .*: no C\+\+ compiler is found \(install one\)"):
        assert statistics(logits, labels.byte()).backend == "eager"
    assert statistics(logits, labels.byte()).backend == "eager"
    assert not recwarn.list


@pytest.mark.usefixtures("no_compiler")
def test_a_backend_that_was_named_is_not_replaced() -> None:
    with pytest.raises(SegcliError, match=r"no C\+\+ compiler is found"):
        statistics(*example(1, 2, 3), backend="compiled")


def test_a_backend_needs_its_device() -> None:
    with pytest.raises(SegcliError, match="backend triton needs CUDA and the package triton, the logits are on cpu"):
        statistics(*example(1, 2, 3), backend="triton")
    with pytest.raises(SegcliError, match="backend compiled reads on the CPU, the logits are on meta"):
        backends.choose(torch.zeros(1, 2, 3, device="meta"), "compiled")
    assert backends.choose(torch.zeros(1, 2, 3, device="meta"), "auto") == "eager"


def test_triton_is_the_best_where_it_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_kernels, "available", lambda _: True)
    logits = torch.zeros(1, 2, 3, device="meta")
    assert backends.choose(logits, "auto") == backends.choose(logits, "triton") == "triton"
    assert backends.load("triton") is triton_kernels


WITHOUT_A_GRAPH = """
import sys, torch
from segcli.nn import ohem_of
from segcli.nn.kernels import argmax, statistics
logits = torch.zeros(1, 3, 8)
ohem_of(statistics(logits, torch.zeros(1, 8, dtype=torch.uint8), pixels=True))
argmax(logits)
print([name for name in ("torch._dynamo", "sympy") if name in sys.modules])
"""


def test_without_a_graph_torchs_compiler_is_not_imported() -> None:
    # It takes longer than importing torch.
    run = subprocess.run([sys.executable, "-c", WITHOUT_A_GRAPH], check=True, stdout=subprocess.PIPE, text=True)
    assert run.stdout == "[]\n"
