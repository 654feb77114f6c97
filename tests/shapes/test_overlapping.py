"""A value that is read from where it is written to: what PyTorch refuses, and what it does not see."""

import re

import pytest
import torch

from segcli.shapes import explain
from segcli.shapes.select.overlapping import SHARED
from tests.shapes.cases import shape_text
from tests.shapes.oracle import ask_numpy, ask_torch

_TENSORS = {
    "x": torch.arange(12.0).reshape(3, 4),
    "s": torch.arange(9.0).reshape(3, 3),
    "i": torch.arange(3),
    "b": torch.tensor([True, False, True]),
    "v": torch.arange(6.0),
    "e": torch.zeros(0, 4),
    "o": torch.tensor([7, 8, 9]),
}


@pytest.mark.parametrize(
    ("expr", "token"),
    [
        ("x[1:] = x[:-1]", "x[:-1]"),
        ("x[:, 1:] = x[:, :-1]", ""),
        ("x[:] = x", ""),
        ("x[0] = x[0]", ""),
        ("x[0] = x[:1]", ""),
        ("x[:1] = x[0]", ""),
        ("x[0, 1:] = x[0, :-1]", "x[0, :-1]"),
        ("x[0:0] = x[1:1]", ""),
        ("x[:2] = x[1:2]", ""),
        ("x[1:] = x[0, 0]", ""),
        ("x[0, 0] = x[0, 0]", ""),
        ("x[[0, 1]] = x[1:]", "x[1:]"),
        ("x[[0, 1]] = x[:2]", "x[:2]"),
        ("x[0, [1, 2]] = x[0, :2]", "x[0, :2]"),
        ("x[0, [1, 2]] = x[1, :2]", ""),
        ("x[1:, [1, 2]] = x[:2, :2]", ""),
        ("x[x > 3] = x[0, 0]", ""),
        ("x[True] = x", ""),
        ("x[True] = x[0]", ""),
        ("x[True, :] = x", "x"),
        ("x[1:] = x[1:].T.T", ""),
        ("x[:2] = x.view(-1)[2:10].view(2, 4)", "x.view(-1)[2:10].view(2, 4)"),
        ("x[:2] = x[1:].diagonal().sum()", ""),
        ("x[1:] = x.split(2)[0]", "x.split(2)[0]"),
        ("x[:] = x + 1", ""),
        ("x[1:] = x[:-1].double()", ""),
        ("x[1:] = x[:-1].float()", "x[:-1].float()"),
        ("x[1:] = x[:-1].flip(0)", ""),
        ("x[:2] = x.view(torch.int32)[1:]", "x.view(torch.int32)[1:]"),
        ("x[:, 1:][[0]] = x[0, 1:]", ""),
        ("x[s[0, 0].long()] = x[0]", ""),
        ("s[:] = s.T", "s.T"),
        ("s.T[:] = s", "s"),
        ("s[1:] = s.T[1:]", ""),
        ("s[0] = s.diagonal()", ""),
        ("s += s.T", "s.T"),
        ("s += s", ""),
        ("s += s[0]", "s[0]"),
        ("s += s[0, 0]", "s[0, 0]"),
        ("s += 1", ""),
        ("s[1:] += s[:-1]", "s[:-1]"),
        ("s[0] += s[0]", ""),
        ("s[[0, 1]] += s[1:]", ""),
        ("i[i] = 1", "i"),
        ("i[i] = i", "i"),
        ("i[i] += 1", "i"),
        ("i[0:2] = i[1:]", "i[1:]"),
        ("b[b] = True", ""),
        ("v[:1][b[:1], None] = v[:1]", ""),
        ("b[b] = b[0]", ""),
        ("b[b] = b[:2]", "b[:2]"),
        ("v[1:4] = v[:3][None]", "v[:3][None]"),
        ("v[None, 1:4] = v[:3]", "v[:3]"),
        ("v[:3] = v[3:]", ""),
        ("v[::2] = v[1::2]", ""),
        ("v[1:5] = x[0]", ""),
        ("e[:] = e", ""),
        ("x[::2][:1] = x[0]", "x[0]"),
        ("x[None][...] = x", ""),
        ("x[:1] += x[0]", "x[0]"),
        ("x[:1] += x[0:1]", ""),
        ("x[:1, :1] = x[0, :1]", "x[0, :1]"),
        ("x[o] = x[0]", "x[0]"),
        ("x[v[0], :] = x[0]", "x[0]"),
        ("x[b[:2]] = x[0]", "x[0]"),
        ("v[..., [[False, True]]] = v[:2]", "v[:2]"),
        ("x[b, o] = x[0]", "x[0]"),
        ("x[o[:2].short()] = x[0]", "x[0]"),
        ("x[[[0], [1, 2]]] = x", "x"),
        ("b[b[0]] = b[1:2]", "b[1:2]"),
        ("x[0, [1], False] = x[0, 0]", "x[0, 0]"),
    ],
)
def test_by_hand(expr: str, token: str) -> None:
    names = set(re.findall(r"\b[a-z]\b", expr))
    tensors = {name: _TENSORS[name] for name in names}
    specs = {
        name: f"{str(tensor.dtype).removeprefix('torch.')}:{shape_text(tuple(tensor.shape))}"
        for name, tensor in tensors.items()
    }
    if "o" in specs:
        specs["o"] = f"tensor({tensors['o'].tolist()})"
    error = explain(expr, specs).torch.error
    real = ask_torch(expr, tensors)
    told = (error.type, error.message, error.token) if error else (None, "", "")
    assert told == (real.error, real.message, token)
    assert not error or error.message == SHARED


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("x[[0, 1.5, None]] = x[0]", "only integers"),
        ("x[[[1], [1, 2], [0]], 0] = x", "expected sequence"),
        ("x[0, 0, [0]] = x", "too many indices"),
        ("x[[9], 9] = x[0, 0]", "index 9 is out of bounds"),
        ("x[[True]] = x[0, 0]", "The shape of the mask"),
    ],
)
def test_of_other_errors_pytorch_tells_first(expr: str, words: str) -> None:
    error = explain(expr, {"x": "3,4"}).torch.error
    real = ask_torch(expr, {"x": _TENSORS["x"]})
    assert error is not None
    assert (error.type, error.message) == (real.error, real.message)
    assert words in real.message


def test_numpy_sets_the_value_aside() -> None:
    expr = "x[1:] = x[:-1]"
    assert ask_numpy(expr, {"x": _TENSORS["x"]}).error is None
    explanation = explain(expr, {"x": "3,4"})
    assert explanation.numpy.shape == (2, 4)
    assert explanation.differs.startswith("PyTorch refuses a value that shares memory")


@pytest.mark.parametrize(
    "expr", ["x[1:] = x[:-1]", "x[:] = x.view(x.size(0), 4)", "x[0] = x[1]", "x[k] = x[0]", "x[-2:] = x[:2]"]
)
def test_of_sizes_that_are_not_known_nothing_is_said(expr: str) -> None:
    specs = {"x": "N,4", "k": "int64:()"}
    assert explain(expr, {name: spec for name, spec in specs.items() if name in expr}).torch.error is None
