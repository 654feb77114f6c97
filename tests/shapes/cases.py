"""Random expressions with the real tensors that their names stand for."""

import random
import re
from dataclasses import dataclass, field

import numpy as np
import torch

SHAPES = [
    (),
    (1,),
    (3,),
    (0,),
    (2, 3),
    (3, 1),
    (0, 3),
    (2, 3, 4),
    (2, 3, 4),
    (3, 2, 2),
    (2, 0, 3),
    (2, 3, 4, 5),
    (2, 2, 3, 1),
]
INDEX_SHAPES = [(), (), (0,), (1,), (2,), (2,), (3,), (2, 1), (1, 3), (2, 3), (0, 1)]
REDUCTIONS = ["argmax", "argmin", "max", "min", "sum", "mean", "amax", "amin", "any", "all"]
# Every parameter by position, those by keyword behind the star; how often each is given, and what for.
PARAMETERS = {
    **dict.fromkeys(REDUCTIONS, "dim keepdim"),
    **dict.fromkeys(("median", "logsumexp"), "dim keepdim"),
    **dict.fromkeys(("sum", "mean", "prod"), "dim keepdim * dtype"),
    **dict.fromkeys(("std", "var"), "dim unbiased keepdim * correction"),
    "norm": "p dim keepdim",
    "topk": "k dim largest sorted",
    "kthvalue": "k dim keepdim",
    **dict.fromkeys(("sort", "argsort"), "dim descending * stable"),
    **dict.fromkeys(("cumsum", "cumprod"), "dim * dtype"),
    "count_nonzero": "dim",
    **dict.fromkeys(("softmax", "log_softmax"), "dim dtype"),
}
LACKING = ("topk", "kthvalue", "norm", "logsumexp", "softmax", "log_softmax")
CHANCES = {"dim": 0.8, "keepdim": 0.4, "k": 0.95, "p": 0.7, "unbiased": 0.2, "correction": 0.2, "dtype": 0.15}
DIMS = [
    "0",
    "1",
    "-1",
    "2",
    "-4",
    "3",
    "(0, 1)",
    "(0, 0)",
    "()",
    "(1,)",
    "[0, 1]",
    "None",
    "(0, -1)",
    "True",
    "1.0",
    "(0, 1, 2)",
]
# Where only one dim may be given, most are.
ONE_DIM = ["0", "0", "0", "1", "1", "-1", "-1", "-2", *DIMS]
VALUES = {
    "dim": DIMS,
    "keepdim": ["True", "True", "False", "1"],
    "unbiased": ["True", "False", "False", "1", "None"],
    "correction": ["0", "1", "1", "2.5", "True", "None", "-1"],
    "k": ["0", "1", "1", "1", "1", "2", "2", "3", "5", "-1", "1.0", "None", "True", "(1,)"],
    "p": ["1", "2", "2", "2", "0", "3.5", "-1", "1e999", "-1e999", "True", "None", "(1,)"],
    "dtype": [
        "torch.float32",
        "torch.float64",
        "torch.float16",
        "torch.int64",
        "torch.int32",
        "torch.uint8",
        "torch.bool",
        "torch.complex64",
        "None",
    ],
    "largest": ["True", "False", "1"],
    "sorted": ["True", "False", "False", "None"],
    "descending": ["True", "False", "0"],
    "stable": ["True", "False", "None", "1"],
}
IN_NUMPY = {"dim": "axis", "keepdim": "keepdims", "unbiased": "ddof"}
SOURCE_DTYPES = ["float32"] * 6 + ["float64", "float16", "int64", "uint8", "int32", "bool", "complex64"]
INDEX_DTYPES = ["int64"] * 8 + ["int32", "int32", "int8", "int16", "uint8", "uint8", "float32", "bool"]


@dataclass
class Case:
    """An expression as PyTorch and as NumPy have it; ``specs`` and ``tensors`` bind its names."""

    expr: str = ""
    numpy_expr: str = ""
    specs: dict[str, str] = field(default_factory=dict)
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    ellipses: int = 0


