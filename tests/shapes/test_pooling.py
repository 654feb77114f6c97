"""Poolings, by a window and to a size, as functions and as layers beside real PyTorch."""

import pytest
import torch
from torch import nn

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.formulas import check_formula


@pytest.mark.parametrize(
    ("expr", "spec", "shape", "needs"),
    [
        ("F.max_pool2d(x, 2)", "2,3,9,8", (2, 3, 4, 4), ()),
        ("F.max_pool2d(x, 2, ceil_mode=True)", "2,3,9,8", (2, 3, 5, 4), ()),
        ("F.max_pool2d(x, 2, 3, 1, ceil_mode=True)", "3,7,7", (3, 3, 3), ()),
        ("nn.AvgPool2d(3, 2, 1)(x)", "3,7,8", (3, 4, 4), ()),
        ("F.adaptive_avg_pool2d(x, (None, 5))", "2,3,9,8", (2, 3, 9, 5), ()),
        ("F.adaptive_avg_pool2d(x, (None, 5))", "2,3,H,W", (2, 3, "H", 5), ()),
        ("F.max_pool2d(x, 2)", "N,C,H,W", ("N", "C", "H // 2", "W // 2"), ("H >= 2", "W >= 2")),
        ("F.max_pool2d(x, 2, ceil_mode=True)", "N,C,H,W", ("N", "C", "ceil(H / 2)", "ceil(W / 2)"), ()),
        ("F.max_pool2d(x, 3, 2, 1)", "N,C,H,W", ("N", "C", "ceil(H / 2)", "ceil(W / 2)"), ()),
        ("F.max_pool2d(nn.Conv2d(3, 8, 3, 2, 1)(x), 3, 2, 1)", "3,H,W", (8, "ceil(H / 4)", "ceil(W / 4)"), ()),
        (
            "F.max_pool2d(x, 2, 3, 1, ceil_mode=True)",
            "3,H,8",
            (3, "min(ceil(H / 3) + 1, H // 3 + 1)", 3),
            (),
        ),
        ("F.avg_pool2d(x, x.size()[2:])", "N,C,H,W", ("N", "C", 1, 1), ()),
        ("F.avg_pool2d(x, 2, x.size(0))", "N,C,8,8", ("N", "C", "6 // N + 1", "6 // N + 1"), ()),
    ],
)
def test_shapes_by_hand(expr: str, spec: str, shape: tuple[int | str, ...], needs: tuple[str, ...]) -> None:
    explanation = explain(expr, {"x": spec})
    assert explanation.torch.error is None
    assert explanation.torch.shape == shape
    assert explanation.needs == needs


