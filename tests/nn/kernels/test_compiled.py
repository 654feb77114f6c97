import math
from dataclasses import replace

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from segcli.nn.kernels import compiled
from segcli.nn.kernels.build import CompilerUnavailable
from segcli.nn.kernels.problem import CROSS_ENTROPY, FOCAL, HARD, N_COLUMNS, PREDICTED, Problem, Wanted
from tests.nn.kernels.agreement import (
    DTYPES,
    LAYOUTS,
    Recipe,
    check_backward,
    check_forward,
    check_gradient,
    lay_out,
    recipes,
    wanteds,
)

pytestmark = pytest.mark.skipif(not compiled.available(), reason="there is no C++ compiler")

EVERYTHING = Wanted(pixels=True, squares=True, predictions=True, confusion=True)
# Beside a tile, and beside a block of tiles.
EDGES = [(2, 19, n) for n in (1, 15, 16, 17, 255, 256, 257, 27_647, 27_649)]
DEGENERATE = [(0, 3, 5), (2, 3, 0), (0, 3, 0), (2, 1, 7), (3, 150, 33), (1, 1000, 40), (200, 4, 1)]


@given(recipes(), wanteds())
@example(Recipe((1, 1000, 70)), EVERYTHING)
@example(Recipe((2, 3, 100), label_dtype=torch.int32, bad=0.3, ignore_index=-1), EVERYTHING)
def test_forward_agrees_with_the_oracle(recipe: Recipe, wanted: Wanted) -> None:
    check_forward(compiled, recipe.problem(), wanted)


@given(recipes(), st.integers(0, 2**16))
@example(Recipe((1, 1000, 70)), 1)
@example(Recipe((2, 19, 600), gamma=0.5, scale=1e4), 2)
def test_backward_agrees_with_autograd(recipe: Recipe, seed: int) -> None:
    check_backward(compiled, recipe.problem(), seed)


@pytest.mark.parametrize("multiclass", [True, False])
@pytest.mark.parametrize("shape", EDGES + DEGENERATE)
def test_sizes_beside_tiles_and_blocks(shape: tuple[int, int, int], multiclass: bool) -> None:  # noqa: FBT001
    problem = Recipe(shape, multiclass).problem()
    check_forward(compiled, problem, EVERYTHING)
    for seed in range(3):
        check_backward(compiled, problem, seed)


