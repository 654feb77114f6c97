"""Random cross entropies, as functions and as layers."""

import random

import torch

from tests.shapes.cases import Case
from tests.shapes.sampling_cases import ANY, FLOATS, bind, joined, sizes

VARYING = r"Overflow|^Target "


REDUCTIONS = ["'none'", "'none'", "'sum'", "'mean'"]


ODD_REDUCTIONS = ["'foo'", "None", "3", "'elementwise_mean'", "[]"]


def reduction(rng: random.Random, named: dict[str, str]) -> None:
    if rng.random() < 0.6:
        named["reduction"] = rng.choice(REDUCTIONS if rng.random() < 0.95 else ODD_REDUCTIONS)
    if rng.random() < 0.05:
        named["size_average"] = rng.choice(["True", "False", "None", "0", "'a'"])
    if rng.random() < 0.05:
        named["reduce"] = rng.choice(["True", "False", "None", "0", "()"])
    if rng.random() < 0.01:
        named["foo"] = "1"


def written(
    rng: random.Random, function: str, layer: str, tensors: list[str], named: dict[str, str], order: str
) -> str:
    if rng.random() < 0.02:
        order = ""
        tensors = rng.choice([tensors[:1], [*tensors, "3"], ["3", tensors[1]], [tensors[0], "3"], [tensors[0], "None"]])
    if rng.random() < 0.3:
        return f"nn.{layer}({joined(rng, [], named, order.split())})({', '.join(tensors)})"
    return f"F.{function}({joined(rng, tensors, named, order.split())})"


def other_shape(rng: random.Random, shape: list[int]) -> list[int]:
    """Draw a shape that does not fit."""
    grown = list(shape)
    if grown:
        grown[rng.randrange(len(grown))] += 1
    return rng.choice([shape[1:], [*shape, 1], [*shape, 3], grown, shape[:-1], shape[::-1], [], [1]])


def cross(rng: random.Random) -> Case:
    case = Case()
    shape = sizes(rng, rng.choice([1, 2, 2, 3, 3, 4, 4, 5, 6] if rng.random() < 0.97 else [0]))
    axis = min(len(shape) - 1, 1)
    classes = shape[axis] if shape else 3
    indices = [size for place, size in enumerate(shape) if place != axis]
    soft = rng.random() < 0.25
    target = list(shape) if soft else indices
    if rng.random() < 0.12:
        target = other_shape(rng, target)
    dtype = rng.choice(FLOATS if rng.random() < 0.93 else ANY)
    other = rng.choice(FLOATS if soft else ["int64"] * 9 + ["uint8"]) if rng.random() < 0.92 else rng.choice(ANY)
    x, y = bind(rng, case, "x", shape, dtype), bind(rng, case, "y", target, other)
    if not soft and other == "int64" and rng.random() < 0.2 and 0 not in target and len(target) < 3:
        values = torch.randint(
            -1,
            classes + 1 if rng.random() < 0.2 else max(classes, 1),
            target,
            generator=torch.Generator().manual_seed(rng.randrange(99)),
        )
        case.tensors["y"] = values
        case.specs["y"] = f"tensor({values.tolist()})"
        y = "y"
    named: dict[str, str] = {}
    if rng.random() < 0.25:
        weight = (
            [classes] if rng.random() < 0.9 else rng.choice([[], [0], [1], [classes, 1], [classes + 1], [1, classes]])
        )
        named["weight"] = bind(rng, case, "w", weight, dtype if rng.random() < 0.9 else rng.choice(ANY))
        if rng.random() < 0.04:
            named["weight"] = rng.choice(["3", "None", "[1]"])
    reduction(rng, named)
    if rng.random() < 0.15:
        named["ignore_index"] = rng.choice(["255", "0", "-1", "-100", "2"] * 3 + ["None", "1.0", "True", "'a'"])
    if named.get("ignore_index") == "0" and not case.specs["y"].startswith("tensor"):
        # Where all that there is, zeros, is left out, fewer things go wrong: segcli does not know the values.
        named["ignore_index"] = "1"
    if rng.random() < 0.2:
        named["label_smoothing"] = rng.choice(
            ["0.1", "0.5", "1", "0.0", "0"] * 2 + ["1.5", "-0.1", "'a'", "None", "True", "2"]
        )
    order = "weight size_average ignore_index reduce reduction label_smoothing"
    case.expr = written(rng, "cross_entropy", "CrossEntropyLoss", [x, y], named, order)
    return case


def binary(rng: random.Random) -> Case:
    case = Case()
    shape = sizes(rng, rng.choice([0, 1, 2, 2, 3, 4]))
    dtype = rng.choice(FLOATS if rng.random() < 0.93 else ANY)
    x = bind(rng, case, "x", shape, dtype)
    target = shape if rng.random() < 0.85 else other_shape(rng, shape)
    # With float16, a complex number of its own would make complex32.
    y = bind(rng, case, "y", target, rng.choice(FLOATS if not target or rng.random() < 0.9 else ANY))
    named: dict[str, str] = {}
    for name, letter in (("weight", "w"), ("pos_weight", "p")):
        if rng.random() < 0.3:
            fitting = [shape, shape[1:], shape[2:], [1, *shape[1:]], [*shape[:-1], 1], []]
            held = (
                rng.choice(fitting) if rng.random() < 0.85 else rng.choice([[2, *shape], [7], other_shape(rng, shape)])
            )
            # With float16, a complex number of its own would make complex32.
            other = rng.choice(ANY if held else FLOATS)
            named[name] = bind(rng, case, letter, held, dtype if rng.random() < 0.8 else other)
            if rng.random() < 0.04:
                named[name] = rng.choice(["3", "None", "[1]"])
    reduction(rng, named)
    order = "weight size_average reduce reduction pos_weight"
    case.expr = written(rng, "binary_cross_entropy_with_logits", "BCEWithLogitsLoss", [x, y], named, order)
    return case
