"""Changes in place, ``x[i] += v``: agreement with real PyTorch and NumPy, by hand, symbols, formulas, notes."""

import random
import re
import warnings
from itertools import product
from typing import Any

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import Answer, explain
from segcli.shapes.confirm import confirm
from segcli.shapes.operations import is_known
from segcli.shapes.result import UNKNOWN
from segcli.tensorrun import TensorRunner
from tests.shapes.updating_cases import random_update

_Real = tuple[tuple[int, ...] | str, str]
_SIGN = re.compile(r" (\+|-|\*\*?|//?|%|&|\||\^|<<|>>)= ")


def perform(expr: str, names: dict[str, Any]) -> _Real:
    """Do a change; return shape and dtype of the place that it changes, or the exception's type and words."""
    scope = {"slice": slice, "torch": torch, **names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # The tests wrote it.
            exec(f"{expr}\nplace = {_SIGN.split(expr)[0]}", scope)  # noqa: S102
        except Exception as error:  # noqa: BLE001 - whatever it raises is the verdict
            return type(error).__name__, (str(error).splitlines() or [""])[0]
    return tuple(scope["place"].shape), str(scope["place"].dtype).removeprefix("torch.")


def said(answer: Answer) -> _Real:
    if answer.error is not None:
        return answer.error.type, answer.error.message
    assert answer.shape is not None
    assert answer.dtype is not None
    return tuple(int(size) for size in answer.shape), answer.dtype


def test_random_changes() -> None:
    rng = random.Random(17)
    raised = 0
    for _ in range(1500):
        case = random_update(rng)
        where = f"{case.expr} {case.specs}"
        try:
            explanation = explain(case.expr, case.specs)
        except SegcliError as error:
            if "complex32" not in error.message:
                raise
            continue
        real = perform(case.expr, {name: tensor.clone() for name, tensor in case.tensors.items()})
        mine = said(explanation.torch)
        assert mine[0] == real[0], (where, mine, real)
        assert isinstance(real[0], str) or mine == real, (where, mine, real)
        raised += isinstance(real[0], str)
        if case.numpy_expr and (explanation.numpy.error is None or explanation.numpy.error.type != UNKNOWN):
            real = perform(case.expr, {name: tensor.clone().numpy() for name, tensor in case.tensors.items()})
            mine = said(explanation.numpy)
            assert mine[0] == real[0], (where, mine, real)
            assert isinstance(real[0], str) or mine == real, (where, mine, real)
    assert raised > 500


_TENSORS = {
    "x": torch.zeros(2, 3),
    "y": torch.zeros(2, 3, dtype=torch.int64),
    "b": torch.zeros(2, 3, dtype=torch.bool),
    "u": torch.zeros(2, 3, dtype=torch.uint8),
    "c": torch.zeros(2, 3, dtype=torch.complex64),
    "i": torch.tensor([0, 0]),
    "v": torch.ones(4),
    "s": torch.ones(3),
    "o": torch.ones(1, 3),
    "w": torch.ones(5, 2, 3),
}
_SPECS = {
    "x": "2,3",
    "y": "int64:2,3",
    "b": "bool:2,3",
    "u": "uint8:2,3",
    "c": "complex64:2,3",
    "i": "tensor([0, 0])",
    "v": "4,",
    "s": "3,",
    "o": "1,3",
    "w": "5,2,3",
}


@pytest.mark.parametrize(
    "expr",
    [
        "x += y",
        "y += x",
        "y += 1.5",
        "y /= 2",
        "x += v",
        "x += w",
        "x[0] += w",
        "x[0] += o",
        "o += x",
        "x[0, 0] += s",
        "x[i] += s",
        "x[i] += w",
        "x[9] += v[[99]]",
        "y[0, 0] += 1.5",
        "y[0] += s",
        "y += v",
        "x += [1, 2, 3]",
        "x[0] += None",
        "x[0, 0] += None",
        "x **= None",
        "b += 1",
        "b += b",
        "b -= b",
        "b[i] -= v",
        "b |= u",
        "b <<= 1",
        "u += y",
        "u += 300",
        "u >>= y",
        "y **= -1",
        "b **= -1",
        "y //= 0",
        "b //= 0",
        "y &= x",
        "x &= 1",
        "x += c",
        "c += x",
        "x[:, 0] -= x.sum(1)",
        "x[b] += s",
        "x[...] += 1",
        "u *= 'a'",
    ],
)
def test_words(expr: str) -> None:
    names = set(re.findall(r"\b[a-z]\b", expr)) & set(_TENSORS)
    # Where the mask has no True.
    specs = {name: _SPECS[name] + ("#0" if name == "b" else "") for name in names}
    explanation = explain(expr, specs)
    assert said(explanation.torch) == perform(expr, {name: _TENSORS[name].clone() for name in names})
    mine = said(explanation.numpy)
    real = perform(expr, {name: _TENSORS[name].clone().numpy() for name in names})
    # How wide the text would be.
    assert (mine[0], mine[1].replace("<U21", "<U3")) == real


@pytest.mark.parametrize(
    ("expr", "specs", "in_torch", "in_numpy"),
    [
        ("x.expand(4, 3)[0] += 1", {"x": "3,"}, ((3,), "float32"), None),
        ("x.expand(4, 3)[:2] += 1", {"x": "3,"}, "more than one element of the written-to tensor", None),
        ("torch.broadcast_to(x, (4, 3))[:2] += 1", {"x": "3,"}, "more than one element", "output array is read-only"),
        ("torch.broadcast_to(x, (4, 3))[[0]] += 1", {"x": "3,"}, ((1, 3), "float32"), "assignment destination is"),
        ("x.shape[0] += 1", {"x": "2,3"}, "'torch.Size' object does not support item assignment", "'tuple' object"),
        ("x.max(1)[0] += 1", {"x": "2,3"}, "'torch.return_types.max' object does not support", None),
    ],
)
def test_by_hand(expr: str, specs: dict[str, str], in_torch: _Real | str, in_numpy: str | None) -> None:
    explanation = explain(expr, specs)
    error = explanation.torch.error
    assert (
        (in_torch in error.message)
        if error is not None and isinstance(in_torch, str)
        else in_torch == said(explanation.torch)
    )
    if in_numpy is not None:
        assert explanation.numpy.error is not None
        assert in_numpy in explanation.numpy.error.message


@pytest.mark.parametrize(
    ("expr", "specs", "needs"),
    [
        ("x += y", {"x": "N,3", "y": "M,3"}, ("M == N or M == 1",)),
        ("x += y", {"x": "N,3", "y": "5,3"}, ("N == 5",)),
        ("x += y", {"x": "1,3", "y": "N,3"}, ("N == 1",)),
        ("x[0] += y", {"x": "N,3", "y": "3,"}, ("N >= 1",)),
        ("x[m] += y", {"x": "8,3", "m": "bool:8", "y": "12,1"}, ("nonzero(m) == 12",)),
    ],
)
def test_symbols(expr: str, specs: dict[str, str], needs: tuple[str, ...]) -> None:
    assert explain(expr, specs).needs == needs


@pytest.mark.parametrize(
    ("expr", "specs", "formula"),
    [
        ("x += y", {"x": "4,6", "y": "6,"}, "x[i, j] += y[j]"),
        ("x[:, 0] -= x.mean(1)", {"x": "4,6"}, "x[i, 0] -= x.mean(1)[i]"),
        ("x[m] *= 2", {"x": "4,6", "m": "bool:4,6"}, "x[m.nonzero()[i, 0], m.nonzero()[i, 1]] *= 2"),
        ("x[i] += v", {"x": "4,6", "i": "3,", "v": "6,"}, "x[i[j], k] = x[i[j], k] + v[k]"),
        ("x[i] += 1", {"x": "4,6", "i": "tensor([0, 2])"}, "x[i[j], k] += 1"),
        ("x **= 2", {"x": "()"}, "x **= 2"),
    ],
)
def test_formulas_by_hand(expr: str, specs: dict[str, str], formula: str) -> None:
    assert explain(expr, specs).formula == formula


def test_formulas() -> None:
    """What every element becomes, computed from what they were before, is what PyTorch makes of the tensor."""
    rng = random.Random(5)
    seen = 0
    for _ in range(1200):
        case = random_update(rng)
        try:
            explanation = explain(case.expr, case.specs)
        except SegcliError:
            continue
        formula, shape = explanation.formula, explanation.torch.shape
        if (
            formula is None
            or shape is None
            or not formula.startswith("x[")
            or any("positions repeat" in note or "expanded tensor" in note for note in explanation.notes)
        ):
            continue
        done = {name: tensor.clone() for name, tensor in case.tensors.items()}
        perform(case.expr, done)
        before, after = case.tensors["x"], case.tensors["x"].clone()
        left, mark, right = _SIGN.split(formula)
        letters = [letter for letter in "ijklmnpqrstuvw" if letter not in case.specs][: len(shape)]
        for place in product(*(range(int(size)) for size in shape)):
            names = {**case.tensors, **dict(zip(letters, place, strict=True)), "after": after, "x": before}
            # Only formulas that segcli wrote are evaluated here.
            exec(f"after{left[1:]} = {left} {mark} ({right})", names)  # noqa: S102
        assert torch.equal(torch.nan_to_num(after), torch.nan_to_num(done["x"])), (case.expr, case.specs, formula)
        seen += 1
    assert seen > 100


def test_a_position_that_comes_twice_is_changed_once() -> None:
    counted = explain("x[i] += 1", {"x": "4,", "i": "5,"})
    (note,) = counted.notes
    assert note == (
        "where positions repeat, each counts once: what is changed is a copy, of which one value is written back; "
        "write x.index_put_((i,), v, accumulate=True), or np.add.at(x, i, v), to add every one"
    )
    x = torch.zeros(4)
    x[torch.tensor([1, 1, 1])] += 1
    assert x[1] == 1
    assert explain("x[i] *= 2", {"x": "4,", "i": "5,"}).notes[0].endswith("of which one value is written back")
    assert explain("x[i] += 1", {"x": "4,", "i": "tensor([0, 2])"}).notes == ()
    assert "expanded" in explain("x.expand(4, 3)[i] += 1", {"x": "1,3", "i": "tensor([0, 2])"}).notes[0]
    assert explain("x[m][0] += 1", {"x": "8,16", "m": "bool:8"}).notes[0].startswith("x[m] is a copy")


def test_the_trace() -> None:
    changed = explain("x[y == 1] += v", {"x": "4,6", "y": "4,6", "v": "1,"})
    assert [row.token for row in changed.broadcasts[-1].rows] == ["x[y == 1]", "v"]
    assert changed.steps[-1].effect == "is added to what is there, repeated along axis 0"
    whole = explain("x %= y", {"x": "h:4,w:6", "y": "6,"})
    assert (whole.steps[0].effect, whole.steps[1].effect) == (
        "changed where it is",
        "changes what is there by %, repeated along axis 0",
    )
    assert (whole.view, whole.torch.labels) == (True, ("h", "w"))
    stored = explain("x += y", {"x": "float16:3,", "y": "float64:3,"})
    assert stored.broadcasts[-1].why == "the result is float64, stored as float16, as x is"


@pytest.mark.parametrize(
    ("expr", "specs"),
    [
        ("x += y", {"x": "4,6", "y": "6,"}),
        ("x[i] += 1", {"x": "4,6", "i": "3,"}),
        ("x[9] -= 1", {"x": "4,6"}),
        ("x[0] /= y", {"x": "int64:4,6", "y": "6,"}),
        ("x[(*i,)] *= 2", {"x": "4,6", "i": "[0, 1]"}),
    ],
)
def test_the_installed_torch_confirms_it(expr: str, specs: dict[str, str]) -> None:
    assert confirm(explain(expr, specs), TensorRunner(is_known)).agrees is True


@pytest.mark.parametrize(
    ("expr", "specs", "rewrite"),
    [
        ("y += 1.5", {"y": "int64:2,3"}, "y + 1.5"),
        ("x[0] += y", {"x": "2,3", "y": "4,3"}, "x[0] + y"),
        ("x[m] /= 2", {"x": "int64:2,3", "m": "bool:2"}, "x[m] / 2"),
    ],
)
def test_what_does_not_fit_in_place_works_elsewhere(expr: str, specs: dict[str, str], rewrite: str) -> None:
    assert explain(expr, specs).rewrite == rewrite


def test_an_expanded_place_is_written_once() -> None:
    explanation = explain("x.expand(2, 3)[a,] += v", {"x": "3,", "a": "uint8:()", "v": "3,"})
    assert explanation.formula == "x[k] = x[k] + v[k]"
    assert explanation.notes[0].startswith("deprecated: PyTorch puts into an expanded tensor")
    assert explain("x //= -1", {"x": "uint8:4"}).formula == "x[i] //= 255"
