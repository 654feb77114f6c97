"""Random expressions that PyTorch and NumPy take in different ways, with the tensors that their names stand for."""

import random
from math import prod

import torch

from tests.shapes.rewriting_kinds import ANY, FEATURES, FLOATING, SHAPES, Kind, Named
from tests.shapes.rewriting_kinds import of as _of


def _reduced(name: str, dtypes: tuple[str, ...] = ANY) -> Kind:
    # A product of many overflows.
    shapes = SHAPES[:3] if name == "prod" else SHAPES
    calls = ("", "{d}{k}", "()", "[{d}]", "(), keepdim=True", "({d},){k}", "dim={d}")
    return _of(
        *(f"x.{name}({call})" for call in calls),
        f"torch.{name}(x, {{d}})",
        f"torch.{name}(x, ())",
        dtypes=dtypes,
        shapes=shapes,
    )


def _picked(call: str, dtypes: tuple[str, ...] = FLOATING) -> Kind:
    return _of(*(f"{call}{end}" for end in ("", ".values", ".indices", "[0]", "[1]", "[-1]")), dtypes=dtypes)


_SQUARE = {"x": Named(((2, 3),), ANY), "y": Named(((2, 3), (3,), ()), ANY)}
_MASKED = {"x": Named(((2, 3),)), "m": Named(((2, 3), (3,), (2, 1)), ("bool",))}
_GATHERED = {
    "x": Named(((3, 4, 2),)),
    "i": Named(((3, 4, 2), (1, 4, 2), (3, 2, 1), (2, 4, 1)), ("int64",), limit=2),
}
_SCATTERED = {
    "x": Named(((3, 4, 2),)),
    "i": Named(((3, 4, 2),), ("int64",), limit=2),
    "s": Named(((3, 4, 2), (4, 5, 3))),
}
_IMAGES = ((1, 2, 4, 6), (2, 3, 8, 12))
_LABELS = {"x": Named(((2, 5, 3),), ("float32",)), "y": Named(((2, 3),), ("int64",), limit=5)}
_PAIR = {"x": Named(((2, 5),), ("float32",)), "y": Named(((2, 5),), ("float32",))}
_INDEXED = {
    "x": Named(((3, 3, 3, 4),), ("float32",)),
    "i": Named(((3,),), ("int64",), limit=3),
    "j": Named(((2, 3),), ("int64",), limit=3),
    "m": Named(((3,),), ("bool",)),
}

