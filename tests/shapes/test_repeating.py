"""Repeating, rolling, reversing: agreement with real PyTorch and NumPy, shapes by hand, names for sizes, formulas."""

import random

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.agreement import check
from tests.shapes.cases import Case
from tests.shapes.layout_cases import check_formulas, count_of, dim, dims, in_form, listing, numbered, run

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


_DRAWS = [draw_repeat, draw_tile, draw_roll, draw_flip, draw_interleave]


@pytest.mark.parametrize("chunk", range(4))
def test_random_repeats(chunk: int) -> None:
    def draw(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
        return rng.choice(_DRAWS)(rng, base, other, shape)

    run(draw, count_of(16), 20 + chunk, words=True)


def draw_any(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    return rng.choice(_DRAWS)(rng, base, other, shape)


def test_random_formulas() -> None:
    check_formulas(draw_any, 1500)


# x=2,3
@pytest.mark.parametrize(
    ("expr", "shape", "numpy_shape"),
    [
        ("x.repeat(2, 2)", (4, 6), None),
        ("x.repeat(2, 1)", (4, 3), (2, 6)),
        ("x.repeat(5, 1, 1)", (5, 2, 3), None),
        ("x.repeat(2)", None, (12,)),
        ("x.tile(2)", (2, 6), (2, 6)),
        ("x.tile((2, 2))", (4, 6), (4, 6)),
        ("x.tile(2, 1, 1)", (2, 2, 3), (2, 2, 3)),
        ("x.roll(1, 0)", (2, 3), (2, 3)),
        ("x.roll(1)", (2, 3), (2, 3)),
        ("x.roll((1, -1), (0, 1))", (2, 3), (2, 3)),
        ("x.flip(0, 1)", (2, 3), (2, 3)),
        ("torch.flip(x, dims=(0,))", (2, 3), (2, 3)),
        ("x.flip(())", (2, 3), (2, 3)),
        ("x.sum().flip(())", (), ()),
        ("x.repeat_interleave(2, 1)", (2, 6), (2, 6)),
        ("x.repeat_interleave(2)", (12,), (12,)),
        ("x.repeat_interleave(repeats=2, dim=0)", (4, 3), (4, 3)),
        ("torch.repeat_interleave(x, 2, output_size=12)", (12,), None),
    ],
)
def test_by_hand(expr: str, shape: tuple[int, ...] | None, numpy_shape: tuple[int, ...] | None) -> None:
    found = explain(expr, {"x": "2,3"})
    assert (found.torch.shape, found.numpy.shape) == (shape, numpy_shape)


def test_a_flip_is_a_view_in_numpy_alone() -> None:
    found = explain("x.flip(0)", {"x": "2,3"})
    assert (found.torch.view, found.numpy.view) == (False, True)


@pytest.mark.parametrize(
    ("expr", "formula"),
    [
        ("x.repeat(2, 3)", "result[i, j] = x[i % 2, j % 3]"),
        ("x.repeat(4, 1, 1)", "result[i, j, k] = x[j, k]"),
        ("x[:1].tile((4, 1))", "result[i, j] = x[0, j]"),
        ("x.roll(1, 0)", "result[i, j] = x[(i - 1) % 2, j]"),
        ("x.roll((-1, -1), (1, 1))", "result[i, j] = x[i, (j + 2) % 3]"),
        ("x.flip(1)", "result[i, j] = x[i, 2 - j]"),
        ("x.repeat_interleave(2, 1)", "result[i, j] = x[i, j // 2]"),
        ("x.repeat_interleave(2)", "result[i] = x[i // 6, i // 2 % 3]"),
        ("x.roll(1)", None),
    ],
)
def test_formulas_by_hand(expr: str, formula: str | None) -> None:
    assert explain(expr, {"x": "2,3"}).formula == formula


@pytest.mark.parametrize(
    ("expr", "shape", "needs"),
    [
        ("x.repeat(2, 1)", ("2*N", 3), ()),
        ("x.repeat(N, 1)", ("N*N", 3), ()),
        ("x.tile(2)", ("N", 6), ()),
        ("x.roll(1, 0)", ("N", 3), ()),
        ("x.roll(N, 0)", ("N", 3), ()),
        ("x.flip(0)", ("N", 3), ()),
        ("x.repeat_interleave(N, 0)", ("N*N", 3), ()),
        ("x.repeat_interleave(2)", ("6*N",), ()),
        ("x.repeat_interleave(2, 0, output_size=8)", ("2*N", 3), ("2*N == 8",)),
        ("x.repeat_interleave(x.shape[0], output_size=x.numel())", ("3*N*N",), ("3*N*N == 3*N",)),
    ],
)
def test_sizes_without_numbers(expr: str, shape: tuple[int | str, ...], needs: tuple[str, ...]) -> None:
    found = explain(expr, {"x": "N,3"})
    assert (found.torch.shape, found.needs) == (shape, needs)


_COUNT_SPECS = [
    ("x.repeat_interleave(c, 1)", "np.repeat(x, c, 1)", [1, 2, 3]),
    ("x.repeat_interleave(c, 1)", "np.repeat(x, c, 1)", [2]),
    ("x.repeat_interleave(c, 1)", "np.repeat(x, c, 1)", 2),
    ("x.repeat_interleave(c)", "np.repeat(x, c)", 2),
    ("x.repeat_interleave(c, 1)", "np.repeat(x, c, 1)", [1, 2]),
    ("x.repeat_interleave(c, 1)", "np.repeat(x, c, 1)", [1, -2, 3]),
    ("x.repeat_interleave(c, 1)", "np.repeat(x, c, 1)", [-2]),
    ("x.repeat_interleave(c, 1)", "np.repeat(x, c, 1)", [[1, 2, 3]]),
    ("x.repeat_interleave(c, 1)", "np.repeat(x, c, 1)", [1.0, 2.0, 3.0]),
    ("x.repeat_interleave(c, 5)", "np.repeat(x, c, 5)", [1, 2, 3]),
    ("x[0, 0].repeat_interleave(c, 0)", "", [2]),
    ("x[0, 0].repeat_interleave(c)", "", [2]),
    ("x.repeat_interleave(c, 1, output_size=6)", "", [1, 2, 3]),
    ("x.repeat_interleave(c, 1, output_size=7)", "", [1, 2, 3]),
    ("torch.repeat_interleave(x, c, 1)", "np.repeat(x, c, 1)", [1, 2, 3]),
    ("torch.repeat_interleave(c)", "", [1, 2, 3]),
    ("torch.repeat_interleave(c)", "", 2),
    ("torch.repeat_interleave(c)", "", [1.5]),
    ("torch.repeat_interleave(c)", "", [1, -1]),
    ("x.repeat(c, 1)", "x.repeat(c, 1)", 2),
    ("x.roll(c, 0)", "np.roll(x, c, 0)", 1),
]


@pytest.mark.parametrize(("expr", "numpy_expr", "counts"), _COUNT_SPECS)
def test_counts_in_a_tensor(expr: str, numpy_expr: str, counts: object) -> None:
    tensor = torch.tensor(counts)
    specs = {"c": f"{str(tensor.dtype)[6:]}:tensor({counts})"} | (
        {"x": "2,3"} if "x" in expr.replace("x,", "x") else {}
    )
    if "(x" not in expr and not expr.startswith("x"):
        specs.pop("x", None)
    check(Case(expr, numpy_expr, specs, {"x": numbered((2, 3)), "c": tensor}))


def test_counts_that_are_not_known() -> None:
    assert explain("x.repeat_interleave(c, 0)", {"x": "N,3", "c": "int64:N,"}).torch.shape == ("sum(c)", 3)
    found = explain("x.repeat_interleave(c, 0)", {"x": "N,3", "c": "int64:M,"})
    assert (found.torch.shape, found.needs) == (("sum(c)", 3), ("M == N",))
    assert explain("x.repeat_interleave(c, 1)", {"x": "2,3", "c": "int64:()"}).torch.shape == (2, "3*c")
    assert explain("x.repeat_interleave(c, 1)", {"x": "2,0", "c": "int64:0,"}).torch.shape == (2, 0)
    assert explain("torch.repeat_interleave(c)", {"c": "int64:5,"}).torch.shape == ("sum(c)",)
    found = explain("x.repeat([1, n], 0)", {"x": "2,3", "n": "int64:()"}, lead="numpy")
    assert found.numpy.shape == ("sum([1, n])", 3)


@pytest.mark.parametrize(
    ("expr", "kind"),
    [
        ("x.repeat(2, 1, 1)", "TypeError"),
        ("x.repeat()", "TypeError"),
        ("x.repeat('a')", "ValueError"),
        ("x.repeat(None)", "TypeError"),
        ("x.tile((2, None))", "TypeError"),
        ("x.tile(-1)", "ValueError"),
        ("x.tile(2.0)", "TypeError"),
        ("x.roll((1, 2, 3), (0, 1))", "ValueError"),
        ("x.shape.repeat(2)", "AttributeError"),
    ],
)
def test_errors_of_numpy(expr: str, kind: str) -> None:
    error = explain(expr, {"x": "2,3"}).numpy.error
    assert error is not None
    assert error.type == kind


def test_roll_of_numpy_without_axes() -> None:
    assert (
        explain("x.roll((1, 2))", {"x": "2,3"}, lead="numpy")
        .steps[0]
        .effect.startswith("all elements as one row move on by 3")
    )
    found = explain("x.roll((1, k))", {"x": "2,3", "k": "int64:()"}, lead="numpy")
    assert "sum((1, k))" in found.steps[0].effect
    assert explain("x.tile(1.0)", {"x": "2,3"}).numpy.shape == (2, 3)
    assert explain("x.tile(2, N)", {"x": "N,3"}).numpy.shape == ("2*N", "3*N")


def test_huge_results_are_refused() -> None:
    with pytest.raises(SegcliError, match="more than 2"):
        explain("x.repeat(10000000000, 10000000000)", {"x": "2,3"})
