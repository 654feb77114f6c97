"""Sizes that are not known, in bounds of slices, in products and in what is needed of them; and dtypes not given."""

import re

import pytest

from segcli.errors import SegcliError
from segcli.shapes import explain
from segcli.shapes.symbols import contradictions
from segcli.shapes.symbols.bounds import is_at_least
from tests.conftest import Run

IMAGE = "N,C,H,W"


@pytest.mark.parametrize(
    ("expr", "spec", "shape", "needs", "formula"),
    [
        ("x[:, :H // 2]", "C,H", ("C", "H // 2"), (), "result[i, j] = x[i, j]"),
        ("x[:, H // 2:]", "C,H", ("C", "ceil(H / 2)"), (), "result[i, j] = x[i, H // 2 + j]"),
        ("x[:, :, :x.size(2) // 2]", IMAGE, ("N", "C", "H // 2", "W"), (), "result[i, j, k, l] = x[i, j, k, l]"),
        ("x[..., -C:]", "C,H", ("C", "min(C, H)"), ("C >= 1",), "result[i, j] = x[i, max(H - C, 0) + j]"),
        ("x[:, 1:H - 1]", "C,H", ("C", "max(H - 2, 0)"), (), "result[i, j] = x[i, 1 + j]"),
        ("x[:, :H - 2]", "C,H", ("C", "H - 2"), ("H >= 2",), "result[i, j] = x[i, j]"),
        ("x[:, C:C + 64]", "C,H", ("C", "min(64, max(H - C, 0))"), (), "result[i, j] = x[i, C + j]"),
        ("x[:, C:2*C]", "C,H", ("C", "min(C, max(H - C, 0))"), (), "result[i, j] = x[i, C + j]"),
        ("x[:, :C:2]", "C,H", ("C", "ceil(min(C, H) / 2)"), (), "result[i, j] = x[i, 2*j]"),
        ("x[:, :C]", "C,10", ("C", "min(10, C)"), (), "result[i, j] = x[i, j]"),
        ("x[:, H:]", "C,H", ("C", 0), (), "result[i, j] = x[i, H + j]"),
        ("x[:, :H]", "C,H", ("C", "H"), (), "result[i, j] = x[i, j]"),
        ("x[:, H - C:]", "C,H", ("C", "C"), ("H >= C",), "result[i, j] = x[i, H - C + j]"),
        ("x[:, -C:-1]", "C,H", ("C", "min(max(C - 1, 0), max(H - 1, 0))"), ("C >= 1",), None),
        ("x[:, -C:C]", "C,H", ("C", "len(range(H)[-C:C])"), ("C >= 1",), None),
        ("x[C // 2]", "C,H", ("H",), ("C >= 1",), "result[i] = x[C // 2, i]"),
        ("x[:, C]", "C,H", ("C",), ("H >= C + 1",), "result[i] = x[i, C]"),
        ("x[:, -C]", "C,H", ("C",), ("C >= 1", "H >= C"), "result[i] = x[i, -C]"),
        ("x[[0, C // 2]]", "C,H", (2, "H"), ("C >= 1",), None),
        ("x[slice(C, None)]", "C,H", (0, "H"), (), "result[i, j] = x[C + i, j]"),
    ],
)
def test_bounds_and_positions(
    expr: str, spec: str, shape: tuple[int | str, ...], needs: tuple[str, ...], formula: str | None
) -> None:
    for lead in ("torch", "numpy"):
        explanation = explain(expr, {"x": spec}, lead=lead)
        if "size(" not in expr or lead == "torch":
            assert (explanation.answer.shape, set(explanation.needs)) == (shape, set(needs))
            assert formula is None or explanation.formula == formula


def test_a_position_is_no_tensor_to_numpy() -> None:
    assert explain("x[C::-1]", {"x": "C,H"}, lead="numpy").numpy.shape == ("len(range(C)[C::-1])", "H")
    assert explain("x[C // 2]", {"x": "C,H"}).numpy.view is True
    assert explain("x[C // 2, i]", {"x": "C,H", "i": "3,"}, lead="numpy").numpy.shape == (3,)
    assert explain("x[:3][C]", {"x": "C,H"}, lead="numpy").needs == ("min(3, C) >= C + 1",)
    assert explain("x[[[0, C // 2]]]", {"x": "C,H"}, lead="numpy").numpy.shape == (1, 2, "H")


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("x[::C]", "the value of C is not known, and the size of a slice needs it"),
        ("x.shape[:C]", "how many items x.shape[:C] has hangs on sizes that are not known"),
        ("x.split(2)[:C]", "which tensors [:C] picks hangs on sizes that are not known"),
    ],
)
def test_what_must_have_a_number(expr: str, words: str) -> None:
    with pytest.raises(SegcliError, match=re.escape(words)):
        explain(expr, {"x": "C,H"})


