"""The Triton kernels under Triton's interpreter, on the CPU; see `test_triton_compiled` for what runs on a GPU."""

import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segcli.nn.kernels import triton_kernels
from segcli.nn.kernels.problem import N_COLUMNS, Problem, Wanted
from tests.nn.kernels.agreement import Recipe, check_backward, check_forward, check_gradient, recipes, wanteds

triton = pytest.importorskip("triton")

KERNELS = [import_module(f"segcli.nn.kernels.triton_{name}") for name in ("math", "tile", "softmax", "sigmoid", "wide")]
EVERYTHING = Wanted(pixels=True, squares=True, predictions=True, confusion=True)


@contextmanager
def interpreted() -> Iterator[None]:
    """Have Triton interpret the kernels: as with TRITON_INTERPRET=1, but whoever imported Triton before.

    That variable is read when `triton.jit` decorates, in Triton's own library too, which torch imports when it likes.
    """
    from triton import language
    from triton.runtime import interpreter
    from triton.runtime.jit import JITFunction

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        # NumPy warns of what is computed for places that are masked: a device does not.
        warnings.simplefilter("ignore", RuntimeWarning)
        patch.setenv("TRITON_INTERPRET", "1")
        for module in (language, language.standard, *KERNELS):
            for name, value in list(vars(module).items()):
                if isinstance(value, JITFunction):
                    patch.setattr(module, name, interpreter.InterpretedFunction(value.fn))
        # The interpreter patches the language at every call inside a kernel, and leaves it so; here once, and undone.
        scope = interpreter._patch_lang(SimpleNamespace(__globals__={"tl": language, "core": language.core}))
        patch.setattr(interpreter, "_patch_lang", lambda _: interpreter._LangPatchScope())
        try:
            yield
        finally:
            scope.restore()


# Every way through the kernels, and the shapes that have an edge somewhere.
CASES = [
    Recipe((2, 19, 700), label_dtype=torch.uint8),
    Recipe((2, 19, 40), gamma=0.5, layout="channels-last", bad=0.2),
    Recipe((1, 5, 131), gamma=1.0, dtype=torch.bfloat16, ignore_index=None, layout="sliced", label_layout="sliced"),
    Recipe((1, 3, 70), gamma=0.0, dtype=torch.float64, ignore_index=-1, bound=float("inf")),
    Recipe((1, 2, 33), gamma=3.7, dtype=torch.float16, ignore_index=2**40, scale=1e4),
    Recipe((1, 150, 20), label_dtype=torch.int32, ignored=0.9),
    Recipe((1, 520, 9), gamma=2.0, bad=0.1),
    Recipe((1, 520, 9), dtype=torch.float64, layout="channels-last", ignore_index=0),
    Recipe((1, 1, 9), gamma=1.0),
    Recipe((0, 4, 9)),
    Recipe((2, 4, 0)),
    Recipe((2, 3, 600), multiclass=False, label_dtype=torch.uint8),
    Recipe((2, 40, 33), multiclass=False, gamma=0.5, layout="channels-last", label_layout="channels-last"),
    Recipe((2, 1, 33), multiclass=False, gamma=0.0, dtype=torch.float64, ignore_index=None, bad=0.2),
    Recipe((1, 3, 33), multiclass=False, gamma=1.0, dtype=torch.bfloat16, ignored=1.0, layout="sliced"),
    Recipe((0, 3, 33), multiclass=False),
]


@pytest.mark.parametrize("recipe", CASES, ids=str)
@pytest.mark.parametrize("wanted", [EVERYTHING, Wanted()], ids=["everything", "sums"])
def test_answers_like_the_oracle(recipe: Recipe, wanted: Wanted) -> None:
    with interpreted():
        check_forward(triton_kernels, recipe.problem(), wanted)


@pytest.mark.parametrize("recipe", CASES, ids=str)
def test_gradients_are_autograds(recipe: Recipe) -> None:
    with interpreted():
        for seed in range(3):
            check_backward(triton_kernels, recipe.problem(), seed)


@pytest.mark.parametrize("column", range(N_COLUMNS))
@pytest.mark.parametrize("multiclass", [True, False], ids=["multiclass", "sigmoid"])
def test_gradient_of_each_column_alone(multiclass: bool, column: int) -> None:  # noqa: FBT001 - a parameter of the test
    problem = Recipe((1, 4, 150), multiclass).problem()
    grad_sums = torch.zeros(1, problem.n_rows, N_COLUMNS, dtype=torch.float64)
    grad_sums[..., column] = torch.arange(problem.n_rows) - 1.5
    with interpreted():
        check_gradient(triton_kernels, problem, grad_sums, None)


def test_losses_of_sure_elements_have_all_their_digits() -> None:
    """Next to 1, exp(-20) is lost in float32; as a loss it is not."""
    logits = torch.tensor([[[1.0, 10.0, 20.0, 40.0, 80.0]]])
    problem = Problem(logits, torch.ones(1, 1, 5, dtype=torch.uint8), False, None, 2.0, 1.0)  # noqa: FBT003 - sigmoids
    with interpreted():
        losses = triton_kernels.forward(problem, Wanted(pixels=True)).pixels
    torch.testing.assert_close(losses.double(), torch.log1p(torch.exp(-logits.double())), rtol=1e-6, atol=0)


