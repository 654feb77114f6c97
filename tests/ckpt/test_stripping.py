"""What is left of a checkpoint, as torch loads it before and after."""

import argparse
import collections
import stat
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from syrupy.assertion import SnapshotAssertion
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

from segcli.ckpt.stripping import weights
from segcli.ckpt.stripping.renaming import strip_prefixes
from segcli.ckpt.stripping.strip import Strip, Wish, strip
from segcli.errors import SegcliError
from segcli.formats.byte_source import open_source
from segcli.formats.safetensors_header import read_safetensors_header
from tests.ckpt.oracles import bits, loads
from tests.conftest import Run
from tests.formats.crafting import Calls, Saved, check_layout, checkpoint, pickled, rebuild, save, storage
from tests.formats.old_files import Reference, members, save_legacy, storage_entry, tar, tensor_entry


def net() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 2, 1))


def training(model: torch.nn.Module) -> dict[str, Any]:
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.zeros(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    return {"state_dict": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "lr": {"now": 0.1}}


def stripped(source: Path, **wish: Any) -> tuple[Strip, Saved]:  # noqa: ANN401 - as Wish has them
    destination = source.with_name("stripped.pth")
    done = strip(source, destination, Wish(**wish), force=True)
    assert done.bytes_after == destination.stat().st_size
    dry = strip(source, destination, Wish(**wish), dry_run=True)
    assert dry.bytes_after == done.bytes_after
    return done, torch.load(destination, weights_only=False)


def check_same(one: Saved, two: Saved) -> None:
    """Compare two objects to the last bit, and the order of their keys."""
    if isinstance(one, torch.Tensor):
        assert (one.shape, one.stride(), one.dtype, one.requires_grad) == (
            two.shape,
            two.stride(),
            two.dtype,
            two.requires_grad,
        )
        assert bits(one) == bits(two)
    elif isinstance(one, dict):
        assert list(one) == list(two)
        for key, value in one.items():
            check_same(value, two[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(two)
        for first, second in zip(one, two, strict=True):
            check_same(first, second)
    else:
        assert one == two
    assert type(one) is type(two)


def test_weights_alone_load_strictly_into_the_bare_network(tmp_path: Path) -> None:
    wrapped = torch.nn.DataParallel(net())
    source = save(training(wrapped), tmp_path / "it.pth")
    done, found = stripped(source, weights_only=True, prefixes=["module."])
    bare = net()
    bare.load_state_dict(found, strict=True)
    check_same(dict(bare.state_dict()), dict(found))
    assert (done.weights, done.tensors, len(done.renamed), done.changed) == ("state_dict", 9, 9, True)
    assert [(one.key, one.tensors) for one in done.dropped] == [("optimizer", 18), ("epoch", 0), ("lr", 0)]
    assert done.renamed[0].before == "state_dict.module.0.weight"
    assert done.renamed[0].after == "0.weight"
    for one in loads(tmp_path / "stripped.pth"):
        check_same(dict(one), dict(found))
    check_layout(tmp_path / "stripped.pth")


def test_prefixes_go_as_torch_takes_them_off(tmp_path: Path) -> None:
    state = torch.nn.DataParallel(net()).state_dict()
    source = save(state, tmp_path / "it.pth")
    _, found = stripped(source, prefixes=["module"])
    expected = torch.load(source)
    consume_prefix_in_state_dict_if_present(expected, "module.")
    check_same(dict(found), {key: expected[key] for key in found})
    assert list(found) == [key.removeprefix("module.") for key in state]
    assert dict(found._metadata) == dict(expected._metadata)
    assert type(found) is collections.OrderedDict


def compiled(module: torch.nn.Module) -> Any:  # noqa: ANN401 - as torch says
    # The backend that needs nothing imported: nothing is run.
    return torch.compile(module, backend="eager")


def compiled_inside() -> torch.nn.Module:
    model = net()
    model[0] = compiled(model[0])
    return model


@pytest.mark.parametrize(
    "wrap",
    [
        lambda: compiled(net()),
        lambda: torch.nn.DataParallel(compiled(net())),
        lambda: compiled(torch.nn.DataParallel(net())),
        compiled_inside,
        lambda: torch.nn.DataParallel(compiled_inside()),
    ],
    ids=["compiled", "parallel compiled", "compiled parallel", "inside", "parallel inside"],
)
def test_wrappers_in_wrappers(tmp_path: Path, wrap: Any) -> None:  # noqa: ANN401 - makes a module
    source = save({"net": wrap().state_dict(), "ema": wrap().state_dict()}, tmp_path / "it.pth")
    _, found = stripped(source, prefixes=["module.", "_orig_mod."])
    bare = net()
    state: Any
    expected: Any = bare.state_dict()
    for state in found.values():
        bare.load_state_dict(state, strict=True)
        assert dict(state._metadata) == dict(expected._metadata)


@pytest.mark.parametrize(
    ("key", "prefixes", "expected"),
    [
        ("module.module.w", ["module."], "module.w"),
        ("module.module.w", ["module.", "module."], "w"),
        ("encoder.module.w", ["module."], "encoder.module.w"),
        ("_orig_mod.a._orig_mod.w", ["_orig_mod."], "a.w"),
        ("my_orig_mod.w", ["_orig_mod."], "my_orig_mod.w"),
        (
            "_fsdp_wrapped_module._checkpoint_wrapped_module.w",
            ["_fsdp_wrapped_module."],
            "_checkpoint_wrapped_module.w",
        ),
        ("model.w", ["module."], "model.w"),
    ],
)
def test_what_a_prefix_is(key: str, prefixes: list[str], expected: str) -> None:
    assert strip_prefixes(key, prefixes) == expected


def test_keys_that_would_become_one_are_refused(tmp_path: Path) -> None:
    one = torch.zeros(1)
    source = save({"net": {"module.w": one, "w": one}}, tmp_path / "it.pth")
    with pytest.raises(SegcliError, match=r"net\.module\.w and net\.w in .*it\.pth would both become net\.w") as error:
        stripped(source, prefixes=["module."])
    assert "--drop" in error.value.hint
    with pytest.raises(SegcliError, match=r"net\.module\.w and net\.w .* would both become net\.x"):
        stripped(source, renames=["module.w=x", "w=x"])
    assert not (tmp_path / "stripped.pth").exists()


def test_dicts_that_hold_no_tensors_under_names_keep_their_keys(tmp_path: Path) -> None:
    content = {
        "config": {"module.lr": 1},
        "state": {"module.a": {"exp_avg": torch.zeros(1)}},
        5: [{"module.w": torch.ones(1)}],
    }
    done, found = stripped(save(content, tmp_path / "it.pth"), prefixes=["module."])
    assert found["config"] == {"module.lr": 1}
    assert list(found["state"]) == ["module.a"]
    assert list(found[5][0]) == ["w"]
    assert [(one.before, one.after) for one in done.renamed] == [("5.0.module.w", "5.0.w")]


def test_keys_get_other_names(tmp_path: Path) -> None:
    state = net().state_dict()
    content = {"model": state, "config": {"model": "x"}, "epoch": 1}
    source = save(content, tmp_path / "it.pth")
    done, found = stripped(source, renames=["model=state_dict", "epoch=step"])
    assert list(found) == ["state_dict", "config", "step"]
    # What lies below a renamed key stays; the metadata of a renamed dict too.
    check_same(found["state_dict"], state)
    assert found["config"] == {"model": "x"}
    assert len(done.renamed) == 2


def test_unused_names_are_told(tmp_path: Path) -> None:
    source = save({"model": net().state_dict()}, tmp_path / "it.pth")
    with pytest.raises(SegcliError, match=r"no key in .* is 'backbone' or starts with it and a dot"):
        stripped(source, renames=["backbone=encoder"])


def test_modules_get_other_names_in_metadata_too(tmp_path: Path) -> None:
    source = save(net().state_dict(), tmp_path / "it.pth")
    _, found = stripped(source, renames=["0=2", "2=0", "*.running_mean=*.mean"])
    assert list(found)[:3] == ["2.weight", "2.bias", "1.weight"]
    assert "1.mean" in found
    assert list(found._metadata) == ["", "2", "1", "0"]
    assert found._metadata["1"] == {"version": 2}


@pytest.mark.parametrize("rule", ["a", "=b", "a=", "*.a=b", "a=*"])
def test_rules_that_are_none(tmp_path: Path, rule: str) -> None:
    with pytest.raises(SegcliError, match=r"--rename .* (is not OLD=NEW|in the old and \d in the new name)"):
        stripped(save({"w": torch.zeros(1)}, tmp_path / "it.pth"), renames=[rule])


def test_odd_metadata_is_left_alone(tmp_path: Path) -> None:
    state: Any = collections.OrderedDict({"module.w": torch.zeros(1), 7: torch.zeros(1)})
    state._metadata = {5: {"version": 1}, "module": {"version": 3}}
    _, found = stripped(save(state, tmp_path / "it.pth"), prefixes=["module."])
    assert list(found) == ["w", 7]
    assert found._metadata == {"": {"version": 3}, 5: {"version": 1}}


def test_optimizers_go(tmp_path: Path) -> None:
    content = training(net())
    source = save(content, tmp_path / "it.pth")
    done, found = stripped(source, drop=["optimizer", "*.num_batches_tracked"])
    del content["optimizer"], content["state_dict"]["1.num_batches_tracked"]
    check_same(found["state_dict"], content["state_dict"])
    assert list(found) == ["state_dict", "epoch", "lr"]
    assert found["state_dict"]._metadata == content["state_dict"]._metadata
    assert [one.key for one in done.dropped] == ["state_dict.1.num_batches_tracked", "optimizer"]
    assert done.dropped_bytes == sum(one.bytes for one in done.dropped)
    assert done.bytes_before > done.bytes_after
    _, found = stripped(source, drop=["state_dict._metadata", "lr.now"])
    assert not hasattr(found["state_dict"], "_metadata")
    assert found["lr"] == {}


def test_what_is_kept(tmp_path: Path) -> None:
    content = training(net())
    source = save(content, tmp_path / "it.pth")
    done, found = stripped(source, keep=["state_dict.0", "epoch"])
    assert list(found) == ["state_dict", "epoch"]
    assert list(found["state_dict"]) == ["0.weight", "0.bias"]
    assert found["state_dict"]._metadata == content["state_dict"]._metadata
    assert [one.key for one in done.dropped][-2:] == ["optimizer", "lr"]
    optimizer = content["optimizer"]
    expected = {"state": {0: {"step": optimizer["state"][0]["step"]}}, "param_groups": optimizer["param_groups"]}
    _, found = stripped(source, keep=["*.param_groups", "*.state.0.step"])
    check_same(found, {"optimizer": expected})
    _, found = stripped(source, keep=["state_dict"], drop=["*.bias"])
    assert all(not key.endswith("bias") for key in found["state_dict"])


def test_a_list_is_kept_whole(tmp_path: Path) -> None:
    one = torch.zeros(1)
    source = save({"a": [{"w": one}, 5], "b": one, "c": {"d": [one, one]}}, tmp_path / "it.pth")
    _, found = stripped(source, keep=["a.0.w"])
    check_same(found, {"a": [{"w": one}, 5]})
    with pytest.raises(SegcliError, match=r"c\.d\.0 in .* lies in a list or an object"):
        stripped(source, drop=["c.d.0"])
    whole = save([one, {"w": one}], tmp_path / "list.pth")
    done, found = stripped(whole, keep=["0"])
    assert (done.changed, len(found)) == (False, 2)


def test_globs_that_mean_nothing_are_told(tmp_path: Path) -> None:
    source = save(training(net()), tmp_path / "it.pth")
    for option in ("keep", "drop"):
        with pytest.raises(SegcliError, match=f"--{option} 'optimizr' means nothing in .*it.pth") as error:
            stripped(source, **{option: ["optimizr"]})
        assert "did you mean optimizer" in error.value.hint
    with pytest.raises(SegcliError, match="means nothing") as error:
        stripped(source, drop=["state"])
    assert "did you mean optimizer.state" in error.value.hint
    with pytest.raises(SegcliError, match="means nothing") as error:
        stripped(source, drop=["zzzz"])
    assert "globs are of the keys that segcli ckpt inspect lists, such as state_dict.0.weight" in error.value.hint
    with pytest.raises(SegcliError, match=r"no tensor of .* would be left"):
        stripped(source, keep=["epoch"])


def test_one_object_in_two_places_stays_one(tmp_path: Path) -> None:
    state = net().state_dict()
    source = save({"model": state, "ema": state, "n": 1}, tmp_path / "it.pth")
    _, found = stripped(source, drop=["*.bias"])
    assert found["model"] is found["ema"]
    _, found = stripped(source, keep=["ema"])
    check_same(found["ema"], state)
    _, found = stripped(source, weights_only=True)
    check_same(found, state)
    loop: dict[str, Any] = {"w": torch.zeros(1), "x": 1}
    loop["self"] = loop
    _, found = stripped(save(loop, tmp_path / "loop.pth"), drop=["x"])
    assert found["self"] is found
    _, found = stripped(tmp_path / "loop.pth", keep=["w"])
    assert list(found) == ["w"]


@pytest.mark.parametrize(
    ("content", "chosen"),
    [
        (lambda one: one, ""),
        (lambda one: {"model": one, "epoch": 1}, "model"),
        (lambda one: {"anything": one, "epoch": 1}, "anything"),
        (lambda one: {"state_dict": one, "amp": {"scale": torch.zeros(1)}}, "state_dict"),
        (lambda one: {"state_dict": one, "step": torch.zeros(1)}, "state_dict"),
        (lambda one: {"run": {"net": one}, "list": [one]}, "run.net"),
        (lambda one: {**one, "extra._extra_state": {"w": torch.zeros(2)}}, ""),
    ],
    ids=["bare", "model", "only", "usual", "tensor beside", "deeper", "extra state"],
)
def test_the_state_dict_is_found(tmp_path: Path, content: Any, chosen: str) -> None:  # noqa: ANN401 - a function
    state = dict(net().state_dict())
    whole = content(state)
    done, found = stripped(save(whole, tmp_path / "it.pth"), weights_only=True)
    check_same(found, state if chosen else whole)
    assert (done.weights, done.changed) == (chosen, bool(chosen))


def test_a_choice_is_the_users(tmp_path: Path) -> None:
    state = dict(net().state_dict())
    source = save({"model": state, "ema": dict(state)}, tmp_path / "it.pth")
    with pytest.raises(SegcliError, match="holds 2 state dicts, and nothing says which to take: model, ema") as error:
        stripped(source, weights_only=True)
    assert error.value.hint == "choose: --keep model --weights-only"
    done, found = stripped(source, keep=["ema"], weights_only=True)
    check_same(found, state)
    assert done.weights == "ema"
    with pytest.raises(SegcliError, match="holds no state dict"):
        stripped(save([torch.zeros(1)], tmp_path / "list.pth"), weights_only=True)


class Tied(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(3, 3))
        self.first = torch.nn.Linear(3, 3)
        self.again = self.first
        self.last = torch.nn.Linear(3, 3, bias=False)
        self.last.weight = self.first.weight
        self.register_buffer("kept", torch.ones(2))
        self.register_buffer("passing", torch.ones(2), persistent=False)
        self.register_buffer("nothing", None)
        self.loose = torch.zeros(5)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_module_becomes_its_state_dict(tmp_path: Path, protocol: int, monkeypatch: pytest.MonkeyPatch) -> None:
    module = torch.nn.Sequential(Tied(), net())
    expected = module.state_dict()
    # What parametrizations make at run time is no class that pickle finds.
    del module[0].body
    expected = module.state_dict()
    source = save({"model": module, "epoch": 1}, tmp_path / "it.pth", pickle_protocol=protocol)
    _, found = stripped(source, weights_only=True)
    check_same(dict(found), dict(expected))
    assert found["0.first.weight"].data_ptr() == found["0.last.weight"].data_ptr()
    module.load_state_dict(found, strict=True)
    with pytest.raises(SegcliError, match="lies in a list or an object"):
        stripped(source, drop=["*.num_batches_tracked"])
    monkeypatch.setattr(weights, "MAX_ENTRIES", 3)
    with pytest.raises(SegcliError, match="has more than 3 parameters and buffers, or modules"):
        stripped(source, weights_only=True)


NAMES = st.lists(st.sampled_from(["module", "_orig_mod", "a", "bn", "0", "weight"]), min_size=1, max_size=4)
DICTS = st.dictionaries(NAMES.map(".".join), st.integers(0, 3), min_size=1, max_size=6)


@given(st.dictionaries(st.sampled_from(["model", "ema", "x"]), DICTS, min_size=1), st.sampled_from([2, 4]))
@example({"model": {"module._orig_mod.a": 0, "a._orig_mod.0": 1}}, 2)
def test_any_names(tmp_path_factory: pytest.TempPathFactory, drawn: dict[str, dict[str, int]], protocol: int) -> None:
    base = torch.arange(40.0)
    # Views of one storage: what is a tie before is one after.
    tree = {
        name: {key: base[one * 8 : one * 8 + 6].view(2, 3).t() for key, one in group.items()}
        for name, group in drawn.items()
    }
    folder = tmp_path_factory.mktemp("names")
    source = save({**tree, "n": 5}, folder / "it.pth", "cuda:1", pickle_protocol=protocol)
    prefixes = ["module.", "_orig_mod."]
    expected = {}
    for name, group in tree.items():
        renamed = [strip_prefixes(key, prefixes) for key in group]
        if len(set(renamed)) < len(renamed):
            with pytest.raises(SegcliError, match="would both become"):
                strip(source, folder / "no.pth", Wish(prefixes=prefixes))
            return
        expected[name] = dict(zip(renamed, group.values(), strict=True))
    done = strip(source, folder / "new.pth", Wish(prefixes=prefixes, compact=True))
    found = torch.load(folder / "new.pth", map_location="cpu", weights_only=False)
    check_same(found, {**expected, "n": 5})
    tensors = [one for group in found.values() if isinstance(group, dict) for one in group.values()]
    assert len({one.untyped_storage().data_ptr() for one in tensors}) == 1
    used = [one for group in drawn.values() for one in group.values()]
    assert tensors[0].untyped_storage().nbytes() == 4 * (8 * (max(used) - min(used)) + 6)
    assert done.slack_bytes == 160 - tensors[0].untyped_storage().nbytes()


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64, torch.bool, torch.float8_e4m3fn, torch.uint16])
def test_views_are_cut_to_what_they_show(tmp_path: Path, dtype: torch.dtype) -> None:
    base = torch.arange(1000).to(torch.float32).to(dtype)
    content = {
        "row": base[100:110],
        "step": base[120:150:3],
        "empty": base[500:500],
        "late": base[900:900],
        "other": torch.arange(10).to(dtype)[:4],
        "whole": torch.zeros(3),
        "unseen": torch.zeros(100)[50:50],
    }
    source = save(content, tmp_path / "it.pth")
    done, found = stripped(source, compact=True)
    check_same(found, content)
    item = base.element_size()
    assert found["row"].untyped_storage().nbytes() == 48 * item
    assert found["step"].storage_offset() - found["row"].storage_offset() == 20
    assert found["row"].untyped_storage().data_ptr() == found["step"].untyped_storage().data_ptr()
    assert found["unseen"].untyped_storage().nbytes() == 0
    assert (done.cut, done.slack_bytes) == (3, 952 * item + 6 * item + 400)
    check_layout(tmp_path / "stripped.pth")
    for one in loads(tmp_path / "stripped.pth"):
        check_same(one, content)
    assert not strip(tmp_path / "stripped.pth", tmp_path / "again.pth", Wish(compact=True)).changed


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning")
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_what_is_no_plain_view_keeps_its_storage(tmp_path: Path) -> None:
    base, raw = torch.arange(100.0), torch.arange(100, dtype=torch.uint8)
    quantized = torch.quantize_per_channel(
        torch.rand(8, 4), torch.rand(8).double()[:8], torch.zeros(8).long(), 0, torch.qint8
    )
    content = {
        "storage": raw.untyped_storage(),
        "tied": raw[:10],
        "sparse": torch.eye(3).to_sparse(),
        "nested": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
        "quantized": quantized[2:4],
        "parameter": torch.nn.Parameter(torch.arange(20.0)[5:10].detach()),
        "sub": torch.arange(30.0)[3:6].as_subclass(Sub),
    }
    source = save(content, tmp_path / "it.pth")
    _, found = stripped(source, compact=True)
    assert len(found["storage"]) == 100
    assert found["tied"].untyped_storage().data_ptr() == found["storage"].data_ptr()
    assert torch.equal(found["sparse"].to_dense(), torch.eye(3))
    assert torch.equal(found["quantized"].int_repr(), quantized[2:4].int_repr())
    assert found["quantized"].untyped_storage().nbytes() == 8
    assert found["parameter"].untyped_storage().nbytes() == 20
    assert found["sub"].untyped_storage().nbytes() == 12
    assert found["sub"].tolist() == [3, 4, 5]
    packed = torch.quantize_per_channel(torch.rand(4, 8), torch.rand(4), torch.zeros(4), 0, torch.quint4x2)
    _, found = stripped(save({"w": packed, "v": base[:5]}, tmp_path / "packed.pth"), compact=True)
    assert found["v"].untyped_storage().nbytes() == 20


class Sub(torch.Tensor):
    pass


def test_legacy_files_stay_legacy(tmp_path: Path) -> None:
    base = torch.arange(100.0)
    content = {"model": {"module.w": base[10:20], "module.v": base[15:30]}, "optimizer": {"m": torch.zeros(5)}}
    source = save_legacy(content, tmp_path / "it.pth")
    done, found = stripped(source, prefixes=["module."], drop=["optimizer"], compact=True)
    check_same(found, {"model": {"w": base[10:20], "v": base[15:30]}})
    assert found["model"]["w"].untyped_storage().data_ptr() == found["model"]["v"].untyped_storage().data_ptr()
    assert (done.format, done.slack_bytes, done.dropped_bytes) == ("legacy", 320, 20)
    assert (tmp_path / "stripped.pth").read_bytes()[:2] == b"\x80\x02"
    check_same(torch.load(tmp_path / "stripped.pth"), found)
    source.write_bytes(source.read_bytes() * 2)
    with pytest.raises(SegcliError, match=r"has \d+ bytes behind its checkpoint"):
        stripped(source, prefixes=["module."])


def test_tar_files_become_zips(tmp_path: Path) -> None:
    entries = [tensor_entry(7, 100, (2,), (1,), 1)], [storage_entry(100, [1, 2, 3, 4])]
    source = tar(tmp_path / "it.tar", members({"module.w": Reference(7), "n": 5}, *entries))
    done, found = stripped(source, prefixes=["module."], compact=True)
    assert (done.format, found["w"].tolist(), found["n"]) == ("zip", [2, 3], 5)
    done = strip(source, tmp_path / "same.tar", Wish(prefixes=["none."]))
    assert (done.format, done.changed) == ("tar", False)


def test_safetensors_stay_safetensors(tmp_path: Path) -> None:
    tensors = {f"module.{key}": one for key, one in net().state_dict().items()} | {"module.b": torch.ones(3).bfloat16()}
    save_file(tensors, tmp_path / "it.safetensors", metadata={"format": "pt", "by": "me"})
    destination = tmp_path / "new.safetensors"
    wish = Wish(prefixes=["module."], drop=["*.bias"], weights_only=True, compact=True, renames=["b=c"])
    done = strip(tmp_path / "it.safetensors", destination, wish)
    expected = {key.removeprefix("module."): one for key, one in tensors.items() if not key.endswith(".bias")}
    expected["c"] = expected.pop("b")
    save_file(expected, tmp_path / "torchs.safetensors")
    assert destination.read_bytes().endswith((tmp_path / "torchs.safetensors").read_bytes()[-100:])
    check_same(load_file(destination), {key: expected[key] for key in load_file(destination)})
    with open_source(destination) as source:
        assert read_safetensors_header(source).metadata == {"format": "pt", "by": "me"}
    assert (done.format, done.bytes_after) == ("safetensors", destination.stat().st_size)
    assert done.dropped_bytes == sum(one.nbytes for key, one in tensors.items() if key.endswith(".bias"))


def test_what_changes_nothing_is_a_copy(tmp_path: Path, segcli: Run) -> None:
    source = save(training(net()), tmp_path / "it.pth")
    done = segcli("ckpt", "strip", source, tmp_path / "copy.pth", "--prefix", "module.", "--compact")
    assert done.code == 0
    assert "nothing to strip: " in done.out
    assert (tmp_path / "copy.pth").read_bytes() == source.read_bytes()
    done = segcli("ckpt", "strip", source, tmp_path / "no.pth", "--prefix", "module.", "--dry-run")
    assert "nothing to strip" in done.out
    assert not (tmp_path / "no.pth").exists()


def test_unusual_values_come_through(tmp_path: Path) -> None:
    content = {"w": torch.zeros(2), "args": argparse.Namespace(lr=0.1), "d": collections.defaultdict(list, {"a": [1]})}
    _, found = stripped(save({**content, "drop": torch.zeros(9)}, tmp_path / "it.pth"), drop=["drop", "d.a"])
    check_same(found["w"], content["w"])
    assert (found["args"], found["d"]) == (content["args"], collections.defaultdict(list))
    odd = checkpoint(tmp_path / "odd.pth", pickled({"w": [storage()], "x": Calls(list, [storage(key="0")]), "y": 1}))
    done = strip(odd, tmp_path / "new.pth", Wish(drop=["y"]))
    assert done.tensors == 2


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({}, "nothing is named that shall be stripped"),
        ({"prefixes": [""]}, "an empty text is no prefix and no glob"),
        ({"drop": [""]}, "an empty text is no prefix and no glob"),
    ],
)
def test_wishes_for_nothing(tmp_path: Path, wish: dict[str, Any], error: str) -> None:
    with pytest.raises(SegcliError, match=error):
        stripped(save({"w": torch.zeros(1)}, tmp_path / "it.pth"), **wish)


