"""Operands broadcast as in PyTorch and NumPy; the operand and the axis at fault are named."""

import random

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.agreement import CASES, SEED
from tests.shapes.cases import shape_text
from tests.shapes.oracle import ask_numpy, ask_torch

_SIZES = [0, 1, 1, 2, 2, 3]


def _random_shape(rng: random.Random) -> tuple[int, ...]:
    return tuple(rng.choice(_SIZES) for _ in range(rng.randrange(5)))


def test_random_shapes() -> None:
    rng = random.Random(SEED)
    raised = 0
    count = max(CASES // 10, 300)
    for _ in range(count):
        shapes = {name: _random_shape(rng) for name in "xy"}
        if rng.random() < 0.7:
            # One of them made of the other, so that many fit.
            shapes["y"] = tuple(1 if rng.random() < 0.4 else size for size in shapes["x"])[rng.randrange(2) :]
        tensors = {name: torch.zeros(shape) for name, shape in shapes.items()}
        explanation = explain("x + y", {name: shape_text(shape) for name, shape in shapes.items()})
        for answer, verdict in (
            (explanation.torch, ask_torch("x + y", tensors)),
            (explanation.numpy, ask_numpy("x + y", tensors)),
        ):
            assert answer.shape == verdict.shape, shapes
            if answer.error:
                assert (answer.error.type, answer.error.message) == (verdict.error, verdict.message), shapes
                # The axis at fault is one of the operand that is named.
                assert answer.error.axis is not None
                assert shapes[answer.error.token][answer.error.axis] != 1
                raised += 1
    assert 0.1 * count < raised < 1.9 * count


@pytest.mark.parametrize(
    ("shapes", "axis", "torch_words", "numpy_words"),
    [
        (("2,3", "4,"), 0, "a (3) must match the size of tensor b (4) at non-singleton dimension 1", "(2,3) (4,) "),
        (("5,", "4,3,2"), 2, "a (5) must match the size of tensor b (2) at non-singleton dimension 2", "(5,) (4,3,2) "),
        (("7,2,1", "5,1,9"), 0, "a (7) must match the size of tensor b (5) at non-singleton dimension 0", "(7,2,1)"),
        (("N,3", "N,4"), 1, "a (3) must match the size of tensor b (4) at non-singleton dimension 1", "(N,3) (N,4) "),
    ],
)
def test_errors_by_hand(shapes: tuple[str, str], axis: int, torch_words: str, numpy_words: str) -> None:
    explanation = explain("x * y", dict(zip("xy", shapes, strict=True)))
    assert explanation.torch.error is not None
    assert explanation.numpy.error is not None
    assert (explanation.torch.error.token, explanation.torch.error.axis) == ("y", axis)
    assert torch_words in explanation.torch.error.message
    assert numpy_words in explanation.numpy.error.message


@pytest.mark.parametrize(
    ("x", "y", "shape", "needs"),
    [
        ("N,3", "3,", ("N", 3), ()),
        ("N,1", "N,3", ("N", 3), ()),
        ("N,3", "M,3", ("N", 3), ("M == N or M == 1",)),
        ("N,3", "5,1", (5, 3), ("N == 5 or N == 1",)),
        ("N,1,H,W", "19,H,W", ("N", 19, "H", "W"), ()),
    ],
)
def test_sizes_that_are_not_known(x: str, y: str, shape: tuple[int | str, ...], needs: tuple[str, ...]) -> None:
    explanation = explain("x + y", {"x": x, "y": y})
    assert (explanation.torch.shape, explanation.numpy.shape, explanation.needs) == (shape, shape, needs)


def test_labels_go_along() -> None:
    assert explain("x + y", {"x": "h:8,w:16,c:3", "y": "k:3"}).torch.labels == ("h", "w", "c")
    assert explain("x + y", {"x": "h:8,a:1", "y": "h:1,b:3"}).torch.labels == ("h", "b")
    assert explain("x + y", {"x": "8,1", "y": "k:3"}).torch.labels == (None, "k")
    assert explain("x + y", {"x": "8,1", "y": "3,"}).torch.labels is None


def test_trace_says_what_is_repeated() -> None:
    steps = explain("x + y + 1", {"x": "4,1", "y": "2,1,3"}).steps
    assert [step.effect for step in steps] == [
        "axis 1 of size 1 is repeated 3 times; is repeated along the new axis 0",
        "axis 1 of size 1 is repeated 4 times",
        "element by element",
        "the same for every element",
    ]
    effect = explain("x + y", {"x": "4,3", "y": "1,1"}).steps[1].effect
    assert effect == "axes 0 and 1 of size 1 are repeated 4 and 3 times"
    assert [step.effect for step in explain("x + y", {"x": "()", "y": "()"}).steps] == ["its one element"] * 2
    assert explain("x + y", {"x": "()", "y": "2,"}).steps[0].effect == "the same for every element"


def test_table_only_where_shapes_differ() -> None:
    (broadcast,) = explain("x + y", {"x": "4,1", "y": "3,"}).broadcasts
    assert [(row.token, row.shape) for row in broadcast.rows] == [("x", (4, 1)), ("y", (3,))]
    assert broadcast.shape == (4, 3)
    assert not explain("x + y", {"x": "4,3", "y": "4,3"}).broadcasts
    assert not explain("x + y", {"x": "4,3", "y": "()"}).broadcasts


def test_too_many_elements_are_refused() -> None:
    huge = str(2**40)
    with pytest.raises(SegcliError, match=r"more than 2\^63"):
        explain("x + y", {"x": f"{huge},1", "y": f"1,{huge}"})
    assert explain("x + 1", {"x": f"{huge},4"}).torch.shape == (2**40, 4)
