"""Reshapes: agreement with real PyTorch and NumPy, strides, shapes by hand, sizes without numbers, formulas."""

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.agreement import check
from tests.shapes.cases import Case
from tests.shapes.layout_cases import numbered
from tests.shapes.oracle import ask_numpy, ask_torch

_NOT_VIEWED = "view size is not compatible with input tensor's size and stride"


# x=2,3,4; True for a view.
@pytest.mark.parametrize(
    ("expr", "shape", "view"),
    [
        ("x.view(6, 4)", (6, 4), True),
        ("x.view(-1)", (24,), True),
        ("x.view(x.size(0), -1)", (2, 12), True),
        ("x.view(x.shape[0], -1)", (2, 12), True),
        ("x.view((2, -1))", (2, 12), True),
        ("x.reshape(4, -1)", (4, 6), True),
        ("x.transpose(0, 1).reshape(6, 4)", (6, 4), False),
        ("x.transpose(0, 1).view(3, 2, 2, 2)", (3, 2, 2, 2), True),
        ("x.transpose(0, 1).view(1, 3, 2, 1, 4)", (1, 3, 2, 1, 4), True),
        ("x[:, ::2].reshape(2, 2, 4, 1)", (2, 2, 4, 1), True),
        ("x[:, :1].view(-1, 4)", (2, 4), True),
        ("x[0].flatten()", (12,), True),
        ("x.transpose(0, 1).flatten()", (24,), False),
        ("x.flatten(1)", (2, 12), True),
        ("x.flatten(end_dim=1)", (6, 4), True),
        ("x.ravel()", (24,), True),
        ("x[0, 0, ::2].ravel()", (2,), False),
        ("x[0, 0, ::2].reshape(-1)", (2,), True),
        ("x.unflatten(1, (3, 1))", (2, 3, 1, 4), True),
        ("x.unflatten(-1, (2, -1))", (2, 3, 2, 2), True),
        ("x.view_as(x.flatten())", (24,), True),
        ("x.transpose(0, 1).reshape_as(x)", (2, 3, 4), False),
        ("x.contiguous()", (2, 3, 4), True),
        ("x.transpose(0, 1).contiguous()", (3, 2, 4), False),
        ("x.transpose(0, 1).contiguous().view(6, 4)", (6, 4), False),
        ("x[:1].expand(5, 3, 4).contiguous()", (5, 3, 4), False),
        ("x.view(torch.int16)", (2, 3, 8), True),
        ("x.view(torch.float64)", (2, 3, 2), True),
        ("x.sum().view(1, 1)", (1, 1), False),
        ("x.sum().reshape(())", (), False),
    ],
)
def test_by_hand(expr: str, shape: tuple[int, ...], view: bool) -> None:  # noqa: FBT001 - a parameter of the test
    found = explain(expr, {"x": "2,3,4"})
    assert (found.torch.shape, found.view) == (shape, view)


_ORDER = "x.transpose(0, 1) in an order that (12, N) can walk, which hangs on sizes that are not known"


@pytest.mark.parametrize(
    "expr",
    [
        "x.transpose(0, 1).view(6, 4)",
        "x.permute(0, 2, 1).view(-1, 3)",
        "(x.permute(0, 2, 1) + 1).view(-1, 3)",
        "x.permute(0, 2, 1).clone().view(-1)",
        "x.permute(0, 2, 1).sort(0)[0].view(-1)",
        "x[:, :1].expand(2, 5, 4).view(10, 4)",
        "x[:, ::2].view(-1, 4)",
        "x.permute(0, 2, 1).flip(0).view(-1)",
        "x.transpose(0, 1).view_as(x)",
    ],
)
def test_views_that_strides_do_not_allow(expr: str) -> None:
    error = explain(expr, {"x": "2,3,4"}).torch.error
    assert error is not None
    assert (error.type, error.message.startswith(_NOT_VIEWED)) == ("RuntimeError", True)
    check(Case(expr, "", {"x": "2,3,4"}, {"x": numbered((2, 3, 4))}))


