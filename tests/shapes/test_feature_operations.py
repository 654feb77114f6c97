"""Operations of video memories, transformers and losses: pinned cases beside real PyTorch and NumPy."""

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.agreement import check
from tests.shapes.cases import Case, shape_text


def case_of(expr: str, numpy_expr: str = "", **tensors: torch.Tensor) -> Case:
    specs = {
        name: f"{str(tensor.dtype).removeprefix('torch.')}:{shape_text(tuple(tensor.shape))}"
        for name, tensor in tensors.items()
    }
    return Case(expr, numpy_expr, specs, dict(tensors))


X = torch.zeros(2, 3, 4)
V = torch.zeros(3)
Q = torch.zeros(2, 4, 5, 8)
K = torch.zeros(2, 2, 7, 8)
ATTENTION = "F.scaled_dot_product_attention"


@pytest.mark.parametrize(
    "case",
    [
        case_of(f"{ATTENTION}(q, k, k, enable_gqa=True)", q=Q, k=K),
        case_of(f"{ATTENTION}(q[0, 0], k[0, 0], k[0, 0], enable_gqa=True)", q=Q, k=K),
        case_of(f"{ATTENTION}(q[:, :3], k, k, enable_gqa=True)", q=Q, k=K),
        case_of(f"{ATTENTION}(q[:, :2], k, k[:, :, 1:])", q=Q, k=K),
        case_of(f"{ATTENTION}(q[:, :2], k, k[:, :, 1:], m)", q=Q, k=K, m=torch.zeros(5, 7)),
        case_of(f"{ATTENTION}(q[:, :2], k, k[:, :, 1:], m)", q=Q, k=K, m=torch.zeros(5, 1)),
        case_of("F.embedding(i, x[0, 0, 0], 1)", x=X, i=torch.zeros(2, dtype=torch.int64)),
        case_of("torch.meshgrid(x.max(0))", x=X),
        case_of("torch.meshgrid(v.split(1))", v=V),
        case_of("torch.meshgrid(v, index='ij')", v=V),
        case_of("torch.meshgrid(v, indexing=1)", v=V),
        case_of("torch.meshgrid()"),
        case_of("torch.meshgrid(v, v, indexing='foo')", "np.meshgrid(v, v, indexing='foo')", v=V),
        case_of("torch.meshgrid(v, foo=1)", "np.meshgrid(v, foo=1)", v=V),
        case_of("torch.unique(3)"),
        case_of("x.shape.numel(3)", x=X),
        case_of("x.shape.numel(a=3)", x=X),
        case_of("x.split([2**63, 1])", x=X),
        case_of("x.transpose(2**63, 0)", x=X),
        case_of("x.sum((0, 2**63))", x=X),
        case_of("torch.full((2,), 300, dtype=torch.uint8)"),
        case_of("torch.full_like(x, 300)", x=X.byte()),
        case_of("torch.subtract(x, 0, out=None)", x=X),
        case_of("x.cumprod(0, dtype=torch.bool)", x=X > 0),
        case_of("x.count_nonzero(1)", "np.count_nonzero(x, 1)", x=X),
        case_of("F.pixel_unshuffle(x[:, :, :0], 2)", x=X),
        case_of("F.l1_loss(x, x)", x=X > 0),
        case_of("F.l1_loss(x, y)", x=X > 0, y=X),
    ],
    ids=lambda case: case.expr,
)
def test_pinned(case: Case) -> None:
    check(case, known=bool(case.numpy_expr))


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "needs"),
    [
        ("F.fold(x, (8, 8), 2, stride=2)", {"x": "N,C,L"}, ("N", "C // 4", 8, 8), ("C % 4 == 0", "L == 16")),
        ("F.pixel_unshuffle(x, 2)", {"x": "N,3,H,8"}, ("N", 12, "H // 2", 4), ("H % 2 == 0",)),
        ("F.affine_grid(t, (4, 3, 8, 8), False)", {"t": "N,2,3"}, (4, 8, 8, 2), ("N == 4",)),
        ("F.affine_grid(t, (4, 3, 8, 8), False)", {"t": "4,M,3"}, (4, 8, 8, 2), ("M == 2",)),
        ("x.unfold(1, 3, 2)", {"x": "2,N"}, (2, "ceil(max(N - 2, 0) / 2)", 3), ("N >= 3",)),
        ("x.unfold(1, 0, 2)", {"x": "2,N"}, (2, "ceil((N + 1) / 2)", 0), ()),
        ("x.index_fill(0, i, 1)", {"x": "N,3", "i": "tensor([2, -1])"}, ("N", 3), ("N >= 3",)),
        ("x.index_add(0, i, v)", {"x": "N,3", "i": "int64:M", "v": "5,C"}, ("N", 3), ("M == 5", "C == 3", "N >= 1")),
        ("x.unique(dim=0)", {"x": "5,3"}, ("unique(x)", 3), ()),
        ("x.diagonal()", {"x": "N,N,4"}, (4, "N"), ()),
        (f"{ATTENTION}(q, k, k, enable_gqa=True)", {"q": "2,H,5,8", "k": "2,G,7,8"}, (2, "H", 5, 8), ("H % G == 0",)),
        (f"{ATTENTION}(q, k, k, m)", {"q": "2,4,L,8", "k": "2,4,7,8", "m": "5,7"}, (2, 4, "L", 8), ("L == 5",)),
        ("torch.zeros(n, 3)", {"n": "int64:()"}, ("n", 3), ()),
        ("F.max_pool2d(x, 2, stride=n)", {"x": "1,3,8,8", "n": "int64:()"}, (1, 3, "6 // n + 1", "6 // n + 1"), ()),
    ],
)
def test_sizes_that_are_not_known(
    expr: str, specs: dict[str, str], shape: tuple[int | str, ...], needs: tuple[str, ...]
) -> None:
    explanation = explain(expr, specs)
    assert explanation.torch.error is None
    assert explanation.torch.shape == shape
    assert set(explanation.needs) == set(needs)


