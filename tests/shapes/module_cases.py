"""Random layers that learn nothing, alone and in a row, and what else is small."""

import random

import torch

from tests.shapes.cases import Case, shape_text
from tests.shapes.sampling_cases import ANY, FLOATS, bind, sizes

_ACTIVATIONS = ["ReLU", "Sigmoid", "Tanh", "GELU", "SiLU", "LeakyReLU", "Hardswish", "ELU"]
_IN_PLACE = ["ReLU", "SiLU", "LeakyReLU", "Hardswish", "ELU", "Dropout", "Dropout2d", "Dropout3d"]
_DIMS = ["0", "1", "-1", "2", "-2", "-4"]


def _made(rng: random.Random) -> str:
    """Draw a layer."""
    name = rng.choice(
        [*_ACTIVATIONS, "Identity", "Dropout", "Dropout2d", "Dropout3d", "Softmax", "LogSoftmax", "Flatten"]
    )
    if name in ("Softmax", "LogSoftmax"):
        return f"nn.{name}({rng.choice(['', 'dim='])}{rng.choice(_DIMS)})"
    if name == "Flatten":
        return f"nn.Flatten({', '.join(rng.choice(_DIMS) for _ in range(rng.choice([0, 0, 1, 2])))})"
    if name == "Dropout" and rng.random() < 0.3:
        return f"nn.Dropout({rng.choice(['0.5', 'p=0.1', '0', '1', 'p=1.0'])})"
    return f"nn.{name}({'inplace=True' if name in _IN_PLACE and rng.random() < 0.2 else ''})"


def random_module(rng: random.Random) -> Case:
    """Draw a layer, or several in a row, applied to a tensor."""
    case = Case()
    x = bind(
        rng, case, "x", sizes(rng, rng.choice([0, 1, 2, 3, 4, 4])), rng.choice(FLOATS if rng.random() < 0.8 else ANY)
    )
    if rng.random() < 0.25:
        made = f"nn.Sequential({', '.join(_made(rng) for _ in range(rng.choice([0, 1, 2, 3])))})"
    else:
        made = _made(rng)
    applied = x if rng.random() < 0.96 else rng.choice(["", f"{x}, 1", f"y={x}", f"input={x}"])
    case.expr = f"{made}({applied})"
    return case


def random_shuffle(rng: random.Random) -> Case:
    """Draw a call of ``pixel_shuffle``, or of what finds and counts elements."""
    case = Case()
    kind = rng.random()
    if kind < 0.5:
        factor = rng.choice([1, 2, 2, 3])
        shape = [*sizes(rng, rng.choice([0, 1, 1, 2])), factor**2 * rng.choice([1, 2]), *sizes(rng, 2)]
        x = bind(rng, case, "x", shape if rng.random() < 0.85 else shape[1:] or [2], rng.choice(ANY))
        text = str(factor) if rng.random() < 0.85 else rng.choice(["0", "-1", "2.0", "None", "3"])
        form = rng.choice(["F.pixel_shuffle({x}, {n})", "torch.pixel_shuffle({x}, {n})", "nn.PixelShuffle({n})({x})"])
        case.expr = form.format(x=x, n=text)
    elif kind < 0.7:
        shape = sizes(rng, rng.choice([3, 4, 4]))
        x = bind(rng, case, "x", shape)
        kernel = rng.choice(["1", "2", "(1, 2)", "3", "0"])
        stride = rng.choice(["", ", stride=2", ", padding=1"])
        case.expr = f"nn.Unfold({kernel}{stride})({x})"
    elif kind < 0.75:
        x = bind(rng, case, "x", [*sizes(rng, 2), 2 * rng.choice([1, 2]), 2 * rng.choice([1, 2, 3])])
        case.expr = f"nn.PixelUnshuffle({rng.choice(['1', '2', '2', '3', '0'])})({x})"
    else:
        shapes: list[tuple[int, ...]] = [(), (3,), (2, 3), (0,), (4,)]
        held = rng.choice(shapes)
        count = torch.Size(held).numel()
        values = torch.tensor([rng.randrange(-1 if rng.random() < 0.1 else 0, 4) for _ in range(count)])
        case.tensors["x"] = values.to(torch.int64).reshape(held)
        known = f"int64:tensor({case.tensors['x'].tolist()})"
        case.specs["x"] = known if count else f"int64:{shape_text(held)}"
        name = rng.choice(["argwhere", "bincount"])
        extra = rng.choice(["", "", "minlength=6"]) if name == "bincount" else ""
        case.expr = f"torch.{name}(x{', ' * bool(extra)}{extra})" if rng.random() < 0.5 else f"x.{name}({extra})"
    return case


_GELU = ["", "", ", approximate='tanh'", ", 1"]
_FUNCTIONS = {"silu": "", "hardswish": "", "leaky_relu": "negative_slope", "elu": "alpha"}


def random_function(rng: random.Random) -> Case:
    """Draw a call of what is a layer too: an activation, or dropout."""
    case = Case()
    x = bind(rng, case, "x", sizes(rng, rng.choice([0, 1, 2, 3, 4])), rng.choice(FLOATS if rng.random() < 0.8 else ANY))
    kind = rng.random()
    if kind < 0.25:
        case.expr = f"F.gelu({x}{rng.choice(_GELU)})"
    elif kind < 0.6:
        name = rng.choice(list(_FUNCTIONS))
        extra = rng.choice(["", "", ", inplace=True", ", 0.3" if _FUNCTIONS[name] else "", ", foo=1"])
        case.expr = f"F.{name}({x}{extra})"
    else:
        name = rng.choice(["dropout", "dropout2d", "dropout3d"])
        extra = rng.choice(["", "", ", 0.1", ", p=0.3", ", p=2", ", 0", ", 1.0", ", p='a'"])
        training = rng.choice(["", "", ", training=False", ", training=True"])
        case.expr = f"F.{name}({x}{extra}{training})"
    return case


def random_pad_layer(rng: random.Random) -> Case:
    """Draw a layer that pads."""
    case = Case()
    axes = rng.choice([1, 2, 2, 2, 3])
    kind = rng.choice(["Zero", "Constant", "Reflection", "Replication"])
    ndim = axes + rng.choice([1, 2, 2]) if rng.random() < 0.9 else rng.choice([0, 1, 2, 3, 4, 5])
    x = bind(rng, case, "x", sizes(rng, ndim), rng.choice(FLOATS if rng.random() < 0.8 else ANY))
    several = ", ".join(str(rng.choice([0, 1, 1, 2, -1])) for _ in range(2 * axes))
    amounts = rng.choice(["1", "1", "2", f"({several})", f"({several})", "0", "-1", "(1, 1)", "None", "1.5"])
    if kind == "Constant":
        amounts += rng.choice([", 0", ", 3.5", ", value=1", "", ", None"])
    case.expr = f"nn.{kind}Pad{axes}d({amounts})({x})"
    return case


def random_embedding(rng: random.Random) -> Case:
    """Draw a layer that looks up rows."""
    case = Case()
    x = bind(
        rng, case, "i", sizes(rng, rng.choice([0, 1, 2, 3])), rng.choice(["int64"] * 8 + ["int32", "uint8", "float32"])
    )
    made = f"{rng.choice([1, 5, 5, 10, 0, -1, '2.0'])}, {rng.choice([4, 4, 1, 0, 'None'])}"
    extra = rng.choice(
        ["", "", ", padding_idx=0", ", padding_idx=7", ", padding_idx=-1", ", dtype=torch.float64", ", foo=1"]
    )
    case.expr = f"nn.Embedding({made}{extra})({x})"
    return case
