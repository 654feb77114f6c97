"""One-hot encoding and the functional softmax, beside real PyTorch."""

import pytest

from segcli.shapes import explain
from tests.shapes.sampling_cases import holds, refused


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
