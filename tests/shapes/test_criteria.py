"""Cross entropies, as functions and as layers, beside real PyTorch."""

import pytest
import torch
from torch.nn import functional

from segcli.shapes import explain
from tests.shapes.agreement import disagreement
from tests.shapes.oracle import ask_torch
from tests.shapes.sampling_cases import holds, made, refused


@pytest.mark.parametrize(
    ("expr", "specs", "formula"),
    [
        (
            "F.cross_entropy(x, y, reduction='none')",
            {"x": "2,5,3", "y": "int64:2,3"},
            "result[i, j] = logsumexp over k of x[i, k, j] - x[i, y[i, j], j]",
        ),
        (
            "F.cross_entropy(x, y, reduction='none')",
            {"x": "5,", "y": "int64:()"},
            "result = logsumexp over i of x[i] - x[y]",
        ),
        ("F.cross_entropy(x, y)", {"x": "5,", "y": "int64:()"}, "result = logsumexp over i of x[i] - x[y]"),
    ],
)
def test_formulas_of_cross_entropies(expr: str, specs: dict[str, str], formula: str) -> None:
    holds(expr, specs, formula, high=5)


def test_the_formula_of_a_binary_entropy() -> None:
    specs = {"x": "2,3", "y": "2,3"}
    explanation = explain("nn.BCEWithLogitsLoss(reduction='none')(x, y)", specs)
    assert explanation.formula == "result[i, j] = log(1 + exp(x[i, j])) - x[i, j] * y[i, j]"
    tensors = made(specs, 2)
    real = functional.binary_cross_entropy_with_logits(tensors["x"], tensors["y"], reduction="none")
    ours = torch.log(1 + torch.exp(tensors["x"])) - tensors["x"] * tensors["y"]
    assert torch.allclose(real, ours)


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "needs"),
    [
        ("F.cross_entropy(x, y)", {"x": "N,C,H,W", "y": "int64:N,H,W"}, (), ()),
        (
            "F.cross_entropy(x, y, reduction='none')",
            {"x": "N,C,H,W", "y": "int64:M,H,V"},
            ("N", "H", "W"),
            ("N == M", "W == V"),
        ),
        ("F.cross_entropy(x, y, reduction='none')", {"x": "N,C,L", "y": "int64:N,M"}, ("N", "L"), ("M == L",)),
        ("F.cross_entropy(x, y, reduction='none')", {"x": "N,C", "y": "int64:N,"}, ("N",), ()),
        ("F.cross_entropy(x, y, reduction='none')", {"x": "C,", "y": "int64:N,"}, (), ("N == 1",)),
        ("F.cross_entropy(x, y, w)", {"x": "N,C", "y": "int64:N,", "w": "19,"}, (), ("C == 19",)),
        ("F.cross_entropy(x, y, w)", {"x": "N,19,H,W", "y": "int64:N,H,W", "w": "C,"}, (), ()),
        (
            "F.cross_entropy(x, y, w, reduction='none')",
            {"x": "N,C,H", "y": "N,C,H", "w": "19,"},
            ("N", "H"),
            ("C == 19",),
        ),
        ("F.cross_entropy(x, y, ignore_index=x.size(1))", {"x": "N,C", "y": "int64:N,"}, (), ()),
        ("F.cross_entropy(x, y, label_smoothing=x.size(1))", {"x": "N,C", "y": "int64:N,"}, (), ()),
        ("F.binary_cross_entropy_with_logits(x, y)", {"x": "N,1,H", "y": "M,1,H"}, (), ("N == M",)),
        (
            "F.binary_cross_entropy_with_logits(x, y, w, reduction='none')",
            {"x": "N,3", "y": "N,3", "w": "C,"},
            ("N", 3),
            ("C == 3 or C == 1",),
        ),
    ],
)
def test_named_sizes(expr: str, specs: dict[str, str], shape: tuple[int | str, ...], needs: tuple[str, ...]) -> None:
    explanation = explain(expr, specs)
    assert explanation.torch.shape == shape
    assert explanation.needs == needs


