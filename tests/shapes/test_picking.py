"""Picking a tensor from several: from a pair, or from the pieces of a tensor."""

import pytest

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.drawing import refused


def test_positions_in_tensors() -> None:
    x = {"x": "5,3", "i": "int64:tensor([1])"}
    assert explain("x.unbind()[i]", x).torch.shape == (3,)
    words = "only integer scalar arrays can be converted to a scalar index"
    refused("x.unbind()[i]", x, "TypeError", words, "i", lead="numpy")
    words = "only integer tensors of a single element can be converted to an index"
    refused("x.unbind()[i]", {"x": "5,3", "i": "float32:1"}, "TypeError", words, "i")


def test_a_piece_of_no_tensor() -> None:
    explanation = explain("torch.nonzero(m, as_tuple=True)[0]", {"m": "bool:4,4#3"})
    assert explanation.torch.shape == (3,)


def test_a_pair_by_number() -> None:
    assert explain("x.max(1)[-1]", {"x": "5,3"}).torch.dtype == "int64"
    assert explain("x.max(1)[i]", {"x": "5,3", "i": "1"}).torch.dtype == "int64"
    assert explain("x.unbind()[x.shape[0]]", {"x": "N,N"}).torch.shape == ("N",)
    with pytest.raises(SegcliError, match="pick one with"):
        explain("x.max(1)[:1]", {"x": "5,3"})
