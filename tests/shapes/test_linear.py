"""Linear layers and their function beside real PyTorch."""

import random
from collections.abc import Callable

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.agreement import CASES, SEED, check
from tests.shapes.cases import Case
from tests.shapes.formulas import check_formula
from tests.shapes.test_convolution import bind, joined, pinned

_DTYPES = ["float64", "float16", "bfloat16", "int64", "uint8", "bool", "complex64"]


def function_case(rng: random.Random) -> Case:
    case = Case()
    features, out = rng.choice([0, 1, 2, 3, 4, 4]), rng.choice([0, 1, 2, 3, 3])
    shape = [rng.choice([0, 1, 2, 3]) for _ in range(rng.choice([0, 0, 1, 1, 1, 2, 2, 3]))]
    weight = [out, features if rng.random() < 0.93 else 5]
    if rng.random() < 0.12:
        weight = rng.choice([weight[1:], [], [1, *weight], weight])
    dtype = "float32" if rng.random() < 0.7 else rng.choice(_DTYPES)
    other = dtype if rng.random() < 0.93 else rng.choice(_DTYPES)
    source = [*shape, features] if rng.random() < 0.97 else []
    parts = [bind(rng, case, "x", source, dtype), bind(rng, case, "w", weight, other)]
    named = {}
    if rng.random() < 0.6:
        bias = [out]
        if rng.random() < 0.3:
            bias = rng.choice(
                [[], [1], [4], [*shape[-1:], out], [*shape, out], [1, *shape, out], [1, 1, out], [out, 1]]
            )
        named["bias"] = bind(rng, case, "b", bias, dtype if rng.random() < 0.9 else rng.choice(_DTYPES))
    elif rng.random() < 0.1:
        named["bias"] = rng.choice(["None", "1", "[x]"])
    if rng.random() < 0.02:
        named["out"] = "None"
    if rng.random() < 0.02:
        parts[1:] = [rng.choice(["3", "None", "[x]"])]
        del case.tensors["w"], case.specs["w"]
    case.expr = f"F.linear({joined(rng, parts, named, ['bias'])})"
    for name in [name for name in case.specs if name not in case.expr.replace("linear", "").replace("transpose", "")]:
        del case.specs[name], case.tensors[name]
    return case


def layer_case(rng: random.Random) -> Case:
    case = Case()
    features = rng.choice([0, 1, 2, 3, 4])
    shape = [rng.choice([0, 1, 2, 3]) for _ in range(rng.choice([0, 1, 1, 2, 3]))]
    dtype = "float32" if rng.random() < 0.85 else rng.choice(_DTYPES)
    x = bind(rng, case, "x", [*shape, features] if rng.random() < 0.97 else [], dtype)
    odd = ["-1", "2.0", "None", "'3'", "True", "(2,)"]
    first = [str(features if rng.random() < 0.95 else 5), str(rng.choice([0, 1, 2, 3]))]
    if rng.random() < 0.1:
        first[rng.randrange(2)] = rng.choice(odd)
    named = {}
    if rng.random() < 0.4:
        named["bias"] = rng.choice(["True", "False", "None", "0", "[]", "'no'"])
    if rng.random() < 0.15:
        named["dtype"] = rng.choice(["torch.float64", "None", "torch.int64", "3", "torch.complex64"])
    if rng.random() < 0.02:
        first.pop()
    applied = x if rng.random() < 0.97 else rng.choice([f"{x}, 1", f"y={x}", f"input={x}", f"3, {x}", f"[{x}]"])
    case.expr = f"nn.Linear({joined(rng, first, named, ['bias'])})({applied})"
    return case


@pytest.mark.parametrize("make", [function_case, layer_case])
def test_random_linear(make: Callable[[random.Random], Case]) -> None:
    rng = random.Random(SEED)
    raised = 0
    count = CASES // 16
    for number in range(count):
        case = make(rng)
        try:
            raised += check(case, words=False)
        except (AssertionError, SegcliError) as error:
            message = f"SEGCLI_FUZZ_SEED={SEED}, case {number}: {case.expr} {case.specs}\n{error}"
            raise AssertionError(message) from error
    assert 0.1 * count < raised < 0.8 * count


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "needs"),
    [
        ("nn.Linear(4, 3)(x)", {"x": "2,5,4"}, (2, 5, 3), ()),
        ("nn.Linear(4, 3)(x)", {"x": "4,"}, (3,), ()),
        ("F.linear(x, w)", {"x": "5,4", "w": "4,"}, (5,), ()),
        ("F.linear(x, w)", {"x": "4,", "w": "4,"}, (), ()),
        ("F.linear(x, w, b)", {"x": "N,D", "w": "O,4", "b": "B,"}, ("N", "O"), ("D == 4", "B == O (or 1)")),
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
