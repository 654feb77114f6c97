"""Random arithmetic of numbers and sizes."""

import random

import torch

from tests.shapes.cases import Case

MARKS = ["+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "&", "|", "^", "<<", ">>"]
OPERANDS = ["x.ndim", "x.size(0)", "0", "2", "-3", "1.5", "True", "x.shape", "(1, 2)", "[1, 2]", "x.shape[1]", "7"]


def random_arithmetic(rng: random.Random) -> Case:
    one, other = rng.choice(OPERANDS), rng.choice(OPERANDS)
    while "x" not in one + other:
        one, other = rng.choice(OPERANDS), rng.choice(OPERANDS)
    expr = f"{rng.choice(['', '', '-', '~', '+'])}{one} {rng.choice(MARKS)} {other}"
    shape = [rng.choice([0, 1, 3, 4]), rng.choice([2, 3, 7])]
    return Case(expr, "", {"x": ",".join(map(str, shape))}, {"x": torch.zeros(shape)})
