"""Random calls of what cuts a tensor into several."""

import random

import torch

from tests.shapes.cases import Case
from tests.shapes.drawing import bind

SHAPES = [(), (1,), (0,), (5,), (7,), (2, 3), (5, 3), (5, 3), (0, 3), (4, 0), (6, 4), (6, 4), (2, 3, 4), (3, 1, 2)]


DIMS = ["0", "0", "1", "1", "-1", "-1", "-2", "2", "5", "-4", "None", "1.0", "True", "(0,)", "[0]"]


NUMBERS = ["1", "2", "2", "2", "3", "3", "4", "7", "0", "-1", "True", "2.0", "None", "'a'"]


LISTS = ["[2, 3]", "(2, 3)", "[1, 3]", "[2, 2, 1]", "[5]", "[]", "()", "[6, -1]", "[-1]", "[-3, -1]", "[3, 1]", "[9]"]


LISTS += ["[0, 5]", "[True, 4]", "[4, True]", "[2.0, 3]", "[2, 3.0]", "[2, None]", "[0]", "[2, 1]", "[3, 3]", "[2, 4]"]


TENSORS = ["int64:tensor([1, 3])", "int64:tensor(2)", "int64:tensor(0)", "int32:tensor(1)", "float32:tensor([1.0])"]


TENSORS += ["int64:tensor([[1, 2]])", "int64:tensor([-1])", "int64:tensor([3, 1, 9])"]


PARAMETERS = {"chunk": "chunks", "split": "split_size", "tensor_split": "sections", "unbind": ""}


IN_NUMPY = {"chunk": "chunk", "split": "split", "tensor_split": "array_split", "unbind": "unstack"}


INDICES = ["[0]", "[-1]", "[1]", "[3]", "[9]", "[True]", "[None]", "[1.0]", "[1:]", "[::-1]", "[::2]", "[:2]", "[-2:]"]


INDICES += ["[::0]", "[1:][0]", "[::-1][0]", "[1::2][-1]", "[[0]]", "[0, 1]", "[...]"]


def draw_pieces(rng: random.Random, case: Case, name: str) -> str:
    """Draw into what to cut; binds a name where that is a tensor."""
    kind = rng.random()
    if name != "chunk" and kind < 0.12:
        spec = rng.choice(TENSORS)
        case.specs["c"] = spec
        dtype, _, values = spec.partition(":")
        # Written above.
        case.tensors["c"] = torch.tensor(eval(values[7:-1]), dtype=getattr(torch, dtype))  # noqa: S307 - see above
        return "c"
    if (name == "chunk" and kind < 0.9) or kind < 0.55:
        return rng.choice(NUMBERS)
    return rng.choice(LISTS)


def draw_cut(rng: random.Random) -> Case:
    case = Case()
    source = bind(rng, case, "x", rng.choice(SHAPES))
    name = rng.choice(list(PARAMETERS))
    arguments, numpy_arguments = [], []
    positional = True
    if name != "unbind" and rng.random() < 0.96:
        text = draw_pieces(rng, case, name)
        positional = rng.random() < 0.8
        keyword = PARAMETERS[name]
        if name == "tensor_split" and not positional:
            keyword = "tensor_indices_or_sections" if text == "c" else "indices" if text[0] in "[(" else keyword
        arguments.append(text if positional else f"{keyword}={text}")
        numpy_arguments.append(text)
    elif name != "unbind":
        positional = False
    if rng.random() < 0.6:
        dim = rng.choice(DIMS)
        keyword = "axis" if name != "split" and rng.random() < 0.1 else "dim"
        arguments.append(dim if positional and rng.random() < 0.5 else f"{keyword}={dim}")
        numpy_arguments.append(f"axis={dim}")
    tail = rng.choice(INDICES) if rng.random() < 0.3 else ""
    write(rng, case, name, source, (arguments, numpy_arguments), tail)
    return case


def write(
    rng: random.Random, case: Case, name: str, source: str, arguments: tuple[list[str], list[str]], tail: str
) -> None:
    of_torch = rng.random() < 0.3
    if of_torch and name == "split":
        arguments[0][:] = [text.replace("split_size=", "split_size_or_sections=") for text in arguments[0]]
    if of_torch:
        case.expr = f"torch.{name}({', '.join([source, *arguments[0]])}){tail}"
    else:
        case.expr = f"{source}.{name}({', '.join(arguments[0])}){tail}"
    case.numpy_expr = f"np.{IN_NUMPY[name]}({', '.join([source, *arguments[1]])}){tail}"
    if name == "chunk" and not of_torch:
        case.numpy_expr = f"{source}.chunk()"
    if ".transpose" in source:
        # NumPy's means another thing.
        case.numpy_expr = ""
