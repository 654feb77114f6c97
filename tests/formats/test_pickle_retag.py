import pickle
import pickletools

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from segcli.errors import SegcliError
from segcli.formats.pickle_retag import retag
from segcli.formats.pickle_walk import walk
from tests.formats.crafting import Outside, Saved, pickled, storage

TAGS = ["cpu", "cuda:0", "mps"]


class _Reader(pickle.Unpickler):
    def persistent_load(self, pid: Saved) -> Saved:
        return Outside(*pid)


def loaded(data: bytes) -> Saved:
    import io

    return _Reader(io.BytesIO(data)).load()


def moved(data: bytes, to: str) -> bytes:
    changed = retag(data, walk(data, "it"), lambda _: to, "it")
    if changed is None:
        return data
    result = b"".join(changed.pieces())
    assert changed.size == len(result)
    # A machine that keeps less comes to the same.
    light = retag(data, walk(data, "it", keep=False), lambda _: to, "it")
    assert light is not None
    assert b"".join(light.pieces()) == result
    return result


def plain(value: Saved) -> Saved:
    """Turn a tree with ids into one that can be compared."""
    if isinstance(value, Outside):
        return ("id", *value.id)
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain(item) for item in value)
    return value


def expected(value: Saved, to: str) -> Saved:
    if isinstance(value, Outside):
        return ("id", *value.id[:3], to, *value.id[4:])
    if isinstance(value, dict):
        return {expected(key, to): expected(item, to) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(expected(item, to) for item in value)
    return value


# The strings are one object each, so that pickle writes them once and refers to them by number.
leaves = st.sampled_from([*TAGS, "storage", "0", 1, None]) | st.builds(storage, st.sampled_from(TAGS))
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.sampled_from([*TAGS, "w"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(trees, st.integers(1, 5), st.sampled_from(TAGS))
@example({"device": "cpu", "w": storage()}, 2, "cuda:0")
@example({"w": storage(), "device": "cpu"}, 2, "cuda:0")
@example([storage(), "cpu", storage(), "cpu", storage()], 4, "mps")
@example([storage("cuda:0"), storage("cpu"), "cuda:0", "cpu"], 2, "cpu")
@example([storage(), "x" * 70_000, "cpu", storage()], 4, "cuda:0")
def test_only_tags_change(tree: Saved, protocol: int, to: str) -> None:
    data = pickled(tree, protocol)
    result = moved(data, to)
    assert plain(loaded(result)) == expected(tree, to)
    assert set(pickletools.genops(data)) is not None
    new = {"POP"} if protocol > 3 else {"LONG_BINPUT", "BINGET"}
    assert walk(result, "it").opcodes <= walk(data, "it").opcodes | new
    assert moved(result, to) == result


@given(trees, st.integers(1, 5), st.lists(st.sampled_from(TAGS), min_size=1, max_size=3))
@example({"device": "cpu", "w": storage(), "v": storage()}, 2, ["cuda:0"])
@example({"w": storage(), "device": "cpu", "v": storage()}, 2, ["cuda:0", "mps"])
@example({"cpu": storage("cuda:0"), "cuda:0": "cpu"}, 4, ["cpu"])
@example({"x" * index: index for index in range(300)} | {"w": storage(), "device": "cpu"}, 3, ["mps"])
@example({"x" * index: index for index in range(300)} | {"device": "cpu", "w": storage()}, 4, ["mps"])
def test_there_and_back_is_the_same_pickle(tree: Saved, protocol: int, stops: list[str]) -> None:
    data = pickled(tree, protocol)
    tags = {storage.location.decoded() for storage in walk(data, "it").storages}
    if len(tags) != 1:
        # One tag for all is no way back to several.
        return
    there = data
    for tag in [*stops, *tags]:
        there = moved(there, tag)
    assert there == data


def test_equal_strings_of_the_user_are_told_apart() -> None:
    # Three objects of one value: the tags' string is one of them.
    strings = ["".join("cpu") for _ in range(3)]
    for chosen in strings:
        for protocol in (2, 4):
            data = pickled([*strings, storage(chosen), storage(chosen)], protocol)
            assert moved(moved(data, "cuda:0"), "cpu") == data


def test_a_mark_that_something_asks_for_is_none() -> None:
    data = pickled(["cpu", storage("cpu"), "end"])
    there = moved(data, "mps")
    mark = walk(there, "it").kept + 1
    (detached,) = walk(there, "it").detached
    assert (detached.text.value, detached.literal.value) == ("mps", "cpu")
    kept_under = there[detached.end + 1]
    assert kept_under == mark + (detached.number or 0)
    asked = there[:-2] + b"h" + bytes([kept_under]) + b"e."
    assert loaded(moved(asked, "cpu"))[3] == "mps"


def test_numbers_beyond_a_gap_are_left_to_those_who_use_them() -> None:
    # A pickle that leaves out numbers, as torch's never does: 3 is kept under 7, and asked for at the end.
    data = pickled(["cpu", storage("cpu"), "end"])
    assert walk(data, "it").spare == walk(data, "it").kept + 1
    start = data.index(b"X\x03\0\0\0end")
    beyond = walk(data, "it").kept + 2
    gap = data[: start + 8] + b"q" + bytes([beyond]) + data[start + 10 : -2] + b"h" + bytes([beyond]) + b"e."
    assert loaded(gap)[3] == "end"
    assert walk(gap, "it").spare == beyond + 1
    assert loaded(moved(gap, "cuda:0"))[3] == "end"


def test_a_pickle_without_numbers_left_is_refused() -> None:
    data = pickled(["cpu", storage("cpu"), "end"])
    start = data.index(b"X\x03\0\0\0end")
    full = data[: start + 8] + b"r" + b"\xff" * 4 + data[start + 10 :]
    with pytest.raises(
        SegcliError, match="the pickle keeps something under 4294967295, and has no number left for a tag"
    ):
        moved(full, "cuda:0")


STORAGE = b"ctorch\nFloatStorage\n"


@pytest.mark.parametrize(
    "literal",
    [
        pytest.param(b"U\x03cpu", id="SHORT_BINSTRING"),
        pytest.param(b"T\x03\0\0\0cpu", id="BINSTRING"),
        pytest.param(b"X\x03\0\0\0cpu", id="BINUNICODE"),
        pytest.param(b"\x8c\x03cpu", id="SHORT_BINUNICODE"),
        pytest.param(b"\x8d\x03\0\0\0\0\0\0\0cpu", id="BINUNICODE8"),
        pytest.param(b"C\x03cpu", id="SHORT_BINBYTES"),
        pytest.param(b"B\x03\0\0\0cpu", id="BINBYTES"),
        pytest.param(b"\x8e\x03\0\0\0\0\0\0\0cpu", id="BINBYTES8"),
        pytest.param(b"S'cpu'\n", id="STRING"),
        pytest.param(b"Vcpu\n", id="UNICODE"),
    ],
)
def test_every_way_to_spell_a_tag(literal: bytes) -> None:
    head = b"\x80\x02(X\x07\0\0\0storage" + STORAGE + b"X\x01\0\0\0" + b"0"
    data = b"]" + head + literal + b"K\x04tQa."
    to, back = moved(data, "cuda:0"), moved(moved(data, "cuda:0"), "cpu")
    tag = loaded(to)[0].id[3]
    assert (tag if isinstance(tag, str) else tag.decode()) == "cuda:0"
    assert loaded(back)[0].id[3] == loaded(data)[0].id[3]
    assert walk(to, "it").opcodes - walk(data, "it").opcodes <= {"BINUNICODE"}


def test_a_tag_that_is_doubled_on_the_stack() -> None:
    head = b"\x80\x02](X\x07\0\0\0storage" + STORAGE + b"X\x01\0\0\0" + b"0"
    # The string is pushed, doubled, and one of the two is the tag; the other is thrown away.
    data = head + b"X\x03\0\0\0cpu20K\x04tQa."
    assert loaded(moved(data, "mps"))[0].id == ("storage", torch.FloatStorage, "0", "mps", 4)


def test_an_id_that_is_a_value_as_well_is_refused() -> None:
    head = b"\x80\x02](X\x07\0\0\0storage" + STORAGE + b"X\x01\0\0\0" + b"0" + b"X\x03\0\0\0cpuK\x04tq\0Qa"
    data = head + b"h\0a."
    with pytest.raises(SegcliError, match="uses the id of storage 0 for something else"):
        moved(data, "cuda:0")
    assert moved(data, "cpu") == data
