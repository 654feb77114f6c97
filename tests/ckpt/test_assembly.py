from pathlib import Path

import pytest
import torch

from segcli.ckpt.assembly import assemble, text
from segcli.errors import SegcliError
from segcli.formats.persistent_id import resolve_legacy
from segcli.formats.pickle_nodes import Group, Node, Storage
from segcli.formats.pickle_walk import walk
from tests.formats.crafting import Saved, pickled, read_records, save, storage
from tests.formats.old_files import part


def said(content: Saved) -> Node:
    return walk(pickled(content), "it").root


def test_keys_are_numbered_in_the_order_of_first_mention() -> None:
    done = assemble(said([storage(key="b"), storage(key="a"), storage(key="b"), storage(key="7")]), 2)
    assert done.keys == ("b", "a", "7")
    assert [one.key for one in walk(done.pickle, "it").storages] == ["0", "1", "0", "2"]


@pytest.mark.parametrize("tag", ["cpu", "cuda:0"])
def test_what_torch_numbered_stays_byte_for_byte(tmp_path: Path, tag: str) -> None:
    weight = torch.ones(4)
    content = {
        "0": "0",
        "device": "cpu",
        "w": weight,
        "view": weight[1:],
        "more": [torch.zeros(one) for one in range(9)],
    }
    data = read_records(save(content, tmp_path / "model.pth", tag))["data.pkl"]
    done = assemble(walk(data, "it").root, 2)
    assert done.pickle == data
    assert done.keys == tuple(map(str, range(10)))


def test_many_storages_are_not_mixed_up() -> None:
    done = assemble(said([storage(key=f"k{index}", numel=index) for index in range(500)]), 2, is_legacy=True)
    found = walk(done.pickle, "it", resolve_legacy)
    assert [(one.key, one.numel) for one in found.storages] == [(str(index), index) for index in range(500)]


def test_tags_change_and_users_values_do_not() -> None:
    root = said({"device": "cpu", "w": storage("cpu"), "v": storage("cuda:1", key="1"), "x": storage("cpu", key="2")})
    done = assemble(root, 2, lambda one: "mps" if one.location.decoded() == "cpu" else "cuda:1")
    found = walk(done.pickle, "it")
    assert [one.location.value for one in found.storages] == ["mps", "cuda:1", "mps"]
    assert b"device" in done.pickle
    assert done.pickle.count(b"cpu") == 1


def test_a_part_that_stands_alone_is_refused() -> None:
    root = walk(pickled([part(view=("9", 1, 2))]), "it", resolve_legacy).root
    with pytest.raises(SegcliError, match="the part 9 of storage 0 stands on its own"):
        assemble(root, 2)


def test_a_text_from_nowhere() -> None:
    done = assemble(Group("list", [text("a"), text("b")]), 2)
    assert walk(done.pickle, "it").opcodes == {"PROTO", "EMPTY_LIST", "BINPUT", "MARK", "BINUNICODE", "APPENDS", "STOP"}
    assert not any(isinstance(one, Storage) for one in walk(done.pickle, "it").storages)
