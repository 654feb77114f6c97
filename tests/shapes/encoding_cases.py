"""Random one-hot encodings and functional softmax."""

import random

import torch

from tests.shapes.cases import Case, shape_text
from tests.shapes.sampling_cases import ANY, FLOATS, bind, joined, sizes

ODD = ["True", "1.0", "'a'", "(0,)", "9", "-9", "()"]


def encoded(rng: random.Random) -> Case:
    case = Case()
    shape = sizes(rng, rng.choice([0, 1, 1, 2, 3]))
    if rng.random() < 0.5:
        shape = [min(size, 2) for size in shape[:2]]
        values = torch.randint(
            -1 if rng.random() < 0.2 else 0, 4, shape, generator=torch.Generator().manual_seed(rng.randrange(99))
        )
        dtype = "int64" if rng.random() < 0.9 else "int32"
        case.tensors["x"] = values.to(getattr(torch, dtype))
        case.specs["x"] = (
            f"{dtype}:tensor({values.tolist()})" if values.numel() else f"{dtype}:{shape_text(tuple(shape))}"
        )
        x = "x"
        classes = ["1", "2", "3", "4", "5", "0", "-1", "-2"]
    else:
        x = bind(rng, case, "x", shape, "int64" if rng.random() < 0.8 else rng.choice(ANY))
        classes = ["1", "2", "19", "0", "-3"]
    named = {"num_classes": rng.choice(classes)}
    if rng.random() < 0.1:
        named["num_classes"] = rng.choice([*ODD, "None"])
    if "tensor" in case.specs["x"] and rng.random() < 0.3:
        named.pop("num_classes")
    if rng.random() < 0.02:
        x = rng.choice(["3", "None"])
    case.expr = f"F.one_hot({joined(rng, [x], named, ['num_classes'])})"
    return case


def softmax(rng: random.Random) -> Case:
    case = Case()
    x = bind(rng, case, "x", sizes(rng, rng.choice([0, 1, 2, 3, 4])), rng.choice(FLOATS if rng.random() < 0.7 else ANY))
    named = {}
    if rng.random() < 0.8:
        named["dim"] = rng.choice(["0", "1", "-1", "2", "-2", "None"]) if rng.random() < 0.8 else rng.choice(ODD)
    if rng.random() < 0.15:
        named["_stacklevel"] = rng.choice(["3", "5", "'a'", "1.0", "None", "True"])
    if rng.random() < 0.2:
        named["dtype"] = rng.choice(["torch.float64", "torch.float16", "None", "torch.int64", "3", "'float32'"])
    if rng.random() < 0.02:
        x = rng.choice(["3", "None", "(1,)", "'a'"])
    if rng.random() < 0.02:
        named["axis"] = "1"
    name = rng.choice(["softmax", "log_softmax"])
    case.expr = f"F.{name}({joined(rng, [x], named, ['dim', '_stacklevel', 'dtype'])})"
    return case