@pytest.mark.parametrize(
    ("expr", "shape", "formula"),
    [
        ("F.max_pool2d(x, 2)", (2, 4, 5), "max over l, m of x[i, 2*j + l, 2*k + m]"),
        ("F.avg_pool2d(x, (2, 1), 1)", (2, 1, 4, 5), "mean over m of x[i, j, k + m, l]"),
        ("F.max_pool2d(x, 3, 2, 1)", (2, 4, 5), "max over l, m of x[i, 2*j + l - 1, 2*k + m - 1], inside x"),
        ("F.max_pool2d(x, 2, dilation=2)", (2, 4, 5), "max over l, m of x[i, 2*j + 2*l, 2*k + 2*m]"),
        (
            "F.avg_pool2d(x, 3, 2, 1)",
            (2, 4, 5),
            "mean over l, m of x[i, 2*j + l - 1, 2*k + m - 1], with zeros outside x",
        ),
        (
            "F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)",
            (2, 4, 5),
            "mean over l, m of x[i, 2*j + l - 1, 2*k + m - 1], inside x",
        ),
        ("F.max_pool2d(x, 2, ceil_mode=True)", (2, 4, 5), "max over l, m of x[i, 2*j + l, 2*k + m], inside x"),
        ("F.avg_pool2d(x, 2, ceil_mode=True)", (2, 4, 5), None),
        ("F.avg_pool2d(x, 2, divisor_override=3)", (2, 4, 5), None),
        ("F.max_pool2d(x, 1, 2)", (2, 4, 5), "x[i, 2*j, 2*k]"),
        ("F.max_pool2d(x, 1, 2, ceil_mode=True)", (2, 4, 5), None),
        ("F.max_pool2d(x[1:], 3, 2, 1)", (2, 4, 5), None),
        ("F.max_pool2d(x, 2, return_indices=True)", (2, 4, 5), None),
        ("F.adaptive_avg_pool2d(x, 1)", (2, 4, 5), "mean over j, k of x[i, j, k]"),
        ("F.adaptive_avg_pool2d(x, (2, None))", (2, 4, 5), "mean over l of x[i, 2*j + l, k]"),
        ("F.adaptive_max_pool2d(x, (4, 5))", (2, 4, 5), "x[i, j, k]"),
        ("F.adaptive_max_pool2d(x, 3)", (2, 4, 5), None),
    ],
)
def test_formulas(expr: str, shape: tuple[int, ...], formula: str | None) -> None:
    x = torch.randint(-9, 9, shape, generator=torch.Generator().manual_seed(0)).float()
    explanation = explain(expr, {"x": str(shape)})
    if formula is None:
        assert explanation.formula is None
        return
    assert explanation.formula is not None
    assert explanation.formula.partition(" = ")[2] == formula.replace(
        "over j, k of x[i, j, k]", "over l, m of x[i, l, m]"
    )
    real = eval(expr, {"F": nn.functional, "x": x})  # noqa: S307 - an expression from above
    check_formula(explanation, {"x": x}, real)


@pytest.mark.parametrize(
    ("expr", "spec", "effects"),
    [
        ("F.max_pool2d(x, 3, 2, 1)", "3,32,32", "max of 3: (32 + 2*1 - 1*(3 - 1) - 1) // 2 + 1 = 16"),
        (
            "F.max_pool2d(x, 2, 3, 1, ceil_mode=True)",
            "3,7,8",
            "max of 2: ceil((7 + 2*1 - 1*(2 - 1) - 1) / 3) + 1 = 4, less one that starts in the padding: 3",
        ),
        ("F.adaptive_avg_pool2d(x, 3)", "3,7,7", "mean from i*7 // 3 up to, not with, ceil((i + 1)*7 / 3)"),
        ("F.adaptive_avg_pool2d(x, 0)", "3,7,7", "mean from i*7 // 0 up to, not with, ceil((i + 1)*7 / 0)"),
        ("F.adaptive_avg_pool2d(x, 2)", "3,8,8", "mean of 4, side by side: 2 * 4 = 8"),
        ("F.adaptive_max_pool2d(x, 1)", "3,8,8", "max of all 8"),
        ("F.adaptive_max_pool2d(x, 8)", "3,8,8", "kept, as large as asked for"),
    ],
)
def test_the_trace_says_the_arithmetic(expr: str, spec: str, effects: str) -> None:
    assert explain(expr, {"x": spec}).steps[1].effect == effects


def test_indices_say_how_they_count() -> None:
    explanation = explain("F.max_pool2d(x, 2, return_indices=True)[1]", {"x": "2,3,8,6"})
    assert (explanation.torch.shape, explanation.torch.dtype) == ((2, 3, 4, 3), "int64")
    note = "an index counts the positions of its channel row by row: {} is row h, column w"
    assert explanation.notes == (note.format("6*h + w"),)
    sliced = explain("F.max_pool2d(x[..., 1:], 2, return_indices=True)", {"x": "2,H,W"})
    assert sliced.notes == (note.format("(max(W - 1, 0))*h + w"),)


def test_what_depends_on_values_is_refused() -> None:
    with pytest.raises(SegcliError, match="whether x is true is not known"):
        explain("F.max_pool2d(x, 2, return_indices=x)", {"x": "2,3,8,6"})
