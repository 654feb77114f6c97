import pickle
import threading
from collections.abc import Sequence
from typing import TypeVar

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from segcli.errors import SegcliError
from segcli.launch import Group, Ranks
from segcli.loss.spreading.measured import Measured, add_into, finite, pack, reduce_tallies, unpack

_T = TypeVar("_T")
Tally = dict[str, Tensor]
SHAPES = {"scalar": (), "row": (5,), "matrix": (3, 4), "cube": (2, 3, 2), "none": (0,)}


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    """Some of the names; counts, or sums that are exact in any order; dense or sparse."""
    tally = {}
    for name in draw(st.sets(st.sampled_from(sorted(SHAPES)))):
        shape = SHAPES[name]
        generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
        values = torch.randint(-3, 4, shape, generator=generator)
        dense = values / 4.0 if name == "row" else values
        dense = dense.double() if name == "row" else dense
        tally[name] = dense.to_sparse() if shape and shape[0] and draw(st.booleans()) else dense
    return tally


def dense_sum(parts: Sequence[Tally]) -> Tally:
    """Return the sum, by torch's own arithmetic."""
    names = {name for part in parts for name in part}
    zeros = {name: torch.zeros(SHAPES[name], dtype=torch.int64) for name in names}
    return {name: sum((part[name].to_dense() for part in parts if name in part), zeros[name]) for name in names}


def assert_same(got: Tally, expected: Tally) -> None:
    assert got.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(got[name], tensor, rtol=0, atol=0)


@settings(max_examples=40)
@given(parts=st.lists(tallies(), max_size=5))
@example(parts=[{}, {"matrix": torch.eye(3, 4).long().to_sparse()}, {"matrix": torch.ones(3, 4).long()}])
def test_tallies_add_up_in_place(parts: list[Tally]) -> None:
    total: Tally = {}
    kept = [{name: tensor.to_dense().clone() for name, tensor in part.items()} for part in parts]
    for part in parts:
        add_into(total, part)
    assert_same(total, dense_sum(parts))
    # What was added is not the total's own, and stays.
    for part, before in zip(parts, kept, strict=True):
        assert_same({name: tensor.to_dense() for name, tensor in part.items()}, before)


def test_a_sparse_tensor_may_name_a_place_twice() -> None:
    twice = torch.sparse_coo_tensor(torch.tensor([[1, 1, 0]]), torch.tensor([1, 2, 4]), (3,), check_invariants=True)
    total = {"n": torch.tensor([0, 1, 0])}
    add_into(total, {"n": twice})
    assert total["n"].tolist() == [4, 4, 0]


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.zeros(3, dtype=torch.int64), r"n of b\.npy is torch\.int64 \(3,\), expected torch\.int64 \(2,\) as in"),
        (torch.zeros(2, dtype=torch.float64), r"n of b\.npy is torch\.float64 \(2,\), expected torch\.int64 \(2,\)"),
    ],
    ids=["shape", "dtype"],
)
def test_a_tally_of_another_kind_is_refused(tensor: Tensor, words: str) -> None:
    total = {"n": torch.zeros(2, dtype=torch.int64)}
    with pytest.raises(SegcliError, match=words) as caught:
        add_into(total, {"n": tensor}, "b.npy")
    assert caught.value.hint == "do all files have the same classes?"


def test_sums_are_of_full_precision() -> None:
    with pytest.raises(ValueError, match=r"tally 'n' is torch\.float32, expected float64 or int64"):
        add_into({}, {"n": torch.zeros(2)})


@settings(max_examples=30)
@given(tally=tallies())
def test_a_packed_measurement_arrives_whole(tally: Tally) -> None:
    sent = Measured("a", {"name": "a", "loss": 0.5}, tally, 7)
    arrived = unpack(pickle.loads(pickle.dumps(pack(sent))))  # noqa: S301 - our own bytes
    assert (arrived.name, arrived.line, arrived.n_bytes) == ("a", {"name": "a", "loss": 0.5}, 7)
    assert_same({name: tensor.to_dense() for name, tensor in arrived.tally.items()}, dense_sum([tally]))
    assert [tensor.is_sparse for tensor in arrived.tally.values()] == [tensor.is_sparse for tensor in tally.values()]


def test_lines_are_finite_plain_data() -> None:
    infinite = float("inf")
    assert finite({"a": (1, infinite, -0.0), 2: {"b": [None, "c", True]}}) == {
        "a": [1, None, -0.0],
        "2": {"b": [None, "c", True]},
    }


class Meeting:
    """What threads that play ranks have on the table."""

    def __init__(self, world: int) -> None:
        self.barrier = threading.Barrier(world)
        self.table: list[object] = [None] * world


class FakeGroup(Group):
    """A rank that is a thread."""

    def __init__(self, rank: int, meeting: Meeting) -> None:
        super().__init__(Ranks(rank, len(meeting.table)))
        self._meeting = meeting

    def gather(self, value: _T) -> list[_T]:
        self._meeting.table[self.ranks.rank] = value
        self._meeting.barrier.wait(timeout=30)
        values: list[_T] = list(self._meeting.table)  # type: ignore[arg-type]
        self._meeting.barrier.wait(timeout=30)
        return values

    def add_up(self, tensor: Tensor) -> None:
        values = self.gather(tensor.clone())
        tensor.copy_(torch.stack(values).sum(0))


def reduced_by_threads(parts: Sequence[Tally]) -> list[Tally]:
    meeting = Meeting(len(parts))
    found: list[Tally] = [{} for _ in parts]

    def reduce(rank: int) -> None:
        found[rank] = reduce_tallies(parts[rank], FakeGroup(rank, meeting))

    threads = [threading.Thread(target=reduce, args=(rank,)) for rank in range(len(parts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@settings(max_examples=20)
@given(parts=st.lists(tallies(), min_size=1, max_size=4))
@example(parts=[{}, {"row": torch.ones(5, dtype=torch.float64)}, {"scalar": torch.tensor(3)}])
def test_ranks_add_up_what_only_some_have(parts: list[Tally]) -> None:
    totals = [{name: tensor.to_dense() for name, tensor in part.items()} for part in parts]
    for reduced in reduced_by_threads(totals):
        assert_same(reduced, dense_sum(parts))
        assert sorted(reduced) == sorted(dense_sum(parts))


def test_ranks_of_other_classes_are_refused() -> None:
    class Disagreeing(Group):
        def gather(self, value: _T) -> list[_T]:
            return [value, {"n": ("torch.int64", (3,))}]  # type: ignore[list-item]

    with pytest.raises(SegcliError, match=r"n is torch\.int64 \(3,\), expected torch\.int64 \(2,\)"):
        reduce_tallies({"n": torch.zeros(2, dtype=torch.int64)}, Disagreeing())
