"""Arithmetic of numbers and sizes, as Python does it."""

import pytest

from segcli.errors import SegcliError
from segcli.shapes import explain

_MARKS = ["+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "&", "|", "^", "<<", ">>"]
_OPERANDS = ["x.ndim", "x.size(0)", "0", "2", "-3", "1.5", "True", "x.shape", "(1, 2)", "[1, 2]", "x.shape[1]", "7"]


@pytest.mark.parametrize(
    ("expr", "value", "kind"),
    [
        ("x.size(0) + 1", "N + 1", "int"),
        ("x.size(0) - x.size(0)", 0, "int"),
        ("x.size(0) * x.size(1)", "3*N", "int"),
        ("x.numel() // x.size(0)", 3, "int"),
        ("x.size(0) // 2", "N // 2", "int"),
        ("x.size(0) % 2", "N % 2", "int"),
        ("x.numel() % 3", 0, "int"),
        ("(x.size(0) + 1) % 2", "(N + 1) % 2", "int"),
        ("x.size(0) ** 2", "N*N", "int"),
        ("2 ** x.size(0)", None, "float"),
        ("x.size(0) / 2", None, "float"),
        ("-x.size(0)", "-N", "int"),
        ("+x.size(0)", "N", "int"),
        ("~x.size(0)", "-N - 1", "int"),
        ("x.size(0) << 2", "N << 2", "int"),
        ("x.size(0) == x.size(0)", True, "bool"),
        ("x.size(0) < x.size(0)", False, "bool"),
        ("x.size(0) == 4", None, "bool"),
        ("x.size(0) * 1.5", None, "float"),
        ("x.size(0) * 1.5 < 2", None, "bool"),
        ("x.shape == x.shape", True, "bool"),
        ("x.shape != x.shape", False, "bool"),
        ("x.shape == (4, 3)", None, "bool"),
        ("x.shape == (4, 3, 1)", False, "bool"),
        ("x.shape != (4, 3, 1)", True, "bool"),
        ("x.dtype == torch.float32", True, "bool"),
        ("x.shape[0]", "N", "int"),
        ("x.shape[-1]", 3, "int"),
        ("x.shape[:1]", ("N",), "torch.Size"),
        ("x.shape[1:] + (2,)", (3, 2), "torch.Size"),
        ("x.shape[k]", 3, "int"),
        ("x[0, 0].item() + 1", None, "float"),
        ("x.long()[0, 0].item() + 1", "(x.long()[0, 0].item()) + 1", "int"),
        ("x.bool()[0, 0].item() + 1", None, "int"),
        ("x.bool()[0, 0].item() / 2", None, "float"),
        ("(-x.ndim) ** 0.5", None, "complex"),
        ("k.item() + x.ndim", 3, "int"),
    ],
)
def test_sizes_without_numbers(expr: str, value: object, kind: str) -> None:
    specs = {"x": "N,3"} | ({"k": "tensor(1)"} if "k" in expr else {})
    answer = explain(expr, specs).torch
    assert answer.error is None, answer.error
    assert (answer.value, answer.type) == (value, kind)


@pytest.mark.parametrize(
    ("expr", "kind", "words"),
    [
        ("x.size(0) // 0", "ZeroDivisionError", "integer division or modulo by zero"),
        ("x.size(0) % 0", "ZeroDivisionError", "integer modulo by zero"),
        ("x.size(0) / 0", "ZeroDivisionError", "division by zero"),
        ("x.shape - 1", "TypeError", "unsupported operand type(s) for -: 'torch.Size' and 'int'"),
        ("-x.shape", "TypeError", "bad operand type for unary -: 'torch.Size'"),
        ("x.shape[0, 1]", "TypeError", "tuple indices must be integers or slices, not tuple"),
        ("x.shape['a']", "TypeError", "tuple indices must be integers or slices, not str"),
        ("x.shape[5]", "IndexError", "tuple index out of range"),
        ("x.shape[::0]", "ValueError", "slice step cannot be zero"),
        ("x.ndim[0]", "TypeError", "'int' object is not subscriptable"),
        ("x.shape < 3", "TypeError", "'<' not supported between instances of 'torch.Size' and 'int'"),
        ("x[0, 0].item() & 1", "TypeError", "unsupported operand type(s) for &: 'float' and 'int'"),
    ],
)
def test_errors(expr: str, kind: str, words: str) -> None:
    error = explain(expr, {"x": "N,3"}).torch.error
    assert error is not None
    assert (error.type, error.message) == (kind, words)


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        ("x.shape * 100", "a tuple of more than 64 items is not written out here"),
        ("x.ndim ** 100", r"a number on the way is larger than 2\^63"),
        ("x.ndim * 9223372036854775807", r"a number on the way is larger than 2\^63"),
    ],
)
def test_what_is_too_large_is_refused(expr: str, words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        explain(expr, {"x": "2,3"})