@pytest.mark.parametrize("multiclass", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtypes_and_layouts(dtype: torch.dtype, layout: str, multiclass: bool) -> None:  # noqa: FBT001
    problem = Recipe((2, 5, 700), multiclass, dtype, layout=layout, label_layout=layout).problem()
    check_forward(compiled, problem, EVERYTHING)
    for seed in range(3):
        check_backward(compiled, problem, seed)


def test_expanded_logits_and_labels() -> None:
    logits = torch.randn(1, 3, 1).expand(2, 3, 40)
    labels = torch.randint(3, (40,)).expand(2, 40)
    problem = Problem(logits, labels, multiclass=True, ignore_index=None, gamma=1.0, bound=0.5)
    check_forward(compiled, problem, EVERYTHING)
    check_backward(compiled, problem, 1)


def test_expanded_gradients_of_pixels() -> None:
    problem = Recipe((2, 4, 50)).problem()
    check_gradient(compiled, problem, torch.zeros(2, 4, N_COLUMNS), torch.tensor(0.25).expand(2, 50))


@pytest.mark.parametrize("layout", ["contiguous", "channels-last"])
def test_the_gradient_has_the_layout_of_the_logits(layout: str) -> None:
    problem = Recipe((2, 4, 50), layout=layout).problem()
    gradient = compiled.backward(problem, torch.ones(2, 4, N_COLUMNS), None)
    assert gradient.stride() == problem.logits.stride()


# All float16, whole: what the bits mean, and that rounding to them is torch's own.
def test_every_float16_is_read_as_torch_reads_it() -> None:
    halves = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(torch.float16)
    halves = halves[halves.isfinite()].view(1, 1, -1)
    labels = torch.zeros(1, 1, halves.shape[2], dtype=torch.uint8)
    problem = Problem(halves, labels, multiclass=False, ignore_index=None, gamma=0, bound=math.inf)
    got = compiled.forward(problem, Wanted(pixels=True)).pixels
    torch.testing.assert_close(got, torch.nn.functional.softplus(halves.float()), rtol=1e-6, atol=1e-37)
    # Not two are read as one.
    distinct = torch.unique(halves.float()).half().view(1, 1, -1)
    pairs = torch.cat([distinct[..., :-1], distinct[..., 1:]], 1)
    assert compiled.argmax(pairs).all()
    assert not compiled.argmax(pairs.flip(1)).any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_gradients_are_rounded_as_torch_rounds(dtype: torch.dtype) -> None:
    # Every size from below the least subnormal to beyond the largest number: with logits of 0 the slope is half the
    # gradient of the loss, exactly.
    bits = torch.arange(0, 2**31, 997 * 61, dtype=torch.int64).to(torch.int32)
    grads = torch.cat([bits.view(torch.float32), torch.tensor([math.nan, math.inf, 6.1e-5, 65519.0, 65520.0, 1e-7])])
    grads = grads[(grads.abs() > 1e-37) & (grads < 1e38) | ~grads.isfinite()]
    grads = torch.cat([grads, -grads]).view(1, 1, -1)
    logits = torch.zeros(grads.shape, dtype=dtype)
    problem = Problem(logits, torch.zeros_like(logits, dtype=torch.uint8), False, None, 0.0, math.inf)  # noqa: FBT003
    got = compiled.backward(problem, torch.zeros(1, 2, N_COLUMNS), grads)
    torch.testing.assert_close(got, (grads / 2).to(dtype), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("multiclass", [True, False])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("pixel", [0, 299])
def test_logits_that_are_not_finite_are_reported(odd: float, dtype: torch.dtype, multiclass: bool, pixel: int) -> None:  # noqa: FBT001
    problem = Recipe((2, 5, 300), multiclass, dtype).problem()
    problem.logits[1, 3, pixel] = odd
    answer = compiled.forward(problem, EVERYTHING if multiclass else Wanted(pixels=True))
    assert answer.sound.tolist() == [False, True]
    gradient = compiled.backward(problem, torch.ones(2, problem.n_rows, N_COLUMNS), None)
    # The other image, and its pixels, know nothing of it.
    assert gradient[0].isfinite().all()


def test_a_gradient_is_0_where_labels_do_not_count() -> None:
    problem = Recipe((1, 3, 100), bad=0.3).problem()
    problem.logits[0, 1, 0] = math.nan
    problem.labels[0, 0] = 255
    skipped = ~((problem.labels >= 0) & (problem.labels < 3))
    gradient = compiled.backward(problem, torch.full((1, 3, N_COLUMNS), 7.0), torch.ones(1, 100))
    assert skipped.sum() > 20
    assert (gradient.movedim(1, 2)[skipped] == 0).all()
    assert (gradient.movedim(1, 2)[~skipped] != 0).all()


@pytest.mark.parametrize("multiclass", [True, False])
def test_labels_out_of_range_are_reported_and_count_nowhere(multiclass: bool) -> None:  # noqa: FBT001
    bad = Recipe((2, 4, 300), multiclass, label_dtype=torch.int64).problem()
    bad.labels.view(-1)[::7] = torch.tensor([-1, 4, 2**40, -(2**40), 2**63 - 1, -(2**63), 256]).repeat(400)[
        : len(bad.labels.view(-1)[::7])
    ]
    check_forward(compiled, bad, EVERYTHING)
    check_backward(compiled, bad, 1)
    assert compiled.forward(bad, Wanted()).sound.tolist() == [True, False]


def answers(problem: Problem) -> list[Tensor]:
    wanted = EVERYTHING if problem.multiclass else Wanted(pixels=True, squares=True)
    answer = compiled.forward(problem, wanted)
    grads = torch.linspace(-1, 1, answer.sums.numel()).view(answer.sums.shape)
    gradient = compiled.backward(problem, grads, torch.linspace(0, 1, answer.pixels.numel()).view(answer.pixels.shape))
    return [answer.sums, answer.pixels, answer.predictions, answer.confusion, gradient, compiled.argmax(problem.logits)]


@pytest.mark.parametrize("multiclass", [True, False])
def test_the_same_bits_for_any_number_of_threads(multiclass: bool) -> None:  # noqa: FBT001
    problem = Recipe((2, 5, 300_001), multiclass).problem()
    n_threads = torch.get_num_threads()
    try:
        by_threads = []
        for n in (1, 2, 7):
            torch.set_num_threads(n)
            by_threads.append(answers(problem))
    finally:
        torch.set_num_threads(n_threads)
    for others in by_threads[1:]:
        assert all(torch.equal(one, other) for one, other in zip(by_threads[0], others, strict=True))


def test_sums_of_many_pixels_do_not_drift() -> None:
    # The same loss each time: an accumulator that loses a little loses it in one direction.
    n_pixels = 2**23
    logits = torch.tensor([0.1, 0.3]).view(1, 2, 1).expand(1, 2, n_pixels)
    labels = torch.zeros(1, 1, dtype=torch.uint8).expand(1, n_pixels)
    sums = compiled.forward(Problem(logits, labels, True, None, 2.0, 0.5), Wanted(squares=True)).sums[0]  # noqa: FBT003
    p = logits[0, :, 0].double().softmax(0)
    loss = -p[0].log()
    assert sums[0, CROSS_ENTROPY].item() == pytest.approx(n_pixels * loss.item(), rel=1e-6)
    assert sums[0, FOCAL].item() == pytest.approx(n_pixels * ((1 - p[0]) ** 2 * loss).item(), rel=1e-6)
    assert sums[:, PREDICTED].tolist() == pytest.approx((n_pixels * p).tolist(), rel=1e-6)


@pytest.mark.parametrize("column", range(N_COLUMNS))
@pytest.mark.parametrize("multiclass", [True, False])
def test_the_gradient_of_each_sum_alone(column: int, multiclass: bool) -> None:  # noqa: FBT001
    problem = Recipe((2, 4, 300), multiclass, gamma=3.7).problem()
    grads = torch.zeros(2, problem.n_rows, N_COLUMNS, dtype=torch.float64)
    grads[:, 1, column] = torch.tensor([0.5, -2.0])
    check_gradient(compiled, problem, grads, None)


@pytest.mark.parametrize("multiclass", [True, False])
@pytest.mark.parametrize("gamma", [0.0, 0.25, 1.0, 2.0])
def test_a_sure_pixel_has_a_gradient_of_0_and_no_nan(gamma: float, multiclass: bool) -> None:  # noqa: FBT001
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]]).unsqueeze(0)
    labels = torch.tensor([[0, 1]]) if multiclass else torch.tensor([[[1, 0], [0, 1]]])
    problem = Problem(logits, labels, multiclass, None, gamma, 0.0)
    grads = torch.zeros(1, problem.n_rows, N_COLUMNS)
    grads[..., [CROSS_ENTROPY, FOCAL, HARD]] = 1
    assert compiled.backward(problem, grads, None).abs().max().item() == 0
    assert compiled.forward(problem, Wanted()).sums[..., FOCAL].abs().max().item() == 0


