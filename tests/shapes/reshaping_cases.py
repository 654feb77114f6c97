"""Random reshapes."""

import random
from math import prod

from tests.shapes.layout_cases import dim, drawn, in_form, listing

_RNG = random.Random


def sizes_for(rng: _RNG, shape: tuple[int, ...]) -> list[str]:
    """Draw sizes, mostly of as many elements."""
    left = prod(shape)
    sizes: list[int] = []
    kind = rng.random()
    if kind < 0.35 and shape:
        # Merge neighbours: what strides often allow.
        cut = rng.randrange(len(shape))
        sizes = [*shape[:cut], prod(shape[cut : cut + 2]), *shape[cut + 2 :]]
    elif kind < 0.85:
        while left > 1 and len(sizes) < 4:
            factor = rng.choice([each for each in range(1, left + 1) if left % each == 0])
            sizes.append(factor)
            left //= factor
        sizes.append(left)
    else:
        sizes = [rng.choice([0, 1, 2, 3, 4, 5, -2]) for _ in range(rng.choice([0, 1, 2, 3]))]
    if rng.random() < 0.2:
        sizes.insert(rng.randrange(len(sizes) + 1), 1)
    texts = [str(size) for size in sizes]
    for _ in range(rng.choice([0, 0, 1, 1, 2]) if texts else 0):
        texts[rng.randrange(len(texts))] = rng.choice(["-1", "-1", "-1", "-1", "-1", "1.0", "True", "None", "7"])
    return texts


def draw_view(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    sizes = sizes_for(rng, shape)
    name = rng.choice(["view", "view", "reshape"])
    text = listing(rng, sizes)
    kind = rng.random()
    if kind < 0.5 and sizes:
        given = ", ".join(sizes)
        return f"{base}.{name}({given})", f"{other}.reshape({given})" if name == "reshape" else ""
    if name == "view":
        return f"{base}.view({'size=' * (kind > 0.8)}{text})", ""
    if kind < 0.6:
        return f"torch.reshape({base}, {text})", f"np.reshape({other}, {text})"
    return f"{base}.reshape({text})", f"{other}.reshape({text})"


def draw_flatten(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    ndim = len(shape)
    kind = rng.random()
    if kind < 0.2:
        return f"{base}.flatten()", f"{other}.flatten()"
    if kind < 0.4:
        return rng.choice([f"{base}.ravel()", f"torch.ravel({base})"]), f"np.ravel({other})"
    names = rng.choice([["start_dim"], ["end_dim"], ["start_dim", "end_dim"], ["start_dim", "end_dim"]])
    expr = (
        in_form(rng, "flatten", base, [f"{name}={dim(rng, ndim)}" for name in names[:1]])
        if names == ["start_dim"]
        else ""
    )
    expr = expr or f"{base}.flatten({', '.join(f'{name}={dim(rng, ndim)}' for name in names)})"
    return expr, ""


def draw_unflatten(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    del other
    axis = rng.randrange(len(shape)) if shape and rng.random() < 0.8 else 0
    sizes = sizes_for(rng, shape[axis : axis + 1]) if shape else ["1"]
    given = rng.choice([str(axis), str(axis), str(axis), dim(rng, len(shape))])
    text = rng.choice([listing(rng, sizes), listing(rng, sizes), listing(rng, sizes), "2", "None"])
    return in_form(rng, "unflatten", base, [f"dim={given}", f"sizes={text}"]), ""


def draw_as(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    name = rng.choice(["view_as", "reshape_as", "contiguous"])
    if name == "contiguous":
        return f"{base}.contiguous()", f"np.ascontiguousarray({other})"
    like = rng.choice(["x", "x[None]", "x.flatten()", "x.flatten()", "3", "x[..., :1]"])
    del shape
    return f"{base}.{name}({rng.choice(['', 'other='])}{like})", ""


_TYPES = ["int32", "int16", "float64", "uint8", "complex64", "complex128", "bool", "float32", "int64"]


def draw_dtype(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    del other
    name = rng.choice(_TYPES)
    if "[" in base or not prod(shape):
        # Where in storage a view begins is not followed.
        base = "x"
    return f"{base}.view({rng.choice(['', 'dtype='])}torch.{name})", ""


random_reshape = drawn(draw_view, draw_view, draw_view, draw_flatten, draw_unflatten, draw_as, draw_dtype)
