"""Random layers that normalize."""

import random

from tests.shapes.cases import Case
from tests.shapes.sampling_cases import ANY, FLOATS, bind, joined, sizes

VARYING = r"Overflow"


TYPES = [
    "torch.float64",
    "torch.float16",
    "torch.bfloat16",
    "torch.float32",
    "None",
    "torch.int64",
    "3",
    "torch.complex64",
]


FLAGS = ["True", "False", "False", "0", "1", "None", "'a'", "()"]


EPS = ["0", "1", "1e-3", "-1", "'a'", "None", "True", "False", "0.0", "()", "1e-05"]


ODD = ["2.0", "-1", "'a'", "None", "True", "0", "(3,)", "-2"]


def options(rng: random.Random, names: dict[str, list[str]], chance: float = 0.15) -> dict[str, str]:
    return {name: rng.choice(values) for name, values in names.items() if rng.random() < chance}


def finished(rng: random.Random, case: Case, made: str, x: str) -> Case:
    """Apply a layer."""
    applied = x if rng.random() < 0.97 else rng.choice([f"input={x}", f"{x}, 1", f"y={x}", "3", "None", "", "(1,)"])
    case.expr = f"{made}({applied})"
    return case


def source(rng: random.Random, case: Case, shape: list[int]) -> str:
    return bind(rng, case, "x", shape, rng.choice(FLOATS if rng.random() < 0.8 else ANY))


def batch_or_instance(rng: random.Random) -> Case:
    case = Case()
    axes = rng.choice([1, 2, 2, 3])
    name = rng.choice(["BatchNorm", "BatchNorm", "InstanceNorm"])
    shape = sizes(rng, axes + 2)
    channels = shape[1]
    if rng.random() < 0.15:
        shape = [1 if axis != 1 else size for axis, size in enumerate(shape)]
    if rng.random() < (0.4 if name == "InstanceNorm" or axes == 1 else 0.04):
        shape, channels = (shape[:2], channels) if name == "BatchNorm" else (shape[1:], channels)
    if rng.random() < 0.05:
        shape = rng.choice([[], shape[:1], [*shape, 2], shape[:-1]])
    x = source(rng, case, shape)
    if rng.random() < 0.15:
        channels = rng.choice([1, 2, 3, 4])
    features = str(channels) if rng.random() < 0.93 else rng.choice(ODD)
    named = {"num_features": features} | options(
        rng,
        {
            "eps": EPS,
            "momentum": ["0.5", "None", "1", "True", "'a'", "()"],
            "affine": FLAGS,
            "track_running_stats": FLAGS,
            "dtype": TYPES,
            "bias": FLAGS,
        },
    )
    if named.get("dtype") == "torch.complex64" and "float16" in case.specs["x"]:
        # What has no elements would become complex32.
        named.pop("dtype")
    if name == "InstanceNorm" and rng.random() < 0.4:
        named["affine"] = "True"
    if rng.random() < 0.02:
        named.pop("num_features")
    if rng.random() < 0.01:
        named["foo"] = "1"
    order = ["num_features", "eps", "momentum", "affine", "track_running_stats"]
    return finished(rng, case, f"nn.{name}{axes}d({joined(rng, [], named, order)})", x)


def layer(rng: random.Random) -> Case:
    case = Case()
    shape = sizes(rng, rng.choice([0, 1, 2, 2, 3, 3, 4]))
    x = source(rng, case, shape)
    last = shape[len(shape) - rng.randint(0, len(shape)) :] or shape[-1:]
    if rng.random() < 0.15 and last:
        last[rng.randrange(len(last))] += 1
    written = ", ".join(map(str, last))
    text = f"({written},)" if last and rng.random() < 0.5 else f"[{written}]"
    if len(last) == 1 and rng.random() < 0.8:
        text = written
    if rng.random() < 0.08:
        text = rng.choice([*ODD, "()", "(2.0, 3)", "(2, 3.0)", "(2, None)", "(True, 3)", "(3, True)", "(2, -1)"])
    named = {"normalized_shape": text} | options(
        rng, {"eps": EPS, "elementwise_affine": FLAGS, "bias": FLAGS, "dtype": TYPES}
    )
    if rng.random() < 0.02:
        named.pop("normalized_shape")
    order = ["normalized_shape", "eps", "elementwise_affine", "bias"]
    return finished(rng, case, f"nn.LayerNorm({joined(rng, [], named, order)})", x)


