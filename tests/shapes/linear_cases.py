"""Random linear layers and calls of their function."""

import random

from tests.shapes.cases import Case
from tests.shapes.convolution_cases import bind, joined

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
