"""Functions of Python, numbers that have a name, and tensors that are made of literals, by hand."""

import pytest

from segcli.errors import SegcliError
from segcli.shapes import explain
from segcli.shapes.confirm import confirm
from segcli.shapes.operations import is_known
from segcli.tensorrun import TensorRunner
from tests.shapes.oracle import ask_torch


@pytest.mark.parametrize(
    ("expr", "specs", "shape", "dtype"),
    [
        ("x[x > thresh]", {"x": "2,3", "thresh": "0.7"}, ("nonzero(x > thresh)",), "float32"),
        ("lam * x + (1 - lam) * x", {"x": "2,3", "lam": "0.3"}, (2, 3), "float32"),
        ("n * eps", {"n": "int64:3", "eps": "1e-6"}, (3,), "float32"),
        ("n + a", {"n": "int64:3", "a": "-2."}, (3,), "float32"),
        ("x.clamp(min=e)", {"x": "float64:3", "e": ".5"}, (3,), "float64"),
        ("F.interpolate(x, scale_factor=s)", {"x": "1,3,4,4", "s": "0.5"}, (1, 3, 2, 2), "float32"),
        ("x.view(-1, int(math.sqrt(x.size(1))))", {"x": "2,64"}, (16, 8), "float32"),
        ("x * y.item()", {"x": "int64:3", "y": "()"}, (3,), "float32"),
        ("x == b.item()", {"x": "int64:3", "b": "bool:()"}, (3,), "bool"),
        ("torch.full((2,), b.item())", {"b": "bool:()"}, (2,), "bool"),
        ("x + k.item()", {"x": "float64:3", "k": "complex64:()"}, (3,), "complex128"),
        ("x[0] = y.item()", {"x": "3,4", "y": "()"}, (4,), "float32"),
        ("x[:len(y)]", {"x": "N,3", "y": "M,3"}, ("min(M, N)", 3), "float32"),
        ("x[:min(k, 127)]", {"x": "200,3", "k": "500"}, (127, 3), "float32"),
        ("torch.zeros(min(N, M), max(N, 3, M))", {"x": "N,M"}, ("min(N, M)", "max(max(3, N), M)"), "float32"),
        ("torch.zeros(min(H, H // 2), max(H // 2, H))", {"x": "H,3"}, ("H // 2", "H"), "float32"),
        ("x.reshape(-1, math.prod(x.shape[1:]))", {"x": "N,3,4"}, ("N", 12), "float32"),
        ("x.reshape(int(N), *list(x.shape[1:]))", {"x": "N,3,4"}, ("N", 3, 4), "float32"),
        ("torch.zeros(int(N / 2))", {"x": "N,3"}, ("int(N / 2)",), "float32"),
        ("torch.zeros(abs(N - 3))", {"x": "N,3"}, ("abs(N - 3)",), "float32"),
        ("torch.zeros(math.ceil(s))", {"s": "float32:()"}, ("math.ceil(s)",), "float32"),
        ("torch.zeros(math.ceil(n))", {"n": "int64:()"}, ("n",), "float32"),
        ("torch.zeros(max(3, 4, N), math.prod([N, 2]))", {"x": "N,3"}, ("max(4, N)", "2*N"), "float32"),
        ("x[:math.floor(N)].view(*list(), N, 3)", {"x": "N,3"}, ("N", 3), "float32"),
        ("tuple(x.unbind(1))[0]", {"x": "N,3"}, ("N",), "float32"),
        ("torch.cat(list(x.split(2)))", {"x": "6,3"}, (6, 3), "float32"),
        ("x / math.sqrt(N)", {"x": "N,3"}, ("N", 3), "float32"),
        ("x * math.prod((N, 0.5))", {"x": "N,3"}, ("N", 3), "float32"),
        ("x * float(y)", {"x": "int64:3", "y": "()"}, (3,), "float32"),
        ("abs(x)", {"x": "int64:3"}, (3,), "int64"),
        ("x[..., torch.newaxis]", {"x": "3,"}, (3, 1), "float32"),
        ("x[Ellipsis, None]", {"x": "3,"}, (3, 1), "float32"),
        ("x.masked_fill(x > 0, -math.inf)", {"x": "3,"}, (3,), "float32"),
        ("x[torch.tensor([1]), :, [0]]", {"x": "3,4,5"}, (1, 4), "float32"),
        ("x - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)", {"x": "2,3,4,4"}, (2, 3, 4, 4), "float32"),
        ("x[torch.as_tensor([N - 1])]", {"x": "N,3"}, (1, 3), "float32"),
        ("torch.max(x, y)", {"x": "2,3", "y": "3,"}, (2, 3), "float32"),
    ],
)
def test_by_hand(expr: str, specs: dict[str, str], shape: tuple[int | str, ...], dtype: str) -> None:
    used = {name: spec for name, spec in specs.items() if name in expr}
    try:
        found = explain(expr, used)
    except SegcliError:
        found = explain(f"({expr}) + 0 * x.sum()", specs)
    assert (found.torch.shape, found.torch.dtype) == (shape, dtype)
    confirmation = confirm(found, TensorRunner(is_known))
    assert confirmation.agrees is not False, confirmation


