"""``F.pad`` and ``F.unfold``, beside real PyTorch."""

import pytest

from segcli.shapes import explain
from tests.shapes.agreement import disagreement
from tests.shapes.oracle import ask_torch
from tests.shapes.sampling_cases import holds, made, refused


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "needs"),
    [
        ("F.pad(x, (1, 2))", "2,3,5", (2, 3, 8), ()),
        ("F.pad(x, (1, 2, 3, 4))", "N,3,H,W", ("N", 3, "H + 7", "W + 3"), ()),
        ("F.pad(x, (-1, -2))", "N,W", ("N", "W - 3"), ("W >= 3",)),
        ("F.pad(x, (1, 1), value=x.min().item())", "2,3", (2, 5), ()),
        ("F.pad(x, (0, 8 - x.size(-1)))", "N,W", ("N", 8), ()),
        ("F.pad(x, (x.size(0), 0))", "N,4", ("N", "N + 4"), ()),
        ("F.pad(x, (2, 1), 'reflect')", "N,3,W", ("N", 3, "W + 3"), ("W >= 3",)),
        ("F.pad(x, (2, 1), 'circular')", "N,3,W", ("N", 3, "W + 3"), ("W >= 2",)),
        ("F.pad(x, (2, 1), 'replicate')", "N,3,W", ("N", 3, "W + 3"), ()),
        ("F.unfold(x, (2, 3), stride=2)", "2,3,8,9", (2, 18, 16), ()),
        ("F.unfold(x, 3, padding=1)", "N,C,H,W", ("N", "9*C", "H*W"), ()),
        ("F.unfold(x, 3)", "C,H,W", ("9*C", "(H - 2)*(W - 2)"), ("H >= 3", "W >= 3")),
    ],
)
def test_shapes_by_hand(expr: str, specs: str, shape: tuple[int | str, ...], needs: tuple[str, ...]) -> None:
    explanation = explain(expr, {"x": specs})
    assert explanation.torch.shape == shape
    assert explanation.needs == needs


@pytest.mark.parametrize(
    ("expr", "spec", "formula"),
    [
        ("F.pad(x, (1, 2))", "2,5", "result[i, j] = x[i, j - 1] if 1 <= j < 6 else 0"),
        ("F.pad(x, (1, 0))", "2,5", "result[i, j] = x[i, j - 1] if 1 <= j else 0"),
        ("F.pad(x, (0, 3), value=7)", "2,5", "result[i, j] = x[i, j] if j < 5 else 7"),
        ("F.pad(x, (-1, 2, 1, 0), value=2.5)", "2,5", "result[i, j] = x[i - 1, j + 1] if 1 <= i and j < 4 else 2.5"),
        ("F.pad(x, (-1, -2))", "2,5", "result[i, j] = x[i, j + 1]"),
        ("F.pad(x, (0, 0))", "2,5", "result[i, j] = x[i, j]"),
        ("F.pad(x, (1, 1), value=2.5)", "int64:2,5", "result[i, j] = x[i, j - 1] if 1 <= j < 6 else 2"),
        ("F.pad(x, (1, 1), value=2)", "bool:2,5", "result[i, j] = x[i, j - 1] if 1 <= j < 6 else True"),
        ("F.pad(x, (1, 1))", "bool:2,5", "result[i, j] = x[i, j - 1] if 1 <= j < 6 else False"),
        ("F.pad(x, (2, 3), 'reflect')", "2,5", "result[i, j] = x[i, 4 - abs(4 - abs(j - 2))]"),
        ("F.pad(x, (2, 0), 'reflect')", "2,5", "result[i, j] = x[i, abs(j - 2)]"),
        ("F.pad(x, (-2, 1), 'reflect')", "2,5", "result[i, j] = x[i, 4 - abs(4 - (j + 2))]"),
        ("F.pad(x, (2, 3), 'replicate')", "2,5", "result[i, j] = x[i, min(max(j - 2, 0), 4)]"),
        ("F.pad(x, (2, -1), 'replicate')", "2,5", "result[i, j] = x[i, max(j - 2, 0)]"),
        ("F.pad(x, (0, 4), 'replicate')", "2,5", "result[i, j] = x[i, min(j, 4)]"),
        ("F.pad(x, (2, 3), 'circular')", "2,5", "result[i, j] = x[i, (j - 2) % 5]"),
        ("F.pad(x, (-2, -1), 'circular')", "2,5", "result[i, j] = x[i, j + 2]"),
        ("F.pad(x, (0, 0), 'circular')", "2,5", "result[i, j] = x[i, j]"),
        ("F.unfold(x, 2)", "1,2,3,4", "result[i, j, k] = x[i, j // 4, k // 3 + j // 2 % 2, k % 3 + j % 2]"),
        (
            "F.unfold(x, (2, 3), dilation=2, stride=(1, 3))",
            "2,5,9",
            "result[i, j] = x[i // 6, j // 2 + 2*(i // 3 % 2), 3*(j % 2) + 2*(i % 3)]",
        ),
    ],
)
def test_formulas(expr: str, spec: str, formula: str) -> None:
    holds(expr, {"x": spec}, formula)


@pytest.mark.parametrize(
    ("expr", "spec"),
    [
        ("F.pad(x, (1, 1))", "0,5"),
        ("F.pad(x, (1, -1), 'circular')", "2,5"),
        ("F.pad(x, (x.size(0), 1))", "N,5"),
        ("F.pad(x, (1, 1), value=1e999)", "bool:0,5"),
        ("F.pad(x, (1, 1), value=n)", "int64:2,5"),
        ("F.unfold(x, 2, padding=1)", "1,2,3,4"),
    ],
)
def test_no_formula(expr: str, spec: str) -> None:
    assert explain(expr, {"x": spec} | ({"n": "float32:()"} if "=n" in expr else {})).formula is None


