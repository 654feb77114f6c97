"""Joining tensors: ``cat``, ``stack``, ``hstack``, ``vstack``, ``dstack``."""

import re

import pytest

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.drawing import holds, refused


@pytest.mark.parametrize(
    ("expr", "specs", "formula"),
    [
        ("torch.cat([x, y], 1)", {"x": "2,3", "y": "2,4"}, "result[i, j] = x[i, j] if j < 3 else y[i, j - 3]"),
        ("torch.cat([x, y[:, 1:]])", {"x": "2,3", "y": "2,4"}, "result[i, j] = x[i, j] if i < 2 else y[i - 2, 1 + j]"),
        ("torch.cat([x, z], 1)", {"x": "2,3", "z": "0,"}, "result[i, j] = x[i, j]"),
        ("torch.stack([x, y], 1)", {"x": "4,5", "y": "4,5"}, "result[i, j, k] = x[i, k] if j == 0 else y[i, k]"),
        ("torch.stack([x, y])", {"x": "()", "y": "()"}, "result[i] = x if i == 0 else y"),
        ("torch.hstack([x, y])", {"x": "()", "y": "3,"}, "result[i] = x if i < 1 else y[i - 1]"),
        ("torch.vstack([x, y])", {"x": "3,", "y": "2,3"}, "result[i, j] = x[j] if i < 1 else y[i - 1, j]"),
        ("torch.dstack([x, y])", {"x": "3,", "y": "3,"}, "result[i, j, k] = x[j] if k < 1 else y[j]"),
        ("torch.cat(x.split(2), 1)", {"x": "6,4"}, "result[i, j] = x[2*(j // 4) + i, j % 4]"),
        ("torch.cat(x.split(2))", {"x": "6,4"}, "result[i, j] = x[i, j]"),
        ("torch.cat(x.unbind(1))", {"x": "3,4"}, "result[i] = x[i % 3, i // 3]"),
        ("torch.stack(x.unbind(1))", {"x": "3,4"}, "result[i, j] = x[j, i]"),
        ("torch.stack(x.split(2), 2)", {"x": "6,4"}, "result[i, j, k] = x[2*k + i, j]"),
        ("torch.stack(x.unbind()[1:])", {"x": "3,4"}, "result[i, j] = x[1 + i, j]"),
        ("torch.stack(x.unbind()[::-1])", {"x": "3,4"}, "result[i, j] = x[2 + -1*i, j]"),
        ("torch.cat(x.split(2), 0)", {"x": "5,4"}, "result[i, j] = x[i, j] if i < 4 else x[4 + i - 4, j]"),
        ("torch.cat(x.split(2)[1:2])", {"x": "5,4"}, "result[i, j] = x[2 + i, j]"),
        ("torch.stack(x.split(2)[:1])", {"x": "5,4"}, "result[i, j, k] = x[j, k]"),
        ("torch.vstack(x.unbind())", {"x": "3,4"}, "result[i, j] = x[i, j]"),
    ],
)
def test_formulas(expr: str, specs: dict[str, str], formula: str) -> None:
    holds(expr, specs, formula)


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "needs"),
    [
        ("torch.cat([x, y], 1)", {"x": "N,C", "y": "N,D"}, ("N", "C + D"), ()),
        ("torch.cat([x, y])", {"x": "N,3", "y": "M,C"}, ("N + M", 3), ("C == 3",)),
        ("torch.cat([x, y], 1)", {"x": "N,3", "y": "4,2"}, (4, 5), ("N == 4",)),
        ("torch.stack([x, y])", {"x": "N,3", "y": "M,3"}, (2, "N", 3), ("N == M",)),
        ("torch.stack(x.unbind())", {"x": "N,3"}, ("N", 3), ()),
        ("torch.cat(x.unbind())", {"x": "N,3"}, ("3*N",), ()),
        ("torch.cat(x.split(2, 1), 0)", {"x": "N,4"}, ("2*N", 2), ()),
        ("torch.cat(x.unbind())", {"x": f"{10**12},3"}, (3 * 10**12,), ()),
    ],
)
def test_unknown_sizes(expr: str, specs: dict[str, str], shape: tuple[int | str, ...], needs: tuple[str, ...]) -> None:
    for lead in ("torch", "numpy"):
        if lead == "numpy" and ".split" in expr:
            continue
        explanation = explain(expr, specs, lead=lead)
        assert (explanation.answer.shape, explanation.needs) == (shape, needs)


