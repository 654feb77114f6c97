"""Random calls of ``F.pad`` and ``F.unfold``."""

import random

from tests.shapes.cases import Case
from tests.shapes.sampling_cases import ANY, bind, joined, sizes

# How PyTorch fails on an axis of negative size depends on the sizes of the others.
VARYING = r"numel: |negative dimension|must match the size of tensor b|Overflow|expanded size|output with shape"


AMOUNTS = [0, 1, 1, 2, 3, -1, -2, 5, -4]


ODD_PADS = [
    "1",
    "None",
    "'ab'",
    "(1,)",
    "(1.0, 2)",
    "(1, 2.0)",
    "(True, 1)",
    "(1, True)",
    "(1, None)",
    "()",
    "(1, 'a')",
]


VALUES = ["0", "1", "2.5", "None", "True", "'a'", "300", "-1", "1e6", "1e999", "-1e999", "1e39", "(1,)", "0.0", "1e300"]


def pad(rng: random.Random) -> Case:
    case = Case()
    ndim = rng.choice([0, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5])
    x = bind(rng, case, "x", sizes(rng, ndim), rng.choice(ANY))
    mode = rng.choice(["constant", "constant", "reflect", "reflect", "replicate", "circular", "circular"])
    usual = [1, 2, 3] if mode != "constant" and rng.random() < 0.9 else [0, 1, 1, 2, 2, 3, 4, 5]
    fitting = [axes for axes in usual if mode == "constant" or ndim - axes in (1, 2)] or usual
    amounts = AMOUNTS if rng.random() < 0.5 else [0, 1, 1, 2]
    listed = ", ".join(str(rng.choice(amounts)) for _ in range(2 * rng.choice(fitting)))
    text = f"({listed})" if rng.random() < 0.6 else f"[{listed}]"
    if rng.random() < 0.06:
        text = rng.choice(ODD_PADS)
    named = {"pad": text}
    if mode != "constant" or rng.random() < 0.3:
        named["mode"] = f"'{mode}'" if rng.random() < 0.97 else rng.choice(["'foo'", "None", "1"])
    if rng.random() < 0.25:
        named["value"] = rng.choice(VALUES)
    if rng.random() < 0.01:
        named.pop("pad")
    if rng.random() < 0.01:
        x = "3"
    case.expr = f"F.pad({joined(rng, [x], named, ['pad', 'mode', 'value'])})"
    return case


def number(rng: random.Random, values: list[int], odd: list[str]) -> str:
    if rng.random() < 0.07:
        return rng.choice(odd)
    if rng.random() < 0.5:
        return str(rng.choice(values))
    text = f"{rng.choice(values)}, {rng.choice(values)}"
    return rng.choice([f"({text})", f"[{text}]"])


ODD = [
    "0",
    "-1",
    "(1,)",
    "(1, 2, 1)",
    "()",
    "2.0",
    "None",
    "True",
    "'a'",
    "(1, 2.0)",
    "(1, True)",
    "(0, 1)",
    "(1, None)",
]


def window(rng: random.Random) -> Case:
    case = Case()
    shape = sizes(rng, rng.choice([3, 4, 4, 4, 4, 4] if rng.random() < 0.9 else [0, 1, 2, 5]))
    x = bind(rng, case, "x", shape, rng.choice(ANY))
    named = {"kernel_size": number(rng, [1, 1, 2, 2, 3], ODD)}
    if rng.random() < 0.2:
        named["dilation"] = number(rng, [1, 2], ODD)
    if rng.random() < 0.5:
        named["padding"] = number(rng, [0, 1, 2], ODD)
    if rng.random() < 0.3:
        named["stride"] = number(rng, [1, 2, 3], ODD)
    if rng.random() < 0.02:
        named.pop("kernel_size")
    if rng.random() < 0.01:
        x = "3"
    case.expr = f"F.unfold({joined(rng, [x], named, ['kernel_size', 'dilation', 'padding', 'stride'])})"
    return case
