import pytest
import torch

from segcli.formats.persistent_id import resolve_legacy, resolve_zip
from segcli.formats.pickle_nodes import Global, Group, Node, Storage
from segcli.formats.pickle_walk import walk
from tests.formats.crafting import pickled

FIELDS = ("storage", torch.FloatStorage, "7", "cuda:1", 12)


def node(identity: object) -> Node:
    return walk(pickled(identity), "it").root


@pytest.mark.parametrize("resolve", [resolve_zip, resolve_legacy])
def test_a_storage(resolve: object) -> None:
    identity = node(FIELDS if resolve is resolve_zip else (*FIELDS, None))
    found = resolve_zip(identity) if resolve is resolve_zip else resolve_legacy(identity)
    assert isinstance(found, Storage)
    assert (found.type_name, found.key, found.location.decoded(), found.numel) == ("FloatStorage", "7", "cuda:1", 12)
    assert (found.id, found.view) == (identity, None)


def test_a_part_of_a_storage() -> None:
    found = resolve_legacy(node((*FIELDS, ("8", 2, 5))))
    assert isinstance(found, Storage)
    assert (found.key, found.numel, found.view) == ("7", 12, ("8", 2, 5))


@pytest.mark.parametrize("source", [("net.py", "class Net: ..."), (None, None)])
def test_the_class_of_a_module(source: tuple[object, object]) -> None:
    found = resolve_legacy(node(("module", torch.nn.Linear, *source)))
    assert isinstance(found, Global)
    assert found.path == "torch.nn.modules.linear.Linear"


def test_python_2_wrote_bytes() -> None:
    data = b"\x80\x02(U\x07storagectorch\nFloatStorage\nU\x017U\x03cpuK\x04Nt."
    found = resolve_legacy(walk(data, "it").root)
    assert isinstance(found, Storage)
    assert (found.key, found.location.decoded()) == ("7", "cpu")


STRANGE = [
    *(None, 3, "storage", [], (), ("storage",), ("module", torch.nn.Linear), [*FIELDS], [*FIELDS, None]),
    *(("else", *FIELDS[1:]), ("storage", "FloatStorage", *FIELDS[2:]), (*FIELDS[:2], 7, *FIELDS[3:])),
    *((*FIELDS[:3], 7, 12), (*FIELDS[:4], -1), (*FIELDS[:4], True), (*FIELDS[:4], "12")),
]


@pytest.mark.parametrize("identity", STRANGE, ids=str)
def test_anything_else_is_unknown(identity: object) -> None:
    assert resolve_zip(node(identity)) is None
    assert resolve_legacy(node(identity)) is None
    if isinstance(identity, tuple):
        assert resolve_legacy(node((*identity, None))) is None


@pytest.mark.parametrize(
    "view", [(), ("8", 2), (8, 2, 5), ("8", -1, 5), ("8", 2, -5), ("8", True, 5), ["8", 2, 5], "8"], ids=str
)
def test_strange_parts_are_unknown(view: object) -> None:
    assert resolve_legacy(node((*FIELDS, view))) is None


def test_formats_do_not_mix() -> None:
    assert resolve_legacy(node(FIELDS)) is None
    assert resolve_zip(node((*FIELDS, None))) is None
    assert resolve_zip(Group("list", [])) is None