def test_errors_point_at_the_tensor() -> None:
    specs = {"x": "2,3", "y": "2,4"}
    words = (
        "Sizes of tensors must match except in dimension 0. Expected size 3 but got size 4 for tensor number 1 in the "
        "list."
    )
    refused("torch.cat([x, y])", specs, "RuntimeError", words, "y")
    assert explain("torch.cat([x, y])", specs).torch.error.axis == 1  # type: ignore[union-attr]
    words = "stack expects each tensor to be equal size, but got [2, 3] at entry 0 and [2, 4] at entry 1"
    refused("torch.stack([x, y])", specs, "RuntimeError", words, "y")
    refused("torch.hstack(x)", {"x": "()"}, "TypeError", "iteration over a 0-d array", "x", lead="numpy")


def test_cat_skips_an_empty_vector_aloud() -> None:
    explanation = explain("torch.cat([x, z])", {"x": "2,3", "z": "0,"})
    assert explanation.torch.shape == (2, 3)
    assert any(note.startswith("cat silently skips z") for note in explanation.notes)


def test_a_pair_is_joined() -> None:
    explanation = explain("torch.stack(x.max(1))", {"x": "2,3"})
    assert (explanation.torch.shape, explanation.torch.dtype) == ((2, 2), "float32")
    assert explanation.formula == "result[i, j] = x.max(1)[0][j] if i == 0 else x.max(1)[1][j]"


def test_long_joins_have_no_formula() -> None:
    specs = dict.fromkeys("abcde", "2,")
    assert explain("torch.cat([a, b, c, d, e])", specs).formula is None
    assert explain("torch.stack([a, b, c, d, e])", specs).formula is None


def test_numpy_in_a_row() -> None:
    explanation = explain("torch.cat([x, y], dim=None)", {"x": "2,3", "y": "4,"}, lead="numpy")
    assert explanation.answer.shape == (10,)
    assert explanation.formula is None
    assert explain("torch.concatenate([x], dtype=torch.float64)", {"x": "2,"}, lead="numpy").answer.dtype == "float64"
    assert explain("torch.cat([x, 1], dim=None)", {"x": "2,"}, lead="numpy").answer.dtype == "float32"
    assert explain("torch.cat([x], n)", {"x": "2,", "n": "int64:tensor(0)"}, lead="numpy").answer.shape == (2,)
    refused(
        "torch.cat([x], n)", {"x": "2,", "n": "float32:tensor(0.0)"}, "TypeError",
        "only integer scalar arrays can be converted to a scalar index", "n", lead="numpy",
    )  # fmt: skip
    refused(
        "torch.stack(x.sum())", {"x": "2,"}, "TypeError", "'numpy.float32' object is not iterable", "x.sum()",
        lead="numpy",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("expr", "lead", "words"),
    [
        ("torch.cat(x.split(2))", "torch", "the last tensor of x.split(2) may be smaller"),
        ("torch.cat([x], out=x)", "torch", "out= is not supported"),
        ("torch.cat([x], out=x)", "numpy", "out= is not supported"),
        ("torch.concatenate([x], casting='no')", "numpy", "casting= is not supported"),
        ("torch.stack([x], x.size(0))", "torch", "the value of x.size(0) is not known"),
    ],
)
def test_refused(expr: str, lead: str, words: str) -> None:
    with pytest.raises(SegcliError, match=re.escape(words)):
        explain(expr, {"x": "N,3"}, lead=lead)


def test_what_was_not_cut_from_one_tensor() -> None:
    specs = {"m": "bool:4,4#3"}
    for expr in ("torch.cat(torch.nonzero(m, as_tuple=True))", "torch.stack(torch.nonzero(m, as_tuple=True))"):
        explanation = explain(expr, specs)
        assert explanation.torch.error is None
        assert explanation.formula is None