@pytest.mark.parametrize(
    ("expr", "value"),
    [
        ("len(x)", "N"),
        ("len(x.shape)", 2),
        ("len(x.split(2, 1))", 2),
        ("len(x.max(0))", 2),
        ("len((x, x))", 2),
        ("tuple(x.shape)", ("N", 4)),
        ("min(x.shape)", "min(4, N)"),
        ("int(x.shape[1] * 0.75)", 3),
    ],
)
def test_plain_values(expr: str, value: object) -> None:
    assert explain(expr, {"x": "N,4"}).torch.value == value


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("min(x, y)", r"min\(\) takes numbers here"),
        ("max(x)", r"max\(\) of a tensor is not supported"),
        ("list(x)", r"list\(\) of a tensor is not supported"),
        ("F.normalize(x, eps=x.argmax().item())", "the value of .* is not known"),
        ("x.clamp(x.to(torch.complex64).sum().item())", "complex number"),
        ("tuple(x.max(0))", r"tuple\(\) takes numbers here"),
        ("max(1, 2, key=3) * x", r"max\(\) takes no key= here"),
        ("math.sin(1) * x", "math.sin is not supported"),
        ("math.newaxis * x", "math.newaxis is not a value"),
        ("min(None, x.size(0)) * x", "beside sizes that are not known"),
        ("max(('a', 'b')) * x", "is no number here"),
        ("torch.tensor(x)", "is a tensor already"),
        ("torch.tensor([x, x])", "is a tensor"),
        ("torch.tensor([0, None], dtype=torch.int64) * x", "is no number"),
        ("list(x.max(0), 1)", r"list\(\) takes numbers here"),
        ("torch.tensor([1, [2]]) * x", "stand side by side"),
        ("x.sum(0).stride()", "the strides of"),
    ],
)
def test_what_is_not_supported_is_told(expr: str, words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        explain(expr, {"x": "N,1", "y": "N,1"} if ", y" in expr else {"x": "N,1"})


def test_what_numpy_has_not_is_unknown() -> None:
    for expr in ("x.data", "np.array([1e400], dtype=np.int64) * x", "np.array(['a'])[0] * x", "np.asarray(x)[0]"):
        try:
            found = explain(expr, {"x": "3,"})
        except SegcliError:
            continue
        assert found.numpy.error is not None
        assert found.numpy.error.type == "unknown"
    error = explain("torch.tensor([1], dtype=torch.bfloat16) * x", {"x": "3,"}).numpy.error
    assert error is not None
    assert "bfloat16" in error.message


def test_data_is_given_once() -> None:
    error = explain("torch.tensor([1], data=[2]) * x", {"x": "3,"}).torch.error
    assert error is not None
    assert (error.type, error.message) == ("TypeError", "tensor() got multiple values for argument 'data'")


def test_a_tensor_of_unknown_sizes_is_one_number_where_they_are_one() -> None:
    found = explain("x[:int(n)]", {"x": "5,3", "n": "int64:N,"})
    assert found.needs[0] == "N == 1"
    assert explain("x * float(y)", {"x": "3,", "y": "int64:N"}).needs == ("N == 1",)


def test_a_number_where_rows_stand_is_no_sequence() -> None:
    error = explain("torch.tensor([[1], 2])").torch.error
    verdict = ask_torch("torch.tensor([[1], 2])", {})
    assert error is not None
    assert (error.type, error.message) == (verdict.error, verdict.message) == ("TypeError", "not a sequence")
