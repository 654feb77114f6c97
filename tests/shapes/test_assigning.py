"""Assignment to an index: agreement with real PyTorch and NumPy, by hand, symbols, formulas."""

import re

import pytest
import torch

from segcli.shapes import explain
from tests.shapes.agreement import disagreement
from tests.shapes.cases import shape_text
from tests.shapes.oracle import ask_numpy, ask_torch

_EXPANDED_SIZE = (
    "The expanded size of the tensor (3) must match the existing size (5) at non-singleton dimension 0.  "
    "Target sizes: [3].  Tensor sizes: [5]"
)
_TOO_MANY_SIZES = (
    "expand(torch.FloatTensor{[2, 3]}, size=[3]): the number of sizes provided (1) must be greater or equal to "
    "the number of dimensions in the tensor (2)"
)
_ONE_LOCATION = (
    "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
    "Please clone() the tensor before performing the operation."
)
_TENSORS = {
    "x": torch.arange(24.0).reshape(2, 3, 4),
    "y": torch.arange(24).reshape(2, 3, 4),
    "c": torch.zeros(2, dtype=torch.complex64),
    "m": torch.arange(24).reshape(2, 3, 4) % 5 == 0,
    "i": torch.tensor([0, 1, 1]),
    "o": torch.tensor([9]),
    "e": torch.zeros(0, dtype=torch.int64),
    "u": torch.ones(2, 3, 4, dtype=torch.uint8),
    "z": torch.tensor(1.0),
    "big": torch.tensor(1e30),
    "v": torch.ones(3, 2),
    "w": torch.ones(7, 7),
    "s": torch.ones(2),
    "d": torch.ones(1, dtype=torch.float64),
    "k": torch.ones(2, 0, 3, 4),
}
_SPECS = {
    name: f"{str(tensor.dtype).removeprefix('torch.')}:"
    + (shape_text(tuple(tensor.shape)) if name in "xycvwsdke" else f"tensor({tensor.tolist()})")
    for name, tensor in _TENSORS.items()
}