KINDS: dict[str, Kind] = {
    **FEATURES,
    **{name: _reduced(name) for name in ("sum", "prod", "any", "all", "amax", "amin")},
    "mean": _reduced("mean", FLOATING),
    "extreme": _picked("x.max({d}{k})", ANY),
    "least": _picked("torch.min(x, {d}{k})", ANY),
    "sort": _picked("x.sort({d})", ANY[:-1]),
    "sorted down": _picked("torch.sort(x, {d}, descending=True)", ANY[:-1]),
    "topk": _picked("x.topk(1, {d})", ANY[:-1]),
    "smallest": _picked("torch.topk(x, 1, {d}, largest=False)"),
    "kthvalue": _picked("x.kthvalue(1, {d}{k})"),
    "median": _picked("x.median({d}{k})", ANY),
    "median of all": _of("x.median()", "torch.median(x)", dtypes=ANY),
    "spread": _of(
        "x.std()",
        "x.var({d}{k})",
        "torch.std(x, {d}{k})",
        "x.var(unbiased=False)",
        "x.std({d}, correction=0)",
        "x.var(keepdim=True)",
        dtypes=("float32", "float64"),
    ),
    "softmax": _of(
        "x.softmax({d})", "torch.softmax(x, dim={d})", "F.softmax(x, {d})", "F.softmax(x, {d}, dtype=torch.float64)"
    ),
    "log_softmax": _of("x.log_softmax({d})", "F.log_softmax(x, dim={d})", "x.log_softmax({d}, dtype=torch.float64)"),
    "logsumexp": _of("x.logsumexp({d}{k})", "torch.logsumexp(x, ({d},))", "x.int().logsumexp({d})"),
    "norm": _of(
        *("x.norm()", "x.norm(2)", "x.norm(1)", "x.norm(dim={d})", "x.norm(3, {d}{k})", "x.norm(0)"),
        *("x.norm(float('inf'))", "torch.norm(x, 2, {d}{k})", "x.norm('fro')", "x.norm(float('-inf'), {d})"),
        "x.norm(keepdim=True)",
        dtypes=("float32", "float64"),
    ),
    "argsort": _of("x.argsort({d})", "x.argsort({d}, descending=True)", "torch.argsort(x)"),
    "cumsum": _of("x.cumsum({d})", "torch.cumsum(x, {d})", dtypes=ANY),
    "transpose": _of("x.transpose({d}, {e})", "torch.transpose(x, {d}, {e})", "x.transpose(dim0={d}, dim1={e})"),
    "repeat": _of("x.repeat({t})", "x.repeat(({t},))", "x.repeat(2, {t})"),
    "squeeze": _of("x.squeeze({d})", "torch.squeeze(x, {d})", "x.squeeze(({d},))"),
    "view": _of("x.view(-1)", "x.view(x.size(0), -1)", "x.view((-1, x.shape[-1]))"),
    "view of transposed": _of("x.transpose({d}, {e}).flatten()", "x.transpose(0, 0).view(-1)"),
    "flatten": _of(
        *("x.flatten({d})", "torch.flatten(x, 1)", "x.flatten(0, 1)", "x.flatten(start_dim=1)"),
        shapes=(*SHAPES, (2, 0, 3)),
    ),
    "unflatten": _of("x.unflatten(-1, (1, -1))", "x.unflatten(0, (-1, 1))", "torch.unflatten(x, 1, (3, 1))"),
    "size": _of("x.size()", "x.size({d})"),
    "expand": _of("x.expand({s})", "x.expand(({s},))", "x.expand(2, {s})"),
    "like": Kind(
        ("x.expand_as(y)", "x.reshape_as(x)", "x.view_as(x)", "x.view_as(x * 2)"),
        {"x": Named(((3, 1), (3, 4))), "y": Named(((2, 3, 4),))},
    ),
    "itself": _of("x.contiguous()", "x.detach()", "x.cpu()", dtypes=ANY, shapes=(*SHAPES, ())),
    "select": _of("x.select({d}, 0)", "torch.select(x, {d}, -1)", "x.narrow({d}, 0, 1)", "x.narrow({d}, -1, 1)"),
    "cut": _of(
        *(f"x.{name}({{n}}, {{d}}){end}" for name in ("split", "chunk") for end in ("", "[0]", "[-1]", "[0].sum()")),
        "torch.split(x, 2)",
    ),
    "cut unevenly": _of("x.split([1, 2], 1)", "x.split([1, 2], 1)[1]", "x.unbind(0)[1]", shapes=((2, 3), (2, 3, 4))),
    "joined": Kind(
        ("torch.cat([x, y])", "torch.cat([x, y, x], dim=1)", "torch.hstack([x, y])", "torch.stack((x, y), 1)"),
        {"x": Named(((2, 3),), ANY), "y": Named(((2, 3), (0,)), ANY)},
    ),
    "made": _of(
        *("torch.zeros(2, 3) + x", "torch.ones(x.shape) * x", "torch.full((2, 3), 1.5) + x", "torch.ones(2, 1)"),
        *("torch.arange(0, 3, 1.0) + x", "torch.zeros(3, dtype=torch.int64)", "torch.arange(3) * x"),
        shapes=((2, 3),),
    ),
    "gathered": Kind(("x.gather({d}, i)", "torch.gather(x, {d}, i)", "x.gather(dim={d}, index=i)"), _GATHERED),
    "along": Kind(("torch.take_along_dim(x, i, 0)", "x.take_along_dim(i, 1)"), _SCATTERED),
    "scattered": Kind(
        ("x.scatter({d}, i, 1.5)", "torch.scatter(x, {d}, i, 2)", "x.scatter_add({d}, i, s)"), _SCATTERED
    ),
    "filled": Kind(
        ("x.masked_fill(m, 0)", "x.masked_fill(m, float('-inf'))", "torch.masked_fill(x, m, value=2.5)"), _MASKED
    ),
    "selected": Kind(
        ("x.masked_select(m)", "torch.masked_select(x, m)"), {**_MASKED, "m": Named(((2, 3), (3,)), ("bool",))}
    ),
    "chosen": Kind(("x.where(m, y)", "torch.where(m, x, y)"), {**_SQUARE, "m": Named(((2, 3),), ("bool",))}),
    "nonzero": _of(
        "x.nonzero()", "torch.nonzero(x)", "x.nonzero(as_tuple=True)", "torch.nonzero(x, as_tuple=True)[0]", dtypes=ANY
    ),
    "pointed": _of(
        *(f"x.{name}()" for name in ("sigmoid", "relu", "exp", "sqrt", "reciprocal", "tanh", "sin", "floor", "sign")),
        *("F.relu(x)", "torch.rsqrt(x)", "F.sigmoid(x)", "torch.log(x)", "x.square()", "-x.abs()"),
        dtypes=ANY,
    ),
    "computed": Kind(
        tuple(f"x {mark} {other}" for mark in ("+", "-", "*", "/") for other in ("y", "2", "1.5")), _SQUARE
    ),
    "with more": Kind(
        (
            "x.add(y, alpha=2)",
            "torch.sub(x, y, alpha=3)",
            "x.div(y, rounding_mode='floor')",
            "x.div(y, rounding_mode='trunc')",
        ),
        {"x": Named(((2, 3),), ("float32", "int64")), "y": Named(((2, 3),), ("float32",))},
    ),
    "clamped": _of(
        "x.clamp(min=1)", "x.clamp(max=2)", "torch.clamp(x, 0, 1)", "torch.clamp(x, min=0)", dtypes=ANY[:-1]
    ),
    "one-hot": Kind(
        ("F.one_hot(x, 40)", "F.one_hot(x, num_classes=50)"), {"x": Named(((3,), (2, 3), (2, 3, 2)), ("int64",))}
    ),
    "linear": Kind(
        ("F.linear(x, w)", "F.linear(x, w, b)", "F.linear(x, w, bias=b)"),
        {
            "x": Named(((3,), (2, 3), (2, 4, 3)), ("float32",)),
            "w": Named(((5, 3),), ("float32",)),
            "b": Named(((5,),), ("float32",)),
        },
    ),
    "pooled": _of(
        *("F.max_pool2d(x, 2)", "F.avg_pool2d(x, 2)", "F.max_pool2d(x, (2, 3))", "nn.MaxPool2d(2, 2)(x)"),
        *("nn.AvgPool2d(2)(x)", "F.max_pool2d(x, 3)", "F.avg_pool2d(x, (3, 5))", "F.max_pool2d(x, 2, stride=2)"),
        *("F.adaptive_avg_pool2d(x, 1)", "F.adaptive_avg_pool2d(x, (2, 2))", "nn.AdaptiveMaxPool2d(1)(x)"),
        "F.adaptive_max_pool2d(x, 2)",
        dtypes=("float32",),
        shapes=_IMAGES,
    ),
    "normalized": _of(
        *("nn.BatchNorm2d(4)(x)", "nn.InstanceNorm2d(4)(x)", "nn.LayerNorm(5)(x)", "nn.LayerNorm([3, 5])(x)"),
        *("nn.GroupNorm(2, 4)(x)", "nn.BatchNorm2d(4, eps=0.01)(x)", "nn.BatchNorm2d(4, affine=False)(x)"),
        dtypes=("float32",),
        shapes=((2, 4, 3, 5),),
    ),
    "cross entropy": Kind(
        (
            "F.cross_entropy(x, y)",
            "F.cross_entropy(x, y, reduction='none')",
            "nn.CrossEntropyLoss()(x, y)",
            "F.cross_entropy(x, y, reduction='sum')",
        ),
        _LABELS,
    ),
    "of probabilities": Kind(("F.cross_entropy(x, y)", "F.cross_entropy(x, y, reduction='none')"), _PAIR),
    "binary entropy": Kind(
        (
            "F.binary_cross_entropy_with_logits(x, y)",
            "F.binary_cross_entropy_with_logits(x, y, reduction='none')",
            "F.binary_cross_entropy_with_logits(x, y, reduction='sum')",
            "nn.BCEWithLogitsLoss()(x, y)",
        ),
        _PAIR,
    ),
    "resized": _of(
        *("F.interpolate(x, scale_factor=2)", "nn.Upsample(scale_factor=3)(x)", "F.interpolate(x, scale_factor=0.5)"),
        *("F.interpolate(x, size=(8, 12))", "F.interpolate(x, size=(2, 3))", "F.pad(x, (-1, -1))"),
        *("F.pad(x, (0, -1, -1, 0))", "F.interpolate(x, scale_factor=2, mode='nearest-exact')"),
        dtypes=("float32",),
        shapes=_IMAGES[:1],
    ),
    "indexed": Kind(
        (
            *("x[0, :, i]", "x[:, i, :, 0]", "x[0, ..., i]", "x[0, None, i]", "x[:, i, None, 0]", "x[0, :, m]"),
            *(
                "x[:, True, :, 0]",
                "x[0, :, True]",
                "x[0, :, j]",
                "x[i, :, 0]",
                "x[0, i, 1, ..., j]",
                "x[0, i, ..., i, j]",
            ),
            *(
                "x[1, 1:, i][:, 0, i]",
                "x[m, 0]",
                "x[i, 0]",
                "x[0, 0, i]",
                "x[:, i, ..., i, i]",
                "x[0, :, i].transpose(0, 1)",
            ),
        ),
        _INDEXED,
    ),
    "listed": _of(
        *("x[[[0, 1], [1, 0]]]", "x[[[0, 1]]]", "x[[..., 0]]", "x[[slice(None), 0]]", "x[[0, 1.0]]", "x[..., 0, ...]"),
        *("x[..., 1:, ...]", "x[..., :2, ..., :]", "x[[True, 1]]"),
        dtypes=("float32",),
        shapes=((2, 3, 4),),
    ),
    "chained": _of(
        *("x.transpose(0, 1).flatten(1).softmax(1)", "x.max(1).values.unsqueeze(1).expand(-1, 2, -1)"),
        *("(x.sigmoid() > 0.5).sum(())", "(x - x.mean()).relu().norm(dim=0)", "x.flatten(1).max(1)[1]"),
        *("x.view(x.size(0), -1)[0, :6].sort().values", "x.log_softmax(1).max(dim=1).indices", "x.std(0).median()"),
        *("torch.cat(x.split(1, 2), 1).transpose(0, 1)", "x.transpose(0, 2)[0, :, [0, 1]]"),
        dtypes=("float32",),
        shapes=((2, 3, 4),),
    ),
}