@pytest.mark.parametrize(
    ("expr", "spec", "formula"),
    [
        ("F.pad(x, (1, 2))", "N,W", "result[i, j] = x[i, j - 1] if 1 <= j < W + 3 - 2 else 0"),
        ("F.pad(x, (1, 2), 'circular')", "N,W", "result[i, j] = x[i, (j - 1) % W]"),
        ("F.pad(x, (1, 2), 'reflect')", "N,W", "result[i, j] = x[i, (W - 1) - abs((W - 1) - abs(j - 1))]"),
        ("F.pad(x, (1, 1), value=n)", "2,5", "result[i, j] = x[i, j - 1] if 1 <= j < 6 else n"),
        ("F.unfold(x, 2)", "1,C,H,W", "result[i, j, k] = x[i, j // 4, k // (W - 1) + j // 2 % 2, k % (W - 1) + j % 2]"),
    ],
)
def test_formulas_of_named_sizes(expr: str, spec: str, formula: str) -> None:
    assert explain(expr, {"x": spec} | ({"n": "float32:()"} if "=n" in expr else {})).formula == formula


def test_the_pair_of_every_axis() -> None:
    explanation = explain("F.pad(x, (1, 2, 0, -1))", {"x": "N,3,5"})
    assert [(step.token, step.takes, step.effect) for step in explanation.steps] == [
        ("", (0,), "kept"),
        ("1, 2", (2,), "5 + 1 + 2 = 8: (before, behind) pairs count from the last axis"),
        ("0, -1", (1,), "3 + 0 - 1 = 2"),
    ]
    named = explain("F.pad(x, p)", {"x": "N,3,5", "p": "[1, 2]"})
    assert [step.token for step in named.steps] == ["", "p"]


def test_the_windows_of_every_axis() -> None:
    explanation = explain("F.unfold(x, 3, padding=1, stride=2)", {"x": "N,3,32,30"})
    assert [step.effect for step in explanation.steps] == [
        "kept",
        "3 * 3 * 3 = 27 rows: each channel's window, row by row",
        "(32 + 2*1 - 1*(3 - 1) - 1) // 2 + 1 = 16",
        "(30 + 2*1 - 1*(3 - 1) - 1) // 2 + 1 = 15; L = 16 * 15 = 240",
    ]
    why = "column l is the window at row l // 15 and column l % 15, with zeros around the picture"
    assert explanation.broadcasts[0].why == why


@pytest.mark.parametrize(
    ("expr", "spec", "kind", "words", "token", "axis"),
    [
        (
            "F.pad(x, (5, 1), 'reflect')",
            "3,4,5",
            "RuntimeError",
            (
                "Argument #4: Padding size should be less than the corresponding input dimension, but got: "
                "padding (5, 1) at dimension 2 of input [3, 4, 5]"
            ),
            "(5, 1)",
            2,
        ),
        ("F.pad(x, (1,))", "3,4", "RuntimeError", "Padding length must be divisible by 2", "(1,)", None),
        ("F.pad(x, (-3, -3))", "3,4", "RuntimeError", "narrow(): length must be non-negative.", "(-3, -3)", 1),
        (
            "F.pad(x, (1, 1), 'reflect')",
            "2,3,4,5",
            "NotImplementedError",
            "Padding size 2 is not supported for 4D input tensor.",
            "(1, 1)",
            None,
        ),
        (
            "F.pad(x, (-6, 5), 'circular')",
            "3,4,5",
            "RuntimeError",
            "The size of tensor a (3) must match the size of tensor b (0) at non-singleton dimension 2",
            "(-6, 5)",
            2,
        ),
        (
            "F.unfold(x, 9)",
            "2,3,4,5",
            "RuntimeError",
            (
                "Given input with spatial size (4, 5), kernel_size=(9, 9), dilation=(1, 1), padding=(0, 0), "
                "calculated shape of the array of sliding blocks as (-4, -3), but its components must be at "
                "least one."
            ),
            "9",
            2,
        ),
    ],
)
def test_errors(expr: str, spec: str, kind: str, words: str, token: str, axis: int | None) -> None:
    refused(expr, {"x": spec}, kind, words, token, axis)


@pytest.mark.parametrize(
    ("expr", "spec"),
    [
        ("F.pad(x, (5, -1), 'circular')", "1,1,5"),
        ("F.pad(x, (-1, 5), 'circular')", "1,1,5"),
        ("F.pad(x, (5, -1), 'circular')", "1,2,5"),
        ("F.pad(x, (2, 5, -4, -4), 'reflect')", "0,2,1,6"),
        ("F.pad(x, (-3, -3, 1, 1), 'replicate')", "0,3,4,5"),
        ("F.pad(x, (-4, -1, -4, -2, -1, 0), 'reflect')", "2,1,1,4"),
        ("F.pad(x, 1)", "2,3"),
    ],
)
def test_pinned(expr: str, spec: str) -> None:
    assert disagreement(explain(expr, {"x": spec}).torch, ask_torch(expr, made({"x": spec}))) is None


def test_numpy_pads_from_the_first_axis() -> None:
    assert "np.pad(x, ((0, 0), (1, 2)))" in explain("F.pad(x, (1, 2))", {"x": "2,5"}).differs
