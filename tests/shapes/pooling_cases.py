"""Random poolings, by a window and to a size, as functions and as layers."""

import random
from collections.abc import Callable

from tests.shapes.cases import Case
from tests.shapes.convolution_cases import bind, joined, one_of, sizes

_Make = Callable[[], str]
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
    made: dict[str, tuple[float, _Make]] = {
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
