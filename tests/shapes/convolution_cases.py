"""Random convolutions, plain and transposed, as functions and as layers."""

import random
from typing import Any

import torch

from tests.shapes.cases import Case, shape_text

_DTYPES = ["float64", "float16", "bfloat16", "int64", "int32", "uint8", "int8", "bool", "complex64", "complex128"]


def bind(rng: random.Random, case: Case, name: str, shape: list[int], dtype: str) -> str:
    """Bind a name to a tensor; some are read in another order than they are stored."""
    made = torch.zeros(shape, dtype=getattr(torch, dtype))
    text = name
    if len(shape) > 1 and rng.random() < 0.15:
        # contiguous() would leave the strides of axes of one position as they are, which are not those of a new tensor.
        made = torch.zeros((shape[1], shape[0], *shape[2:]), dtype=made.dtype)
        text = f"{name}.transpose(0, 1)"
    case.tensors[name] = made
    case.specs[name] = f"{dtype}:{shape_text(tuple(made.shape))}"
    return text


def one_of(rng: random.Random, usual: list[str], odd: list[str], *, chance: float = 0.06) -> str:
    return rng.choice(odd if rng.random() < chance else usual)


def sizes(rng: random.Random, axes: int, low: int, high: int) -> str:
    """Write an int, or a list of them."""
    if rng.random() < 0.5:
        return str(rng.randint(low, high))
    listed = ", ".join(str(rng.randint(low, high)) for _ in range(axes))
    return rng.choice([f"({listed},)", f"[{listed}]"])


_ODD_SIZES = [
    "0",
    "-1",
    "(1,)",
    "()",
    "[]",
    "(1, 2, 1, 1)",
    "1.0",
    "None",
    "True",
    "(1, 1.5, 1)",
    "(True, 1)",
    "(1, True)",
]


def arguments(rng: random.Random, axes: int, *, transposed: bool, layer: bool) -> dict[str, str]:
    made = {}
    if rng.random() < 0.4:
        made["stride"] = one_of(rng, [sizes(rng, axes, 1, 3)], _ODD_SIZES)
    if rng.random() < 0.5:
        text = ["'same'", "'valid'"] if not transposed or rng.random() < 0.1 else []
        usual = [sizes(rng, axes, 0, 2), sizes(rng, axes, 0, 5), *text]
        made["padding"] = one_of(rng, usual, [*_ODD_SIZES, "'full'", "'same'"])
    if rng.random() < 0.25:
        made["dilation"] = one_of(rng, [sizes(rng, axes, 1, 2)], _ODD_SIZES)
    if transposed and rng.random() < 0.4:
        made["output_padding"] = one_of(rng, [sizes(rng, axes, 0, 1)], [*_ODD_SIZES, "2"], chance=0.1)
    if layer and rng.random() < 0.3:
        made["bias"] = rng.choice(["True", "False", "None", "1", "()"])
    if layer and not transposed and rng.random() < 0.15:
        made["padding_mode"] = rng.choice(["'zeros'", "'reflect'", "'circular'", "'replicate'", "'wrap'", "1"])
    if layer and rng.random() < 0.06:
        made["dtype"] = rng.choice(
            ["torch.float64", "torch.float16", "None", "torch.int64", "'float32'", "torch.complex64"]
        )
    return made


def input_shape(rng: random.Random, axes: int, channels: int) -> list[int]:
    shape = [rng.choice([0, 1, 1, 2, 2, 3]), channels, *(rng.choice([1, 2, 3, 4, 5, 6, 7, 8]) for _ in range(axes))]
    if rng.random() < 0.06:
        shape[rng.randrange(len(shape))] = 0
    if rng.random() < 0.25:
        shape = shape[1:]
    if rng.random() < 0.05:
        shape = rng.choice([[], shape[1:], [2, *shape], shape[2:]])
    return shape


def joined(rng: random.Random, positional: list[str], named: dict[str, str], order: list[str]) -> str:
    """Write arguments, some of those that may be by position."""
    parts = list(positional)
    for name in order:
        if name not in named or rng.random() < 0.5:
            break
        parts.append(named.pop(name))
    parts += [f"{name}={text}" for name, text in rng.sample(sorted(named.items()), len(named))]
    return ", ".join(parts)


def function_case(rng: random.Random) -> Case:
    case = Case()
    axes = rng.choice([1, 2, 2, 3])
    transposed = rng.random() < 0.4
    groups = rng.choice([1, 1, 1, 2, 3])
    reads, gives = rng.choice([1, 2, 3]), rng.choice([1, 2, 3])
    kernel = [rng.choice([1, 1, 2, 3, 3, 4]) for _ in range(axes)]
    if rng.random() < 0.02:
        kernel[0] = 0
    weight = [groups * reads, gives, *kernel] if transposed else [groups * gives, reads, *kernel]
    channels = groups * reads
    if rng.random() < 0.05:
        channels = rng.choice([0, 1, 2, 3, 4, 6])
    if rng.random() < 0.04:
        weight = rng.choice([weight[:-1], [*weight, 1], weight[:2], [0, *weight[1:]], [weight[0], 0, *weight[2:]]])
    dtype = "float32" if rng.random() < 0.7 else rng.choice(_DTYPES)
    other = dtype if rng.random() < 0.92 else rng.choice(_DTYPES)
    x = bind(rng, case, "x", input_shape(rng, axes, channels), dtype)
    w = bind(rng, case, "w", weight, other)
    named = arguments(rng, axes, transposed=transposed, layer=False)
    if rng.random() < 0.4:
        out = groups * gives if rng.random() < 0.9 else rng.choice([0, 1, 2])
        shape = [out] if rng.random() < 0.95 else rng.choice([[], [out, 1]])
        named["bias"] = bind(rng, case, "b", shape, dtype if rng.random() < 0.93 else rng.choice(_DTYPES))
    if groups != 1 and rng.random() < 0.95:
        named["groups"] = str(groups)
    elif rng.random() < 0.08:
        named["groups"] = rng.choice(["0", "-1", "2", "1.0", "True", "None", "1"])
    if rng.random() < 0.01:
        named["axes"] = "1"
    rest = ["padding", "output_padding", "groups", "dilation"] if transposed else ["padding", "dilation", "groups"]
    text = joined(rng, [x, w], named, ["bias", "stride", *rest])
    case.expr = f"F.conv{'_transpose' * transposed}{axes}d({text})"
    return case


