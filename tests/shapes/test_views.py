"""Views: agreement with real PyTorch and NumPy, shapes by hand, sizes without numbers, formulas."""

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.agreement import check
from tests.shapes.cases import Case
from tests.shapes.layout_cases import numbered


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
        ("x.expand(5, 3)", "N,1", (5, 3), ("N == 5 or N == 1",)),
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
        ("torch.broadcast_to(x, (5, 3))", "N,1", (5, 3), ("N == 5 or N == 1",)),
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
        ("x.movedim((0, 0), (1, 2))", {}),
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
