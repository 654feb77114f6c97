"""Problems drawn by Hypothesis, and the comparison of a backend with the oracle; all backends' tests share it."""

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from hypothesis import strategies as st
from torch import Tensor

from segcli.nn.kernels.precision import compute_dtype
from segcli.nn.kernels.problem import COUNT, HARD, N_COLUMNS, N_HARD, SQUARES, Answer, Problem, Wanted
from tests.nn.kernels.reference import expected, expected_gradient

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
LABEL_DTYPES = (torch.uint8, torch.int32, torch.int64)
LAYOUTS = ("contiguous", "channels-last", "sliced")
# Relative to the largest value that went into a result; float32 also for the half types, which are computed in it.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-6}
# What rounding a gradient to its dtype costs beside.
ROUNDING = {torch.float64: 0.0, torch.float32: 0.0, torch.float16: 2**-10, torch.bfloat16: 2**-7}
# The least step of float16; bfloat16 underflows where float32 does.
UNDERFLOW = {torch.float64: 0.0, torch.float32: 0.0, torch.float16: 2**-24, torch.bfloat16: 0.0}


class Backend(Protocol):
    """The functions of a backend that work on problems; a module with them will do."""

    def forward(self, problem: Problem, wanted: Wanted) -> Answer: ...

    def backward(self, problem: Problem, grad_sums: Tensor, grad_pixels: Tensor | None) -> Tensor: ...


@dataclass(frozen=True)
class Recipe:
    """What a problem is made from: short to print where an example fails."""

    shape: tuple[int, int, int]
    multiclass: bool = True
    dtype: torch.dtype = torch.float32
    label_dtype: torch.dtype = torch.int64
    ignore_index: int | None = 255
    gamma: float = 2.0
    bound: float = 0.356675
    layout: str = "contiguous"
    label_layout: str = "contiguous"
    scale: float = 3.0
    ignored: float = 0.1
    bad: float = 0.0
    seed: int = 0

    def problem(self, device: str = "cpu") -> Problem:
        """Make the problem, the same one every time."""
        generator = torch.Generator().manual_seed(self.seed)
        n, c, p = self.shape
        logits = torch.randn(self.shape, generator=generator, dtype=torch.float64) * self.scale
        logits = logits.clamp(-6e4, 6e4).to(self.dtype)
        n_labels, shape = (c, (n, p)) if self.multiclass else (2, self.shape)
        most = min(n_labels, torch.iinfo(self.label_dtype).max + 1)
        labels = torch.randint(most, shape, generator=generator)
        lot = torch.rand(shape, generator=generator)
        if self.ignore_index is not None and _holds(self.label_dtype, self.ignore_index):
            labels[lot < self.ignored] = self.ignore_index
        wrong = [label for label in (n_labels, -1, -7, 254, 2**31 - 1, -(2**31)) if _holds(self.label_dtype, label)]
        chosen = torch.randint(len(wrong), shape, generator=generator)
        labels = torch.where(lot > 1 - self.bad, torch.tensor(wrong)[chosen], labels).to(self.label_dtype)
        laid = lay_out(logits, self.layout).to(device), lay_out(labels, self.label_layout).to(device)
        return Problem(*laid, self.multiclass, self.ignore_index, self.gamma, self.bound)


def _holds(dtype: torch.dtype, label: int) -> bool:
    return torch.iinfo(dtype).min <= label <= torch.iinfo(dtype).max


def lay_out(tensor: Tensor, layout: str) -> Tensor:
    """Return the same values with other strides; (N, P) has no channels to come last."""
    if layout == "channels-last" and tensor.ndim == 3:
        return tensor.movedim(1, 2).contiguous().movedim(2, 1)
    if layout == "sliced":
        wide = tensor.new_ones((*tensor.shape[:-1], 2 * tensor.shape[-1] + 1))
        wide[..., 1::2] = tensor
        return wide[..., 1::2]
    return tensor.contiguous()


def recipes(largest: int = 700) -> st.SearchStrategy[Recipe]:
    """Draw recipes of all dtypes, layouts and modes; ``largest`` bounds the number of pixels."""
    shapes = st.tuples(st.integers(0, 3), st.integers(1, 21) | st.sampled_from([40, 150]), st.integers(0, largest))
    return st.builds(
        Recipe,
        shape=shapes,
        multiclass=st.booleans(),
        dtype=st.sampled_from(DTYPES),
        label_dtype=st.sampled_from(LABEL_DTYPES),
        ignore_index=st.sampled_from([255, None, -1, 0]),
        gamma=st.sampled_from([2.0, 0.0, 0.5, 1.0, 3.0, 3.7]),
        bound=st.sampled_from([0.356675, float("inf"), 0.0, 2.5]),
        layout=st.sampled_from(LAYOUTS),
        label_layout=st.sampled_from(LAYOUTS),
        scale=st.sampled_from([3.0, 1.0, 0.0, 30.0, 1e4]),
        ignored=st.sampled_from([0.1, 0.0, 0.9, 1.0]),
        bad=st.sampled_from([0.0, 0.0, 0.2]),
        seed=st.integers(0, 2**16),
    )


def problems(largest: int = 700, device: str = "cpu") -> st.SearchStrategy[Problem]:
    """Draw problems; `recipes` print better where one fails."""
    return recipes(largest).map(lambda recipe: recipe.problem(device))


def wanteds() -> st.SearchStrategy[Wanted]:
    """Draw what is wanted beside the sums."""
    return st.builds(Wanted, st.booleans(), st.booleans(), st.booleans(), st.booleans())