@pytest.mark.parametrize(
    ("expr", "specs", "kind", "words", "token", "axis"),
    [
        (
            "F.cross_entropy(x, y)",
            {"x": "2,3,4", "y": "int64:2,3"},
            "RuntimeError",
            "Expected target size [2, 4], got [2, 3]",
            "y",
            1,
        ),
        (
            "F.cross_entropy(x, y)",
            {"x": "2,3,4,5", "y": "int64:2,5,4"},
            "RuntimeError",
            "size mismatch (got input: [2, 3, 4, 5] , target: [2, 5, 4]",
            "y",
            1,
        ),
        (
            "F.cross_entropy(x, y)",
            {"x": "2,3", "y": "int64:2,3"},
            "RuntimeError",
            "Expected floating point type for target with class probabilities, got Long",
            "y",
            None,
        ),
        (
            "F.cross_entropy(x, y)",
            {"x": "2,3", "y": "int64:3,"},
            "ValueError",
            "Expected input batch_size (2) to match target batch_size (3).",
            "y",
            0,
        ),
        (
            "F.cross_entropy(x, y)",
            {"x": "2,3", "y": "float32:2,"},
            "RuntimeError",
            "expected target dtype to be Long or Byte, but got Float",
            "y",
            None,
        ),
        (
            "F.cross_entropy(x, y, ignore_index=255)",
            {"x": "2,3", "y": "2,3"},
            "RuntimeError",
            "ignore_index is not supported for floating point target",
            "255",
            None,
        ),
        (
            "F.cross_entropy(x, y)",
            {"x": "()", "y": "()"},
            "IndexError",
            "Dimension specified as 1 but tensor has no dimensions",
            "x",
            None,
        ),
        (
            "F.cross_entropy(x, y, w, label_smoothing=0.1)",
            {"x": "2,1,4", "y": "uint8:2,4", "w": "()"},
            "RuntimeError",
            "expected scalar type Long but found Byte",
            "y",
            None,
        ),
        (
            "F.binary_cross_entropy_with_logits(x, y)",
            {"x": "2,1,4", "y": "2,4"},
            "ValueError",
            "Target size (torch.Size([2, 4])) must be the same as input size (torch.Size([2, 1, 4]))",
            "y",
            None,
        ),
        (
            "F.binary_cross_entropy_with_logits(x, y)",
            {"x": "2,3", "y": "int64:2,3"},
            "RuntimeError",
            "result type Float can't be cast to the desired output type Long",
            "y",
            None,
        ),
        (
            "nn.CrossEntropyLoss(3)(x, y)",
            {"x": "2,3", "y": "int64:2,"},
            "TypeError",
            "cannot assign 'int' object to buffer 'weight' (torch Tensor or None required)",
            "3",
            None,
        ),
    ],
)
def test_errors(expr: str, specs: dict[str, str], kind: str, words: str, token: str, axis: int | None) -> None:
    refused(expr, specs, kind, words, token, axis)


def test_weights_of_more_axes() -> None:
    """Of pictures PyTorch counts the weights, and looks at their shape when it smooths."""
    expr = "F.cross_entropy(x, y, w, label_smoothing=0.1, reduction='{}')"
    for weight, reduction in (("3,1", "mean"), ("3,1", "sum"), ("1,3", "sum"), ("()", "sum"), ("1,1", "mean")):
        classes = 3 if "3" in weight else 1
        specs = {"x": f"2,{classes},4", "y": "int64:2,4", "w": weight}
        tensors = {name: tensor.zero_() for name, tensor in made(specs).items()}
        answer = explain(expr.format(reduction), specs).torch
        assert disagreement(answer, ask_torch(expr.format(reduction), tensors)) is None