def function(rng: random.Random) -> Case:
    """Draw a call of ``F.layer_norm`` or ``F.group_norm``, with a weight and a bias that mostly fit."""
    case = Case()
    shape = sizes(rng, rng.choice([1, 2, 3, 3, 4, 4]))
    of_groups = rng.random() < 0.5
    if of_groups and len(shape) > 1:
        shape[1] *= rng.choice([1, 2, 2, 3])
    x = source(rng, case, shape)
    dtype = case.specs["x"].partition(":")[0]
    own = shape[1:2] if of_groups else shape[rng.randrange(len(shape)) :]
    last = [size + (rng.random() < 0.04) for size in own]
    text = rng.choice([f"[{', '.join(map(str, last))}]", f"({', '.join(map(str, last))},)"])
    groups = rng.choice([size for size in (1, 2, 3) if own and own[0] % size == 0] or [1])
    first = str(groups) if of_groups else text
    if rng.random() < 0.06:
        first = rng.choice([*ODD, "0.0", "4", "[]", "3", "x.shape[1:]", "(2.0, 3)", "(True, 3)", "x.shape[-1]"])
    named = {"num_groups" if of_groups else "normalized_shape": first}
    if rng.random() < 0.02:
        named = {}
    for name, letter in (("weight", "w"), ("bias", "b")):
        if rng.random() < 0.5:
            fits = rng.random() < 0.92
            held = last if fits else rng.choice([[], [0], [1, *last], [7], last[1:], last[::-1], shape])
            other = rng.choice([dtype] * 12 + ["float32"] * 4 + ["float64", "float16", "int64", "complex64"])
            named[name] = (
                bind(rng, case, letter, held, other) if rng.random() < 0.97 else rng.choice(["3", "None", "[1]"])
            )
    named |= options(rng, {"eps": EPS})
    order = ["num_groups" if of_groups else "normalized_shape", "weight", "bias", "eps"]
    name = "group_norm" if of_groups else "layer_norm"
    given = x if rng.random() < 0.98 else rng.choice(["3", "None", "[1]"])
    case.expr = f"F.{name}({joined(rng, [given], named, order)})"
    return case


def group(rng: random.Random) -> Case:
    case = Case()
    groups = rng.choice([1, 1, 2, 2, 3])
    shape = [rng.choice([0, 1, 1, 2, 3]), groups * rng.choice([1, 1, 2, 3]), *sizes(rng, rng.choice([0, 1, 2, 2, 3]))]
    channels = shape[1]
    if rng.random() < 0.06:
        shape = rng.choice([[], shape[:1], [shape[0], 0, *shape[2:]], [shape[0], 5, *shape[2:]]])
    if rng.random() < 0.15:
        shape = [1, *shape[1:2], *(1 for _ in shape[2:])]
    x = source(rng, case, shape)
    if rng.random() < 0.1:
        channels = rng.choice([1, 2, 3, 4, 6])
    named = {
        "num_groups": str(groups) if rng.random() < 0.93 else rng.choice([*ODD, "0.0", "4"]),
        "num_channels": str(channels) if rng.random() < 0.95 else rng.choice(ODD),
    } | options(rng, {"eps": EPS, "affine": FLAGS, "bias": FLAGS, "dtype": TYPES})
    if rng.random() < 0.02:
        named.pop("num_channels")
    order = ["num_groups", "num_channels", "eps", "affine"]
    return finished(rng, case, f"nn.GroupNorm({joined(rng, [], named, order)})", x)