def test_destinations_that_are_none(tmp_path: Path) -> None:
    source = save({"w": torch.zeros(1), "x": 1}, tmp_path / "it.pth")
    wish = Wish(drop=["x"])
    with pytest.raises(SegcliError, match="- is no destination"):
        strip(source, Path("-"), wish)
    with pytest.raises(SegcliError, match="are the same file"):
        strip(source, source, wish, force=True)
    (tmp_path / "there.pth").write_bytes(b"kept")
    with pytest.raises(SegcliError, match="exists already"):
        strip(source, tmp_path / "there.pth", wish)
    assert (tmp_path / "there.pth").read_bytes() == b"kept"


def test_the_command(segcli: Run, source: Path, snapshot: SnapshotAssertion) -> None:
    words = ["--weights-only", "--rename", "0=conv", "--drop", "ema"]
    done = segcli("ckpt", "strip", source, "new.pth", *words)
    assert (done.code, done.err) == (0, "")
    assert done.out == snapshot
    again = segcli("ckpt", "strip", source, "other.pth", *words, "--dry-run", "--json").json
    assert again["schema"] == "segcli.ckpt.strip/1"
    assert again["bytes_after"] == Path("new.pth").stat().st_size
    assert again["renamed"][0] == {"before": "state_dict.0.weight", "after": "conv.weight"}
    assert not Path("other.pth").exists()
    bare = segcli("ckpt", "strip", source, "new.pth")
    assert bare.code == 2
    assert "hint: name it: --weights-only, --prefix, --rename, --keep, --drop, --compact" in bare.err