@pytest.mark.parametrize(
    "expr",
    [
        "x.permute(0, 2, 1).sum(0).view(-1)",
        "x.permute(0, 2, 1).softmax(1).view(-1)",
        "(x.permute(0, 2, 1) * x.transpose(1, 2)).permute(0, 2, 1).view(-1)",
        "(x[:, ::2] + 1).view(-1)",
        "x.permute(0, 2, 1).max(1)[1].view(-1)",
        "(x[:1].expand(2, 3, 4) + 1).view(-1)",
        "(x.permute(0, 2, 1) + x.sum(0).T[:, :1]).permute(0, 2, 1).view(-1)",
        "x.detach().view(-1)",
        "x[:, [0, 1]].view(-1)",
    ],
)
def test_views_of_what_is_made_anew(expr: str) -> None:
    check(Case(expr, "", {"x": "2,3,4"}, {"x": numbered((2, 3, 4))}))


@pytest.mark.parametrize(
    ("expr", "spec", "shape", "needs"),
    [
        ("x.view(x.size(0), -1)", "N,19,H,W", ("N", "19*H*W"), ("N >= 1",)),
        ("x.view(N, -1)", "N,19,H,W", ("N", "19*H*W"), ("N >= 1",)),
        ("x.permute(0, 2, 3, 1).reshape(-1, C)", "N,C,H,W", ("N*H*W", "C"), ("C >= 1",)),
        ("x.permute(0, 2, 3, 1).view(N, -1, C)", "N,C,H,W", ("N", "H*W", "C"), ("N >= 1", "C >= 1")),
        ("x.reshape(-1, 4)", "N,19,H", ("(19*N*H) // 4", 4), ("(N*H) % 4 == 0",)),
        ("x.reshape(-1, M)", "N,M2", None, ()),
        ("x.reshape(N, 20)", "N,C", ("N", 20), ("C == 20",)),
        ("x.unflatten(1, (4, -1))", "N,C", ("N", 4, "C // 4"), ("C % 4 == 0",)),
        ("x.flatten()", "N,C", ("N*C",), ()),
        ("x.transpose(0, 1).view(12, N)", "N,K", (12, "N"), ("K == 12", _ORDER)),
        ("x.view(torch.float64)", "N,C", ("N", "C // 2"), ("C % 2 == 0",)),
        ("x.view(torch.int16)", "N,C", ("N", "2*C"), ()),
        ("x.unflatten(0, (H, W, 1))", "N,H,W", ("H", "W", 1, "H", "W"), ("N == H*W",)),
        ("x[:, i].view(-1)", "N,C", ("2*N",), ("C >= 1",)),
        ("x.reshape(N)", "N,C", ("N",), ("C == 1",)),
        ("x.permute(0, 2, 1).clone().permute(0, 2, 1).view(-1)", "N,H,W", ("N*H*W",), ()),
        ("(x.permute(2, 1, 0) * 2).permute(2, 1, 0).view(-1)", "N,H,W", ("N*H*W",), ()),
        ("x.view(torch.int32)", "N,C", ("N", "C"), ()),
    ],
)
def test_sizes_without_numbers(
    expr: str, spec: str, shape: tuple[int | str, ...] | None, needs: tuple[str, ...]
) -> None:
    specs = {"x": spec} | ({"i": "int64:2,"} if "i]" in expr else {})
    if shape is None:
        with pytest.raises(SegcliError, match="is not bound"):
            explain(expr, specs)
        return
    found = explain(expr, specs)
    assert (found.torch.shape, found.needs) == (shape, needs)


def test_strides_that_are_not_known_are_needed() -> None:
    found = explain("x.permute(0, 2, 1)[:, i].view(-1)", {"x": "2,3,4", "i": "int64:2,"})
    assert found.torch.shape == (12,)
    assert found.needs == ("x.permute(0, 2, 1)[:, i] in row-major order, which hangs on the operations before it",)
    found = explain("x.permute(0, 2, 1)[:, i].reshape(-1)", {"x": "2,3,4", "i": "int64:2,"})
    assert (found.torch.shape, found.needs, found.view) == ((12,), (), False)
    found = explain("x.permute(0, 2, 1)[:, i].view(torch.int16)", {"x": "2,3,4", "i": "int64:2,"})
    assert "side by side" in found.needs[0]


