"""Operators and functions of two operands agree with PyTorch and NumPy."""

from dataclasses import replace

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from segcli.shapes.evaluate import NUMPY
from segcli.shapes.explanation import tell
from segcli.shapes.text.parse import parse
from segcli.shapes.values import Parts, Run, Tensor, Value
from tests.shapes.agreement import check
from tests.shapes.cases import Case
from tests.shapes.elementwise_cases import holds
from tests.shapes.test_random import case_of


@pytest.mark.parametrize(
    ("expr", "specs", "formula"),
    [
        ("x + y", {"x": "4,1", "y": "3,"}, "result[i, j] = x[i, 0] + y[j]"),
        ("x - y", {"x": "()", "y": "()"}, "result = x - y"),
        ("x + 1", {"x": "3,"}, "result[i] = x[i] + 1"),
        ("2 ** x", {"x": "3,"}, "result[i] = 2 ** x[i]"),
        ("x == 255", {"x": "uint8:2,3"}, "result[i, j] = x[i, j] == 255"),
        ("x * y + x", {"x": "3,", "y": "3,"}, "result[i] = (x[i] * y[i]) + x[i]"),
        ("x[0] + y", {"x": "2,3", "y": "3,"}, "result[i] = x[0, i] + y[i]"),
        ("(x == y) & (x > 0)", {"x": "3,", "y": "3,"}, "result[i] = (x[i] == y[i]) & (x[i] > 0)"),
        ("x.add(y, alpha=2)", {"x": "3,", "y": "3,"}, "result[i] = x[i] + 2*y[i]"),
        ("x.sub(y, alpha=2)", {"x": "3,", "y": "3,"}, "result[i] = x[i] - 2*y[i]"),
        ("x.div(y, rounding_mode='trunc')", {"x": "3,", "y": "3,"}, "result[i] = trunc(x[i] / y[i])"),
        ("x.maximum(y)", {"x": "3,", "y": "3,"}, "result[i] = max(x[i], y[i])"),
        ("torch.logical_and(x, y)", {"x": "3,", "y": "3,"}, "result[i] = x[i] != 0 and y[i] != 0"),
        ("x == None", {"x": "3,"}, None),
    ],
)
def test_formulas_by_hand(expr: str, specs: dict[str, str], formula: str | None) -> None:
    assert explain(expr, specs).formula == formula


def test_no_formula_for_a_list_in_numpy() -> None:
    assert explain("x + [[1], [2]]", {"x": "2,3"}, lead="numpy").formula is None


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "torch_dtype", "numpy_dtype"),
    [
        ("x + y", {"x": "2,3", "y": "3,"}, (2, 3), "float32", "float32"),
        ("x / 2", {"x": "int64:4"}, (4,), "float32", "float64"),
        ("x // 2", {"x": "int64:4"}, (4,), "int64", "int64"),
        ("x * 0.5", {"x": "uint8:4"}, (4,), "float32", "float64"),
        ("x + y", {"x": "int32:4", "y": "int64:()"}, (4,), "int32", "int64"),
        ("x + y", {"x": "int64:4", "y": "float32:4"}, (4,), "float32", "float64"),
        ("(x > 0) & (x < 9)", {"x": "4,5"}, (4, 5), "bool", "bool"),
        ("x >> 1", {"x": "uint8:4"}, (4,), "uint8", "uint8"),
        ("m * m", {"m": "bool:4"}, (4,), "bool", "bool"),
        ("x + x.shape[0]", {"x": "uint8:N,3"}, ("N", 3), "uint8", "uint8"),
        (
            "x * (y != 255).unsqueeze(1)",
            {"x": "N,19,H,W", "y": "uint8:N,H,W"},
            ("N", 19, "H", "W"),
            "float32",
            "float32",
        ),
        ("x.lt(0.5)", {"x": "N,3"}, ("N", 3), "bool", "bool"),
        ("torch.pow(2, x)", {"x": "4,"}, (4,), "float32", "float32"),
    ],
)
def test_answers_by_hand(
    expr: str, specs: dict[str, str], shape: tuple[int | str, ...], torch_dtype: str, numpy_dtype: str
) -> None:
    explanation = explain(expr, specs)
    assert (explanation.torch.shape, explanation.torch.dtype) == (shape, torch_dtype)
    assert (explanation.numpy.shape, explanation.numpy.dtype) == (shape, numpy_dtype)


_I = torch.tensor([1, 2])
_U = torch.ones(3, dtype=torch.uint8)
_F = torch.ones(2, 3)
_M = torch.ones(3, dtype=torch.bool)


