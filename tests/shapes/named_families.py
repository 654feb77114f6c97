"""Operations over sizes that have names, a function a family: each draws a template of what is done to ``{}``."""

import random
import re
from collections.abc import Callable

from tests.shapes.named_cases import (
    DIMS,
    SIZES,
    NamedCase,
    indexed,
    reshaped,
    size,
    sliced,
    stretched,
    turned,
)


def reduced(rng: random.Random, _: NamedCase) -> str:
    dim = rng.choice(DIMS)
    name = rng.choice(
        [
            "sum",
            "mean",
            "amax",
            "amin",
            "argmax",
            "argmin",
            "std",
            "var",
            "prod",
            "any",
            "all",
            "norm",
            "logsumexp",
            "median",
            "max",
            "min",
        ]
    )
    arguments = rng.choice(["", dim, f"{dim}, keepdim=True", f"dim={dim}", "(0, -1)", "(0, 1)"])
    if name in ("argmax", "argmin", "median", "prod", "max", "min") and arguments.startswith("("):
        arguments = dim
    arguments = arguments or (dim if name in ("logsumexp", "amax") else "")
    if name == "norm" and arguments:
        arguments = f"2, {arguments}"
    pick = rng.choice([".values", "[1]"]) if name in ("median", "max", "min") and arguments else ""
    return f"{{}}.{name}({arguments}){pick}"


def along(rng: random.Random, case: NamedCase) -> str:
    dim, count = rng.choice(DIMS), rng.choice(["1", "2", "K", size(rng, case), "3"])
    return "{}" + rng.choice(
        [
            f".topk({count}, {dim})[0]",
            f".kthvalue({count}, {dim})[1]",
            f".sort({dim})[0]",
            f".argsort({dim})",
            f".cumsum({dim})",
            f".softmax({dim})",
            f".log_softmax({dim})",
            f".median({dim})[0]",
        ]
    )


def cut(rng: random.Random, case: NamedCase) -> str:
    dim = rng.choice(DIMS)
    count = rng.choice(["2", "3", "K", f"{size(rng, case)} // 2", size(rng, case), "1"])
    call = rng.choice(
        [
            f"chunk({rng.choice(['2', '3'])}, {dim})",
            f"split({count}, {dim})",
            f"unbind({dim})",
            f"tensor_split({rng.choice(['2', '3'])}, {dim})",
        ]
    )
    return f"{{}}.{call}" + rng.choice(["[0]", "[0]", "[1]", "[-1]", "[2]", "", "[:2]", "[1:][0]"])


def joined(rng: random.Random, case: NamedCase) -> str:
    sizes = list(case.sizes)
    place = rng.randrange(len(sizes)) if sizes else 0
    if sizes and rng.random() < 0.8:
        sizes[place] = size(rng, case)
    other = case.bind("float32", sizes)
    return rng.choice(
        [
            f"torch.cat([{{}}, {other}], {place})",
            f"torch.stack([{{}}, {other}], {rng.choice(DIMS)})",
            f"torch.hstack([{{}}, {other}])",
            f"torch.vstack([{{}}, {other}])",
            f"torch.cat([{{}}, {other}])",
        ]
    )


def together(rng: random.Random, case: NamedCase) -> str:
    sizes = [rng.choice([own, own, own, "1", size(rng, case)]) for own in case.sizes]
    if rng.random() < 0.4:
        sizes = sizes[1:]
    other = case.bind(rng.choice(["float32", "float32", "int64"]), sizes)
    return rng.choice(
        [
            f"({{}} + {other})",
            f"({{}} * {other})",
            f"({{}} == {other})",
            f"torch.maximum({{}}, {other})",
            f"torch.where({{}} > 0, {{}}, {other})",
            "{}.clamp(0, 1)",
            f"({{}} + {size(rng, case)})",
            f"{{}}.eq({other})",
        ]
    )


def multiplied(rng: random.Random, case: NamedCase) -> str:
    inner = rng.choice([case.sizes[-1] if case.sizes else "2", size(rng, case)])
    lead = case.sizes[:-2] if rng.random() < 0.6 else []
    other = case.bind("float32", [*lead, inner, size(rng, case)][rng.choice([0, 0, 0, 1]) :])
    equations = ["ij,jk->ik", "bij,bjk->bik", "ij,jk", "...j,jk->...k", "bi,bi->b"]
    return rng.choice(
        [
            f"({{}} @ {other})",
            f"torch.matmul({{}}, {other})",
            f"torch.bmm({{}}, {other})",
            f"torch.einsum('{rng.choice(equations)}', {{}}, {other})",
        ]
    )