def test_long_lists_are_cut(segcli: Run, tmp_path: Path) -> None:
    content = {f"module.{index}": torch.zeros(8)[:1] for index in range(30)} | {f"x{index}": 1 for index in range(30)}
    source = save(content, tmp_path / "it.pth")
    out = segcli("ckpt", "strip", source, tmp_path / "o.pth", "--prefix", "module", "--drop", "x*", "--compact").out
    assert out.count("and 10 more, which --json lists") == 2
    assert "840 B that no tensor used of 30 storages" in out
    assert "keys with another name: 30" in out
    one = segcli("ckpt", "strip", source, tmp_path / "p.pth", "--rename", "module.0=" + "long" * 300, "--dry-run").out
    assert "more than" in one


def test_prefixes_complete() -> None:
    from segcli.ckpt.stripping.command import _complete_prefix

    assert _complete_prefix("mo") == ["module.", "model."]


def test_modules_of_old_versions_and_odd_ones(tmp_path: Path) -> None:
    module = net()
    del module[0].__dict__["_non_persistent_buffers_set"]
    module[0]._parameters["bias"] = torch.ones(4)  # type: ignore[assignment]
    _, found = stripped(save(module, tmp_path / "it.pth"), weights_only=True)
    check_same(dict(found), {**net().state_dict(), "0.bias": torch.ones(4)})