@pytest.mark.parametrize(
    ("expr", "specs", "words"),
    [
        ("x.diff(prepend=x)", {"x": "3,"}, "prepend= is not supported"),
        ("F.mse_loss(x, x, weight=x)", {"x": "3,"}, "weight= of mse_loss is not supported"),
        ("F.normalize(x, out=x)", {"x": "3,4"}, "out= is not supported"),
        ("torch.meshgrid(x.split(2))", {"x": "N,"}, "how many tensors"),
        ("torch.meshgrid(x.unbind(0))", {"x": "N,2"}, "how many tensors"),
        ("x.tensor_split(n)", {"x": "3,", "n": "int64:()"}, "the value of n is not known"),
    ],
)
def test_refused(expr: str, specs: dict[str, str], words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        explain(expr, specs)


def test_what_numpy_lacks_or_does_otherwise() -> None:
    copied = explain("torch.meshgrid(x, copy=False)", {"x": "3,"})
    assert copied.torch.error is not None
    assert copied.torch.error.type == "TypeError"
    with pytest.raises(SegcliError, match="the value of y is not known"):
        explain("x.split(y)", {"x": "3,", "y": "float32:()"}, lead="numpy")
    oblong = explain("torch.meshgrid(x, y)", {"x": "3,", "y": "4,"})
    assert "walks its first tensor along axis 0" in oblong.differs
    assert explain("torch.meshgrid(x, x)", {"x": "3,"}).notes[0].startswith("torch.meshgrid without indexing= warns")
    assert not explain("torch.meshgrid(x, x, indexing='xy')", {"x": "3,"}).differs


def test_fast_attention_says_what_it_does_not_look_at() -> None:
    explanation = explain(f"{ATTENTION}(q, k, v)", {"q": "1,1,2,3", "k": "1,1,4,3", "v": "1,1,5,3"})
    assert explanation.notes[0].startswith("k and v have different numbers of rows")


def test_a_loss_of_an_unknown_beta_has_no_formula() -> None:
    explanation = explain("F.smooth_l1_loss(x, x, beta=n, reduction='none')", {"x": "N,3", "n": "float32:()"})
    assert explanation.formula is None


def test_values_that_are_known_are_counted() -> None:
    assert explain("x.unique()", {"x": "tensor([3, 1, 3])"}).torch.shape == (2,)
    assert explain("x.unique()", {"x": "2,"}).torch.shape == ("unique(x)",)
