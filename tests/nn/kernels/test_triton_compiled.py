"""The Triton kernels through Triton's compiler, which needs no GPU, and on a GPU where there is one."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segcli.nn.kernels import triton_kernels
from segcli.nn.kernels.problem import COUNT, CROSS_ENTROPY, N_COLUMNS, Problem, Wanted
from tests.nn.kernels.agreement import Recipe, check_backward, check_forward, recipes, wanteds

triton = pytest.importorskip("triton")

KERNELS = [import_module(f"segcli.nn.kernels.triton_{name}") for name in ("softmax", "sigmoid", "wide")]
EVERYTHING = Wanted(pixels=True, squares=True, predictions=True, confusion=True)


class Compiled:
    """Stands in for a kernel: compiles what is launched, as Triton would for a GPU, which need not be there."""

    def __init__(self, kernel: Any, capability: int, into: list[Any]) -> None:  # noqa: ANN401 - Triton has no types
        self.kernel, self.capability, self.into = kernel, capability, into

    def __getitem__(self, grid: tuple[int]) -> "Compiled":
        return self

    def __call__(self, **arguments: Any) -> None:  # noqa: ANN401
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource, make_backend
        from triton.runtime.jit import create_function_from_signature

        target = GPUTarget("cuda", self.capability, 32)
        backend = make_backend(target)
        bind = create_function_from_signature(self.kernel.signature, self.kernel.params, backend)
        packed = self.kernel._pack_args(backend, arguments, *bind(**arguments))
        options, signature, constants, hints = packed
        source = ASTSource(self.kernel, signature, constants, hints)
        self.into.append(triton.compile(source, target=target, options=options.__dict__))


@contextmanager
def compiled(capability: int, cache: Path) -> Iterator[list[Any]]:
    """Compile what is launched, instead of running it."""
    kernels: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_CACHE_DIR", str(cache))
        for module in KERNELS:
            for name in {"forward", "backward", "argmax", "normalizers"} & vars(module).keys():
                patch.setattr(module, name, Compiled(getattr(module, name), capability, kernels))
        yield kernels


def launch_all(problem: Problem) -> None:
    triton_kernels.forward(problem, EVERYTHING)
    triton_kernels.backward(problem, torch.zeros(len(problem.logits), problem.n_rows, N_COLUMNS), None)
    if problem.multiclass:
        triton_kernels.argmax(problem.logits)


@pytest.mark.parametrize(
    ("recipe", "capability", "n_kernels"),
    [
        (Recipe((2, 19, 64), label_dtype=torch.uint8), 90, 3),
        (Recipe((2, 19, 64), dtype=torch.bfloat16, gamma=0.5), 80, 3),
        (Recipe((2, 520, 64)), 90, 5),
        (Recipe((2, 3, 64), multiclass=False, label_dtype=torch.uint8), 80, 2),
    ],
    ids=["softmax", "bfloat16", "wide", "sigmoid"],
)
def test_compiles_for_a_gpu_without_one(recipe: Recipe, capability: int, n_kernels: int, tmp_path: Path) -> None:
    """The interpreter takes what the compiler refuses."""
    with compiled(capability, tmp_path) as kernels:
        launch_all(recipe.problem())
    assert len(kernels) == n_kernels
    for kernel in kernels:
        assert f".target sm_{capability}" in kernel.asm["ptx"]
        # Order decides what sums of floats are: only counts may be added up in any.
        assert not re.search(r"\b(atom|red)\.\S*add\S*\.f", kernel.asm["ptx"])


@pytest.mark.cuda
@given(recipes(largest=5000), wanteds(), st.integers(0, 2))
def test_agrees_on_a_gpu(recipe: Recipe, wanted: Wanted, seed: int) -> None:
    problem = recipe.problem("cuda")
    check_forward(triton_kernels, problem, wanted)
    check_backward(triton_kernels, problem, seed)


@pytest.mark.cuda
@pytest.mark.parametrize("layout", ["contiguous", "channels-last"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("multiclass", [True, False], ids=["multiclass", "sigmoid"])
def test_is_right_and_the_same_every_time_at_full_size(multiclass: bool, dtype: torch.dtype, layout: str) -> None:  # noqa: FBT001
    recipe = Recipe((2, 19, 512 * 1024), multiclass, dtype, torch.uint8, layout=layout)
    problem = recipe.problem("cuda")
    check_forward(triton_kernels, problem, EVERYTHING)
    check_backward(triton_kernels, problem, 1)
    first, second = (triton_kernels.forward(problem, EVERYTHING) for _ in range(2))
    for name in ("sums", "pixels", "predictions", "confusion"):
        assert torch.equal(getattr(first, name), getattr(second, name))
    grad_sums = torch.ones_like(first.sums)
    gradients = [triton_kernels.backward(problem, grad_sums, first.pixels) for _ in range(2)]
    assert torch.equal(*gradients)


@pytest.mark.cuda
def test_offsets_need_more_than_32_bits() -> None:
    n_pixels, tail = 2**27, 1000
    logits = torch.randn(1, 19, n_pixels, device="cuda", dtype=torch.bfloat16)
    labels = torch.randint(19, (1, n_pixels), device="cuda", dtype=torch.uint8)
    problem = Problem(logits, labels, multiclass=True, ignore_index=255, gamma=2.0, bound=0.356675)
    end = replace(problem, logits=logits[:, :, -tail:], labels=labels[:, -tail:])
    answers = [triton_kernels.forward(each, Wanted(pixels=True)) for each in (problem, end)]
    assert torch.equal(answers[0].pixels[:, -tail:], answers[1].pixels)
    assert answers[0].sums[..., COUNT].sum() == n_pixels
    total = answers[0].pixels.sum(dtype=torch.float64)
    torch.testing.assert_close(answers[0].sums[..., CROSS_ENTROPY].sum(), total, rtol=1e-6, atol=0)
    grad_sums = torch.ones_like(answers[0].sums)
    gradients = [triton_kernels.backward(each, grad_sums, None) for each in (problem, end)]
    assert torch.equal(gradients[0][:, :, -tail:], gradients[1])
    assert torch.equal(triton_kernels.argmax(logits)[:, -tail:], logits[:, :, -tail:].argmax(1))