def shape_text(shape: tuple[int, ...]) -> str:
    return str(tuple(shape)).replace(" ", "")


def bind_source(rng: random.Random, case: Case) -> torch.Tensor:
    shape = rng.choice(SHAPES)
    dtype = rng.choice(SOURCE_DTYPES)
    source = torch.arange(int(np.prod(shape))).reshape(shape).to(getattr(torch, dtype))
    case.specs["x"] = f"{dtype}:{shape_text(shape)}"
    case.tensors["x"] = source
    return source


def bind_index(rng: random.Random, case: Case, source_shape: tuple[int, ...], *, known: float = 0.3) -> str:
    """Bind a new name to an index tensor: positions, or a mask, whose values may be known."""
    name = "abcdefgh"[len(case.tensors) - 1]
    if rng.random() < 0.25 and source_shape:
        start = rng.randrange(len(source_shape))
        shape = source_shape[start : start + rng.choice([0, 1, 1, 2])]
        if rng.random() < 0.1:
            shape = rng.choice(INDEX_SHAPES)
        mask = torch.rand(shape, generator=torch.Generator().manual_seed(rng.randrange(2**31))) < rng.random()
        content = f"bool:tensor({mask.tolist()})"
        case.specs[name] = (
            content if mask.numel() and rng.random() < known else f"bool:{shape_text(shape)}#{int(mask.sum())}"
        )
        case.tensors[name] = mask
        return name
    shape = rng.choice(INDEX_SHAPES)
    dtype = rng.choice(INDEX_DTYPES)
    low, high = rng.choice([(0, 1), (0, 2), (-1, 2), (-5, 6)])
    if dtype == "uint8":
        low, high = 0, 3
    values = torch.tensor([rng.randrange(low, high) for _ in range(int(np.prod(shape)))], dtype=torch.int64)
    tensor = values.reshape(shape).to(getattr(torch, dtype))
    empty = f"{dtype}:{shape_text(shape)}"
    case.specs[name] = f"{dtype}:tensor({tensor.tolist()})" if tensor.numel() else empty
    if not tensor.any() and dtype not in ("uint8", "bool") and known < 1:
        # Values in range wherever there is a position at all.
        case.specs[name] = empty
    case.tensors[name] = tensor
    return name


def nested_list(rng: random.Random, case: Case, source_shape: tuple[int, ...], depth: int = 0) -> str:
    kind = rng.random()
    length = rng.choice([0, 1, 2, 2, 2, 3])
    if kind < 0.15:
        items = [rng.choice(["True", "False"]) for _ in range(length)]
    elif kind < 0.3 and depth < 3:
        one = nested_list(rng, case, source_shape, depth + 1)
        items = [one if rng.random() < 0.8 else nested_list(rng, case, source_shape, depth + 1) for _ in range(length)]
    elif kind < 0.4:
        mixed = ["0", "1", "True", "None", "...", "1.5", "slice(None)", "slice(0, 1)", "[0, 1]", "(1, 0)", "-1", "[]"]
        items = [rng.choice(mixed) for _ in range(length)]
        if rng.random() < 0.3 and len(case.tensors) < 5:
            # In a list one unknown value would hide that the others are out of range.
            items.append(bind_index(rng, case, source_shape, known=1))
    elif kind < 0.43:
        items = [rng.choice(["[0]", "0", "[0, 1]"])] * rng.choice([31, 32, 33])
    else:
        low, high = rng.choice([(0, 1), (0, 2), (-2, 2), (-6, 7)])
        items = [str(rng.randrange(low, high)) for _ in range(length)]
    case.ellipses += sum(item == "..." for item in items)
    if rng.random() < 0.2:
        return "(" + ", ".join(items) + ("," if len(items) == 1 else "") + ")"
    return "[" + ", ".join(items) + "]"


def slice_text(rng: random.Random, case: Case) -> str:
    if rng.random() < 0.45 or case.ellipses > 1:
        # Behind a second ellipsis PyTorch compares bounds with memory beyond its sizes: nothing to agree with.
        return ":"
    start, stop = (rng.choice(["", "", "0", "1", "2", "-1", "-3", "7"]) for _ in range(2))
    step = rng.choice(["", "", "", ":1", ":2", ":3", ":-1", ":0", ":2000"])
    return f"{start}:{stop}{step}"


