import argparse
import collections
import datetime as dt
import pickle
import pickletools
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segcli.errors import SegcliError
from segcli.formats import pickle_machine
from segcli.formats.pickle_nodes import Call, Group, Mapping, Node, Text
from segcli.formats.pickle_retag import retag
from segcli.formats.pickle_walk import _STEPS, walk
from tests.formats.crafting import PLAIN, Outside, Saved, pickled, rebuild, storage

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
values = st.recursive(
    scalars,
    lambda inner: (
        (
            st.lists(inner, max_size=4)
            | st.tuples(inner, inner)
            | st.tuples(inner, inner, inner, inner)
            | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=4)
        )
        | st.sets(st.integers())
        | st.frozensets(st.text())
    ),
    max_leaves=12,
)


def rebuilt(node: Node) -> Saved:
    """Turn plain data back into what was pickled."""
    match node:
        case Text():
            return node.value
        case Group():
            kinds: dict[str, Any] = {"tuple": tuple, "list": list, "set": set, "frozenset": frozenset}
            return kinds[node.kind](rebuilt(item) for item in node.items)
        case Mapping():
            return {rebuilt(key): rebuilt(value) for key, value in node.pairs}
        case Call(path="_codecs.encode"):
            return rebuilt(node.arguments[0]).encode("latin-1")
        case Call(path="builtins.set" | "builtins.frozenset" | "builtins.bytes" | "builtins.bytearray"):
            kind = {"builtins.set": set, "builtins.frozenset": frozenset, "builtins.bytes": bytes}[node.path]
            return kind(*(rebuilt(item) for item in node.arguments))
    return node


@given(values, st.integers(0, 5))
@example([float("inf"), -0.0, 2**70, -(2**2100), "\ud800", b""], 2)
@example([{"a": 1}] * 3, 4)
@example(["x" * 300, b"y" * 300, list(range(2000))], 4)
def test_plain_data_is_what_pickle_loads(value: Saved, protocol: int) -> None:
    assert rebuilt(walk(pickle.dumps(value, protocol), "it").root) == value


@given(st.binary(max_size=200))
@example(b"\x80\x02.")
@example(b"I" + b"9" * 5000 + b"\n.")
@example(b"S'\\z'\n.")
def test_any_bytes_are_followed_or_refused(data: bytes) -> None:
    try:
        walk(data, "it")
    except SegcliError as error:
        assert error.message.startswith("it ")  # noqa: PT017 - either way is right


def test_every_opcode_has_a_step() -> None:
    assert set(_STEPS) == {opcode.name for opcode in pickletools.opcodes}


@pytest.mark.parametrize(
    ("data", "globals_"),
    [
        pytest.param(b"cposix\nsystem\n(S'true'\ntR.", {"posix.system": 1}, id="REDUCE"),
        pytest.param(b"\x80\x04\x8c\x05posix\x8c\x06system\x93)R.", {"posix.system": 1}, id="STACK_GLOBAL"),
        pytest.param(b"(S'true'\niposix\nsystem\n.", {"posix.system": 1}, id="INST"),
        pytest.param(b"(cposix\nsystem\nS'true'\no.", {"posix.system": 1}, id="OBJ"),
        pytest.param(b"\x80\x02cposix\nsystem\n)\x81.", {"posix.system": 1}, id="NEWOBJ"),
        pytest.param(b"\x80\x04cposix\nsystem\n)}\x92.", {"posix.system": 1}, id="NEWOBJ_EX"),
        pytest.param(b"\x80\x02\x82\x07.", {"copyreg extension.7": 1}, id="EXT1"),
        pytest.param(b"\x80\x02\x83\x07\x01.", {"copyreg extension.263": 1}, id="EXT2"),
        pytest.param(b"\x80\x02\x84\x07\0\0\0.", {"copyreg extension.7": 1}, id="EXT4"),
        pytest.param(b"c__builtin__\neval\n0N.", {"builtins.eval": 1}, id="Python 2's name, dropped"),
        pytest.param(b"(c__builtin__\neval\n1N.", {"builtins.eval": 1}, id="dropped to a mark"),
        pytest.param(b"(0c__builtin__\neval\n2\x86.", {"builtins.eval": 1}, id="mark dropped, doubled"),
    ],
)
def test_names_are_found_and_stay_names(data: bytes, globals_: dict[str, int]) -> None:
    assert walk(data, "it").globals == globals_


def test_objects_keep_state_items_and_keys() -> None:
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    ordered = collections.OrderedDict(a=1)
    ordered.attribute = moment  # type: ignore[attr-defined]
    root = walk(pickle.dumps([ordered, collections.deque([5])], 2), "it").root
    assert isinstance(root, Group)
    first, second = root.items
    assert isinstance(first, Call)
    assert isinstance(second, Call)
    assert (first.path, len(first.pairs), len(first.state)) == ("collections.OrderedDict", 1, 1)
    assert second.path == "collections.deque"
    assert second.items == [5]


def test_a_storage_is_its_id() -> None:
    said = walk(pickled({"device": "cpu", "a": storage(), "b": storage(key="1", numel=7)}), "it")
    assert [(one.type_name, one.key, one.location.value, one.numel) for one in said.storages] == [
        ("FloatStorage", "0", "cpu", 4),
        ("FloatStorage", "1", "cpu", 7),
    ]


