import argparse
import collections
import copyreg
import io
import pickle
import pickletools
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from segcli.errors import SegcliError
from segcli.formats.pickle_nodes import Group, Node, Storage
from segcli.formats.pickle_walk import walk
from segcli.formats.pickle_write import write_pickle
from tests.formats.crafting import Outside, Saved, pickled, read_records, save, storage


def written(data: bytes) -> bytes:
    """Walk a pickle and write it again."""
    said = walk(data, "it")
    return write_pickle(said.root, said.protocol, lambda one: one.id)


class Slotted:
    __slots__ = ("x", "y")

    def __init__(self, x: object, y: object) -> None:
        self.x, self.y = x, y


class Keyworded(tuple[Any, ...]):
    """Takes an argument by name when it is made, which protocol 4 has an opcode for."""

    __slots__ = ()

    def __new__(cls, *, size: int) -> Self:
        return super().__new__(cls, range(size))

    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, int]]:
        return (), {"size": len(self)}


def trained() -> dict[str, Any]:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8))
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.ones(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    return {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 12, "device": "cpu"}


def cyclic() -> dict[str, Any]:
    ring: list[Any] = [1]
    ring.append(ring)
    short: tuple[Any, ...] = ([],)
    short[0].append(short)
    long: tuple[Any, ...] = ([], 1, 2, 3)
    long[0].append(long)
    mapping: dict[str, Any] = {}
    mapping["self"] = mapping
    named = argparse.Namespace()
    named.self = named
    return {"ring": ring, "short": short, "long": long, "mapping": mapping, "named": named}


def saved_objects() -> dict[str, Any]:
    weight = torch.arange(12.0).reshape(3, 4)
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.LSTM(2, 2))
    shared = ["one list", (1, 2)]
    return {
        "state dict and optimizer": trained(),
        "module": net,
        "parametrized": torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 2)).state_dict(),
        "aliases": {"w": weight, "row": weight[1], "transposed": weight.T, "device": "cpu", "key": "0"},
        "sparse": weight.to_sparse(),
        "parameter": torch.nn.Parameter(weight),
        "storage": weight.untyped_storage(),
        "float8": weight.to(torch.float8_e4m3fn),
        "dtypes": [torch.zeros(2, dtype=one) for one in (torch.bool, torch.complex64, torch.bfloat16, torch.uint16)],
        "integers": [0, 255, 256, 65535, 65536, -1, 2**31 - 1, -(2**31), 2**31, 2**70, -(2**2100)],
        "plain": [None, True, False, 0.5, -0.0, float("inf"), "", "text", "\ud800", b"", b"bytes", (), [], {}],
        "tuples": [(1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
        "long text": ["x" * 300, b"y" * 300],
        "many strings": [f"{index}" for index in range(300)],
        "sets": [{1, 2}, set(), frozenset([3]), frozenset()],
        "numpy": [np.float64(0.25), np.arange(3), np.dtype("float32")],
        "namespace": argparse.Namespace(device="cpu", lr=0.1),
        "collections": [collections.Counter("aab"), collections.defaultdict(list, {1: [2]}), collections.deque([5])],
        "ordered": collections.OrderedDict.fromkeys(range(2001)),
        "slots": Slotted(1, [2]),
        "device": torch.device("cuda:1"),
        "shared": [shared, shared, {"again": shared}],
        "cycles": cyclic(),
        **{f"list of {count}": list(range(count)) for count in (1, 2, 999, 1000, 1001, 2000, 2001)},
        **{f"dict of {count}": dict.fromkeys(range(count)) for count in (1, 2, 999, 1000, 1001, 2000, 2001)},
    }


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", saved_objects())
def test_what_torch_saves_comes_out_byte_for_byte(tmp_path: Path, name: str, protocol: int) -> None:
    path = save(saved_objects()[name], tmp_path / "model.pth", pickle_protocol=protocol)
    data = read_records(path)["data.pkl"]
    assert written(data) == data


class _Reader(pickle.Unpickler):
    def persistent_load(self, pid: Saved) -> Saved:
        return Outside(*pid)


def shape_of(value: Saved) -> Saved:
    """Name every container by the order in which it is reached, so that sharing and cycles can be compared."""
    seen: dict[int, int] = {}

    def visit(one: Saved) -> Saved:
        if isinstance(one, Outside):
            return ("id", *map(visit, one.id))
        if not isinstance(one, list | tuple | dict | set | frozenset):
            # NaN is not NaN.
            return (type(one).__name__, repr(one))
        if one and id(one) in seen:
            return ("seen", seen[id(one)])
        seen[id(one)] = len(seen)
        if isinstance(one, dict):
            return ("dict", [(visit(key), visit(item)) for key, item in one.items()])
        if isinstance(one, set | frozenset):
            return (type(one).__name__, sorted(repr(item) for item in one))
        return (type(one).__name__, [visit(item) for item in one])

    return visit(value)


@st.composite
def webs(draw: st.DrawFn) -> Saved:
    """Draw containers that hold one another, themselves among them."""
    lists: list[list[Saved]] = [[] for _ in range(draw(st.integers(1, 3)))]
    mappings: list[dict[Saved, Saved]] = [{} for _ in range(draw(st.integers(0, 2)))]
    tuples: list[tuple[Saved, ...]] = [(one, *range(draw(st.integers(0, 4)))) for one in lists]
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=3)
    sets = st.frozensets(st.integers(0, 9), max_size=3) | st.sets(st.text(max_size=2), max_size=3)
    words = st.sampled_from(["cpu", "0", "storage"])
    leaves = scalars | sets | words | st.builds(storage, words, words)
    values = leaves | st.sampled_from([*lists, *mappings, *tuples])
    for one in lists:
        one.extend(draw(st.lists(values, max_size=4)))
    for mapping in mappings:
        mapping.update(draw(st.dictionaries(st.text(max_size=2) | st.integers(), values, max_size=3)))
    return [*lists, *mappings, *tuples]