@pytest.mark.parametrize(
    "case",
    [
        case_of("x // y", x=torch.ones(2, dtype=torch.int64), y=torch.tensor([1, 0])),
        case_of("x % y", x=torch.ones(2, 0, dtype=torch.int64), y=torch.tensor(0)),
        case_of("x ** y", x=torch.ones(2, dtype=torch.int64), y=torch.tensor([1, 2])),
        case_of("x // 256", "np.zeros(3, np.uint8) // 256", x=_U),
        case_of("x - True", x=_U),
        case_of("x % 'a'", x=_U.float()),
        case_of("torch.add(x)", "np.add(x)", x=_F),
        case_of("torch.add(x, x, x, x)", "np.add(x, x, x, x)", x=_F),
        case_of("torch.add(x, x, 3)", "np.add(x, x, 3)", x=_F),
        case_of("torch.add(x, x, beta=3)", "np.add(x, x, beta=3)", x=_F),
        case_of("x.sum() // x.sum()", x=_F.to(torch.complex64)),
        case_of("x.sum() * [1, 2]", x=_F),
        case_of("x.sum() % 2", x=_F.to(torch.complex64)),
        case_of("x ** 2", x=_M),
        case_of("x * 'a'", x=_I.reshape(2, 1).to(torch.int32)),
        case_of("x * 'a'", x=_F),
        case_of("x / 'a'", x=_F),
        case_of("torch.maximum(x, None)", "np.maximum(x, None)", x=_F),
        case_of("x * [1, 2]", x=_F[0, 0]),
        case_of("x < 'a'", x=_F),
        case_of("x.sum() == ...", x=_F),
        case_of("None != x.sum()", x=_F),
        case_of("x.sum() == 'a'", x=_F),
        case_of("torch.bitwise_or(2, x, out=None)", "np.bitwise_or(2, x)", x=_I),
        case_of("torch.remainder(2, x, out=None)", "np.remainder(2, x)", x=_I),
        case_of("x.all() ** 2", x=_M),
        case_of("x == [1, 2, 3]", x=_F),
    ],
    ids=lambda case: case.expr,
)
def test_pinned(case: Case) -> None:
    check(case, words=False)


@pytest.mark.parametrize(
    "expr",
    [
        "x.max(0) + x",
        "x.max(0) == x",
        "x < x.max(0)",
        "x.shape + x",
        "x.shape - x",
        "x.max(0).add(x)",
        "x.add(x, alpha=x[0, 0])",
        "x.max(0).exp()",
        "x + torch.float32",
        "x * x.max(0)",
        "torch.add(x, 2, x)",
        "x.add(2, other=x)",
        "torch.add(x, x2=x)",
        "torch.add(x1=x, x2=x)",
    ],
)
def test_pinned_in_torch_alone(expr: str) -> None:
    check(replace(case_of(expr, x=_F), numpy_expr=""))


@pytest.mark.parametrize(
    ("expr", "specs", "words"),
    [
        ("[1, 2] * n", {"n": "int64:()"}, "repeats the"),
        ("'a' % x", {"x": "3,"}, "formatted with %"),
        ("x & y", {"x": "float16:3", "y": "complex64:()"}, "complex32"),
    ],
)
def test_what_hangs_on_values_is_refused(expr: str, specs: dict[str, str], words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        explain(expr, specs)


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("x + None", "add of None gives an array of objects, which is not supported"),
        ("torch.logical_and(x, 'a')", "logical_and of a text is not supported"),
    ],
)
def test_what_numpy_does_may_be_unknown(expr: str, words: str) -> None:
    told = explain(expr, {"x": "0,3"})
    assert told.torch.error is not None
    assert told.torch.error.type == "TypeError"
    assert told.numpy.error is not None
    assert (told.numpy.error.type, told.numpy.error.message) == ("unknown", words)
    assert (told.same, told.differs) == (False, "")
    with pytest.raises(SegcliError, match=words):
        explain(expr, {"x": "0,3"}, lead="numpy")


def test_sequences_are_repeated_in_numpy_as_well() -> None:
    # PyTorch refuses first, so that NumPy is asked by itself.
    bindings = {"n": Tensor((), "int64", "n")}
    with pytest.raises(SegcliError, match="repeats the list"):
        tell("[1, 2] * n", parse("[1, 2] * n"), bindings, NUMPY)


def test_exponents_that_are_not_known() -> None:
    assert explain("x ** x.shape[0]", {"x": "uint8:N,3"}).torch.dtype == "uint8"


def test_arrays_of_several_arrays() -> None:
    parts = Parts((Run(2, Tensor((2, 3), "float32", "p")),), "split")
    bindings: dict[str, Value] = {"x": Tensor((2, 3), "float32", "x"), "p": parts}
    assert tell("x + p", parse("x + p"), bindings, NUMPY).answer.shape == (2, 2, 3)
    unknown: dict[str, Value] = {**bindings, "p": Parts((Run("n", Tensor((2, 3), "float32", "p")),), "split")}
    with pytest.raises(SegcliError, match=r"how many arrays split\(\) returns is not known"):
        tell("x + p", parse("x + p"), unknown, NUMPY)


def test_numbers_that_do_not_fit_are_told_of() -> None:
    assert explain("x == 300", {"x": "uint8:3"}).notes == (
        "300 does not fit in uint8: PyTorch takes it for 44, without a word",
    )
    assert explain("x == 255", {"x": "uint8:3"}).notes == ()
    assert explain("x + 300", {"x": "3,"}).notes == ()


def test_comparison_with_a_stranger_is_told_of() -> None:
    explanation = explain("x != [1, 2, 3]", {"x": "3,"})
    assert (explanation.torch.shape, explanation.torch.value) == (None, True)
    assert explanation.numpy.shape == (3,)
    assert explanation.notes == ("PyTorch compares no tensor with a list: != is plain True whatever the elements",)
    assert "with None" in explain("x == None", {"x": "3,"}).notes[0]


def test_masks_are_written_as_such() -> None:
    assert explain("x[y == 255]", {"x": "8,16,3", "y": "uint8:8,16"}).torch.shape == ("nonzero(y == 255)", 3)


@pytest.mark.parametrize("expr", ["x + y", "x.add(y)", "x.transpose(0, 1) + 1", "torch.add(x, 1)", "-x", "x == y"])
def test_run_agrees(expr: str) -> None:
    holds(expr, {name: spec for name, spec in {"x": "2,3", "y": "int64:3"}.items() if name in expr})
