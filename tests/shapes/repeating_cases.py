"""Random calls of what repeats, rolls and reverses."""

import random

from tests.shapes.layout_cases import dim, dims, drawn, in_form, listing

_RNG = random.Random


_COUNTS = ["0", "1", "1", "2", "2", "3", "-1", "True", "1.0"]


def draw_repeat(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    number = max(len(shape) + rng.choice([0, 0, 0, 1, 2, -1]), 0)
    counts = [rng.choice(_COUNTS[: rng.choice([6, 6, 9])]) for _ in range(number)]
    text = listing(rng, counts)
    if rng.random() < 0.5 and counts:
        given = ", ".join(counts)
        return f"{base}.repeat({given})", f"{other}.repeat({given})" if number < 4 else ""
    return f"{base}.repeat({text})", f"{other}.repeat({text})"


def draw_tile(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    counts = [rng.choice(_COUNTS[: rng.choice([6, 6, 9])]) for _ in range(rng.choice([0, 1, 1, 2, 3]))]
    text = listing(rng, counts)
    numpy_expr = "" if any(each in ("-1", "1.0") for each in counts) else f"np.tile({other}, {text})"
    if rng.random() < 0.4 and counts:
        return f"{base}.tile({', '.join(counts)})", numpy_expr if len(counts) > 1 else ""
    del shape
    return in_form(rng, "tile", base, [f"dims={text}"]), numpy_expr


def draw_roll(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    number = rng.choice([1, 1, 1, 2, 2, 0])
    shifts = [rng.choice(["1", "-1", "2", "7", "0", "1.0"]) for _ in range(number)]
    text = shifts[0] if number == 1 and rng.random() < 0.7 else listing(rng, shifts)
    ndim = len(shape)
    axes = rng.choice([dim(rng, ndim), dims(rng, ndim), listing(rng, [dim(rng, ndim) for _ in shifts]), ""])
    arguments = [f"shifts={text}", *([f"dims={axes}"] if axes else [])]
    return in_form(rng, "roll", base, arguments), f"np.roll({', '.join([other, text, *([axes] if axes else [])])})"


def draw_flip(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    ndim = len(shape)
    if rng.random() < 0.3:
        axes = [dim(rng, ndim) for _ in range(rng.choice([1, 2, 2]))]
        numpy_axes = axes[0] if len(axes) == 1 else f"({', '.join(axes)})"
        return f"{base}.flip({', '.join(axes)})", f"np.flip({other}, {numpy_axes})"
    text = rng.choice([dims(rng, ndim), dims(rng, ndim), dim(rng, ndim)])
    return in_form(rng, "flip", base, [f"dims={text}"]), f"np.flip({other}, {text})"


def draw_interleave(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    text = rng.choice(["2", "2", "3", "1", "0", "-1", "True", "1.0", "[1, 2]", "(2,)"])
    axis = rng.choice([dim(rng, len(shape)), dim(rng, len(shape)), dim(rng, len(shape)), "None", ""])
    arguments = [f"repeats={text}", *([f"dim={axis}"] if axis else [])]
    given = [text, *([axis] if axis else [])]
    if rng.random() < 0.3:
        # NumPy's own method.
        return f"{base}.repeat({', '.join(given)})", f"{other}.repeat({', '.join(given)})"
    if rng.random() < 0.2:
        return in_form(
            rng, "repeat_interleave", base, [*arguments, f"output_size={rng.choice(['2', '6', '4', 'None'])}"]
        ), ""
    return in_form(rng, "repeat_interleave", base, arguments), f"np.repeat({', '.join([other, *given])})"


random_repeat = drawn(draw_repeat, draw_tile, draw_roll, draw_flip, draw_interleave)