@pytest.mark.parametrize(
    "identity",
    [("module", "x"), ("storage",), ("storage", "x", "0", "cpu", 4), ("storage", int, "0", "cpu", True),
     ("storage", int, "0", "cpu", -1), ("storage", int, "0", 3, 4)],
    ids=str,
)  # fmt: skip
def test_ids_that_are_no_storages_are_refused(identity: tuple[object, ...]) -> None:
    with pytest.raises(SegcliError, match=r"refers at byte \d+ to something outside"):
        walk(pickled([Outside(*identity)]), "it")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "pickle exhausted before seeing STOP"),
        (b"N", "pickle exhausted before seeing STOP"),
        (b"\xff.", "opcode b'\\\\xff' unknown"),
        (b"X\xff\xff\xff\x7fshort.", "expected 2147483647 bytes"),
        (b".", "the stack is empty"),
        (b"NN.", "1 values are left over"),
        (b"(N.", "the stack is empty|1 values are left over"),
        (b"t.", "there is no mark"),
        (b"(N\x85.", "1 values are left over"),
        (b"h\0.", "nothing was kept under 0"),
        (b"(Nd.", "a key has no value"),
        (b"NNa.", "NoneType takes no items"),
        (b"]NNs.", "list takes no keys"),
        (b"NNb.", "NoneType takes no state"),
        (b"NN\x93.", "a global's name is no text"),
        (b"(o.", "there is no class to call"),
        (b"\x80\x09N.", "it has protocol 9, the newest is 5"),
        (b"N.N", "1 bytes follow its end"),
        (b"\x80\x04\x95\x02\0\0\0\0\0\0\0X\0\0\0\0.", "an opcode does not end with its frame"),
        (b"\x80\x04\x95\x20\0\0\0\0\0\0\0\x95\x02\0\0\0\0\0\0\0N.", "an opcode does not end with its frame"),
        (b"P0\n.", "refers at byte 0 to something outside"),
        (b"\x80\x05\x97.", "has the opcode NEXT_BUFFER at byte 2"),
        (b"(" * 10_001, "nests more than 10,000 levels"),
        (b"N" + b"\x85" * 10_001 + b".", "nests more than 10,000 levels"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_broken_pickles_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        walk(data, "it")


def test_more_opcodes_than_any_checkpoint_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_machine, "MAX_OPCODES", 100)
    with pytest.raises(SegcliError, match="more than 100 opcodes"):
        walk(b"N0" * 100 + b"N.", "it")


@pytest.mark.parametrize(
    "content",
    [
        [storage("cuda:0"), {"a": storage("cpu", "1")}, "cuda:0"],
        {"device": "cpu", "w": rebuild(*PLAIN), "more": [(1, "cpu"), {2, 3}, argparse.Namespace(x=storage())]},
        collections.OrderedDict(a=[storage(), storage()], b=collections.deque(["cpu"])),
    ],
    ids=["list", "dict", "objects"],
)
@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
def test_a_walk_without_a_root_says_the_same_of_storages_and_names(content: object, protocol: int) -> None:
    data = pickled(content, protocol)
    whole, light = walk(data, "it"), walk(data, "it", keep=False)
    assert light.root is None
    for name in ("globals", "calls", "filled", "opcodes", "frames", "protocol", "end"):
        assert getattr(light, name) == getattr(whole, name)
    assert [(one.key, one.location.place) for one in light.storages] == [
        (one.key, one.location.place) for one in whole.storages
    ]
    assert [one.place for one in light.repeats] == [one.place for one in whole.repeats]
    for tag in ("cuda:0", "cuda:1"):
        one, other = (retag(data, said, lambda _, to=tag: to, "it") for said in (light, whole))  # type: ignore[misc]
        assert one is not None
        assert other is not None
        assert b"".join(one.pieces()) == b"".join(other.pieces())


def test_a_memo_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_machine, "MAX_MEMO", 3)
    data = b"\x80\x02]q\x00q\x01q\x02"
    assert walk(data + b".", "a pickle", lambda identity: identity).root is not None
    with pytest.raises(SegcliError, match="values at once"):
        walk(data + b"q\x03.", "a pickle", lambda identity: identity)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"K\x01)R", r"it calls what is no function \(int\)"),
        (b"](K\x01I2\n\x81", r"it calls what is no function|values"),
        (b"}]K\x01s", "a list is no key of a dict"),
        (b"}(\x8fK\x01u", "a set is no key of a dict"),
        (b"(}K\x01d", "a Mapping is no key of a dict"),
        (b"\x95\x40\0\0\0\0\0\0\0N", "a frame reaches beyond its end"),
    ],
)
@pytest.mark.parametrize("keep", [True, False])
def test_what_no_unpickler_reads(body: bytes, told: str, *, keep: bool) -> None:
    data = b"\x80\x04" + body + b"."
    with pytest.raises((TypeError, pickle.UnpicklingError, EOFError)):
        pickle.loads(data)  # noqa: S301 - made above
    with pytest.raises(SegcliError, match=told):
        walk(data, "it", keep=keep)


def test_a_number_of_many_digits_is_no_matter_of_pythons_settings() -> None:
    with pytest.raises(SegcliError, match=r"Exceeds the limit.*digits$") as caught:
        walk(b"I" + b"9" * 10_000 + b"\n.", "it")
    assert "somebody made it so" in caught.value.hint
