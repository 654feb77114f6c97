"""Agreement with real PyTorch and real NumPy on random expressions, errors counted among them."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shapes.agreement import CASES, Family, agrees, check
from tests.shapes.cases import Case, random_case
from tests.shapes.families import FAMILIES

# So many that one test takes about a second.
_CHUNK = 2500


def _chunks() -> Iterator[Any]:
    for family in FAMILIES:
        for chunk, start in enumerate(range(0, family.cases, _CHUNK)):
            count = min(_CHUNK, family.cases - start) * CASES // 20_000
            yield pytest.param(family, chunk, count, id=f"{family.name}-{chunk}")


@pytest.mark.parametrize(("family", "chunk", "count"), list(_chunks()))
def test_agreement(family: Family, chunk: int, count: int) -> None:
    agrees(family, count, chunk=chunk)


@given(st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_random_expressions_shrunk(rng: random.Random) -> None:
    check(random_case(rng), known=True)


def case_of(expr: str, numpy_expr: str | None = None, **tensors: torch.Tensor) -> Case:
    """Build a case by hand: integers with known values, masks by their count, all others by shape."""
    specs = {}
    for name, tensor in tensors.items():
        dtype = str(tensor.dtype).removeprefix("torch.")
        shape = str(tuple(tensor.shape)).replace(" ", "")
        known = name != "x" and tensor.numel() > 0
        specs[name] = f"{dtype}:tensor({tensor.tolist()})" if known else f"{dtype}:{shape}"
    return Case(expr, numpy_expr or expr, specs, dict(tensors))


X = torch.zeros(2, 3, 4)


PINNED = [
    case_of("x[a, 9]", x=X, a=torch.zeros(0, dtype=torch.int64)),
    case_of("x[9, a]", x=X, a=torch.zeros(2, 3, dtype=torch.int64)),
    case_of("x[a]", x=torch.zeros(3, 1), a=torch.zeros(0, dtype=torch.bool)),
    case_of("x[None, :, [[], True]]", x=X),
    case_of("x[[[], a], None]", x=torch.zeros(0), a=torch.zeros(0, dtype=torch.bool)),
    case_of("x[0, [a, 0]]", x=X, a=torch.tensor([1])),
    case_of("x[0, [[1, 0], a]]", x=X, a=torch.tensor([1, 0])),
    case_of("x[0, [[1, 0], a]]", x=X, a=torch.tensor(1)),
    case_of("x[0, [True, a]]", x=X, a=torch.tensor([False])[0]),
    case_of("x[0, [1e300]]", x=X),
    case_of("x[..., ..., None]", x=X),
    case_of("x[..., 0, ..., True]", x=X),
    case_of("x[..., ..., a]", x=X, a=torch.tensor([1])),
    case_of("x[..., [[True, False, True, False]]]", x=X),
    case_of("x[[[]]]", x=X),
    case_of("x.max(1)[a]", "np.max(x, axis=1)[a]", x=X, a=torch.tensor(1)),
    case_of("x.max(1)[-3]", "np.max(x, axis=1)[-3]", x=X),
    case_of("x.max(1)[None]", "np.max(x, axis=1)[None]", x=X),
    case_of("x[x.max(1)]", "x[np.max(x, axis=1)]", x=X),
    case_of("x[x.argmax(1)]", "x[np.argmax(x, axis=1)]", x=X),
    case_of("x[0, 0, 0][None, ...]", x=X),
    case_of("x[0, 0, 0][0]", x=X),
    case_of("x[a, 1]", x=X, a=torch.zeros(0, dtype=torch.complex64)),
    case_of("x.sum(True, True)", "np.sum(x, axis=True, keepdims=True)", x=X),
    case_of("x.amax((0, 1.0))", "np.amax(x, axis=(0, 1.0))", x=X),
    case_of("x.amax((True, 1))", "np.amax(x, axis=(True, 1))", x=X),
    case_of("x.amax(dim=1, keepdim=None)", "np.amax(x, axis=1, keepdims=None)", x=X),
    case_of("x.max()", "np.max(x)", x=X.to(torch.complex64)),
    case_of("x.max(0)", "np.max(x, axis=0)", x=X.to(torch.complex64)),
    case_of("x.amin(0)", "np.amin(x, axis=0)", x=X.to(torch.complex64)),
    case_of("x.argmin(0)", "np.argmin(x, axis=0)", x=X.to(torch.complex64)),
    case_of("torch.mean(x, 1.0)", "np.mean(x, axis=1.0)", x=X),
    case_of("torch.sum(input=x, dim=1)", "np.sum(x, axis=1)", x=X.to(torch.uint8)),
    case_of("x.sum()[None].sum()", "np.sum(np.sum(x)[None])", x=X.to(torch.uint8)),
    case_of("x[slice(1.5)]", x=X),
    case_of("x[:a]", x=X, a=torch.tensor(1)),
    case_of(f"x[:, {[[True] * 4] * 3}, a]", x=X, a=torch.tensor([0])),
    case_of("x[[(False, False, True), (False, False, True)], ..., [-5, 4]]", x=X),
    case_of("x[..., ..., 1:2]", x=X),
    case_of("x[..., ..., a]", x=X, a=torch.ones(1, 1, dtype=torch.bool)),
    case_of("x.amax(0)", "np.amax(x, axis=0)", x=torch.zeros(3, 0, dtype=torch.complex64)),
    case_of("torch.sum(dim=1, input=x)", "np.sum(x, axis=1)", x=X),
    case_of("x[None, None, None]", x=torch.zeros([1] * 62)),
    case_of("x[None, [[0]], None]", x=torch.zeros([1] * 62)),
    case_of("x[None, None, None].sum(0)", "np.sum(x[None, None, None], axis=0)", x=torch.zeros([1] * 62)),
    case_of("torch.argmax(x.max(1), 0)", "np.argmax(np.max(x, axis=1), axis=0)", x=X),
    case_of("x.max(1).max(1)", "np.max(np.max(x, axis=1), axis=1)", x=X),
    case_of("x[slice(2), slice(1, 2), slice(0, 4, 2)]", x=X),
    case_of("x.median((0, 1.0))", "np.median(x, axis=(0, 1.0))", x=X),
    case_of("x.median([None])", "np.median(x, axis=[None])", x=X),
    case_of("x.std((None,))", "np.std(x, axis=(None,))", x=X),
    case_of("x.std(1, True, True, correction=1)", "np.std(x, axis=1, ddof=True, keepdims=True, correction=1)", x=X),
    case_of("x.norm(dim=(0, 1, 2))", "x.norm()", x=X),
    case_of("x.norm(dim=(0, 1, 2))", "x.norm()", x=X.long()),
    case_of("x.norm(dim=(0, 1, 2))", "x.norm()", x=X[0, 0]),
    case_of("x.norm(dim=(0, 1, 2.0))", "x.norm()", x=X),
    case_of("x.norm(dim=(True, 1, 2))", "x.norm()", x=X),
    case_of("x.norm(dim=(0, 1, 2), keepdim=1)", "x.norm()", x=X),
    case_of("x.norm(dim=1.5)", "x.norm()", x=X),
    case_of("x.norm(-1, (1, 0))", "x.norm()", x=X[:, :0]),
    case_of("x.norm(-1e999)", "x.norm()", x=X[:, :0]),
    case_of("x.norm(1e999, (0, 5))", "x.norm()", x=X[:, :0]),
    case_of("torch.norm(x.sort(1))", "np.norm(np.sort(x, axis=1))", x=X),
    case_of("x.logsumexp(())", "x.logsumexp()", x=X),
    case_of("x.logsumexp((), True)", "x.logsumexp()", x=X),
    case_of("x.sort(0, descending=True, stable=True)", "np.sort(x, axis=0, descending=True, stable=True)", x=X),
    case_of("torch.sort(x, 0, True, stable=True)", "np.sort(x, axis=0, descending=True, stable=True)", x=X),
    case_of("x.sort(None, stable=True)", "np.sort(x, axis=None, stable=True)", x=X),
    case_of("x[0, 0, 0].median(keepdim=True)[0]", "np.median(x[0, 0, 0], keepdims=True)[0]", x=X),
    case_of("x.kthvalue(1, 0)", "x.kthvalue()", x=torch.zeros((), dtype=torch.complex64)),
]


@pytest.mark.parametrize("case", PINNED, ids=lambda case: case.expr)
def test_pinned(case: Case) -> None:
    check(case, known=True)