@pytest.mark.parametrize(
    ("expr", "spec"),
    [
        ("(x[:, ::2].transpose(0, 1) + 1).view(-1)", "N,M,3"),
        ("(x.permute(0, 2, 1)[:, i] + 1).view(-1)", "2,3,4"),
        ("(x > 0).nonzero().view(-1)", "2,3"),
    ],
)
def test_strides_that_hang_on_sizes_are_needed(expr: str, spec: str) -> None:
    specs = {"x": spec} | ({"i": "int64:2,"} if "i]" in expr else {})
    found = explain(expr, specs)
    assert found.torch.error is None
    assert any("in row-major order" in need for need in found.needs)


def test_positions_of_nonzero_lie_column_after_column() -> None:
    error = explain("m.nonzero().view(-1)", {"m": "bool:2,3#4"}).torch.error
    assert error is not None
    assert error.message.startswith(_NOT_VIEWED)


def test_strides_of_another_dtype() -> None:
    odd = "x.permute(1, 0, 2)[..., :3].transpose(0, 1).contiguous().view(torch.int16)"
    check(Case(odd, "", {"x": "2,3,4"}, {"x": numbered((2, 3, 4))}))
    odd = "x[:, :2].view(torch.float64)"
    check(Case(odd, "", {"x": "2,3"}, {"x": numbered((2, 3))}))


def test_impossible_sizes_raise() -> None:
    for expr in ("x.view(N, 20)", "x.reshape(5, 5)"):
        error = explain(expr, {"x": "N,19" if "N" in expr else "N,3"}).torch.error
        assert error is not None
        assert "is invalid for input of size" in error.message


@pytest.mark.parametrize(
    ("expr", "formula"),
    [
        ("x.view(6, 4)", "result[i, j] = x[i // 3, i % 3, j]"),
        ("x.flatten()", "result[i] = x[i // 12, i // 4 % 3, i % 4]"),
        ("x.view(2, 3, 2, 2)", "result[i, j, k, l] = x[i, j, 2*k + l]"),
        ("x.view(4, 6)", "result[i, j] = x[i // 2, (6*i + j) // 4 % 3, (6*i + j) % 4]"),
        ("x.view(1, 2, 1, 12)", "result[i, j, k, l] = x[j, l // 4, l % 4]"),
        ("x[:, :1].reshape(8)", "result[i] = x[i // 4, 0, i % 4]"),
    ],
)
def test_formulas_by_hand(expr: str, formula: str) -> None:
    assert explain(expr, {"x": "2,3,4"}).formula == formula


def test_labels_and_values_stay() -> None:
    assert explain("x.flatten(1)", {"x": "n:2,c:3,h:4"}).torch.labels == ("n", None)
    error = explain("x[i.view(-1)]", {"x": "3,2", "i": "tensor([[0], [5]])"}).torch.error
    assert error is not None
    assert "index 5 is out of bounds" in error.message


@pytest.mark.parametrize(
    ("expr", "kind"),
    [
        ("x.view(6, 4)", "ValueError"),
        ("x.view(6)", "TypeError"),
        ("x.view('a')", "TypeError"),
        ("x.view(())", "TypeError"),
        ("x.view(size=(6, 4))", "TypeError"),
        ("x.flatten(1)", "TypeError"),
        ("x.flatten(0, 1)", "TypeError"),
        ("x.flatten(start_dim=1)", "TypeError"),
        ("torch.flatten(x)", "AttributeError"),
        ("x.ravel(1)", "TypeError"),
        ("x.reshape(shape=(6, 4))", "TypeError"),
        ("x.reshape()", "TypeError"),
        ("x.reshape(24.0)", "TypeError"),
        ("x.reshape(-1, 5)", "ValueError"),
        ("x.reshape(5, 5)", "ValueError"),
        ("x.reshape(-1, -1)", "ValueError"),
        ("x[:, :, 0].view(torch.int16)", "ValueError"),
        ("x[..., :3].view(torch.float64)", "ValueError"),
        ("x[0, 0, 0].view(torch.int16)", "ValueError"),
    ],
)
def test_errors_of_numpy(expr: str, kind: str) -> None:
    error = explain(expr, {"x": "2,3,4"}).numpy.error
    assert error is not None
    assert error.type == kind