@pytest.mark.parametrize(
    ("expr", "shape", "size", "formula"),
    [
        ("x.view(N, C // 2, 2, H, W)", ("N", "C // 2", 2, "H", "W"), "4*N*C*H*W", "x[i, 2*j + k, l, m]"),
        ("x.view(N, C // 2, 2, H, W).flatten(1, 2)", ("N", "C", "H", "W"), "4*N*C*H*W", None),
        ("x.flatten(1)", ("N", "C*H*W"), "4*N*C*H*W", "x[i, j // (H*W), j // W % H, j % W]"),
        ("x.flatten(2)", ("N", "C", "H*W"), "4*N*C*H*W", "x[i, j, k // W, k % W]"),
        ("x.unflatten(1, (2, -1))", ("N", 2, "C // 2", "H", "W"), "4*N*C*H*W", "x[i, (C // 2)*j + k, l, m]"),
        ("x.reshape(N, C // 4, 4*H, W)", ("N", "C // 4", "4*H", "W"), "4*N*C*H*W", "x[i, 4*j + k // H, k % H, l]"),
        ("x.reshape(-1, 2*W)", ("(N*C*H) // 2", "2*W"), None, None),
        ("x[:, :C // 2]", ("N", "C // 2", "H", "W"), "4*N*(C // 2)*H*W", "x[i, j, k, l]"),
        ("x.repeat(1, 2, 1, 1)", ("N", "2*C", "H", "W"), "8*N*C*H*W", None),
    ],
)
def test_products_are_written_as_the_shape_has_them(
    expr: str, shape: tuple[int | str, ...], size: str | None, formula: str | None
) -> None:
    explanation = explain(expr, {"x": IMAGE})
    assert explanation.torch.shape == shape
    assert size in (None, explanation.torch.bytes)
    assert formula is None or (explanation.formula or "").endswith(f"= {formula}")


def test_what_is_needed_is_used_by_what_comes_after_and_by_nothing_else() -> None:
    specs = {"x": IMAGE}
    assert explain("x.view(N, C // 2, 2, H, W).flatten(1, 2)", specs).needs == ("C % 2 == 0",)
    assert explain("x[:, :2*(C // 2)]", specs).torch.shape == ("N", "2*(C // 2)", "H", "W")
    assert explain("x.view(N, C // 4, 4, H, W)[:, :, :, :(C // 2)*2]", specs).needs == ("C % 4 == 0",)
    grouped = explain("(x.view(N, G, C // G, H, W).flatten(1, 2) + y)", {"x": IMAGE, "y": "G,1,1,1"})
    assert grouped.torch.shape == ("N", "C", "H", "W")
    assert grouped.needs == ("C % G == 0", "G == N or G == 1")


def test_a_copy_may_be_a_view_where_sizes_are_one() -> None:
    explanation = explain("x.permute(0, 2, 3, 1).reshape(-1, C)", {"x": IMAGE})
    assert explanation.view is None
    assert explanation.broadcasts[-1].why == "copied, unless sizes that are not known are 1: then it may be a view"
    assert explain("x.mT.reshape(N, 12)", {"x": "N,3,4"}).view is False
    assert explain("x.T.contiguous()", {"x": "N,4"}).view is None
    assert explain("x.T.ravel()", {"x": "N,4"}, lead="numpy").numpy.view is None


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        (("N == M", "N == 2*M"), ["no sizes meet all of this: N == 2*M beside N == M"]),
        (("K == N", "K == 3", "N == 4"), ["no sizes meet all of this: N == 4 beside K == N and K == 3"]),
        (("N == 3", "N >= 4"), ["no sizes meet all of this: N >= 4 beside N == 3"]),
        (("N == M", "N >= 4", "C % 2 == 0", "M == N"), []),
        (("2*N == 3*M", "N >= 4"), []),
    ],
)
def test_needs_that_exclude_each_other(needs: tuple[str, ...], said: list[str]) -> None:
    assert contradictions(needs) == said


def test_a_reader_sees_that_needs_exclude_each_other() -> None:
    assert explain("(x @ y).view(2*K, 3) @ z", {"x": "N,K", "y": "M,3", "z": "3,M"}).needs == ("K == M", "N == 2*K")
    explanation = explain("(x @ y).view(2*N, 3)[m]", {"x": "N,N", "y": "N,6", "m": "bool:N"})
    assert explanation.notes == ("no sizes meet 2*N == N",)
    explanation = explain("(x @ y)[m][:, k]", {"x": "N,K", "y": "M,3", "m": "bool:N", "k": "bool:3"})
    assert explanation.needs == ("K == M",)
    explanation = explain("x[m] @ x[:, k]", {"x": "4,N", "m": "bool:4#3", "k": "bool:5#4"})
    assert explanation.needs == ("N == 5", "N == 4")
    assert explanation.notes == ("no sizes meet all of this: N == 4 beside N == 5",)


