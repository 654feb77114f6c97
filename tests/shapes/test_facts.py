"""Every row of the table of facts: pinned, and asked of the real libraries too."""

import numpy as np
import pytest
import torch

from segcli.shapes import explain
from tests.shapes.oracle import ask_numpy, ask_torch

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
