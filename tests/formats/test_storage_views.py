import argparse
import copy

import pytest

from segcli.formats.persistent_id import resolve_legacy
from segcli.formats.pickle_nodes import Call, Group, Mapping, Node, Place, Storage, Text
from segcli.formats.pickle_walk import walk
from segcli.formats.storage_views import resolve_views
from tests.formats.crafting import Saved, pickled, rebuild
from tests.formats.old_files import part

VIEW = ("9", 3, 5)


def resolved(content: Saved) -> Node:
    said = walk(pickled(content), "it", resolve_legacy)
    resolve_views(said.root, said.storages)
    return said.root


def whole(call: Node) -> tuple[str, int]:
    assert isinstance(call, Call)
    storage, offset = call.arguments[:2]
    assert isinstance(storage, Storage)
    assert storage.view is None
    assert isinstance(offset, int)
    return storage.key, offset


@pytest.mark.parametrize("name", ["_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_qtensor"])
def test_offsets_are_added(name: str) -> None:
    root = resolved({"a": [rebuild(name, part(numel=20, view=VIEW), 2, (1,), (1,))]})
    assert isinstance(root, Mapping)
    ((_, value),) = root.pairs
    assert isinstance(value, Group)
    assert whole(value.items[0]) == ("0", 5)


def test_a_tensor_that_is_named_twice_moves_once() -> None:
    tensor = rebuild("_rebuild_tensor", part(numel=20, view=VIEW), 2, (1,), (1,))
    parameter = rebuild("_rebuild_parameter", tensor, True, {})  # noqa: FBT003 - a pickle's argument
    root = resolved((tensor, [tensor, parameter]))
    assert isinstance(root, Group)
    assert whole(root.items[0]) == ("0", 5)


def test_what_is_no_tensor_stays() -> None:
    other = rebuild("_flatten_dense_tensors", part(numel=20, view=VIEW), 2)
    root = resolved([part(numel=20, view=VIEW), other, rebuild("_rebuild_tensor", part(), 1, (), ())])
    assert isinstance(root, Group)
    first, second, third = root.items
    assert isinstance(first, Storage)
    assert isinstance(second, Call)
    assert first.view == VIEW
    assert second.arguments[1] == 2
    assert whole(third) == ("0", 1)


def test_tensors_of_torch_0_1_have_it_in_their_state() -> None:
    data = b"\x80\x02ctorch\nFloatTensor\n)\x81("
    state = pickled((part(numel=20, view=VIEW), 2, (1,), (1,)))[2:-1]
    said = walk(data + b"0" + state + b"b.", "it", resolve_legacy)
    resolve_views(said.root, said.storages)
    assert isinstance(said.root, Call)
    assert isinstance(said.root.state[0], Group)
    assert said.root.state[0].items[1] == 5


def test_states_of_other_objects_stay() -> None:
    value = argparse.Namespace(storage=part(numel=20, view=VIEW), offset=2)
    root = resolved([value])
    assert isinstance(root, Group)
    assert isinstance(root.items[0], Call)
    (state,) = root.items[0].state
    assert isinstance(state, Mapping)
    assert state.pairs[1][1] == 2


def test_without_parts_nothing_is_looked_at() -> None:
    text = Text("x", Place("BINUNICODE", 0, 0))
    root = Mapping([(text, Group("list", []))])
    before = copy.copy(root.pairs)
    resolve_views(root, [])
    assert root.pairs == before
