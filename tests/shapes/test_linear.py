"""Linear layers and their function beside real PyTorch."""

import pytest
import torch

from segcli.shapes import explain
from tests.shapes.agreement import check
from tests.shapes.cases import Case
from tests.shapes.formulas import check_formula
from tests.shapes.test_convolution import pinned


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "needs"),
    [
        ("nn.Linear(4, 3)(x)", {"x": "2,5,4"}, (2, 5, 3), ()),
        ("nn.Linear(4, 3)(x)", {"x": "4,"}, (3,), ()),
        ("F.linear(x, w)", {"x": "5,4", "w": "4,"}, (5,), ()),
        ("F.linear(x, w)", {"x": "4,", "w": "4,"}, (), ()),
        ("F.linear(x, w, b)", {"x": "N,D", "w": "O,4", "b": "B,"}, ("N", "O"), ("D == 4", "B == O or B == 1")),
        ("nn.Linear(x.size(1), 10)(x)", {"x": "N,D"}, ("N", 10), ()),
        ("nn.Linear(4, 3)(x)", {"x": "n:2,c:4"}, (2, 3), ()),
    ],
)
def test_shapes_by_hand(expr: str, specs: dict[str, str], shape: tuple[int | str, ...], needs: tuple[str, ...]) -> None:
    explanation = explain(expr, specs)
    assert explanation.torch.error is None
    assert explanation.torch.shape == shape
    assert explanation.needs == needs


def test_a_layer_says_what_it_learns() -> None:
    assert explain("nn.Linear(4, 3)(x)", {"x": "2,4"}).notes == ("weight (3, 4), bias (3,): 15 parameters",)
    assert explain("nn.Linear(x.size(1), 3, bias=False)(x)", {"x": "2,D"}).notes == ("weight (3, D): 3*D parameters",)


def test_labels_of_what_is_kept_stay() -> None:
    assert explain("nn.Linear(4, 3)(x)", {"x": "n:2,c:4"}).torch.labels == ("n", None)


@pytest.mark.parametrize(
    ("expr", "shapes", "formula"),
    [
        ("F.linear(x, w)", {"x": (2, 4), "w": (3, 4)}, "result[i, j] = sum over k of x[i, k] * w[j, k]"),
        ("F.linear(x, w, b)", {"x": (4,), "w": (3, 4), "b": (3,)}, "result[i] = b[i] + sum over j of x[j] * w[i, j]"),
        ("F.linear(x, w)", {"x": (2, 4), "w": (4,)}, "result[i] = sum over j of x[i, j] * w[j]"),
        (
            "F.linear(x, w, b)",
            {"x": (2, 5, 4), "w": (3, 4), "b": (5, 3)},
            "result[i, j, k] = b[j, k] + sum over l of x[i, j, l] * w[k, l]",
        ),
        ("F.linear(x, w)", {"x": (4,), "w": (4,)}, "result = sum over i of x[i] * w[i]"),
    ],
)
def test_formulas(expr: str, shapes: dict[str, tuple[int, ...]], formula: str) -> None:
    make = torch.Generator().manual_seed(0)
    names = {name: torch.randint(-3, 4, shape, generator=make).float() for name, shape in shapes.items()}
    explanation = explain(expr, {name: str(shape) for name, shape in shapes.items()})
    assert explanation.formula == formula
    check_formula(explanation, dict(names), torch.nn.functional.linear(*names.values()))


def test_formula_of_a_layer() -> None:
    layer = torch.nn.Linear(4, 3)
    x = torch.randint(-3, 4, (2, 4)).float()
    explanation = explain("nn.Linear(4, 3)(x)", {"x": "2,4"})
    assert explanation.formula == "result[i, j] = bias[j] + sum over k of x[i, k] * weight[j, k]"
    with torch.no_grad():
        check_formula(explanation, {"x": x, "weight": layer.weight, "bias": layer.bias}, layer(x))


@pytest.mark.parametrize(
    "case",
    [
        pinned("F.linear(x, w)", x="2,4", w="5"),
        pinned("F.linear(x, w)", x="4", w="5"),
        pinned("F.linear(x, w, b)", x="2,4", w="4", b="1"),
        pinned("F.linear(x, w)", x="2,4", w="float64:4"),
        pinned("F.linear(x, w)", x="4", w="float64:4"),
        pinned("F.linear(x, w)", x="2,4", w="float64:3,4"),
        pinned("F.linear(x, w, b)", x="2,4", w="float64:3,4", b="float64:3"),
        pinned("F.linear(x, w, b)", x="2,4", w="3,4", b="7"),
        pinned("F.linear(x, w, b)", x="2,4", w="3,4", b="1,2,3"),
        pinned("F.linear(x, w, b)", x="5,2,4", w="3,4", b="7,3"),
        pinned("F.linear(x, w, b)", x="4", w="3,4", b="2,3"),
        pinned("F.linear(x, w, b)", x="5,2,4", w="3,4", b="float64:2,3"),
        pinned("F.linear(x, w, b)", x="5,2,4", w="3,4", b="complex64:2,3"),
        pinned("F.linear(x.transpose(0, 1), w)", x="bool:3,2,1", w="uint8:0,1"),
        pinned("F.linear(x, w)", x="bool:4", w="bool:4"),
        pinned("F.linear(x, w)", x="bool:2,4", w="bool:4"),
        pinned("F.linear(x, w, b)", x="bool:2,0", w="bool:3,0", b="bool:3"),
    ],
    ids=lambda case: f"{case.expr} {case.specs}",
)
def test_pinned(case: Case) -> None:
    check(case)