def index_item(rng: random.Random, case: Case, source_shape: tuple[int, ...]) -> str:  # noqa: PLR0911 - a kind, a return
    kind = rng.random()
    if kind < 0.2:
        return str(rng.choice([0, 0, 0, 1, -1, 2, -3, 5]))
    if kind < 0.4:
        return slice_text(rng, case)
    if kind < 0.5:
        return "None"
    if kind < 0.62:
        case.ellipses += 1
        return "..."
    if kind < 0.67:
        return rng.choice(["True", "False"])
    if kind < 0.68:
        return "1.5"
    if kind < 0.88 and len(case.tensors) < 6:
        return bind_index(rng, case, source_shape)
    return nested_list(rng, case, source_shape)


def subscript(rng: random.Random, case: Case, source_shape: tuple[int, ...]) -> str:
    before = case.ellipses
    case.ellipses = 0
    count = rng.choice([1, 1, 1, 2, 2, 3, 3, 4])
    items = [index_item(rng, case, source_shape) for _ in range(count)]
    if case.ellipses > 1:
        items = [":" if ":" in item and "[" not in item else item for item in items]
    case.ellipses += before
    text = ", ".join(items)
    return f"[{text},]" if count == 1 and rng.random() < 0.2 else f"[{text}]"


def draw_arguments(rng: random.Random, name: str) -> tuple[list[str], list[str]]:
    """Draw a call's arguments, in both libraries' words."""
    positions, _, rest = (part.split() for part in PARAMETERS[name].partition("*"))
    spread = "unbiased" in positions
    if spread and rng.random() < 0.1:
        unbiased = rng.choice(["True", "False"])
        return [unbiased], [f"ddof={unbiased}"]
    arguments, numpy_arguments = [], []
    positional = True
    for parameter in positions + rest:
        if rng.random() >= CHANCES.get(parameter, 0.3):
            positional = False
            continue
        one = parameter == "dim" and name not in REDUCTIONS and not spread
        text = rng.choice(ONE_DIM if one else VALUES[parameter])
        # A bool that comes first means unbiased to std and var.
        positional = positional and parameter in positions and rng.random() < 0.6 and not (spread and text == "True")
        arguments.append(text if positional else f"{parameter}={text}")
        numpy_arguments.append(f"{IN_NUMPY.get(parameter, parameter)}={text.replace('torch.', 'np.')}")
    return arguments, numpy_arguments


def reduction(rng: random.Random, case: Case, name: str) -> None:
    """Append a function of one tensor to the case, in both libraries' words."""
    arguments, numpy_arguments = draw_arguments(rng, name)
    of_torch = rng.random() < 0.3
    if of_torch:
        case.expr = f"torch.{name}({', '.join([case.expr, *arguments])})"
    else:
        case.expr = f"{case.expr}.{name}({', '.join(arguments)})"
    if name in LACKING and not of_torch:
        case.numpy_expr = f"{case.numpy_expr}.{name}()"
    else:
        case.numpy_expr = f"np.{name}({', '.join([case.numpy_expr, *numpy_arguments])})"


def random_case(rng: random.Random) -> Case:
    """Draw an expression: mostly one index, sometimes a chain, sometimes reductions."""
    case = Case(expr="x", numpy_expr="x")
    shape = tuple(bind_source(rng, case).shape)
    for _ in range(rng.choice([1, 1, 1, 1, 2, 3])):
        if rng.random() < 0.3:
            reduction(rng, case, rng.choice(list(PARAMETERS)))
        else:
            text = subscript(rng, case, shape)
            case.expr += text
            case.numpy_expr += text
    # A drawn item may have been replaced: only names that are left may be bound.
    left = set(re.findall(r"\b[a-hx]\b", case.expr))
    case.specs = {name: spec for name, spec in case.specs.items() if name in left}
    return case
