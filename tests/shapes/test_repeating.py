"""Repeating, rolling, reversing: agreement with real PyTorch and NumPy, shapes by hand, names for sizes, formulas."""

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.agreement import check
from tests.shapes.cases import Case
from tests.shapes.layout_cases import numbered


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
