"""What walks the tree of an expression, and how long that takes."""

import pytest

from segcli.errors import SegcliError
from segcli.shapes import explain

BIND = {"x": "3,4", "y": "1000000000000,"}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("expr", ["x[y.split(1)]", "torch.cat([x, *y.unbind()])", "torch.einsum('i,i', y.split(1))"])
def test_a_million_millions_of_tensors_are_refused_at_once(expr: str) -> None:
    bind = {name: spec for name, spec in BIND.items() if name in expr}
    with pytest.raises(SegcliError, match=r"returns 1,000,000,000,000 tensors here, too many to go through one by one"):
        explain(expr, bind)


def test_several_tensors_are_indices_one_by_one() -> None:
    assert explain("x[i.unbind()]", {"x": "3,4", "i": "int64:2,5"}).torch.shape == (5,)