def check_forward(backend: Backend, problem: Problem, wanted: Wanted) -> None:
    """Compare all that ``backend`` answers with the oracle."""
    if not problem.multiclass:
        wanted = replace(wanted, predictions=False, confusion=False)
    answer = backend.forward(problem, wanted)
    problem = on_cpu(problem)
    wants = expected(problem, problem.logits.double())
    # A loss is the difference of numbers as large as the largest logit.
    tolerance = TOLERANCE[compute_dtype(problem.logits.dtype)] * max(1.0, _largest(wants.pixels))
    _check_sums(answer.sums, wants.sums, problem, wanted, tolerance)
    assert answer.sums.dtype == torch.float64
    _check_pixels(answer, wants.pixels, problem, wanted, tolerance)
    assert answer.sound.tolist() == _soundness(problem)
    nothing = torch.empty(0, dtype=torch.int64)
    for got, want, asked in (
        (answer.predictions, wants.predictions, wanted.predictions),
        (answer.confusion, wants.confusion, wanted.confusion),
    ):
        torch.testing.assert_close(got.cpu(), want if asked else nothing, rtol=0, atol=0)


def check_backward(backend: Backend, problem: Problem, seed: int) -> None:
    """Compare a gradient of ``backend`` with autograd's, for random gradients of everything it answers."""
    generator = torch.Generator().manual_seed(seed)
    here = on_cpu(problem)
    losses = expected(here, here.logits.double()).pixels
    grad_sums = torch.randn((problem.logits.shape[0], problem.n_rows, N_COLUMNS), generator=generator).double()
    if (losses - problem.bound).abs().lt(1e-4 * max(1.0, _largest(losses))).any():
        # On which side of the bound such a loss falls is rounding.
        grad_sums[..., HARD] = 0
    kind = seed % 3
    grad_pixels = (
        None if kind == 0 else torch.randn(losses.shape, generator=generator).to(compute_dtype(here.logits.dtype))
    )
    if kind == 2 and grad_pixels is not None:
        # As OHEM's: nothing but some pixels.
        grad_sums.zero_()
        grad_pixels *= torch.rand(losses.shape, generator=generator) < 0.1
    check_gradient(backend, problem, grad_sums, grad_pixels)


def check_gradient(backend: Backend, problem: Problem, grad_sums: Tensor, grad_pixels: Tensor | None) -> None:
    """Compare the gradient for these gradients with autograd's."""
    device = problem.logits.device
    got = backend.backward(problem, grad_sums.to(device), None if grad_pixels is None else grad_pixels.to(device))
    assert (got.dtype, got.shape) == (problem.logits.dtype, problem.logits.shape)
    here = on_cpu(problem)
    want = expected_gradient(here, grad_sums, grad_pixels)
    dtype = problem.logits.dtype
    # Near a loss of L, focal's slope is gamma * L * p_t, which the rounding of L moves by gamma * L * epsilon at most.
    size = max(1.0, _largest(want), _largest(grad_sums)) * (2 + problem.gamma)
    tolerance = TOLERANCE[compute_dtype(dtype)] * size * max(1.0, _largest(here.logits.double()) / 100)
    torch.testing.assert_close(got.cpu().double(), want, rtol=ROUNDING[dtype], atol=tolerance + UNDERFLOW[dtype])


def _check_sums(got: Tensor, want: Tensor, problem: Problem, wanted: Wanted, tolerance: float) -> None:
    got, want = got.cpu().double(), want.clone()
    assert got.shape == want.shape
    if not wanted.squares:
        want[..., SQUARES] = 0
    assert torch.equal(got[..., COUNT], want[..., COUNT])
    # As many as are hard with the bound moved by rounding, either way.
    logits = problem.logits.double()
    least = expected(replace(problem, bound=problem.bound + tolerance), logits).sums
    most = expected(replace(problem, bound=problem.bound - tolerance), logits).sums
    # A loss of 0 is 0 in every dtype, and never above a bound of 0.
    n_pixels = problem.logits.shape[2]
    slack = tolerance * (1 + want[..., COUNT].amax(-1, keepdim=True)) if n_pixels and want.numel() else torch.zeros(1)
    for column, allowed in ((N_HARD, torch.zeros(1)), (HARD, slack)):
        assert (got[..., column] >= least[..., column] - allowed).all()
        assert (got[..., column] <= most[..., column] + allowed).all()
    rest = [column for column in range(N_COLUMNS) if column not in {COUNT, N_HARD, HARD}]
    torch.testing.assert_close(got[..., rest], want[..., rest], rtol=tolerance, atol=tolerance * max(1, n_pixels))


def _check_pixels(answer: Answer, want: Tensor, problem: Problem, wanted: Wanted, tolerance: float) -> None:
    dtype = compute_dtype(problem.logits.dtype)
    assert answer.pixels.dtype == dtype
    if not wanted.pixels:
        assert answer.pixels.shape == (0,)
        return
    pixels = answer.pixels.cpu()
    torch.testing.assert_close(pixels.double(), want, rtol=0, atol=tolerance)
    assert torch.equal(pixels < 0, want < 0)
    # What is counted as hard is what the pixels' own losses say.
    n_hard = (pixels > torch.tensor(problem.bound, dtype=dtype)).sum()
    assert answer.sums[..., N_HARD].sum().item() == n_hard.item()


def _soundness(problem: Problem) -> list[bool]:
    labels = problem.labels.to(torch.int64)
    fine = (labels >= 0) & (labels < (problem.logits.shape[1] if problem.multiclass else 2))
    if problem.ignore_index is not None:
        fine |= labels == problem.ignore_index
    return [bool(problem.logits.isfinite().all()), bool(fine.all())]


def on_cpu(problem: Problem) -> Problem:
    """Return the problem where the oracle computes."""
    return replace(problem, logits=problem.logits.cpu(), labels=problem.labels.cpu())


def _largest(tensor: Tensor) -> float:
    return tensor.abs().max().item() if tensor.numel() else 0.0
