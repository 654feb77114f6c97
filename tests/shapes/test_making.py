"""Making tensors: ``arange``, ``zeros``, ``ones``, ``full``, ``empty``, and those like another."""

import re

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.agreement import check
from tests.shapes.cases import Case
from tests.shapes.drawing import holds, refused


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "needs", "formula"),
    [
        ("torch.arange(5)", {}, (5,), (), "result[i] = i"),
        ("torch.arange(2, 11, 3)", {}, (3,), (), "result[i] = 2 + 3*i"),
        ("torch.arange(5, 2, -1)", {}, (3,), (), "result[i] = 5 - i"),
        ("torch.arange(9, 0, -2)", {}, (5,), (), "result[i] = 9 - 2*i"),
        ("torch.arange(x.size(0))", {"x": "N,3"}, ("N",), (), "result[i] = i"),
        ("torch.arange(2, x.size(0))", {"x": "N,3"}, ("N - 2",), ("N >= 2",), "result[i] = 2 + i"),
        ("torch.arange(0, x.size(0), 2)", {"x": "N,3"}, ("ceil(N / 2)",), (), "result[i] = 2*i"),
        ("torch.arange(x.size(0), 0, -1)", {"x": "N,3"}, ("N",), ("N >= 0",), "result[i] = N - i"),
        ("torch.arange(x.size(0), x.size(1))", {"x": "N,M"}, ("M - N",), ("M >= N",), "result[i] = N + i"),
        ("torch.arange(x.size(0), x.size(0) + 6, 2)", {"x": "N,3"}, (3,), (), "result[i] = N + 2*i"),
        ("torch.zeros(x.size(0), 3)", {"x": "N,3"}, ("N", 3), (), None),
        ("torch.zeros_like(x)", {"x": "h:4,w:5"}, (4, 5), (), None),
    ],
)
def test_by_hand(
    expr: str, specs: dict[str, str], shape: tuple[int | str, ...], needs: tuple[str, ...], formula: str | None
) -> None:
    explanation = explain(expr, specs)
    assert (explanation.torch.shape, explanation.needs, explanation.formula) == (shape, needs, formula)
    if not specs:
        holds(expr, specs, str(formula))


@pytest.mark.parametrize(
    ("expr", "numpy_expr"),
    [
        ("torch.arange(start=7, end=None)", "np.arange(start=7, stop=None)"),
        ("torch.arange(end=None)", "np.arange(stop=None)"),
        ("torch.arange(2, end='a', dtype=torch.float16)", "np.arange(2, stop='a', dtype=np.float16)"),
        ("torch.arange(k, end='a', dtype=torch.float16)", "np.arange(k, stop='a', dtype=np.float16)"),
        ("torch.arange('a', k, 2, dtype=torch.uint8)", "np.arange('a', k, 2, dtype=np.uint8)"),
    ],
)
def test_bounds_of_numpy(expr: str, numpy_expr: str) -> None:
    given = {"k": torch.tensor(2)} if "k" in expr else {}
    check(Case(expr, numpy_expr, dict.fromkeys(given, "int64:tensor(2)"), given), words="(2" not in numpy_expr)


def test_rounded_steps_have_no_formula() -> None:
    assert explain("torch.arange(2.5, 10, 0.3, dtype=torch.int32)").formula is None
    assert explain("torch.arange(2.5, 10, 0.3)").formula == "result[i] = 2.5 + 0.3*i"


def test_a_bound_without_a_number() -> None:
    explanation = explain("torch.randint(0, n, (2,))", {"n": "int64:()"})
    assert (explanation.torch.shape, explanation.torch.dtype) == ((2,), "int64")


def test_sizes_apart_are_no_shape_to_numpy() -> None:
    refused("torch.zeros(2, 3)", {}, "TypeError", "Cannot interpret '3' as a data type", "3", lead="numpy")
    assert explain("torch.zeros(2, dtype='float32')", {}, lead="numpy").answer.dtype == "float32"
    assert explain("torch.zeros_like([1, 2])", {}, lead="numpy").answer.shape == (2,)
    assert explain("torch.zeros(i)", {"i": "[2,3]"}, lead="numpy").answer.shape == (2, 3)
    assert explain("torch.zeros(i)", {"i": "int64:tensor([2,3])"}, lead="numpy").answer.shape == (2, 3)


@pytest.mark.parametrize(
    ("expr", "specs", "lead", "words"),
    [
        ("torch.arange(x.size(0), 9.5)", {"x": "N,3"}, "torch", "how many numbers arange counts"),
        ("torch.zeros(2, out=x)", {"x": "2,"}, "torch", "out= is not supported"),
        ("torch.zeros(2, dtype='a')", {}, "numpy", "'a' as a dtype is not supported"),
        ("torch.zeros(i)", {"i": "int64:2"}, "numpy", "the values of i are not known"),
    ],
)
def test_refused(expr: str, specs: dict[str, str], lead: str, words: str) -> None:
    with pytest.raises(SegcliError, match=re.escape(words)):
        explain(expr, specs, lead=lead)


@pytest.mark.parametrize(
    ("expr", "specs", "lead", "kind"),
    [
        ("torch.zeros(2**63)", {}, "torch", "TypeError"),
        ("torch.zeros(2**63)", {}, "numpy", "ValueError"),
        ("torch.zeros((4611686018427387904, 2))", {}, "torch", "RuntimeError"),
        ("torch.zeros((4611686018427387904, 2))", {}, "numpy", "ValueError"),
        ("torch.zeros(f)", {"f": "float32:tensor(2.5)"}, "torch", "TypeError"),
        ("torch.zeros(i)", {"i": "float32:2"}, "numpy", "TypeError"),
        ("torch.zeros(2, device='foo')", {}, "numpy", "ValueError"),
        ("torch.zeros(2, x)", {"x": "2,"}, "numpy", "TypeError"),
        ("torch.zeros('a')", {}, "numpy", "TypeError"),
        ("torch.full((2, 3), x)", {"x": "2,"}, "numpy", "ValueError"),
        ("torch.arange(x)", {"x": "2,"}, "numpy", "ValueError"),
        ("torch.arange('a')", {}, "numpy", "TypeError"),
        ("torch.arange(n)", {"n": "float32:tensor(1e999)"}, "numpy", "ValueError"),
        ("torch.zeros_like([2])", {}, "torch", "TypeError"),
        ("torch.full()", {}, "torch", "TypeError"),
        ("torch.zeros(2, dtype=torch.bfloat16)", {}, "numpy", "TypeError"),
        ("torch.arange(1e999 - 1e999)", {}, "numpy", "ValueError"),
        ("torch.arange(step=2)", {}, "numpy", "TypeError"),
        ("torch.arange(0, 2**62, 0.25, dtype=torch.float32)", {}, "torch", "RuntimeError"),
        ("torch.arange(1e20, dtype=torch.int64)", {}, "torch", "RuntimeError"),
    ],
)
def test_errors(expr: str, specs: dict[str, str], lead: str, kind: str) -> None:
    error = explain(expr, specs, lead=lead).answer.error
    assert error is not None
    assert error.type == kind
