"""Stars, as in ``x.view(*x.shape[:2], -1)``, beside real PyTorch."""

import pytest
import torch

from segcli.errors import SegcliError
from segcli.shapes import explain
from segcli.shapes.confirm import confirm
from segcli.shapes.operations import is_known
from segcli.tensorrun import TensorRunner
from tests.shapes.agreement import check
from tests.shapes.cases import Case


@pytest.mark.parametrize(
    "expr",
    [
        "x.view(*x.shape[:2], -1)",
        "x.reshape(*x.shape[::-1])",
        "torch.zeros(*x.shape[:2], 3)",
        "x.permute(*[2, 0, 1])",
        "x[(*[0, 1],)]",
        "x[*[0, 1], 2]",
        "x[*(0,)]",
        "torch.cat([*x.split(1), x])",
        "torch.stack([*x.max(1)])",
        "torch.stack([*x.unbind(0)])",
        "x.sum(*3)",
        "x.view(*x[0, 0, 0])",
        "x.view(*None)",
        "x.sum(*())",
        "x.expand(*[2], *x.shape)",
    ],
)
def test_what_a_star_unpacks(expr: str) -> None:
    tensors = {"x": torch.zeros(2, 3, 4)}
    check(Case(expr, "", {"x": "2,3,4"}, tensors), words=False)
    assert confirm(explain(expr, {"x": "2,3,4"}), TensorRunner(is_known)).agrees is True


def test_symbols_are_unpacked_too() -> None:
    assert explain("x.view(*x.shape[:2], -1)", {"x": "N,C,H,W"}).torch.shape == ("N", "C", "H*W")
    assert explain("x[(*i,)]", {"x": "4,5,6", "i": "[0, 1]"}).torch.shape == (6,)


@pytest.mark.parametrize(
    ("expr", "words", "hint"),
    [
        ("torch.stack([*x])", r"\*x would unpack a tensor into its rows", "write *x.unbind(0) for the rows"),
        ("torch.stack([*x.unbind(0)])", "how many tensors unbind", "give the size of the axis a number"),
        ("x[slice(*x.shape)]", "a star is not read here", "write the values themselves"),
        ("x[(*x.shape)]", "a star in brackets needs a comma", "write (*sizes,)"),
        ("*x", r"unexpected '\*'", "a star unpacks in a list, a tuple, an index or a call"),
        ("x.sum(**x)", r"unexpected '\*\*'", "keyword arguments are not unpacked"),
    ],
)
def test_what_is_refused(expr: str, words: str, hint: str) -> None:
    with pytest.raises(SegcliError, match=words) as caught:
        explain(expr, {"x": "N,3"})
    assert hint in caught.value.hint