@pytest.mark.parametrize(
    ("size", "other", "known"),
    [
        ("H", "H // 2", True),
        ("H", "H // k", True),
        ("H", "ceil(H / 3)", True),
        ("H", "k", False),
        ("ceil(H / 2)", "H // 2", True),
        ("H // 2", "H // 3", False),
        ("max(H - 1, 0)", "H - 1", True),
        ("H", "max(H - k, 0)", True),
        ("C*H", "C", False),
        ("2*H", "H + min(H, k)", True),
        ("nonzero(m)", 0, True),
        ("a.b", 0, False),
        ("H // k", 1, False),
        ("(N - 1)*C", 0, False),
        ("(N + 1) // C", 0, True),
        ("ceil((N - 1) / 2)", 0, False),
        ("min(N, C)", 0, True),
        (3, 2, True),
    ],
)
def test_which_of_two_sizes_is_known_to_be_larger(size: int | str, other: int | str, known: bool) -> None:  # noqa: FBT001 - the answer
    assert is_at_least(size, other) is known


@pytest.mark.parametrize(
    ("expr", "specs", "dtypes"),
    [
        ("x[y.view(-1)]", {"x": "10,3", "y": "4,5"}, (20, 3)),
        ("x[i.flatten()]", {"x": "10,3", "i": "4,5"}, (20, 3)),
        ("x[torch.flatten(i)]", {"x": "10,3", "i": "4,5"}, (20, 3)),
        ("x[i.T]", {"x": "10,3", "i": "4,5"}, (5, 4, 3)),
        ("x[:, p[:k]]", {"x": "4,10", "p": "10,", "k": "3"}, (4, 3)),
        ("x[torch.cat([i, j])]", {"x": "10,3", "i": "4,", "j": "2,"}, (6, 3)),
        ("torch.gather(x, 1, i)", {"x": "4,10", "i": "4,2"}, (4, 2)),
        ("x.index_select(0, i)", {"x": "4,10", "i": "2,"}, (2, 10)),
        ("x.scatter(1, i, 1.0)", {"x": "4,10", "i": "4,2"}, (4, 10)),
        ("torch.take_along_dim(x, indices=i.view(4, 2), dim=1)", {"x": "4,10", "i": "8,"}, (4, 2)),
        ("F.one_hot(t, 19)", {"t": "4,8"}, (4, 8, 19)),
        ("F.cross_entropy(x, t)", {"x": "4,19,8", "t": "4,8"}, ()),
        ("F.cross_entropy(x, target=t)", {"x": "4,19,8", "t": "4,8"}, ()),
        ("F.cross_entropy(x.flatten(2), t.flatten(1))", {"x": "4,19,8,2", "t": "4,8,2"}, ()),
        ("nn.CrossEntropyLoss()(x, t)", {"x": "4,19", "t": "4,"}, ()),
        ("F.cross_entropy(x, t) + F.cross_entropy(-x, t)", {"x": "4,19", "t": "4,19"}, ()),
        ("torch.stack([F.cross_entropy(x, t), F.cross_entropy(x, t)[None].sum()])", {"x": "4,19", "t": "4,19"}, (2,)),
    ],
)
def test_positions_are_int64(expr: str, specs: dict[str, str], dtypes: tuple[int, ...]) -> None:
    answer = explain(expr, specs).torch
    assert answer.error is None
    assert answer.shape == dtypes


def test_a_dtype_that_is_not_obvious_is_said() -> None:
    said = "t is taken for int64, as it holds numbers of classes; else write t=float32:..."
    assert said in explain("F.cross_entropy(x, t)", {"x": "4,19", "t": "4,"}).notes
    assert said in explain("F.one_hot(t)", {"t": "4,"}).notes
    for specs in ({"x": "4,19", "t": "int64:4,"}, {"x": "4,19", "t": "4,19"}):
        assert said not in explain("F.cross_entropy(x, t)", specs).notes


def test_names_and_labels_stand_together(segcli: Run) -> None:
    done = segcli("shapes", "x[:, :, H // 2:, 1:W - 1]", "x=n:N,c:3,h:H,w:W")
    title = "x[:, :, H // 2:, 1:W - 1]  ->  (n: N, c: 3, h: ceil(H / 2), w: max(W - 2, 0))  float32, view"
    assert done.out.splitlines()[0] == title
    assert "axis 2 (h): ceil(H / 2)" in done.out
    assert explain("x.view(N, C // 2, 2, H, W)", {"x": "n:N,c:C,h:H,w:W"}).torch.labels == ("n", None, None, "h", "w")
    assert explain("x + y", {"x": "n:N,c:8", "y": "k:M,c:1"}).torch.labels == ("n", "c")
    assert explain("x[i, :H // 2]", {"x": "n:N,h:H", "i": "k:5"}).torch.labels == ("k", "h")
