"""Every row of the table of facts: pinned, and asked of the real libraries too."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from segcli.shapes import explain
from tests.shapes.oracle import ask_numpy, ask_torch, evaluate
from tests.shapes.reading import in_numpy

SOURCES = {"w": (2, 3, 5), "y": (2, 3, 4), "z": (2, 3, 4, 5), "x": (2, 3, 5, 7)}
INDICES = {
    "i2": torch.zeros(2, dtype=torch.int64),
    "i4": torch.zeros(4, dtype=torch.int64),
    "i5": torch.zeros(5, dtype=torch.int64),
    "i6": torch.zeros(6, dtype=torch.int64),
    "j": torch.zeros(5, 6, dtype=torch.int64),
    "zero": torch.tensor(0),
    "m57": torch.ones(5, 7, dtype=torch.bool),
    "m3": torch.ones(3, dtype=torch.bool),
    "m21": torch.ones(2, 1, dtype=torch.bool),
    "m1": torch.ones(1, dtype=torch.bool),
    "u5": torch.zeros(5, dtype=torch.uint8),
    "u0": torch.tensor(1, dtype=torch.uint8),
    "c2": torch.zeros(2, dtype=torch.int8),
    "s2": torch.zeros(2, dtype=torch.int32),
    "v32": torch.zeros(3, 2),
    "v77": torch.zeros(7, 7),
}
SPECS = {
    "i2": "2,",
    "i4": "4,",
    "i5": "5,",
    "i6": "int64:6,",
    "j": "5x6",
    "zero": "tensor(0)",
    "m57": "bool:5,7#35",
    "m3": "bool:3#3",
    "m21": "bool:2,1#2",
    "m1": "bool:1#1",
    "u5": "uint8:5",
    "u0": "uint8:tensor(1)",
    "c2": "int8:2",
    "s2": "int32:2",
    "v32": "3,2",
    "v77": "7,7",
}

Expected = tuple[int, ...] | str
ROWS: list[tuple[str, Expected, Expected]] = [
    ("y[0,:,i2]", (3, 2), (2, 3)),
    ("y[0,:,j]", (3, 5, 6), (5, 6, 3)),
    ("x[0,...,i4]", (3, 5, 4), (4, 3, 5)),
    ("z[:,0,:,i6]", (2, 4, 6), (6, 2, 4)),
    ("z[:,i6,:,0]", (2, 6, 4), (6, 2, 4)),
    ("x[0,None,i4]", (1, 4, 5, 7), (4, 1, 5, 7)),
    ("x[:,i4,None,0]", (2, 4, 1, 7), (4, 2, 1, 7)),
    ("x[0,:,m57]", (3, 35), (35, 3)),
    ("x[:,m3,:,0]", (2, 3, 5), (3, 2, 5)),
    ("y[zero,:,i5]", (3, 5), (5, 3)),
    ("y[:,True,:,0]", (2, 1, 3), (1, 2, 3)),
    ("x[0,:,True]", (3, 1, 5, 7), (1, 3, 5, 7)),
    ("w[:,i4,...,i4]", (2, 4), (4, 2)),
    ("w[:,i4,None,i4]", (4, 2, 1), (4, 2, 1)),
    ("x[:,i4,0:1,i4]", (4, 2, 1), (4, 2, 1)),
    ("x[:,i4,0,i4]", (2, 4), (2, 4)),
    ("y[[0,1]]", (2, 3, 4), (2, 3, 4)),
    ("y[(0,1)]", (4,), (4,)),
    ("y[[[0,1],[1,0]]]", (2, 4), (2, 2, 3, 4)),
    ("y[[[0,1]]]", (2, 3, 4), (1, 2, 3, 4)),
    ("y[[slice(None),0]]", (2, 4), "IndexError"),
    ("y[[...,0]]", (2, 3), "IndexError"),
    (f"x[[{', '.join(['[0]'] * 33)}]]", (33, 1, 3, 5, 7), (33, 1, 3, 5, 7)),
    ("x[[[True,False,True],[False,False,True]]]", "IndexError", (3, 5, 7)),
    ("y[[0,1.0]]", (2, 3, 4), "IndexError"),
    ("y[[True,1]]", (2, 3, 4), (2, 3, 4)),
    ("y[...,0,...]", (2, 3), "IndexError"),
    ("y[...,...,0:2]", (2, 3, 4), "IndexError"),
    ("y[...,...,0]", "IndexError", "IndexError"),
    ("y[::-1]", "ValueError", (2, 3, 4)),
    ("y[u5]", "IndexError", (5, 3, 4)),
    ("y[u0]", (1, 2, 3, 4), (3, 4)),
    ("y[c2]", "IndexError", (2, 3, 4)),
    ("y[s2]", (2, 3, 4), (2, 3, 4)),
    ("y[m21]", "IndexError", "IndexError"),
    ("y[m1]", "IndexError", "IndexError"),
    ("y[[True,False],[True,False,True]]", (2, 4), (2, 4)),
    ("y[5:10]", (0, 3, 4), (0, 3, 4)),
    ("y[2]", "IndexError", "IndexError"),
    ("x[:,[-4]]", "IndexError", "IndexError"),
]


def names_in(expr: str) -> list[str]:
    return [
        name
        for name in (*SOURCES, *INDICES)
        if name in expr.replace("slice", "").replace("[", " ").replace("]", " ").replace(",", " ").split()
    ]


@pytest.mark.parametrize(("expr", "in_torch", "in_numpy"), ROWS, ids=lambda value: str(value)[:40])
def test_indexing(expr: str, in_torch: Expected, in_numpy: Expected) -> None:
    names = names_in(expr)
    shapes = {name: ",".join(map(str, shape)) for name, shape in SOURCES.items()}
    tensors = {name: torch.zeros(SOURCES[name]) if name in SOURCES else INDICES[name] for name in names}
    explanation = explain(expr, {name: shapes.get(name) or SPECS[name] for name in names})
    for answer, expected, verdict in (
        (explanation.torch, in_torch, ask_torch(expr, tensors)),
        (explanation.numpy, in_numpy, ask_numpy(expr, tensors)),
    ):
        assert (answer.shape if answer.error is None else answer.error.type) == expected
        assert (verdict.shape if verdict.error is None else verdict.error) == expected
        assert (answer.error.message if answer.error else "") == verdict.message
    assert explanation.same == (explanation.torch.shape == explanation.numpy.shape)
    assert bool(explanation.differs) == (in_torch != in_numpy)


REDUCTIONS: list[tuple[str, str, Expected, Expected]] = [
    ("argmax()", "np.argmax(y)", (), ()),
    ("argmax(keepdim=True)", "np.argmax(y, keepdims=True)", (1, 1, 1), (1, 1, 1)),
    ("argmax(dim=1)", "np.argmax(y, axis=1)", (2, 4), (2, 4)),
    ("argmax((0, 1))", "np.argmax(y, axis=(0, 1))", "TypeError", "TypeError"),
    ("sum(())", "np.sum(y, axis=())", (), (2, 3, 4)),
    ("amax(())", "np.amax(y, axis=())", (), (2, 3, 4)),
    ("any(())", "np.any(y, axis=())", (2, 3, 4), (2, 3, 4)),
    ("max(1)", "np.max(y, axis=1)", (2, 4), (2, 4)),
    ("sum([0, 1])", "np.sum(y, axis=[0, 1])", (4,), "TypeError"),
    ("sum((0, 0))", "np.sum(y, axis=(0, 0))", "RuntimeError", "ValueError"),
    ("sum(3)", "np.sum(y, axis=3)", "IndexError", "AxisError"),
    ("sum(keepdim=True)", "np.sum(y, keepdims=True)", "TypeError", (1, 1, 1)),
    ("amin(0, 1)", "np.amin(y, axis=0, keepdims=1)", "TypeError", (1, 3, 4)),
]


@pytest.mark.parametrize(("call", "numpy_call", "in_torch", "in_numpy"), REDUCTIONS, ids=[row[0] for row in REDUCTIONS])
def test_reductions(call: str, numpy_call: str, in_torch: Expected, in_numpy: Expected) -> None:
    tensors = {"y": torch.zeros(2, 3, 4)}
    explanation = explain(f"y.{call}", {"y": "2,3,4"})
    for answer, expected, verdict in (
        (explanation.torch, in_torch, ask_torch(f"y.{call}", tensors)),
        (explanation.numpy, in_numpy, ask_numpy(numpy_call, tensors)),
    ):
        assert (answer.shape if answer.error is None else answer.error.type) == expected
        assert (verdict.shape if verdict.error is None else verdict.error) == expected


INTEGER = "selects with an integer first"
TUPLE = "takes a list of lists or tensors for a tuple of indices"
UINT8 = "takes uint8 for a mask, NumPy for positions"
# Every row on which the two differ: the rule, and what means the same in both.
DIFFERENT: list[tuple[str, str, str]] = [
    ("y[0,:,i2]", INTEGER, "y[0][:, i2]"),
    ("y[0,:,j]", INTEGER, "y[0][:, j]"),
    ("x[0,...,i4]", INTEGER, "x[0][..., i4]"),
    ("z[:,0,:,i6]", INTEGER, "z[:, 0][:, :, i6]"),
    ("z[:,i6,:,0]", INTEGER, "z[:, :, :, 0][:, i6, :]"),
    ("x[0,None,i4]", INTEGER, "x[0][None, i4]"),
    ("x[:,i4,None,0]", INTEGER, "x[:, :, 0][:, i4, None]"),
    ("x[0,:,m57]", INTEGER, "x[0][:, m57]"),
    ("x[:,m3,:,0]", INTEGER, "x[:, :, :, 0][:, m3, :]"),
    ("y[zero,:,i5]", INTEGER, "y[zero][:, i5]"),
    ("y[:,True,:,0]", INTEGER, "y[:, :, 0][:, True, :]"),
    ("x[0,:,True]", INTEGER, "x[0][:, True]"),
    ("w[:,i4,...,i4]", "an ellipsis that stands for no axis separates", "w[:, i4, i4]"),
    ("y[[[0,1],[1,0]]]", TUPLE, "y[[0,1], [1,0]]"),
    ("y[[[0,1]]]", TUPLE, "y[[0,1]]"),
    ("y[[slice(None),0]]", TUPLE, "y[slice(None), 0]"),
    ("y[[...,0]]", TUPLE, "y[..., 0]"),
    ("x[[[True,False,True],[False,False,True]]]", TUPLE, "x[[0, 0, 1], [0, 2, 2]]"),
    ("y[[0,1.0]]", "truncates floats in a list", "y[[0, 1]]"),
    ("y[...,0,...]", "lets a second `...` pass", "y[:, :, 0]"),
    ("y[...,...,0:2]", "lets a second `...` pass", "y[:]"),
    ("y[::-1]", "PyTorch has no negative steps", "y.flip(0)"),
    ("y[u5]", UINT8, "y[u5.long()]"),
    ("y[u0]", UINT8, "y[True]"),
    ("y[c2]", "NumPy integers of any width", "y[c2.long()]"),
    ("y[0,:,i2] = v32", INTEGER, "y[0][:, i2] = v32"),
    ("y[False] = v77", "with nothing to write to", "y[False] = 0"),
]


@pytest.mark.parametrize(("expr", "rule", "rewrite"), DIFFERENT, ids=lambda value: str(value)[:40])
def test_the_rule_and_the_way_out(expr: str, rule: str, rewrite: str) -> None:
    names = names_in(expr.replace("=", " "))
    tensors = {name: made(name) for name in names}
    shapes = {name: ",".join(map(str, shape)) for name, shape in SOURCES.items()}
    explanation = explain(expr, {name: shapes.get(name) or SPECS[name] for name in names})
    assert rule in explanation.differs
    assert explanation.rewrite == rewrite
    # What PyTorch gives, or NumPy where PyTorch raises.
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    first = explanation.torch.error is None
    wanted, also = (
        after(expr if first else rewrite, tensors),
        after(in_numpy(rewrite if first else expr), arrays),
    )
    assert np.array_equal(wanted, also)
    assert np.array_equal(wanted, after(rewrite, tensors))
    assert np.array_equal(wanted, after(in_numpy(rewrite), arrays))


def test_every_row_that_differs_has_a_rule_and_a_way_out() -> None:
    told = {expr for expr, _, _ in DIFFERENT}
    assert {expr for expr, in_torch, in_numpy_too in ROWS if in_torch != in_numpy_too} <= told


def made(name: str) -> torch.Tensor:
    if name in SOURCES or name.startswith("v"):
        shape = SOURCES.get(name) or INDICES[name].shape
        return torch.arange(1.0, 1 + torch.Size(shape).numel()).reshape(shape)
    return INDICES[name]


def after(expr: str, names: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Return what an expression gives, or what an assignment leaves."""
    held = {name: each.copy() if isinstance(each, np.ndarray) else each.clone() for name, each in names.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        place = evaluate(expr, held)[0]
    return np.asarray(held["y"] if " = " in expr else place)


def test_max_over_a_dim_returns_two_tensors() -> None:
    explanation = explain("y.max(1)", {"y": "float16:2,3,4"})
    assert [(member.name, member.shape, member.dtype) for member in explanation.torch.members] == [
        ("values", (2, 4), "float16"),
        ("indices", (2, 4), "int64"),
    ]
    assert not explanation.same
    assert "return values and indices" in explanation.differs


@pytest.mark.parametrize("function", ["argmax", "argmin"])
def test_argmax_over_bool_is_torchs_error_alone(function: str) -> None:
    explanation = explain(f"m.{function}(dim=0)", {"m": "bool:2,3"})
    assert explanation.torch.error is not None
    with pytest.raises(RuntimeError, match="does not support bool input") as caught:
        getattr(torch.zeros(2, 3, dtype=torch.bool), function)(dim=0)
    assert explanation.torch.error.message == str(caught.value)
    assert explanation.numpy.shape == getattr(np.zeros((2, 3), dtype=bool), function)(axis=0).shape


def test_the_notes_example_broadcasts() -> None:
    explanation = explain("src[a, b, :]", {"src": "8,16,3", "a": "4,1", "b": "5,"})
    assert explanation.torch.shape == (4, 5, 3)
    assert explanation.formula == "result[i, j, k] = src[a[i, 0], b[j], k]"