@given(webs(), st.integers(1, 5))
@example([{1: 2.5}, b"x" * 70_000, "y" * 70_000], 4)
def test_what_comes_out_loads_as_what_went_in(value: Saved, protocol: int) -> None:
    data = pickled(value, protocol)
    result = written(data)
    assert shape_of(_Reader(io.BytesIO(result)).load()) == shape_of(value)
    assert written(result) == result
    before, after = walk(data, "it"), walk(result, "it")
    assert after.protocol == max(protocol, 2) or protocol == 1
    assert (after.globals, len(after.storages)) == (before.globals, len(before.storages))


@given(webs())
def test_protocol_0_loads_as_what_went_in(value: Saved) -> None:
    value = pickle.loads(pickle.dumps(str(shape_of(value)), 0))  # noqa: S301 - the test's own
    assert pickle.loads(written(pickle.dumps([value, (value,)], 0))) == [value, (value,)]  # noqa: S301 - the test's own


@pytest.mark.parametrize("protocol", [4, 5])
def test_calls_with_names_and_arrays_of_bytes(protocol: int) -> None:
    value = [Keyworded(size=3), bytearray(b"abc"), {1, 2}, frozenset([1])]
    assert pickle.loads(written(pickle.dumps(value, protocol))) == value  # noqa: S301 - the test's own


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x80\x02U\x03cpu.", id="SHORT_BINSTRING"),
        pytest.param(b"\x80\x02T" + (300).to_bytes(4, "little") + b"\xe9" * 300 + b".", id="BINSTRING"),
        pytest.param(b"S'cpu'\n.", id="STRING"),
    ],
)
def test_strings_of_python_2_stay_such(data: bytes) -> None:
    loaded = [pickle.loads(one, encoding="bytes") for one in (data, written(data))]  # noqa: S301 - the test's own
    assert loaded[0] == loaded[1]
    assert isinstance(loaded[1], bytes)


def test_old_ways_to_call_stay_calls() -> None:
    for data in (b"(ccollections\nCounter\n(lo.", b"((liargparse\nNamespace\n."):
        opcodes = {opcode.name for opcode, _, _ in pickletools.genops(written(data))}
        assert "OBJ" in opcodes
    assert pickle.loads(written(b"(ccollections\nCounter\n(lo.")) == collections.Counter()  # noqa: S301 - the test's own


def test_names_of_python_2_stay_such() -> None:
    data = pickle.dumps([{1}, range(2)], 2)
    assert b"c__builtin__\nset\n" in data
    assert written(data) == data
    # A class of one's own in a module that is called as one of Python 2's was.
    four = b"\x80\x04\x8c\x05Queue\x8c\x05Queue\x93."
    assert walk(four, "it").globals == {"queue.Queue": 1}
    assert b"cQueue\nQueue\n" in written(four)


def test_names_that_would_end_early_are_refused() -> None:
    # As GLOBAL writes it, "posix" would be a class's module, and the next lines opcodes of their own.
    data = b"\x80\x04\x8c\x01a\x8c\x0cb\ncos\nsystem\x93."
    with pytest.raises(SegcliError, match="which has a line break"):
        written(data)


def test_names_by_number_are_refused() -> None:
    copyreg.add_extension("argparse", "Namespace", 240)
    try:
        data = pickle.dumps(argparse.Namespace, 2)
    finally:
        copyreg.remove_extension("argparse", "Namespace", 240)
    with pytest.raises(SegcliError, match="names a class by the number 240"):
        written(data)


def test_nesting_is_followed_without_recursion() -> None:
    data = b"\x80\x02" + b"]" + b"]" * 9_000 + b"a" * 9_000 + b"."
    assert walk(written(data), "it").opcodes == {"PROTO", "EMPTY_LIST", "BINPUT", "LONG_BINPUT", "APPEND", "STOP"}


def test_ids_can_be_made_on_the_way() -> None:
    said = walk(pickled([storage(key=str(index)) for index in range(100)]), "it")

    def numbered(one: Storage) -> Node:
        # Nothing but the writer holds on to it.
        return Group("tuple", [*one.id.items[:3], one.location, one.numel + int(one.key)])

    result = walk(write_pickle(said.root, 2, numbered), "it")
    assert [one.numel for one in result.storages] == [4 + index for index in range(100)]