@pytest.mark.parametrize(
    ("expr", "in_torch", "in_numpy"),
    [
        ("x[0, :, i[:2]] = v", (3, 2), "ValueError"),
        ("x[0, :, i[:2]] = v[:2, [0, 0, 0]]", "RuntimeError", (2, 3)),
        ("x[False] = w", (0, 2, 3, 4), "ValueError"),
        ("x[True] = w", "RuntimeError", "ValueError"),
        ("x[m] = 1", (5,), (5,)),
        ("x[m] = s", "RuntimeError", "ValueError"),
        ("x[m] = d", (5,), (5,)),
        ("x[m] = v", "RuntimeError", "TypeError"),
        ("x[i] = d", "RuntimeError", (3, 3, 4)),
        ("x[0] = d", (3, 4), (3, 4)),
        ("x[u] = 1", "RuntimeError", None),
        ("y[m] = big", "RuntimeError", None),
        ("x[0] = [1, 2, 3, 4]", "TypeError", (3, 4)),
        ("x[0] = [[[1]]]", "TypeError", "ValueError"),
        ("x[0, 0, 0] = [1]", "TypeError", "ValueError"),
        ("x[0, 0, 0] = s", "RuntimeError", "ValueError"),
        ("x[0, 0, 0] = d", (), "ValueError"),
        ("y[0, 0, 0] = [1]", "TypeError", "TypeError"),
        ("c[0] = [1]", "TypeError", "TypeError"),
        ("c[0] = s", "RuntimeError", "TypeError"),
        ("c[0] = 'a'", "TypeError", "ValueError"),
        ("c[0] = ...", "TypeError", "TypeError"),
        ("m[0, 0, 0] = [1]", "TypeError", ()),
        ("m[0, 0, 0] = s", "RuntimeError", "ValueError"),
        ("x[0] = None", "TypeError", (3, 4)),
        ("y[0] = None", "TypeError", "TypeError"),
        ("x[0] = 'a'", "TypeError", "ValueError"),
        ("x[0] = '1.5'", "TypeError", (3, 4)),
        ("x[0] = ...", "TypeError", "TypeError"),
        ("y[0] = 1e999", "RuntimeError", "OverflowError"),
        ("y[0] = 1e999 - 1e999", "RuntimeError", "ValueError"),
        ("y[0] = 1e30", "RuntimeError", "OverflowError"),
        ("u[0] = 300", "RuntimeError", "OverflowError"),
        ("u[0] = -1", (3, 4), "OverflowError"),
        ("x[o] = w", "RuntimeError", "ValueError"),
        ("x[o] = 1", "IndexError", "IndexError"),
        ("x[[9]] = w", "RuntimeError", "ValueError"),
        ("x[[[9], [0]]] = w", "RuntimeError", "ValueError"),
        ("x[[9.5]] = w", "RuntimeError", "IndexError"),
        ("x[:0][o] = w", "IndexError", "ValueError"),
        ("x[i, e] = 'a'", "TypeError", "ValueError"),
        ("x[i, e] = 1", "IndexError", "IndexError"),
        ("x[e] = k", "RuntimeError", (0, 3, 4)),
        ("x[0, 0, 0][0] = 1", "IndexError", "TypeError"),
        ("x[0] = x", "RuntimeError", "ValueError"),
        ("z[()] = s", "RuntimeError", "ValueError"),
    ],
)
def test_by_hand(expr: str, in_torch: tuple[int, ...] | str, in_numpy: tuple[int, ...] | str | None) -> None:
    names = set(re.findall(r"\b[a-z]+\b", re.sub(r"'\S*'|\.\w+", "", expr))) & set(_TENSORS)
    tensors = {name: _TENSORS[name] for name in names}
    explanation = explain(expr, {name: _SPECS[name] for name in names})
    told = [(explanation.torch, ask_torch(expr, tensors), in_torch)]
    if in_numpy is not None:
        told.append((explanation.numpy, ask_numpy(expr, tensors), in_numpy))
    for answer, verdict, expected in told:
        assert (answer.error.type if answer.error else answer.shape) == expected
        assert disagreement(answer, verdict, words=False) is None, verdict


@pytest.mark.parametrize(
    ("expr", "specs", "kind", "message"),
    [
        (
            "x.max(1)[0] = 1",
            {"x": "2,3"},
            "TypeError",
            "'torch.return_types.max' object does not support item assignment",
        ),
        ("x.shape[0] = 1", {"x": "2,3"}, "TypeError", "'torch.Size' object does not support item assignment"),
        ("x.split(1)[0] = 1", {"x": "2,3"}, "TypeError", "'tuple' object does not support item assignment"),
        ("x[0] = (1, 2)", {"x": "2,3"}, "TypeError", "can't assign a tuple to a torch.FloatTensor"),
        (
            "x[0] = v",
            {"x": "2,3", "v": "5,"},
            "RuntimeError",
            _EXPANDED_SIZE,
        ),
        (
            "x[0] = v",
            {"x": "2,3", "v": "1,2,3"},
            "RuntimeError",
            _TOO_MANY_SIZES,
        ),
        (
            "x[i] = v",
            {"x": "2,3", "i": "4,", "v": "1,5"},
            "RuntimeError",
            "shape mismatch: value tensor of shape [5] cannot be broadcast to indexing result of shape [4, 3]",
        ),
        (
            "x.expand(4, 3)[0:2] = 1",
            {"x": "1,3"},
            "RuntimeError",
            _ONE_LOCATION,
        ),
    ],
)
def test_words(expr: str, specs: dict[str, str], kind: str, message: str) -> None:
    error = explain(expr, specs).torch.error
    assert error is not None
    assert (error.type, error.message) == (kind, message)


