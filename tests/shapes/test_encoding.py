"""One-hot encoding and the functional softmax, beside real PyTorch."""

import random

import pytest
import torch

from segcli.shapes import explain
from tests.shapes.agreement import CASES
from tests.shapes.cases import Case, shape_text
from tests.shapes.sampling_cases import ANY, FLOATS, bind, holds, joined, refused, run_cases, sizes

ODD = ["True", "1.0", "'a'", "(0,)", "9", "-9", "()"]


def encoded(rng: random.Random) -> Case:
    case = Case()
    shape = sizes(rng, rng.choice([0, 1, 1, 2, 3]))
    if rng.random() < 0.5:
        shape = [min(size, 2) for size in shape[:2]]
        values = torch.randint(
            -1 if rng.random() < 0.2 else 0, 4, shape, generator=torch.Generator().manual_seed(rng.randrange(99))
        )
        dtype = "int64" if rng.random() < 0.9 else "int32"
        case.tensors["x"] = values.to(getattr(torch, dtype))
        case.specs["x"] = (
            f"{dtype}:tensor({values.tolist()})" if values.numel() else f"{dtype}:{shape_text(tuple(shape))}"
        )
        x = "x"
        classes = ["1", "2", "3", "4", "5", "0", "-1", "-2"]
    else:
        x = bind(rng, case, "x", shape, "int64" if rng.random() < 0.8 else rng.choice(ANY))
        classes = ["1", "2", "19", "0", "-3"]
    named = {"num_classes": rng.choice(classes)}
    if rng.random() < 0.1:
        named["num_classes"] = rng.choice([*ODD, "None"])
    if "tensor" in case.specs["x"] and rng.random() < 0.3:
        named.pop("num_classes")
    if rng.random() < 0.02:
        x = rng.choice(["3", "None"])
    case.expr = f"F.one_hot({joined(rng, [x], named, ['num_classes'])})"
    return case


def softmax(rng: random.Random) -> Case:
    case = Case()
    x = bind(rng, case, "x", sizes(rng, rng.choice([0, 1, 2, 3, 4])), rng.choice(FLOATS if rng.random() < 0.7 else ANY))
    named = {}
    if rng.random() < 0.8:
        named["dim"] = rng.choice(["0", "1", "-1", "2", "-2", "None"]) if rng.random() < 0.8 else rng.choice(ODD)
    if rng.random() < 0.15:
        named["_stacklevel"] = rng.choice(["3", "5", "'a'", "1.0", "None", "True"])
    if rng.random() < 0.2:
        named["dtype"] = rng.choice(["torch.float64", "torch.float16", "None", "torch.int64", "3", "'float32'"])
    if rng.random() < 0.02:
        x = rng.choice(["3", "None", "(1,)", "'a'"])
    if rng.random() < 0.02:
        named["axis"] = "1"
    name = rng.choice(["softmax", "log_softmax"])
    case.expr = f"F.{name}({joined(rng, [x], named, ['dim', '_stacklevel', 'dtype'])})"
    return case


def test_random_encodings() -> None:
    run_cases(encoded, CASES // 16)


def test_random_softmax() -> None:
    run_cases(softmax, CASES // 16)


@pytest.mark.parametrize(
    ("expr", "spec", "shape", "formula"),
    [
        ("F.one_hot(x, 5)", "int64:2,3", (2, 3, 5), "result[i, j, k] = 1 if x[i, j] == k else 0"),
        ("F.one_hot(x, 5)", "int64:()", (5,), "result[i] = 1 if x == i else 0"),
        ("F.softmax(x, 1)", "2,3", (2, 3), "result[i, j] = exp(x[i, j]) / sum over k of exp(x[i, k])"),
        ("F.log_softmax(x, 0)", "2,3", (2, 3), "result[i, j] = x[i, j] - logsumexp over k of x[k, j]"),
    ],
)
def test_by_hand(expr: str, spec: str, shape: tuple[int, ...], formula: str) -> None:
    holds(expr, {"x": spec}, formula, high=5)
    assert explain(expr, {"x": spec}).torch.shape == shape


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "needs"),
    [
        ("F.one_hot(x)", {"x": "int64:N,H,W"}, ("N", "H", "W", "max(x) + 1"), ()),
        ("F.one_hot(x)", {"x": "tensor([0, 4, 2])"}, (3, 5), ()),
        ("F.one_hot(x, num_classes=19)", {"x": "int64:N,H"}, ("N", "H", 19), ()),
        ("F.one_hot(x, y.size(1))", {"x": "tensor([0, 4])", "y": "N,C"}, (2, "C"), ("C >= 5",)),
        ("F.one_hot(x, y.size(1))", {"x": "int64:0,3", "y": "N,C"}, (0, 3, "C"), ()),
        ("F.one_hot(x, y.size(1))", {"x": "int64:3,", "y": "N,C"}, (3, "C"), ()),
        ("F.softmax(x, dim=1)", {"x": "N,C,H,W"}, ("N", "C", "H", "W"), ()),
    ],
)
def test_named_sizes(expr: str, specs: dict[str, str], shape: tuple[int | str, ...], needs: tuple[str, ...]) -> None:
    explanation = explain(expr, specs)
    assert explanation.torch.shape == shape
    assert explanation.needs == needs


def test_labels_and_an_axis_without_one() -> None:
    assert explain("F.one_hot(x, 3)", {"x": "int64:h:4,w:5"}).torch.labels == ("h", "w", None)
    assert explain("F.one_hot(x, 3)", {"x": "int64:0,5"}).formula is None


@pytest.mark.parametrize(
    ("expr", "spec", "effect"),
    [
        ("F.one_hot(x, 19)", "int64:4,", "new last axis: num_classes = 19; every value of x must be below it"),
        ("F.one_hot(x)", "tensor([1, 6])", "new last axis: the largest value + 1 = 7 classes"),
        ("F.one_hot(x, -1)", "int64:4,", "new last axis: as many classes as the largest value of x asks for"),
    ],
)
def test_where_the_classes_come_from(expr: str, spec: str, effect: str) -> None:
    assert explain(expr, {"x": spec}).steps[-1].effect == effect


@pytest.mark.parametrize(("spec", "dim"), [("()", 0), ("3,", 0), ("2,3", 1), ("2,3,4", 0), ("2,3,4,5", 1)])
def test_the_dim_that_is_picked(spec: str, dim: int) -> None:
    explanation = explain("F.softmax(x)", {"x": spec})
    assert f"takes dim={dim} for a tensor of" in explanation.notes[0]
    assert explanation.steps[0].takes == ((dim,) if spec != "()" else ())


@pytest.mark.parametrize(
    ("expr", "words", "token"),
    [
        ("F.softmax(x, axis=1)", "softmax() got an unexpected keyword argument 'axis'", "1"),
        ("F.softmax(x, None, 5.0)", "'float' object cannot be interpreted as an integer", "5.0"),
    ],
)
def test_errors(expr: str, words: str, token: str) -> None:
    refused(expr, {"x": "2,3"}, "TypeError", words, token)


def test_known_values_are_looked_at() -> None:
    error = explain("F.one_hot(x, 4)", {"x": "tensor([0, 7])"}).torch.error
    assert error is not None
    assert (error.type, error.message, error.token) == (
        "RuntimeError",
        "Class values must be smaller than num_classes.",
        "4",
    )