def test_the_largest_of_many_classes_may_come_last() -> None:
    problem = Recipe((1, 520, 9)).problem()
    problem.logits[:, 515] += 12
    with interpreted():
        check_forward(triton_kernels, problem, EVERYTHING)
        check_backward(triton_kernels, problem, 1)


@settings(max_examples=6)
@given(recipes(largest=20), wanteds(), st.integers(0, 2))
def test_agrees_with_the_oracle_on_anything(recipe: Recipe, wanted: Wanted, seed: int) -> None:
    with interpreted():
        check_forward(triton_kernels, recipe.problem(), wanted)
        check_backward(triton_kernels, recipe.problem(), seed)


def test_counts_predictions_of_many_classes_without_keeping_them() -> None:
    with interpreted():
        check_forward(triton_kernels, Recipe((2, 520, 5)).problem(), Wanted(confusion=True))


@pytest.mark.parametrize("width", [1, 40, 128])
def test_labels_in_patches_of_any_width(width: int) -> None:
    """A tile with one label is added up another way than one with several."""
    problem = Recipe((2, 5, 300)).problem()
    labels = (torch.arange(600) // width % 6).view(2, 300)
    with interpreted():
        check_forward(triton_kernels, replace(problem, labels=labels, ignore_index=5), EVERYTHING)


def test_an_index_too_large_for_any_label_ignores_nothing() -> None:
    problem = Recipe((1, 3, 20), ignore_index=None).problem()
    with interpreted():
        check_forward(triton_kernels, problem, Wanted())
        usual = triton_kernels.forward(problem, Wanted())
        answer = triton_kernels.forward(replace(problem, ignore_index=2**70), Wanted())
    assert torch.equal(answer.sums, usual.sums)


@pytest.mark.parametrize("n_classes", [1, 7, 150, 520])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_argmax_is_torchs_with_the_first_of_ties(n_classes: int, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randint(-2, 3, (2, n_classes, 11), generator=generator).to(dtype)
    with interpreted():
        predictions = triton_kernels.argmax(logits)
    assert predictions.dtype == torch.int64
    assert torch.equal(predictions, logits.argmax(1))


@pytest.mark.parametrize("multiclass", [True, False], ids=["multiclass", "sigmoid"])
def test_layout_changes_nothing_but_the_gradients(multiclass: bool) -> None:  # noqa: FBT001 - a parameter of the test
    usual = Recipe((2, 5, 70), multiclass=multiclass).problem()
    last = replace(usual, logits=usual.logits.mT.contiguous().mT)
    grad_sums = torch.ones(2, usual.n_rows, N_COLUMNS)
    with interpreted():
        gradients = [triton_kernels.backward(problem, grad_sums, None) for problem in (usual, last)]
    assert [gradient.stride() for gradient in gradients] == [usual.logits.stride(), last.logits.stride()]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("multiclass", [True, False], ids=["multiclass", "sigmoid"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("place", [0, 3, 10])
def test_finds_what_is_not_finite_wherever_it_is(place: int, value: float, multiclass: bool) -> None:  # noqa: FBT001
    problem = Recipe((1, 3, 11), multiclass=multiclass, ignored=0.5).problem()
    problem.logits[0, 1, place] = value
    with interpreted():
        answer = triton_kernels.forward(problem, EVERYTHING)
    assert answer.sound.tolist() == [False, True]


@pytest.mark.parametrize("multiclass", [True, False], ids=["multiclass", "sigmoid"])
def test_reads_nothing_outside(multiclass: bool) -> None:  # noqa: FBT001
    """What lies around the logits and the labels is poison."""
    problem = Recipe((2, 3, 37), multiclass=multiclass, bad=0.0).problem()
    logits = torch.full((4, 5, 60), float("nan"))
    labels = torch.full((4, 60) if multiclass else (4, 5, 60), 99)
    inner = (slice(1, 3), slice(1, 4), slice(5, 42))
    logits[inner] = problem.logits
    at = (inner[0], inner[2]) if multiclass else inner
    labels[at] = problem.labels
    with interpreted():
        check_forward(triton_kernels, replace(problem, logits=logits[inner], labels=labels[at]), EVERYTHING)
        check_backward(triton_kernels, replace(problem, logits=logits[inner], labels=labels[at]), 1)


@pytest.mark.parametrize("multiclass", [True, False], ids=["multiclass", "sigmoid"])
def test_does_not_read_logits_where_no_gradient_comes_back(multiclass: bool) -> None:  # noqa: FBT001
    problem = Recipe((1, 3, 300), multiclass=multiclass, ignored=0.0).problem()
    problem.logits[:, :, :128] = float("nan")
    grad_pixels = torch.ones(problem.labels.shape)
    grad_pixels[..., :128] = 0
    with interpreted():
        gradient = triton_kernels.backward(problem, torch.zeros(1, problem.n_rows, N_COLUMNS), grad_pixels)
    assert torch.equal(gradient[:, :, :128], torch.zeros(1, 3, 128))
    assert gradient.isfinite().all()
    assert (gradient[:, :, 128:] != 0).all()


def test_runs_on_cuda_with_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    assert triton_kernels.available("cuda")
    assert triton_kernels.available(torch.device("cuda", 1))
    assert not triton_kernels.available("cpu")
    monkeypatch.setattr(triton_kernels, "find_spec", lambda _: None)
    assert not triton_kernels.available("cuda")


def test_needs_no_triton_to_be_imported() -> None:
    code = "import sys, segcli.nn.kernels.triton_kernels as t; t.available('cuda'); assert 'triton' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
