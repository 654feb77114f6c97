"""A machine that keeps little: it says the same as the one that keeps all, or gives up."""

import warnings

import pytest

from segcli.formats.pickle_light import LightMachine
from segcli.formats.pickle_retag import retag
from segcli.formats.pickle_walk import Walk, walk
from tests.formats.crafting import pickled, storage

HEAD = b"\x80\x02](X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0" + b"0X\x03\0\0\0cpuK\x04tq\0"


def said(found: Walk) -> object:
    storages = [(one.type_name, one.key, one.location.place, one.location.value, one.numel) for one in found.storages]
    repeats = [(one.place, one.value, one.literal.place) for one in found.repeats]
    return storages, repeats, found.globals, found.calls, found.filled, found.opcodes, found.detached, found.kept


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(HEAD + b"Qah\0a.", id="an id that is a value, too"),
        pytest.param(HEAD + b"Qa0h\0Q.", id="an id that is asked for"),
        pytest.param(HEAD + b"2Q\x86a.", id="an id that is doubled"),
        pytest.param(b"\x80\x02X\x01\0\0\0aN0.", id="POP"),
        pytest.param(b"\x80\x02X\x01\0\0\0aq\x09.", id="a number out of turn"),
        pytest.param(b"S'\\q'\np0\n0g0\n.", id="an odd escape"),
        pytest.param(b"(S'a'\np1\ng1\nt.", id="a string of protocol 0"),
        pytest.param(HEAD.replace(b"K\x04", b"\x8a\x09" + b"\xff" * 8 + b"\x01") + b"Qa.", id="more than 64 bits"),
    ],
)
def test_what_it_does_not_follow_is_followed_anew(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = []
    monkeypatch.setattr(LightMachine, "stop", lambda _: stopped.append(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert said(walk(data, "it", keep=False)) == said(walk(data, "it"))
    assert not stopped


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(HEAD + b"Qq\1h\1\x86a.", id="a storage that is named again"),
        pytest.param(b"\x80\x02(}q\0h\0]q\1h\1K\7q\2h\2NX\1\0\0\0aq\3h\3)q\4h\4K\1K\2\x86q\5h\5t.", id="all kinds"),
        pytest.param(b"\x80\x02cos\nsystem\nq\0)Rq\1h\1}bh\0\x87.", id="names and calls"),
        pytest.param(b"\x80\x04\x8c\x01ah\0\x94h\0\x86.".replace(b"h\0\x94", b"\x94"), id="counted"),
    ],
)
def test_it_follows_what_torch_writes(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = said(walk(data, "it"))
    monkeypatch.setattr("segcli.formats.pickle_walk.Machine", None)
    light = walk(data, "it", keep=False)
    assert (said(light), light.root) == (whole, None)
    assert len(light.storages) == len(list(light.storages))
    assert len(light.repeats) == len(list(light.repeats))


def test_a_frame_is_as_long_as_its_edits_make_it() -> None:
    data = pickled(["x" * 40_000, storage("cpu"), "y" * 70_000, *(storage("mps", str(index)) for index in range(3))], 4)
    for keep in (True, False):
        changed = retag(data, walk(data, "it", keep=keep), lambda _: "cuda:0", "it")
        assert changed is not None
        result = b"".join(changed.pieces())
        # Each frame ends where an opcode does.
        assert {one.location.decoded() for one in walk(result, "it").storages} == {"cuda:0"}
