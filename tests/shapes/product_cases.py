"""Random products of matrices and vectors."""

import random

from tests.shapes.cases import Case
from tests.shapes.drawing import bind

BATCHES = [(), (), (1,), (5,), (5,), (2, 5), (2, 1), (0,), (3,)]


NAMES = ["@", "@", "@", "matmul", "matmul", "mm", "bmm", "mv", "dot", "outer"]


NDIMS = {"mm": (2, 2), "bmm": (3, 3), "mv": (2, 1), "dot": (1, 1), "outer": (1, 1)}


SECOND = {"matmul": "other", "mm": "mat2", "bmm": "mat2", "mv": "vec", "dot": "tensor", "outer": "vec2"}


IN_NUMPY = dict.fromkeys(SECOND, "matmul") | {"dot": "dot", "outer": "outer"}


OTHERS = ["2", "1.5", "None", "[1, 2]", "[1, 2, 3]"]


def draw_pair(rng: random.Random, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Draw two shapes that mostly fit."""
    if rng.random() < 0.1:
        shapes = [(), (3,), (2, 3), (3, 2), (5, 2, 3), (2,)]
        return rng.choice(shapes), rng.choice(shapes)
    rows, inner, columns = rng.choice([0, 1, 2, 4]), rng.choice([0, 1, 3, 3, 2]), rng.choice([0, 1, 4, 2])
    other = inner if rng.random() < 0.85 else rng.choice([0, 1, 2, 3])
    kinds = NDIMS.get(name, (rng.choice([1, 2, 3, 3]), rng.choice([1, 2, 3, 3])))
    left: tuple[int, ...] = (inner,) if kinds[0] == 1 else (rows, inner)
    right: tuple[int, ...] = (other,) if kinds[1] == 1 else (other, columns)
    if name == "bmm":
        number = rng.choice([0, 1, 5])
        return (number, *left), (number if rng.random() < 0.85 else 5, *right)
    batch: tuple[int, ...] = rng.choice(BATCHES)
    return (
        (*batch, *left) if kinds[0] == 3 else left,
        (*rng.choice([batch, batch, *BATCHES]), *right) if kinds[1] == 3 else right,
    )


def draw_product(rng: random.Random) -> Case:
    case = Case()
    name = rng.choice(NAMES)
    shapes = draw_pair(rng, name)
    dtype = "" if name == "outer" else rng.choice(["", "float32", "float32", "int64", "bool", "float64"])
    first, second = (bind(rng, case, letter, shape, dtype) for letter, shape in zip("xy", shapes, strict=True))
    if rng.random() < 0.06:
        second = rng.choice(OTHERS)
        case.specs.pop("y")
    if name == "@":
        case.expr = f"{first} @ {second}"
        case.numpy_expr = case.expr if second != "None" else ""
    else:
        keyword = rng.choice(["", "", "", f"{SECOND[name]}="])
        of_torch = rng.random() < 0.5
        case.expr = f"torch.{name}({first}, {keyword}{second})" if of_torch else f"{first}.{name}({keyword}{second})"
        case.numpy_expr = f"np.{IN_NUMPY[name]}({first}, {second})" if second != "None" else ""
    if ".transpose" in case.expr:
        # NumPy's means another thing.
        case.numpy_expr = ""
    return case


LETTERS = ["i", "j", "k", "b", "A", "C"]


SIZES = {"i": 2, "j": 3, "k": 4, "b": 5, "A": 1, "C": 0}


def draw_operand(rng: random.Random, case: Case, name: str, dtype: str) -> tuple[str, str]:
    """Draw the labels of an operand, and a tensor that mostly fits."""
    labels = [rng.choice(LETTERS[:4] * 3 + LETTERS) for _ in range(rng.choice([0, 1, 1, 2, 2, 2, 3]))]
    sizes = [SIZES[label] if rng.random() < 0.93 else rng.choice([1, 2, 3]) for label in labels]
    if rng.random() < 0.25:
        at = rng.randrange(len(labels) + 1)
        batch = rng.choice([(), (7,), (7,), (1,), (2, 7), (2, 1), (2,)])
        labels.insert(at, "...")
        sizes[at:at] = batch
    if rng.random() < 0.06:
        sizes = sizes[:-1] if rng.random() < 0.5 else [*sizes, 2]
    return "".join(labels), bind(rng, case, name, sizes, dtype)


def draw_einsum(rng: random.Random) -> Case:
    case = Case()
    dtype = rng.choice(["", "float32", "float32", "float32", "int64", "bool", "int32"])
    count = rng.choice([1, 1, 2, 2, 2, 3])
    if count == 3 and not dtype:
        dtype = "float64"
    labels, operands = zip(*(draw_operand(rng, case, name, dtype) for name in "xyz"[:count]), strict=True)
    equation = ",".join(labels)
    if rng.random() < 0.7:
        known = list(dict.fromkeys(char for char in "".join(labels) if char != "."))
        rng.shuffle(known)
        output = known[: rng.randrange(len(known) + 1)]
        if "..." in equation and rng.random() < 0.8:
            output.insert(rng.randrange(len(output) + 1), "...")
        if rng.random() < 0.06:
            output.append(rng.choice(["i", "z", "...", ".", "1"]))
        equation += "->" + "".join(output)
    kind = rng.random()
    if kind < 0.15:
        equation = "".join(char + " " * (char not in ".-") for char in equation)
    elif kind < 0.22:
        at = rng.randrange(len(equation) + 1)
        equation = equation[:at] + rng.choice([".", ",", "1", "-", ">", "->", "q", "..."]) + equation[at:]
    case.expr = f"torch.einsum('{equation}', {', '.join(operands)})"
    case.numpy_expr = f"np.einsum('{equation}', {', '.join(operands)})"
    if rng.random() < 0.1:
        case.expr = f"torch.einsum('{equation}', [{', '.join(operands)}])"
        case.numpy_expr = ""
    if ".transpose" in case.expr:
        # NumPy's means another thing.
        case.numpy_expr = ""
    return case
