"""Random views."""

import random

from tests.shapes.layout_cases import dim, dims, drawn, in_form, listing

_RNG = random.Random


def draw_permute(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    ndim = len(shape)
    order = [str(axis) for axis in rng.sample(range(ndim), ndim)]
    if rng.random() < 0.4:
        order = [dim(rng, ndim) for _ in range(rng.choice([ndim, ndim, ndim, ndim + 1, 0]))]
    text = listing(rng, order)
    kind = rng.random()
    if kind < 0.3:
        return f"torch.permute({base}, {text})", f"np.transpose({other}, {text})"
    if kind < 0.6 or not order:
        return f"{base}.permute({text})", f"np.transpose({other}, {text})"
    # Where NumPy would read no tuple, its own words are about the number of arguments.
    return f"{base}.permute({', '.join(order)})", f"np.transpose({other}, ({', '.join(order)},))" if len(
        order
    ) > 1 else ""


def draw_swap(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    name = rng.choice(["swapaxes", "swapdims", "transpose"])
    axes = [dim(rng, len(shape)) for _ in range(rng.choice([2, 2, 2, 2, 2, 1, 3, 0]))]
    if name == "transpose" and rng.random() < 0.5:
        given = ", ".join(axes)
        return f"{base}.transpose({given})", f"{other}.transpose({given})"
    expr = in_form(rng, name, base, axes)
    if name == "transpose":
        return expr, ""
    return expr, f"np.swapaxes({', '.join([other, *axes])})"


def draw_swap_keywords(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    name = rng.choice(["swapaxes", "swapdims", "transpose"])
    words = ("axis0", "axis1") if name == "swapaxes" else ("dim0", "dim1")
    axes = [f"{word}={dim(rng, len(shape))}" for word in words]
    expr = in_form(rng, name, base, axes)
    if name == "swapdims":
        given = [axis.partition("=")[2] for axis in axes]
        return expr, f"np.swapaxes({', '.join([other, *given])})"
    return expr, ""


def draw_move(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    name = rng.choice(["movedim", "moveaxis"])
    ndim = len(shape)
    if rng.random() < 0.6:
        given = [dim(rng, ndim), dim(rng, ndim)]
    elif rng.random() < 0.6:
        number = rng.randrange(ndim + 1)
        given = [listing(rng, [str(axis) for axis in rng.sample(range(ndim), number)]) for _ in range(2)]
    else:
        given = [rng.choice([dims(rng, ndim), dim(rng, ndim)]) for _ in range(2)]
    expr = in_form(rng, name, base, [f"source={given[0]}", f"destination={given[1]}"])
    return expr, f"np.moveaxis({', '.join([other, *given])})"


def draw_squeeze(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    ones = [str(axis) for axis, size in enumerate(shape) if size == 1]
    given = rng.choice(["", dim(rng, len(shape)), dims(rng, len(shape)), *ones, *ones])
    if ones and rng.random() < 0.3:
        given = listing(rng, ones)
    arguments = [given] if given else []
    expr = in_form(rng, "squeeze", base, [f"dim={given}"] if given else [])
    keyword = rng.choice(["", "axis="])
    return expr, f"np.squeeze({', '.join([other, *[keyword + each for each in arguments]])})"


def draw_unsqueeze(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    given = rng.choice(
        [dim(rng, len(shape) + 1), dim(rng, len(shape) + 1), dims(rng, len(shape)), dim(rng, len(shape) + 2)]
    )
    return in_form(rng, "unsqueeze", base, [f"dim={given}"]), f"np.expand_dims({other}, axis={given})"


def draw_expand(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    sizes = [str(rng.choice([size, size, 5, -1]) if size == 1 else rng.choice([size] * 8 + [-1, 7])) for size in shape]
    sizes = [rng.choice(["2", "3", "0", "1", "-1"]) for _ in range(rng.choice([0, 0, 1, 2]))] + sizes
    if rng.random() < 0.1:
        sizes = rng.choice([sizes[1:], [*sizes, "1.0"], [*sizes, "True"], ["-2", *sizes]])
    text = listing(rng, sizes)
    kind = rng.random()
    numpy_expr = f"np.broadcast_to({other}, {text})"
    if kind < 0.1:
        return f"{base}.expand_as({rng.choice(['', 'other='])}{rng.choice(['x', 'x[None]', 'x.T', '3'])})", ""
    if kind < 0.3:
        return f"{base}.expand({text})", numpy_expr
    if kind < 0.6 and sizes:
        return f"{base}.expand({', '.join(sizes)})", numpy_expr if len(sizes) > 1 else ""
    return in_form(rng, "broadcast_to", base, [f"size={text}"]), numpy_expr


def draw_select(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    del other
    ndim = len(shape)
    if rng.random() < 0.4:
        given = [f"dim={dim(rng, ndim)}", f"index={rng.choice(['0', '0', '1', '-1', '2', '5', '-9', 'True', '1.0'])}"]
        return in_form(rng, "select", base, given), ""
    first = rng.choice(["0", "0", "1", "-1", "2", "3", "-4", "9", "1.0"])
    length = rng.choice(["0", "1", "1", "2", "3", "-1", "True"])
    return in_form(rng, "narrow", base, [f"dim={dim(rng, ndim)}", f"start={first}", f"length={length}"]), ""


def draw_attribute(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    del shape
    name = rng.choice(["T", "mT", "t()", "T", "mT", "t(1)", "t(x=1)"])
    if name == "t()":
        return rng.choice([f"{base}.t()", f"torch.t({base})"]), f"{other}.T"
    return (f"{base}.{name}", "") if name.startswith("t(") else (f"{base}.{name}", f"{other}.{name}")


random_view = drawn(
    draw_permute,
    draw_swap,
    draw_swap_keywords,
    draw_move,
    draw_squeeze,
    draw_unsqueeze,
    draw_expand,
    draw_select,
    draw_attribute,
)