def selected(rng: random.Random, case: NamedCase) -> str:
    dim = rng.choice(DIMS)
    sizes = [rng.choice([own, own, size(rng, case)]) for own in case.sizes]
    forms = {
        "gather": (f"{{}}.gather({dim}, {{0}})", "int64", sizes),
        "along": (f"{{}}.take_along_dim({{0}}, {dim})", "int64", sizes),
        "select": (f"{{}}.index_select({dim}, {{0}})", "int64", [size(rng, case)]),
        "masked": ("{}.masked_select({0})", "bool", list(case.sizes)),
        "fill": ("{}.masked_fill({0}, 0)", "bool", sizes),
        "scatter": (f"{{}}.scatter({dim}, {{0}}, 1.0)", "int64", sizes),
    }
    form, dtype, shape = forms[rng.choice([*forms])]
    if case.expr == "x" and rng.random() < 0.1:
        return "{}.nonzero()"
    return form.replace("{0}", case.bind(dtype, shape))


def layered(rng: random.Random, case: NamedCase) -> str:
    kernel, stride, padding = rng.choice("1235"), rng.choice("112"), rng.choice("001")
    channels = case.sizes[1] if len(case.sizes) > 1 and rng.random() < 0.9 else "3"
    pads = ", ".join(rng.choice(["0", "1", "2", "-1", "K"]) for _ in range(rng.choice([2, 4])))
    scale = rng.choice(["2", "0.5", "3", "0.25"])
    return rng.choice(
        [
            f"nn.Conv2d({channels}, 8, {kernel}, {stride}, {padding})({{}})",
            f"nn.Conv1d({channels}, 8, {kernel}, {stride})({{}})",
            f"nn.ConvTranspose2d({channels}, 4, {kernel}, {stride})({{}})",
            f"F.max_pool2d({{}}, {kernel}, {stride})",
            f"F.avg_pool2d({{}}, {kernel}, ceil_mode=True)",
            f"F.adaptive_avg_pool2d({{}}, {rng.choice(['1', '(2, 3)', '(K, None)'])})",
            f"F.interpolate({{}}, scale_factor={scale})",
            f"F.interpolate({{}}, size=(H, {size(rng, case)}), mode='bilinear')",
            f"F.pad({{}}, ({pads}))",
            f"F.unfold({{}}, {kernel}, stride={stride})",
            f"nn.BatchNorm2d({channels})({{}})",
            f"nn.LayerNorm({case.sizes[-1] if case.sizes else 2})({{}})",
            f"nn.GroupNorm({rng.choice(['1', '2'])}, {channels})({{}})",
            f"nn.Linear({case.sizes[-1] if case.sizes else 2}, {rng.choice(['7', 'K'])})({{}})",
            f"nn.Upsample(scale_factor={scale})({{}})",
            f"nn.InstanceNorm2d({channels})({{}})",
            f"F.pad({{}}, ({pads}), 'reflect')",
            f"nn.MaxPool2d({kernel}, padding={padding})({{}})",
        ]
    )


def made(rng: random.Random, case: NamedCase) -> str:
    one, other = size(rng, case), size(rng, case)
    return rng.choice(
        [
            f"({{}}.sum() + torch.zeros({one}, {other}))",
            f"torch.arange({one})",
            f"torch.arange(1, {one}, 2)",
            "torch.ones_like({})",
            f"torch.full(({one}, 2), 1.5)",
            f"torch.arange({one} - {other})",
            "F.one_hot(({} * 0).long(), 5)",
        ]
    )


def asked(rng: random.Random, _: NamedCase) -> str:
    return "{}" + rng.choice(
        [".shape", ".size(-1)", ".numel()", ".ndim", ".shape[0] // 2", ".size(0) * 2 - 1", ".shape[-1] % 2"]
    )


Draw = Callable[[random.Random, NamedCase], str]
FAMILIES: dict[str, Draw] = {
    each.__name__: each
    for each in (
        sliced,
        indexed,
        reshaped,
        turned,
        stretched,
        reduced,
        along,
        cut,
        joined,
        together,
        multiplied,
        selected,
        layered,
        made,
        asked,
    )
}
# What a chain may begin with.
BEFORE = [sliced, reshaped, turned, turned, stretched, together, reduced]


def draw(rng: random.Random, family: str) -> NamedCase:
    """Draw an expression that ends in an operation of a family."""
    ndim = rng.choice([3, 4, 4, 4]) if family == "layered" else rng.choice([1, 2, 2, 3, 3, 4])
    case = NamedCase(bound={"x": ("float32", [rng.choice(SIZES) for _ in range(ndim)])})
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
        case.expr = rng.choice(BEFORE)(rng, case).replace("{}", case.expr)
    case.expr = FAMILIES[family](rng, case).replace("{}", case.expr)
    # What was drawn last may use no tensor at all.
    case.bound = {
        name: each for name, each in case.bound.items() if re.search(rf"\b{name}\b", re.sub(r"'[^']*'", "", case.expr))
    }
    return case
