"""Views: agreement with real PyTorch and NumPy, shapes by hand, sizes without numbers, formulas."""

import random

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.agreement import check
from tests.shapes.cases import Case
from tests.shapes.layout_cases import check_formulas, count_of, dim, dims, in_form, listing, numbered, run

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


_DRAWS = [
    draw_permute,
    draw_swap,
    draw_swap_keywords,
    draw_move,
    draw_squeeze,
    draw_unsqueeze,
    draw_expand,
    draw_select,
    draw_attribute,
]


@pytest.mark.parametrize("chunk", range(4))
def test_random_views(chunk: int) -> None:
    def draw(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
        return rng.choice(_DRAWS)(rng, base, other, shape)

    run(draw, count_of(16), chunk)


def test_random_formulas() -> None:
    def draw(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
        return rng.choice(_DRAWS)(rng, base, other, shape)

    check_formulas(draw, 1200)


# x=2,3,4; a result of NumPy is of what the expression is read as there.
@pytest.mark.parametrize(
    ("expr", "shape", "numpy_shape"),
    [
        ("x.permute(2, 0, 1)", (4, 2, 3), (4, 2, 3)),
        ("x.permute((2, 0, 1))", (4, 2, 3), (4, 2, 3)),
        ("x.permute(dims=(2, 0, 1))", (4, 2, 3), (4, 2, 3)),
        ("torch.permute(x, (-1, 0, 1))", (4, 2, 3), (4, 2, 3)),
        ("x.transpose(0, 2)", (4, 3, 2), None),
        ("x.transpose(2, 0, 1)", None, (4, 2, 3)),
        ("x.transpose()", None, (4, 3, 2)),
        ("torch.transpose(x, 0, 2)", (4, 3, 2), None),
        ("x.swapaxes(0, -1)", (4, 3, 2), (4, 3, 2)),
        ("x.swapaxes(axis0=0, axis1=1)", (3, 2, 4), None),
        ("x.movedim(0, -1)", (3, 4, 2), (3, 4, 2)),
        ("x.movedim((0, 1), (1, 2))", (4, 2, 3), (4, 2, 3)),
        ("x.moveaxis(source=0, destination=1)", (3, 2, 4), (3, 2, 4)),
        ("x[0].t()", (4, 3), (4, 3)),
        ("torch.t(x[0])", (4, 3), (4, 3)),
        ("x.T", (4, 3, 2), (4, 3, 2)),
        ("x.mT", (2, 4, 3), (2, 4, 3)),
        ("x[:1].squeeze(0)", (3, 4), (3, 4)),
        ("x.squeeze(0)", (2, 3, 4), None),
        ("x[:1, :, :1].squeeze()", (3,), (3,)),
        ("x[:1, :, :1].squeeze((0, 2))", (3,), (3,)),
        ("x.unsqueeze(1)", (2, 1, 3, 4), (2, 1, 3, 4)),
        ("x.unsqueeze(-1)", (2, 3, 4, 1), (2, 3, 4, 1)),
        ("x[:, :1].expand(2, 5, 4)", (2, 5, 4), (2, 5, 4)),
        ("x[:, :1].expand(-1, 5, -1)", (2, 5, 4), None),
        ("x[:1].expand_as(x)", (2, 3, 4), None),
        ("x.broadcast_to((5, 2, 3, 4))", (5, 2, 3, 4), (5, 2, 3, 4)),
        ("x.select(1, -1)", (2, 4), None),
        ("x.narrow(2, 1, 2)", (2, 3, 2), None),
        ("x.narrow(2, -2, 2)", (2, 3, 2), None),
        ("x.sum().squeeze()", (), ()),
        ("x.sum().T", (), ()),
        ("x.sum().mT", (), None),
    ],
)
def test_by_hand(expr: str, shape: tuple[int, ...] | None, numpy_shape: tuple[int, ...] | None) -> None:
    found = explain(expr, {"x": "2,3,4"})
    assert (found.torch.shape, found.numpy.shape) == (shape, numpy_shape)


@pytest.mark.parametrize(
    ("expr", "spec", "shape", "needs"),
    [
        ("x.permute(0, 2, 3, 1)", "N,19,H,W", ("N", "H", "W", 19), ()),
        ("x.squeeze(1)", "N,1,H", ("N", "H"), ()),
        ("x.squeeze(0)", "N,1,H", ("N", 1, "H"), ("N != 1",)),
        ("x.squeeze()", "N,1,H", ("N", "H"), ("N != 1", "H != 1")),
        ("x.expand(5, 3)", "N,1", (5, 3), ("N == 5 (or 1)",)),
        ("x.expand(-1, W)", "N,W", ("N", "W"), ()),
        ("x.expand(N, N)", "N,1", ("N", "N"), ()),
        ("x.expand(N, N, 3)", "N,3", ("N", "N", 3), ()),
        ("x[None].expand(N, N, N)", "N,3", ("N", "N", "N"), ("N == 3",)),
        ("x.select(0, 2)", "N,3", (3,), ("N >= 3",)),
        ("x.select(0, -2)", "N,3", (3,), ("N >= 2",)),
        ("x.select(0, N)", "N,3", (3,), ("N >= 1",)),
        ("x.narrow(0, 2, 3)", "N,3", (3, 3), ("N >= 5",)),
        ("x.narrow(0, -3, 2)", "N,3", (2, 3), ("N - 3 + 2 <= N",)),
        ("x.narrow(0, N, 2)", "N,3", (2, 3), ("N + 2 <= N",)),
    ],
)
def test_sizes_without_numbers(expr: str, spec: str, shape: tuple[int | str, ...], needs: tuple[str, ...]) -> None:
    found = explain(expr, {"x": spec})
    assert (found.torch.shape, found.needs) == (shape, needs)


@pytest.mark.parametrize(
    ("expr", "spec", "shape", "needs"),
    [
        ("x.squeeze(0)", "N,1,H", (1, "H"), ("N == 1",)),
        ("x.squeeze()", "N,1,H", ("N", "H"), ("N != 1", "H != 1")),
        ("torch.broadcast_to(x, (5, 3))", "N,1", (5, 3), ("N == 5 (or 1)",)),
        ("torch.broadcast_to(x, (N, 3))", "3,3", (3, 3), ()),
        ("torch.broadcast_to(x, (H, N))", "3,N", None, ()),
    ],
)
def test_sizes_without_numbers_in_numpy(
    expr: str, spec: str, shape: tuple[int | str, ...] | None, needs: tuple[str, ...]
) -> None:
    if "3,3" in spec or "H" in expr:
        with pytest.raises(SegcliError, match="is not bound"):
            explain(expr, {"x": spec}, lead="numpy")
        return
    found = explain(expr, {"x": spec}, lead="numpy")
    assert (found.numpy.shape, found.needs) == (shape, needs)


@pytest.mark.parametrize(
    ("expr", "formula"),
    [
        ("x.permute(2, 0, 1)", "result[i, j, k] = x[j, k, i]"),
        ("x[:, :1].expand(-1, 5, -1)", "result[i, j, k] = x[i, 0, k]"),
        ("x.unsqueeze(0).mT", "result[i, j, k, l] = x[j, l, k]"),
        ("x.select(1, -1)", "result[i, j] = x[i, 2, j]"),
        ("x.narrow(2, 1, 2)", "result[i, j, k] = x[i, j, 1 + k]"),
        ("x.permute(2, 0, 1).max(0).values", "result[j, k] = max over i of x[j, k, i]"),
    ],
)
def test_formulas_by_hand(expr: str, formula: str) -> None:
    assert explain(expr, {"x": "2,3,4"}).formula == formula


@pytest.mark.parametrize(
    ("expr", "tensors"),
    [
        ("x.select(1, i)", {"i": torch.tensor(2)}),
        ("x.narrow(1, i, 1)", {"i": torch.tensor(-2)}),
        ("x.narrow(1, i, 1)", {"i": torch.tensor(1.5)}),
        ("x.narrow(1, i, 1)", {"i": torch.tensor([1])}),
        ("x.max(0).permute(0, 1)", {}),
        ("x.shape.permute(0, 1)", {}),
        ("torch.permute()", {}),
    ],
)
def test_pinned(expr: str, tensors: dict[str, torch.Tensor]) -> None:
    named = {"x": numbered((2, 3, 4)), **tensors}
    specs = {"x": "2,3,4"} | {name: f"{str(t.dtype)[6:]}:tensor({t.tolist()})" for name, t in tensors.items()}
    left = {name: spec for name, spec in specs.items() if name in expr.replace("max", "")}
    check(Case(expr, "", left, named), words=False)


def test_a_dim_without_a_number_is_refused() -> None:
    with pytest.raises(SegcliError, match="the value of N is not known"):
        explain("x.permute(0, N)", {"x": "N,3"})


def test_deprecations_are_noted() -> None:
    assert "deprecated" in explain("x.T", {"x": "2,3,4"}).notes[0]
    assert "deprecated" in explain("x.mT", {"x": "()"}).notes[0]
    assert not explain("x.T", {"x": "2,3"}).notes


def test_an_unknown_position_is_named() -> None:
    found = explain("x.select(1, k)", {"x": "2,3", "k": "int64:()"})
    assert (found.torch.shape, found.formula) == ((2,), "result[i] = x[i, k]")
    found = explain("x.narrow(1, k, 2)", {"x": "2,3", "k": "int64:()"})
    assert (found.torch.shape, found.needs) == ((2, 2), ("k + 2 <= 3",))


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("x.transpose(True)", "expected a sequence of integers or a single integer, got 'True'"),
        ("torch.broadcast_to(x, None)", "'<' not supported between instances of 'NoneType' and 'int'"),
        ("torch.broadcast_to(x, 'a')", "'<' not supported between instances of 'str' and 'int'"),
        (f"torch.broadcast_to(x, {(1,) * 63 + (2, 3)})", "maximum supported dimension for an ndarray is 64, found 65"),
    ],
)
def test_errors_of_numpy(expr: str, words: str) -> None:
    error = explain(expr, {"x": "2,3"}).numpy.error
    assert error is not None
    assert error.message == words


def test_a_size_that_is_no_int64() -> None:
    error = explain("x.expand(9223372036854775807 + 1, 3)", {"x": "1,3"}).torch.error
    assert error is not None
    assert (error.type, error.message[-35:]) == ("TypeError", ' "Overflow when unpacking long long')


def test_what_is_no_array_is_refused() -> None:
    told = explain("torch.permute(x.ndim, (0,))", {"x": "2,3"})
    assert (told.torch.error and told.torch.error.type) == "TypeError"
    assert told.numpy.error is not None
    assert told.numpy.error.type == "unknown"
    assert "is no array" in told.numpy.error.message
