"""Picking a tensor from several: from a pair, or from the pieces of a tensor."""

import random

import pytest

from segcli.errors import SegcliError
from segcli.shapes import explain
from tests.shapes.agreement import CASES
from tests.shapes.cases import Case
from tests.shapes.drawing import bind, refused, run_cases

INDICES = ["0", "1", "-1", "2", "9", "-9", "True", "None", "1.0", "'a'", "[0]", "0, 1", "...", "::-1", "1:", ":-1"]
INDICES += ["::2", "1::-2", ":0", "::0", "-3:", "5:2"]
SLICES = ["::-1", "1:", ":-1", "::2", "1::-2", "-3:", ":"]


def draw_pick(rng: random.Random) -> Case:
    case = Case()
    source = bind(rng, case, "x", rng.choice([(5, 3), (4, 2), (1, 3), (6,), (0, 3)]), "float32")
    size = rng.choice([1, 2, 3])
    torch_name, numpy_name = rng.choice(
        [
            (f"split({size})", f"np.array_split({source}, range({size}, len({source}), {size}))"),
            (f"tensor_split({size})", f"np.array_split({source}, {size})"),
            ("unbind()", f"np.unstack({source})"),
        ]
    )
    slices = "".join(f"[{rng.choice(SLICES)}]" for _ in range(rng.choice([0, 0, 1, 2])))
    tail = f"{slices}[{rng.choice(INDICES)}]"
    case.expr = f"{source}.{torch_name}{tail}"
    case.numpy_expr = "" if "split(" in torch_name and "tensor" not in torch_name else f"{numpy_name}{tail}"
    if ".transpose" in source:
        # NumPy's means another thing.
        case.numpy_expr = ""
    return case


def test_agreement_on_random_picks() -> None:
    run_cases(draw_pick, CASES // 8)


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