def layer_case(rng: random.Random) -> Case:
    case = Case()
    axes = rng.choice([1, 2, 2, 3])
    transposed = rng.random() < 0.4
    groups = rng.choice([1, 1, 1, 2, 3])
    into, out = groups * rng.choice([1, 2, 3]), groups * rng.choice([1, 2, 3])
    dtype = "float32" if rng.random() < 0.9 else rng.choice(_DTYPES)
    x = bind(rng, case, "x", input_shape(rng, axes, into if rng.random() < 0.95 else 4), dtype)
    odd = ["0", "-2", "2.0", "None", "'3'", "True", "(2,)"]
    named = arguments(rng, axes, transposed=transposed, layer=True)
    kernel = one_of(rng, [sizes(rng, axes, 1, 4)], _ODD_SIZES, chance=0.05)
    first = [one_of(rng, [str(into)], odd, chance=0.03), one_of(rng, [str(out)], odd, chance=0.03), kernel]
    if groups != 1 and rng.random() < 0.95:
        named["groups"] = str(groups)
    elif rng.random() < 0.08:
        named["groups"] = rng.choice(["0", "-1", "2", "1.0", "1.5", "True", "None", "'1'"])
    if rng.random() < 0.02:
        first.pop()
    if rng.random() < 0.01:
        named["axes"] = "1"
    rest = ["output_padding", "groups", "bias", "dilation"] if transposed else ["dilation", "groups", "bias"]
    made = joined(rng, first, named, ["stride", "padding", *rest, "padding_mode"])
    applied = x if rng.random() < 0.98 else rng.choice([f"{x}, 1", f"y={x}", f"{x}, input={x}", f"3, {x}"])
    if transposed and rng.random() < 0.3:
        lead = rng.choice([[], [], [2, 3]])
        asked = [*lead, *(rng.randint(1, 12) for _ in range(axes))]
        keyword = rng.choice(["", "output_size="]) if applied == x else "output_size="
        applied += f", {keyword}{rng.choice([asked, tuple(asked)])}"
    elif rng.random() < 0.02:
        applied += ", output_size=3"
    case.expr = f"nn.Conv{'Transpose' * transposed}{axes}d({made})({applied})"
    return case


def formula_case(rng: random.Random) -> tuple[Case, dict[str, Any], torch.Tensor]:
    """Return a case of known values, with the names of its formula."""
    axes = rng.choice([1, 2, 2, 3])
    transposed, layer = rng.random() < 0.3, rng.random() < 0.5
    groups = rng.choice([1, 1, 2])
    reads, gives = rng.choice([1, 2]), rng.choice([1, 2])
    kernel = [rng.choice([1, 2, 3]) for _ in range(axes)]
    shape = [*rng.choice([[2], [1], []]), groups * reads, *(rng.choice([3, 4]) for _ in range(axes))]
    weight = [groups * reads, gives, *kernel] if transposed else [groups * gives, reads, *kernel]
    options: dict[str, Any] = {"groups": groups, "stride": kernel if transposed else rng.choice([1, 2])}
    if not transposed:
        options |= {"dilation": rng.choice([1, 1, 2]), "padding": rng.choice([0, 0, 1, "same", 2])}
    options = {name: value for name, value in options.items() if rng.random() < 0.8 or name in ("groups", "dilation")}
    if options.get("padding") == "same":
        options["stride"] = 1
    make = torch.Generator().manual_seed(rng.randrange(2**31))
    x = torch.randint(-3, 4, shape, generator=make).float()
    w = torch.randint(-3, 4, weight, generator=make).float()
    b = torch.randint(-3, 4, [groups * gives], generator=make).float() if rng.random() < 0.6 else None
    listed = ", ".join(f"{name}={value!r}" for name, value in options.items())
    specs = {"x": shape_text(tuple(shape))}
    name = f"{'_transpose' * transposed}{axes}d"
    if layer:
        channels = f"{groups * reads}, {groups * gives}, {kernel}, bias={b is not None}"
        expr = f"nn.Conv{'Transpose' * transposed}{axes}d({channels}, {listed})(x)"
        names: dict[str, Any] = {"x": x, "weight": w, "bias": b}
    else:
        expr = f"F.conv{name}(x, w{', b' * (b is not None)}, {listed})"
        names = {"x": x, "w": w, "b": b}
        specs |= {"w": shape_text(tuple(weight))} | ({"b": shape_text(tuple(b.shape))} if b is not None else {})
    real: torch.Tensor = getattr(torch.nn.functional, f"conv{name}")(x, w, b, **options)
    return Case(expr, "", specs, {}), names, real