def test_a_module_that_holds_itself_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = net()
    module[0]._modules["self"] = module
    monkeypatch.setattr(weights, "MAX_ENTRIES", 1000)
    with pytest.raises(SegcliError, match="has more than 1,000 parameters and buffers, or modules"):
        stripped(save(module, tmp_path / "it.pth"), weights_only=True)


def test_one_dict_under_many_keys_is_looked_into_once(tmp_path: Path) -> None:
    level: dict[str, Any] = {"x": 1}
    for _ in range(4):
        level = {str(index): level for index in range(300)}
    source = save({"a": level, "w": torch.zeros(1), "x": 0}, tmp_path / "it.pth")
    for wish in ({"weights_only": True}, {"drop": ["x"]}, {"keep": ["w"]}, {"renames": ["w=v"]}):
        assert stripped(source, **wish)[0].tensors == 1


def test_dicts_nested_deeper_than_any_checkpoints(tmp_path: Path) -> None:
    data = b"\x80\x02" + b"}U\x01a" * 1200 + b"K\x01" + b"s" * 1200
    data = b"\x80\x02}(U\x01w" + pickled(storage())[2:-1] + b"U\x01d" + data[2:] + b"u."
    source = checkpoint(tmp_path / "it.pth", data)
    with pytest.raises(SegcliError, match="dicts are nested more than 1,000 levels deep"):
        strip(source, tmp_path / "new.pth", Wish(drop=["w"]))