@pytest.mark.parametrize(
    ("expr", "shape"),
    [
        ("x.view()", (2, 3, 4)),
        ("x.view(torch.int16)", (2, 3, 8)),
        ("x.view(dtype=torch.float64)", (2, 3, 2)),
        ("x.view(torch.int32)", (2, 3, 4)),
        ("x.reshape(None)", (2, 3, 4)),
        ("x.reshape(-2, 12)", (2, 12)),
        ("x.flatten('C')", (24,)),
        ("torch.ravel(x)", (24,)),
        ("x.contiguous()", (2, 3, 4)),
        ("x.sum().contiguous()", (1,)),
    ],
)
def test_shapes_of_numpy(expr: str, shape: tuple[int, ...]) -> None:
    assert explain(expr, {"x": "2,3,4"}).numpy.shape == shape


def test_sizes_without_numbers_in_numpy() -> None:
    found = explain("x.reshape(-1, 4)", {"x": "N,19"}, lead="numpy")
    assert (found.numpy.shape, found.needs) == (("19*(N // 4)", 4), ("N % 4 == 0",))
    found = explain("x.reshape(N, 20)", {"x": "N,C"}, lead="numpy")
    assert (found.numpy.shape, found.needs) == (("N", 20), ("C == 20",))
    assert explain("x.reshape(-1, C)", {"x": "N,C,H"}, lead="numpy").numpy.shape == ("N*H", "C")


def test_bits_of_views_that_begin_odd_are_a_need() -> None:
    found = explain("x[..., :2].view(torch.float64)", {"x": "2,3,4"})
    assert found.needs == ("a first element at a multiple of 2 in storage",)


def test_a_star_unpacks_sizes() -> None:
    assert explain("x.reshape(*x.shape[:2], -1)", {"x": "2,3,4,5"}).torch.shape == (2, 3, 20)


@pytest.mark.parametrize(
    ("expr", "spec", "sizes"),
    [
        ("x.transpose(1, 2).view(2, 64, 16, 16)", "2,M,K", "2,256,64"),
        ("x.transpose(1, 2).view(2, 64, 256)", "2,M,K", "2,256,64"),
        ("x.transpose(1, 0)[:-1].view(4)", "4,M", "4,2"),
        ("x[:, :, :, :-1].view(16, -1)", "4,4,M,N", "4,4,2,2"),
        ("x[::2].view(-1)", "K,3", "2,3"),
    ],
)
def test_no_error_is_claimed_where_sizes_exist_that_work(expr: str, spec: str, sizes: str) -> None:
    found = explain(expr, {"x": spec})
    assert found.torch.error is None
    assert "in an order that" in found.needs[-1]
    verdict = ask_torch(expr, {"x": torch.zeros([int(size) for size in sizes.split(",")])})
    assert (verdict.error, verdict.view) == (None, True)


def test_an_error_is_claimed_where_sizes_of_one_alone_would_work() -> None:
    error = explain("x.permute(0, 2, 3, 1).view(-1, 19)", {"x": "N,19,H,W"}).torch.error
    assert error is not None
    assert error.message.startswith(_NOT_VIEWED)


@pytest.mark.parametrize(
    "expr",
    ["x.view(6, 4)", "x.view(2, 3, 4)", "x.view(1, 2, 3, 4)", "x.view(-1)", "x.view((6, 4))", "x.view(*x.shape)"],
)
def test_numpys_view_takes_a_dtype_and_a_class(expr: str) -> None:
    error = explain(expr, {"x": "2,3,4"}).numpy.error
    verdict = ask_numpy(expr, {"x": torch.zeros(2, 3, 4)})
    assert error is not None
    assert (error.type, error.message) == (verdict.error, verdict.message)