def test_numpy_writes_to_no_expanded_array() -> None:
    error = explain("torch.broadcast_to(x, (4, 3))[0] = 1", {"x": "1,3"}).numpy.error
    assert error is not None
    assert (error.type, error.message) == ("ValueError", "assignment destination is read-only")


@pytest.mark.parametrize(
    ("expr", "specs", "needs"),
    [
        ("x[0] = v", {"x": "N,C", "v": "C,"}, ("N >= 1",)),
        ("x[0] = v", {"x": "2,C", "v": "5,"}, ("C == 5",)),
        ("x[0] = v", {"x": "2,3", "v": "K,"}, ("K == 3 or K == 1",)),
        ("x[0] = v", {"x": "2,3", "v": "K,3"}, ("K == 1",)),
        ("x[m] = v", {"x": "8,16", "m": "bool:8,16", "v": "12,"}, ("nonzero(m) == 12",)),
        ("x[i] = v", {"x": "8,16", "i": "K,", "v": "K,16"}, ()),
        ("x[i] = v", {"x": "8,16", "i": "4,", "v": "K,1,16"}, ("K == 1",)),
        ("x[m] = n", {"x": "8,n", "m": "bool:8"}, ()),
    ],
)
def test_symbols(expr: str, specs: dict[str, str], needs: tuple[str, ...]) -> None:
    assert explain(expr, specs).needs == needs


@pytest.mark.parametrize(
    ("expr", "specs", "formula"),
    [
        ("src[a, b] = v", {"src": "8,16,3", "a": "4,5", "b": "4,5", "v": "5,3"}, "src[a[i, j], b[i, j], k] = v[j, k]"),
        ("y[0, :, n] = v", {"y": "2,3,4", "n": "2,", "v": "3,1"}, "y[0, i, n[j]] = v[i, 0]"),
        ("x[1:, None] = 5", {"x": "4,6"}, "x[1 + i, k] = 5"),
        ("x.transpose(0, 1)[0] = v", {"x": "4,6", "v": "1,1,4"}, "x[i, 0] = v[0, 0, i]"),
        ("x[a][0] = v", {"x": "4,6", "a": "3,", "v": "6,"}, "x[a][0, i] = v[i]"),
        ("x[0][1] = 7", {"x": "4,6"}, "x[0, 1] = 7"),
    ],
)
def test_formulas_by_hand(expr: str, specs: dict[str, str], formula: str) -> None:
    assert explain(expr, specs).formula == formula


def test_a_slice_from_the_end_of_an_unknown_axis_has_no_formula() -> None:
    assert explain("x[-3:2:-1] = 1", {"x": "N,6"}, lead="numpy").formula is None


def test_notes() -> None:
    copied = explain("x[m][0] = 1", {"x": "8,16", "m": "bool:8"})
    assert copied.view is False
    assert copied.notes[0].startswith("x[m] is a copy: this writes into it, and x stays as it was")
    assert explain("x[1:][0] = 1", {"x": "8,16"}).notes == ()
    assert explain("x.sort().values[0] = 1", {"x": "8,16"}).notes[0].startswith("x.sort() is a copy")
    repeated = explain("x[i] = v", {"x": "8,", "i": "4,", "v": "4,"})
    assert "where positions repeat" in repeated.notes[0]
    assert explain("x[i] = 1", {"x": "8,", "i": "4,"}).notes == ()
    assert explain("x[i] = v", {"x": "8,", "i": "tensor([0, 3])", "v": "2,"}).notes == ()
    assert explain("x[i] = v", {"x": "8,", "i": "tensor([0, -8])", "v": "2,"}).notes != ()
    assert "expanded" in explain("x.expand(4, 3)[i] = 1", {"x": "1,3", "i": "2,"}).notes[0]
    assert explain("x[0] = 1.5", {"x": "int64:3,2"}).broadcasts[-1].why == "1.5 becomes int64, as x is"
