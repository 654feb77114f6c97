"""Poolings, by a window and to a size, as functions and as layers beside real PyTorch."""

import random
from collections.abc import Callable

import pytest
import torch
from torch import nn

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.agreement import CASES, SEED, check
from tests.shapes.cases import Case
from tests.shapes.formulas import check_formula
from tests.shapes.test_convolution import bind, joined, one_of, sizes

_DTYPES = ["float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool", "complex64"]
_ODD = [
    "0",
    "-1",
    "(1,)",
    "()",
    "(1, 2, 1)",
    "1.0",
    "None",
    "True",
    "(1, 1.5)",
    "(True, 1)",
    "(1, True)",
    "'2'",
    str(2**31),
]


def source(rng: random.Random, case: Case) -> str:
    shape = [
        rng.choice([0, 1, 2, 2]),
        rng.choice([1, 2, 3]),
        *(rng.choice([1, 2, 3, 4, 5, 6, 7, 8, 9]) for _ in range(2)),
    ]
    if rng.random() < 0.06:
        shape[rng.randrange(4)] = 0
    if rng.random() < 0.25:
        shape = shape[1:]
    if rng.random() < 0.06:
        shape = rng.choice([[], shape[-1:], shape[-2:], [2, *shape]])
    dtype = "float32" if rng.random() < 0.8 else rng.choice(_DTYPES)
    return bind(rng, case, "x", shape, dtype)


def truth(rng: random.Random) -> str:
    return one_of(rng, ["True", "False"], ["1", "None", "0"], chance=0.1)


def window_arguments(rng: random.Random, *, average: bool) -> dict[str, str]:
    made: dict[str, tuple[float, Callable[[], str]]] = {
        "stride": (0.5, lambda: one_of(rng, [sizes(rng, 2, 1, 3), "None"], _ODD)),
        "padding": (0.5, lambda: one_of(rng, [sizes(rng, 2, 0, 1), sizes(rng, 2, 0, 2)], _ODD)),
        "ceil_mode": (0.4, lambda: truth(rng)),
        "axis": (0.01, lambda: "1"),
    }
    if average:
        made["count_include_pad"] = (0.3, lambda: truth(rng))
        made["divisor_override"] = (0.2, lambda: one_of(rng, ["2", "-1", "None"], ["0", "1.0", "True"], chance=0.3))
    else:
        made["dilation"] = (0.3, lambda: one_of(rng, [sizes(rng, 2, 1, 2)], _ODD))
        made["return_indices"] = (0.3, lambda: truth(rng))
    return {name: make() for name, (chance, make) in made.items() if rng.random() < chance}


def window_case(rng: random.Random) -> Case:
    case = Case()
    x = source(rng, case)
    average, layer = rng.random() < 0.4, rng.random() < 0.4
    named = window_arguments(rng, average=average)
    if average and not layer and rng.random() < 0.02:
        named["out"] = "None"
    kernel = [one_of(rng, [sizes(rng, 2, 1, 3), sizes(rng, 2, 1, 4)], _ODD)][: rng.random() < 0.98]
    flags = ["dilation", "ceil_mode", "return_indices"]
    if average:
        flags = ["ceil_mode", "count_include_pad", "divisor_override"]
    elif layer:
        flags = ["dilation", "return_indices", "ceil_mode"]
    order = ["stride", "padding", *flags]
    if layer:
        applied = x if rng.random() < 0.97 else rng.choice([f"{x}, 1", f"y={x}", f"input={x}", f"3, {x}", f"[{x}]"])
        case.expr = f"nn.{'Avg' if average else 'Max'}Pool2d({joined(rng, kernel, named, order)})({applied})"
    else:
        first = [x if rng.random() < 0.99 else f"[{x}]", *kernel]
        case.expr = f"F.{'avg' if average else 'max'}_pool2d({joined(rng, first, named, order)})"
    return case


def adaptive_case(rng: random.Random) -> Case:
    case = Case()
    x = source(rng, case)
    average, layer = rng.random() < 0.5, rng.random() < 0.4
    usual = [
        "1",
        "2",
        "(1, 1)",
        str(rng.randint(0, 9)),
        f"({rng.randint(0, 9)}, None)",
        f"[None, {rng.randint(1, 4)}]",
        f"({rng.randint(1, 9)}, {rng.randint(1, 9)})",
    ]
    wanted = [one_of(rng, usual, [*_ODD[:-1], "(2, 2, 2, 2)", "(None, None)", "(1, -1)"], chance=0.15)]
    named = {}
    if rng.random() < 0.2 + (not average) * 0.2:
        named["return_indices"] = truth(rng)
    if rng.random() < 0.02:
        wanted = []
    if layer:
        applied = x if rng.random() < 0.97 else rng.choice([f"{x}, 1", f"y={x}", f"input={x}", f"3, {x}", f"[{x}]"])
        made = joined(rng, wanted, named, ["return_indices"])
        case.expr = f"nn.Adaptive{'Avg' if average else 'Max'}Pool2d({made})({applied})"
    else:
        first = [x if rng.random() < 0.98 else f"[{x}]", *wanted]
        case.expr = f"F.adaptive_{'avg' if average else 'max'}_pool2d({joined(rng, first, named, ['return_indices'])})"
    return case


@pytest.mark.parametrize("make", [window_case, adaptive_case])
def test_random_pooling(make: Callable[[random.Random], Case]) -> None:
    rng = random.Random(SEED)
    raised = 0
    count = CASES // 10
    for number in range(count):
        case = make(rng)
        try:
            raised += check(case, words=False)
        except (AssertionError, SegcliError) as error:
            message = f"SEGCLI_FUZZ_SEED={SEED}, case {number}: {case.expr} {case.specs}\n{error}"
            raise AssertionError(message) from error
    assert 0.15 * count < raised < 0.85 * count


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


@pytest.mark.parametrize(
    ("expr", "refused"),
    [
        ("F.max_pool2d(x, 2, return_indices=x)", "whether x is true is not known"),
        ("F.max_pool2d(x, k)", "the value of k is not known"),
    ],
)
def test_what_depends_on_values_is_refused(expr: str, refused: str) -> None:
    specs = {"x": "2,3,8,6"} | ({"k": "int64:()"} if "k)" in expr else {})
    with pytest.raises(SegcliError, match=refused):
        explain(expr, specs)