def test_a_tensor_that_cannot_be_read_keeps_its_storage(tmp_path: Path) -> None:
    odd = rebuild("_rebuild_tensor", storage(), 0, (2, -2), (2, 1))
    source = checkpoint(
        tmp_path / "it.pth", pickled({"odd": odd, "w": rebuild("_rebuild_tensor", storage(), 0, (1,), (1,))})
    )
    assert not strip(source, tmp_path / "new.pth", Wish(compact=True)).changed


def test_what_is_said_of_little(segcli: Run, tmp_path: Path) -> None:
    source = save({"w": torch.zeros(9), "v": torch.zeros(8)}, tmp_path / "it.pth")
    out = segcli("ckpt", "strip", source, tmp_path / "new.pth", "--weights-only", "--drop", "v").out
    assert "32 B of what was dropped" in out
    assert "the file is its state dict alone" in out


def test_prefixes_that_no_key_has_are_told(segcli: Run, tmp_path: Path) -> None:
    source = save({"module.a": torch.ones(1), "b._orig_mod.c": torch.ones(1)}, tmp_path / "it.pth")
    done, _ = stripped(source, prefixes=["module", "modul", "_orig_mod.", "_x."])
    assert done.prefixes_unused == ("modul.", "_x.")
    for more in ([], ["--dry-run"]):
        told = segcli("ckpt", "strip", source, tmp_path / "out.pth", "--prefix", "zzz.", "--force", *more).out
        assert "nothing to strip" in told
        assert "no key of a state dict starts with zzz." in told


def test_a_private_file_stays_private(tmp_path: Path) -> None:
    source = save({"w": torch.ones(1), "x": torch.ones(1)}, tmp_path / "it.pth")
    source.chmod(0o600)
    strip(source, tmp_path / "out.pth", Wish(drop=["x"]))
    assert stat.S_IMODE((tmp_path / "out.pth").stat().st_mode) == 0o600