def draw(rng: random.Random, kind: Kind) -> tuple[str, dict[str, torch.Tensor]]:
    """Draw an expression with the tensors of its names."""
    tensors = {name: _tensor(rng, named) for name, named in kind.names.items()}
    x = tensors["x"]
    dims = range(-x.ndim, x.ndim) if x.ndim else range(-1, 1)
    sizes = [str(size) if rng.random() < 0.5 else "-1" for size in x.shape]
    expr = rng.choice(kind.texts)
    for mark, text in {
        "{d}": str(rng.choice(dims)),
        "{e}": str(rng.choice(dims)),
        "{k}": rng.choice(["", "", ", keepdim=True"]),
        "{n}": str(rng.randrange(1, 4)),
        "{s}": ", ".join("4" if size == "1" else size for size in sizes),
        "{t}": ", ".join(str(rng.randrange(2, 4)) for _ in x.shape),
    }.items():
        expr = expr.replace(mark, text)
    return expr, {name: tensor for name, tensor in tensors.items() if name in _names_in(expr)}


def _names_in(expr: str) -> set[str]:
    bare = expr
    for word in ("torch.exp", "axis", "max", "index", "size"):
        bare = bare.replace(word, "")
    return {
        name
        for name in "xyimsjwb"
        if any(f"{before}{name}{after}" in f" {bare} " for before in " (,[-=" for after in " ).,[]")
    }


def _tensor(rng: random.Random, named: Named) -> torch.Tensor:
    """Make a tensor of distinct values, or of positions."""
    shape, dtype = rng.choice(named.shapes), rng.choice(named.dtypes)
    values = list(range(prod(shape)))
    rng.shuffle(values)
    tensor = torch.tensor(values, dtype=torch.int64).reshape(shape)
    if named.limit:
        return tensor % named.limit
    if dtype == "bool":
        return tensor % 2 == 0
    return (
        ((tensor - len(values) // 3) / 7).to(getattr(torch, dtype))
        if dtype.startswith("float")
        else tensor.to(getattr(torch, dtype))
    )