@pytest.mark.parametrize(
    ("expr", "specs"),
    [
        ("F.cross_entropy(x, y)", {"x": "0,3,4", "y": "int64:()"}),
        ("F.cross_entropy(x, y, label_smoothing=0.1)", {"x": "3,", "y": "int64:1,"}),
        ("F.cross_entropy(x, y, w, label_smoothing=0.1)", {"x": "2,3", "y": "uint8:2,", "w": "3,"}),
        ("F.cross_entropy(x, y, w, label_smoothing=0.1)", {"x": "0,3", "y": "uint8:0,", "w": "3,"}),
        ("F.cross_entropy(x, y)", {"x": "0,3", "y": "int64:()"}),
        ("F.cross_entropy(x, y, w, label_smoothing=1)", {"x": "0,4,4", "y": "int64:0,4", "w": "4,1"}),
    ],
)
def test_pinned(expr: str, specs: dict[str, str]) -> None:
    assert disagreement(explain(expr, specs).torch, ask_torch(expr, made(specs, 3))) is None


def test_targets_that_are_all_left_out() -> None:
    specs = {"x": "2,3", "y": "uint8:tensor([2, 2])", "w": "3,"}
    expr = "F.cross_entropy(x, y, w, label_smoothing=0.1, ignore_index={})"
    assert explain(expr.format(2), specs).torch.shape == ()
    assert explain(expr.format(1), specs).torch.error is not None


def test_class_numbers_that_there_are_not() -> None:
    error = explain("F.cross_entropy(x, y)", {"x": "2,3", "y": "tensor([0, 3])"}).torch.error
    assert error is not None
    assert (error.type, error.message, error.token) == ("IndexError", "Target 3 is out of bounds.", "y")
    assert explain("F.cross_entropy(x, y, ignore_index=3)", {"x": "2,3", "y": "tensor([0, 3])"}).torch.shape == ()


def test_what_a_loss_says() -> None:
    specs = {"x": "N,19,H,W", "y": "int64:N,H,W", "w": "19,"}
    explanation = explain("F.cross_entropy(x, y, w, ignore_index=255)", specs)
    assert [(step.token, step.takes, step.gives) for step in explanation.steps] == [
        ("x", (1,), ()),
        ("x", (0, 2, 3), ()),
        ("y", (0, 1, 2), ()),
        ("w", (0,), ()),
    ]
    assert explanation.broadcasts[0].why == (
        "the mean of N * H * W losses; a loss is -log_softmax of x at the class that y names; times w of that class; "
        "where y == 255 it is 0, and the mean divides by the weights of the others"
    )
    smooth = explain("F.cross_entropy(x, y, label_smoothing=0.1, reduction='sum')", {"x": "2,3", "y": "int64:2,"})
    assert "mixed with the mean over all classes by label_smoothing=0.1; 0 where y == -100" in smooth.broadcasts[0].why
    soft = explain("F.cross_entropy(x, y, w, label_smoothing=0.1)", {"x": "2,3", "y": "2,3", "w": "3,"})
    assert "smoothed towards 1 / 3 by 0.1, each class times its weight" in soft.broadcasts[0].why
    assert "class numbers would have shape (2)" in soft.notes[0]
    binary = explain(
        "F.binary_cross_entropy_with_logits(x, y, w, pos_weight=p)", {"x": "2,3", "y": "2,3", "w": "3,", "p": "3,"}
    )
    assert "(y * p * log(sigmoid(x)) + (1 - y) * log(1 - sigmoid(x))) * w" in binary.broadcasts[0].why


def test_old_names_of_the_reduction() -> None:
    explanation = explain("nn.CrossEntropyLoss(reduce=False)(x, y)", {"x": "2,3", "y": "int64:2,"})
    assert explanation.torch.shape == (2,)
    assert explanation.notes == ("size_average and reduce are deprecated: write reduction='none'",)
    old = explain("F.cross_entropy(x, y, reduction='elementwise_mean')", {"x": "2,3", "y": "int64:2,"})
    assert old.notes == ("reduction='elementwise_mean' is deprecated: write reduction='mean'",)