@pytest.mark.parametrize("n_kept", [0, 1, 10, 11, 400])
def test_few_pixels_with_a_gradient(n_kept: int) -> None:
    for layout in LAYOUTS:
        problem = Recipe((2, 4, 400), layout=layout).problem()
        grads = torch.zeros(2, 400)
        grads[:, torch.randperm(400, generator=torch.Generator().manual_seed(n_kept))[:n_kept]] = 1.5
        check_gradient(compiled, problem, torch.zeros(2, 4, N_COLUMNS), grads)


@given(recipes(), st.sampled_from([0.0, 0.1, 0.9]), st.booleans())
@example(Recipe((1, 3, 4), dtype=torch.float16, scale=0.0), 0.0, False)  # noqa: FBT003
def test_argmax_is_torchs(recipe: Recipe, odd: float, infinite: bool) -> None:  # noqa: FBT001
    logits = recipe.problem().logits
    lot = torch.rand(logits.shape, generator=torch.Generator().manual_seed(recipe.seed))
    logits = lay_out(logits.masked_fill(lot < odd, -math.inf if infinite else math.nan), recipe.layout)
    # torch refuses where there is nothing.
    want = logits.argmax(1) if logits.numel() else torch.empty(logits.shape[0], logits.shape[2], dtype=torch.int64)
    assert torch.equal(compiled.argmax(logits), want)


def test_a_problem_is_not_changed() -> None:
    problem = Recipe((2, 4, 100)).problem()
    before = replace(problem, logits=problem.logits.clone(), labels=problem.labels.clone())
    answers(problem)
    assert torch.equal(problem.logits, before.logits)
    assert torch.equal(problem.labels, before.labels)


def test_a_machine_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable() -> None:
        message = "there is no compiler"
        raise CompilerUnavailable(message, "install one")

    monkeypatch.setattr(compiled, "_library", unavailable)
    assert not compiled.available()
    with pytest.raises(CompilerUnavailable, match="there is no compiler"):
        compiled.argmax(torch.zeros(1, 2, 3))


def test_memory_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        @staticmethod
        def segcli_argmax(*_: object) -> int:
            return compiled._OUT_OF_MEMORY

    monkeypatch.setattr(compiled, "_library", Full)
    with pytest.raises(MemoryError, match="more memory than there is for logits of 2 classes"):
        compiled.argmax(torch.zeros(1, 2, 3))
