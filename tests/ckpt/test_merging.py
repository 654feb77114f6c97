import collections
import json
import resource
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from syrupy.assertion import SnapshotAssertion

from segcli.ckpt import average, diff, join
from segcli.ckpt.difference.comparing import Question
from segcli.ckpt.merging.shards import shards
from segcli.ckpt.merging.weights import average_weights, ema_weights, parse_weights
from segcli.errors import SegcliError
from tests.ckpt.oracles import bits, loads
from tests.conftest import Run
from tests.formats.crafting import FOUR_FLOATS, Saved, check_layout, pickled, rebuild, save, storage, write_records


def state(seed: int, *, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    torch.manual_seed(seed)
    net: Saved = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.Conv2d(8, 4, 1)).to(
        dtype
    )
    net[0].register_parameter("tied", net[0].weight)
    weights = net.state_dict()
    weights["1.num_batches_tracked"] += seed
    weights["view"] = weights["2.weight"][1:, ::2]
    weights["phase"] = torch.randn(3, dtype=torch.complex64)
    return {"epoch": seed, "model": weights}


def saved(tmp_path: Path, contents: Sequence[Saved], tag: str = "cpu", **options: Saved) -> list[Path]:
    return [save(content, tmp_path / f"{index}.pth", tag, **options) for index, content in enumerate(contents)]


def expected(tensors: list[torch.Tensor], weights: Sequence[float], total: float) -> torch.Tensor:
    """Average with torch, in float64, in the order of the files."""
    wide = torch.complex128 if tensors[0].is_complex() else torch.float64
    summed = torch.zeros_like(tensors[0], dtype=wide)
    for tensor, weight in zip(tensors, weights, strict=True):
        summed += tensor.to(wide) * weight
    return (summed / total).to(tensors[0].dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_the_average_is_torchs(tmp_path: Path, dtype: torch.dtype) -> None:
    contents = [state(seed, dtype=dtype) for seed in range(4)]
    done = average(saved(tmp_path, contents), tmp_path / "swa.pth")
    for loaded in loads(tmp_path / "swa.pth"):
        assert loaded["epoch"] == 3
        model = loaded["model"]
        assert list(model) == list(contents[0]["model"])
        assert model._metadata == contents[3]["model"]._metadata
        for key, value in model.items():
            tensors = [content["model"][key] for content in contents]
            if key == "1.num_batches_tracked":
                assert int(value) == 3
            else:
                assert bits(value) == bits(expected(tensors, [1, 1, 1, 1], 4))
            assert (value.stride(), value.storage_offset()) == (tensors[3].stride(), tensors[3].storage_offset())
        places = [model[key].untyped_storage().data_ptr() for key in ("0.weight", "0.tied", "2.weight", "view")]
        assert places[0] == places[1]
        assert places[2] == places[3]
    check_layout(tmp_path / "swa.pth")
    assert done.tensors == len(contents[0]["model"])
    assert {count.dtype: count.tensors for count in done.kept} == {"int64": 1}
    assert done.bytes == (tmp_path / "swa.pth").stat().st_size
    assert done.weights == (0.25,) * 4


def test_what_averaged_model_averages(tmp_path: Path) -> None:
    """Parameters are torch.optim.swa_utils' to the bit of float32; buffers are averaged, as its use_buffers asks."""
    nets = []
    for seed in range(3):
        torch.manual_seed(seed)
        nets.append(torch.nn.Linear(20, 20))
    swa = torch.optim.swa_utils.AveragedModel(nets[0], use_buffers=True)
    for net in nets:
        swa.update_parameters(net)
    average(saved(tmp_path, [net.state_dict() for net in nets]), tmp_path / "swa.pth")
    for key, value in torch.load(tmp_path / "swa.pth").items():
        assert torch.allclose(value, swa.module.state_dict()[key], rtol=1e-6, atol=1e-8)


def test_weights_and_moving_averages(tmp_path: Path) -> None:
    contents = [state(seed) for seed in range(3)]
    files = saved(tmp_path, contents)
    tensors = [content["model"]["0.weight"] for content in contents]
    average(files, tmp_path / "weighted.pth", average_weights(3, [1, 0, 3]))
    value = torch.load(tmp_path / "weighted.pth")["model"]["0.weight"]
    assert bits(value) == bits(expected(tensors, [1, 0, 3], 4))
    done = average(files, tmp_path / "ema.pth", ema_weights(3, 0.9))
    moving = tensors[0].double()
    for tensor in tensors[1:]:
        moving = 0.9 * moving + (1 - 0.9) * tensor.double()
    assert torch.allclose(torch.load(tmp_path / "ema.pth")["model"]["0.weight"], moving.float(), rtol=1e-7, atol=1e-9)
    assert done.how == "ema"
    assert sum(done.weights) == pytest.approx(1)


def test_only_some_keys_are_averaged(tmp_path: Path) -> None:
    contents = [state(seed) for seed in range(2)]
    files = saved(tmp_path, contents)
    average(files, tmp_path / "it.pth", keys=["*.1.*", "*.0.*"])
    model = torch.load(tmp_path / "it.pth")["model"]
    assert torch.equal(model["2.weight"], contents[1]["model"]["2.weight"])
    assert not torch.equal(model["0.weight"], contents[1]["model"]["0.weight"])
    with pytest.raises(SegcliError, match=r"0\.tied in .* shares its memory with tensors that are averaged"):
        average(files, tmp_path / "no.pth", keys=["*.0.weight"])
    with pytest.raises(SegcliError, match=r"has no floating tensor head\.\*"):
        average(files, tmp_path / "no.pth", keys=["head.*"])
    assert not (tmp_path / "no.pth").exists()


def test_formats_and_devices_may_differ(tmp_path: Path) -> None:
    contents = [state(seed) for seed in range(3)]
    files = [
        save(contents[0], tmp_path / "0.pth", _use_new_zipfile_serialization=False),
        save(contents[1], tmp_path / "1.pth", "cuda:0", pickle_protocol=4),
        save(contents[2], tmp_path / "2.pth"),
    ]
    average(files, tmp_path / "one.pth")
    average(saved(tmp_path, contents), tmp_path / "two.pth")
    assert diff(tmp_path / "one.pth", tmp_path / "two.pth").same


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_quantized_tensors_are_the_last_files(tmp_path: Path) -> None:
    def content(value: float) -> dict[str, Any]:
        scales = torch.tensor([value, 0.2], dtype=torch.float64)
        zeros = torch.zeros(2, dtype=torch.int64)
        return {
            "q": torch.quantize_per_channel(torch.full((2, 3), value), scales, zeros, 0, torch.qint8),
            "w": torch.tensor([value]),
        }

    done = average(saved(tmp_path, [content(0.5), content(1.0)]), tmp_path / "it.pth")
    loaded = torch.load(tmp_path / "it.pth")
    assert loaded["q"].q_per_channel_scales().tolist() == [1.0, 0.2]
    assert loaded["w"].tolist() == [0.75]
    assert [(count.dtype, count.tensors) for count in done.kept] == [("qint8", 1)]


@pytest.mark.parametrize(
    ("one", "two", "told", "hint"),
    [
        (
            {"a": 1, "b": 1},
            {"a": 1},
            r"0\.pth has no tensor b, as .*1\.pth has|1\.pth has no tensor b",
            "segcli ckpt diff",
        ),
        ({"a": 1}, {"a": 1, "b": 1}, r"0\.pth has no tensor b, as .*1\.pth has", "segcli ckpt diff"),
        ({"module.a": 1}, {"a": 1}, "has no tensor", "take 'module.' from its keys first: segcli ckpt strip"),
        ({"a": 1}, {"module.a": 1}, "has no tensor", "1.pth DST --prefix module."),
    ],
)
def test_keys_must_agree(tmp_path: Path, one: Any, two: Any, told: str, hint: str) -> None:  # noqa: ANN401 - drawn
    files = saved(tmp_path, [{key: torch.ones(2) for key in content} for content in (one, two)])
    with pytest.raises(SegcliError, match=told) as raised:
        average(files, tmp_path / "it.pth")
    assert hint in raised.value.hint
    assert not (tmp_path / "it.pth").exists()


BASE = torch.ones(2, 3)


@pytest.mark.parametrize(
    ("one", "two", "told"),
    [
        ([BASE], [torch.ones(3, 2)], r"0 has shape \(2, 3\) in .*0\.pth, expected \(3, 2\) as in .*1\.pth"),
        ([BASE], [BASE.half()], r"0 has dtype float32 in .*0\.pth, expected float16"),
        ([BASE.to_sparse()], [BASE], "0 has layout sparse_coo in .*, expected strided"),
        ([BASE], [torch.ones(3, 2).T], r"0 lies otherwise in memory in .*0\.pth than in .*1\.pth"),
        ([BASE], [torch.ones(3, 3)[:2]], "0 lies otherwise in memory"),
        ([BASE, BASE], [BASE, BASE.clone()], r"1 shares its memory with other tensors in .*1\.pth than in .*0\.pth"),
        ([BASE, BASE.clone()], [BASE, BASE], r"1 shares its memory with other tensors in .*1\.pth than in .*0\.pth"),
    ],
)
def test_tensors_must_agree(tmp_path: Path, one: Saved, two: Saved, told: str) -> None:
    files = saved(tmp_path, [one, two])
    with pytest.raises(SegcliError, match=told):
        average(files, tmp_path / "it.pth")


@pytest.mark.parametrize(
    ("tensor", "told"),
    [
        (BASE.to_sparse(), "is sparse_coo, and the files may have values at different indices"),
        (BASE.to(torch.float8_e5m2), "is float8_e5m2, in which an average has hardly a digit that is right"),
        (torch.arange(3), r"has no floating tensor$"),
    ],
    ids=["sparse", "float8", "integers"],
)
def test_what_has_no_average_is_refused(tmp_path: Path, tensor: torch.Tensor, told: str) -> None:
    with pytest.raises(SegcliError, match=told):
        average(saved(tmp_path, [[tensor], [tensor]]), tmp_path / "it.pth")


def test_one_storage_of_two_dtypes_is_refused(tmp_path: Path) -> None:
    held = storage(numel=16)
    held.id = ("storage", torch.UntypedStorage, "0", "cpu", 16)
    nodes = [
        rebuild("_rebuild_tensor_v3", held, 0, (2,), (1,), *(False, {}), kind)
        for kind in (torch.float32, torch.float16)
    ]
    path = write_records(tmp_path / "it.pth", {"data.pkl": pickled(nodes), "data/0": FOUR_FLOATS})
    with pytest.raises(SegcliError, match=r"1 in .* shares its memory with tensors of another dtype"):
        average([path, save([BASE], tmp_path / "other.pth"), path], tmp_path / "no.pth")


# Where torch cannot be imported. Not getrusage: its peak counts the process that this one was forked from.
_PEAK = """
import re, sys
from pathlib import Path
sys.modules["torch"] = None
from segcli.cli import run
code = run(sys.argv[1:])
print(code, re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text()).group(1))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from Linux's /proc")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["merge", "0.pth", "1.pth", "2.pth", "--average", "--into", "it.pth"], 0),
        (["merge", "0.pth", "1.pth", "--join", "--into", "it.pth"], 0),
        (["diff", "0.pth", "1.pth"], 1),
        (["diff", "0.pth", "turned.pth"], 1),
    ],
    ids=["average", "join", "diff", "diff of turned tensors"],
)
def test_memory_stays_small_and_torch_away(tmp_path: Path, words: list[str], code: int) -> None:
    joined = "--join" in words
    for index in range(3):
        save({f"w{index}" if joined else "w": torch.full((8000, 1000), float(index))}, tmp_path / f"{index}.pth")
    save({"w": torch.ones(1000, 8000).T}, tmp_path / "turned.pth")
    command = [sys.executable, "-c", _PEAK, "ckpt", *words, "-q"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    found, peak = done.stdout.splitlines()[-1].split()
    assert int(found) == code
    assert 1024 * int(peak) < 64 * 10**6


def test_many_files_are_averaged(tmp_path: Path) -> None:
    contents = [{"w": torch.full((300_000,), float(index))} for index in range(40)]
    done = average(saved(tmp_path, contents), tmp_path / "it.pth")
    assert torch.load(tmp_path / "it.pth")["w"].unique().tolist() == [19.5]
    assert len(done.sources) == 40


def test_a_file_that_changes_meanwhile_leaves_nothing(tmp_path: Path) -> None:
    files = saved(tmp_path, [state(0), state(1)])

    def write_to_it(_count: int) -> None:
        with files[0].open("ab") as file:
            file.write(b"more")

    with pytest.raises(SegcliError, match="changed while it was read"):
        average(files, tmp_path / "it.pth", advance=write_to_it)
    assert sorted(tmp_path.iterdir()) == files


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    files = saved(tmp_path, [{"w": torch.ones(300_000)}] * 2)
    import signal

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, limits[1]))
        with pytest.raises(SegcliError, match=r"cannot write .*it\.pth: File too large"):
            average(files, tmp_path / "it.pth")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert sorted(tmp_path.iterdir()) == files


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ("0.5", "--weights has 1 numbers, expected 2"),
        ("1,x", "--weights is '1,x', expected numbers with commas between"),
        ("1,-1", "--weights are 1, -1, expected finite numbers that do not sum to 0"),
        ("1,inf", "--weights are 1, inf, expected finite numbers"),
    ],
)
def test_weights_that_make_no_average(weights: str, told: str) -> None:
    with pytest.raises(SegcliError, match=told):
        average_weights(2, parse_weights(weights))


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.5, float("nan")])
def test_a_decay_lies_between_0_and_1(decay: float) -> None:
    with pytest.raises(SegcliError, match="expected a decay between 0 and 1"):
        ema_weights(2, decay)


# -- shards


def parts(content: dict[str, Saved], count: int) -> list[dict[str, Saved]]:
    keys = list(content)
    size = -(-len(keys) // count)
    return [{key: content[key] for key in keys[at : at + size]} for at in range(0, len(keys), size)]


def test_shards_are_joined(tmp_path: Path) -> None:
    whole = state(0)["model"]
    files = [
        save(part, tmp_path / f"pytorch_model-{number:05}-of-00003.bin")
        for number, part in enumerate(parts(whole, 3), start=1)
    ]
    done = join(shards(files).files, tmp_path / "whole.pth")
    save(dict(whole), tmp_path / "expected.pth")
    # Shards were saved apart, so that ties across them are gone.
    assert diff(tmp_path / "whole.pth", tmp_path / "expected.pth", Question(ignore=("ties",))).same
    for loaded in loads(tmp_path / "whole.pth"):
        assert list(loaded) == list(whole)
        assert all(bits(loaded[key]) == bits(whole[key]) for key in whole)
    check_layout(tmp_path / "whole.pth")
    assert (done.how, done.tensors, done.weights) == ("join", len(whole), ())


def test_nested_dicts_and_metadata_are_joined(tmp_path: Path) -> None:
    one: Saved = torch.nn.Linear(2, 3).state_dict()
    two: Saved = torch.nn.BatchNorm1d(2).state_dict(prefix="bn.")
    files = saved(tmp_path, [{"model": one, "args": {"a": 1}, "lr": 0.1}, {"model": two, "args": {"b": 2}, "lr": 0.1}])
    done = join(files, tmp_path / "it.pth")
    for loaded in loads(tmp_path / "it.pth"):
        assert list(loaded["model"]) == [*one, *two]
        assert dict(loaded["model"]._metadata) == {**one._metadata, **two._metadata}
        assert (loaded["args"], loaded["lr"]) == ({"a": 1, "b": 2}, 0.1)
    assert done.repeated == ("lr",)
    join(saved(tmp_path, [{}, two]), tmp_path / "more.pth")
    assert list(torch.load(tmp_path / "more.pth")) == list(two)


def test_an_ordered_dict_takes_over_what_was_saved_along(tmp_path: Path) -> None:
    plain = collections.OrderedDict(a=torch.ones(1))
    weights: Saved = torch.nn.Linear(2, 3).state_dict()
    join(saved(tmp_path, [plain, weights]), tmp_path / "it.pth")
    loaded = torch.load(tmp_path / "it.pth")
    assert list(loaded) == ["a", "weight", "bias"]
    assert loaded._metadata == weights._metadata


def test_a_key_in_two_shards_must_be_the_same(tmp_path: Path) -> None:
    tensor = torch.randn(5)
    done = join(
        saved(tmp_path, [{"a": tensor, "n": 1}, {"a": tensor, "b": tensor}, {"b": tensor}]), tmp_path / "it.pth"
    )
    assert done.repeated == ("a", "b")
    assert list(torch.load(tmp_path / "it.pth")) == ["a", "n", "b"]
    for one, two, told in (
        (tensor, tensor + 1, "a in .* is not what it is in a file before: 5 of 5 elements differ"),
        (tensor, tensor.half(), "another shape, dtype or layout"),
        (tensor, tensor[:2], "another shape, dtype or layout"),
        (1, 2, "before: 1 and 2"),
        ([1], [1, 2], "before"),
        (tensor, 2, "before: float32"),
        ({"x": 1}, 2, "before"),
    ):
        with pytest.raises(SegcliError, match=told):
            join(saved(tmp_path, [{"a": one}, {"a": two}]), tmp_path / "no.pth")


def test_what_cannot_be_joined(tmp_path: Path) -> None:
    with pytest.raises(SegcliError, match=r"1\.pth holds a list, expected a dict"):
        join(saved(tmp_path, [{"a": 1}, [1]]), tmp_path / "no.pth")
    with pytest.raises(SegcliError, match=r"0\.pth holds a list, expected a dict"):
        join(saved(tmp_path, [[1], {"a": 1}]), tmp_path / "no.pth")
    with pytest.raises(SegcliError, match=r"1\.pth has \(1, 2\) as a key, expected a text or a number"):
        join(saved(tmp_path, [{"a": 1}, {(1, 2): 1}]), tmp_path / "no.pth")
    records = {"data.pkl": pickled({"w": rebuild("_rebuild_tensor", storage(), 0, (4,), (1,))}), "data/0": FOUR_FLOATS}
    big = write_records(tmp_path / "big.pth", {**records, "byteorder": b"big"})
    with pytest.raises(SegcliError, match=r"big\.pth is big-endian, expected little-endian"):
        join([save({}, tmp_path / "0.pth"), big], tmp_path / "no.pth")


def test_dicts_that_hold_themselves_are_joined(tmp_path: Path) -> None:
    contents: list[dict[str, Any]] = [{"a": 1}, {"b": 2}]
    for content in contents:
        content["self"] = content
    join(saved(tmp_path, contents), tmp_path / "it.pth")
    loaded = torch.load(tmp_path / "it.pth", weights_only=False)
    assert loaded["self"] is loaded
    assert (loaded["a"], loaded["b"]) == (1, 2)


def test_states_that_are_no_dicts_stay_the_firsts(tmp_path: Path) -> None:
    class Odd(collections.OrderedDict[str, object]):
        state: Saved = None

        def __reduce__(self) -> Saved:
            return collections.OrderedDict, (), self.state

    contents = []
    for state_ in ((None, {"x": 1}), {"x": 2}):
        odd = Odd()
        odd.state = state_
        contents.append(odd)
    done = join(saved(tmp_path, contents), tmp_path / "it.pth")
    assert done.tensors == 0
    assert diff(tmp_path / "it.pth", tmp_path / "0.pth").same


def test_a_record_that_is_longer_than_its_storage(tmp_path: Path) -> None:
    node = rebuild("_rebuild_tensor", storage(numel=3), 0, (3,), (1,))
    path = write_records(tmp_path / "long.pth", {"data.pkl": pickled({"w": node}), "data/0": FOUR_FLOATS})
    join([path, save({"n": 1}, tmp_path / "0.pth")], tmp_path / "it.pth")
    assert torch.load(tmp_path / "it.pth")["w"].tolist() == [1, 2, 3]


def index(tmp_path: Path, places: object) -> Path:
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return path


def test_an_index_names_the_shards(tmp_path: Path) -> None:
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    for key, name in zip("ab", names, strict=True):
        save_file({key: torch.ones(2)}, tmp_path / name)
    path = index(tmp_path, {"b": names[1], "a": names[0], "c": names[0]})
    assert shards([path]).files == tuple(tmp_path / name for name in names)
    assert shards([path, tmp_path / names[0]]).files == tuple(tmp_path / name for name in names)
    with pytest.raises(SegcliError, match=r"1 of 2 shards is given, .*model-00001-of-00002\.safetensors is missing"):
        shards([tmp_path / names[1]])


def test_an_index_decides_what_is_joined(tmp_path: Path) -> None:
    # Numbered from 0, as some tools do; and of a set of which the index names two.
    names = [f"part-0000{number}-of-00003.bin" for number in range(3)]
    for key, name in zip("abc", names, strict=True):
        save({key: torch.full((2,), float(ord(key)))}, tmp_path / name)
    path = index(tmp_path, {"b": names[1], "a": names[0]})
    found = shards([path])
    assert found.files == (tmp_path / names[0], tmp_path / names[1])
    join(found.files, tmp_path / "two.pth", promised=found.promised)
    assert sorted(torch.load(tmp_path / "two.pth")) == ["a", "b"]
    assert len(shards([tmp_path / name for name in names]).files) == 3
    with pytest.raises(SegcliError, match=r"1 of 3 shards is given, .*00001-of-00003\.bin, .*00002.* are missing"):
        shards([tmp_path / names[0]])
    found = shards([index(tmp_path, {"zz": names[1], "a": names[0]}), tmp_path / names[1]])
    with pytest.raises(SegcliError, match=r"part-00001-of-00003\.bin has no zz, which the index says is in it"):
        join(found.files, tmp_path / "it.pth", promised=found.promised)
    assert not (tmp_path / "it.pth").exists()


def test_what_is_made_of_a_private_file_is_private(tmp_path: Path) -> None:
    files = saved(tmp_path, [{"a": torch.ones(2)}, {"b": torch.ones(2)}])
    files[1].chmod(0o640)
    join(files, tmp_path / "it.pth")
    average(files[:1] * 2, tmp_path / "mean.pth", average_weights(2, []))
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("it.pth", "mean.pth")] == [0o640, 0o644]


@pytest.mark.parametrize("name", ["../model.bin", "/etc/passwd", "a/b.bin", "", ".", "..", 3])
def test_an_index_stays_in_its_folder(tmp_path: Path, name: object) -> None:
    with pytest.raises(SegcliError, match="expected a file in its own folder"):
        shards([index(tmp_path, {"a": name})])


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": []}}', "[" * 100_000, '"\\ud800', "\xff"]
)
def test_what_is_no_index(tmp_path: Path, text: str) -> None:
    path = tmp_path / "model.index.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SegcliError, match=r"is no index of shards|is empty"):
        shards([path])


def test_an_index_of_endless_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.index.json"
    with path.open("wb") as file:
        file.truncate(200 * 2**20)
    with pytest.raises(SegcliError, match="expected at most 104,857,600 in an index"):
        shards([path])


# -- the command


def test_the_command_says_what_it_did(
    segcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in saved(Path(), [state(0), state(1)]):
        assert path.exists()
    done = segcli("ckpt", "merge", "0.pth", "1.pth", "--average", "--into", "swa.pth")
    assert (done.code, done.err) == (0, "")
    assert done.out == snapshot
    document = segcli("ckpt", "merge", "0.pth", "1.pth", "--ema", 0.9, "--into", "ema.pth", "--json").json
    assert (document["schema"], document["how"]) == ("segcli.ckpt.merge/1", "ema")
    assert document["weights"] == pytest.approx([0.9, 0.1])
    weighted = segcli("ckpt", "merge", "0.pth", "1.pth", "--average", "--weights", "1,3", "--into", "w.pth", "--csv")
    assert weighted.out == "file,weight\n0.pth,0.25\n1.pth,0.75\n"
    joined = segcli("ckpt", "merge", "swa.pth", "swa.pth", "--join", "--into", "joined.pth")
    assert (joined.code, joined.err) == (2, "error: 1 file is given, expected two or more to merge\n")
    saved(Path(), [{"a": torch.ones(1)}, {"a": torch.ones(1), "b": 1}])
    joined = segcli("ckpt", "merge", "0.pth", "1.pth", "--join", "--into", "joined.pth")
    assert "the same in several files, and written once: a" in joined.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "expected one of --average, --ema and --join"),
        (["--average", "--join"], "expected one of --average, --ema and --join"),
        (["--join", "--weights", "1,2"], "--weights is given without --average"),
        (["--join", "--keys", "a"], "--keys is given with --join"),
        (["--average", "--into", "it.safetensors"], "it.safetensors is named like a safetensors file"),
        (["--average", "--into", "0.pth"], "0.pth is one of the files that are merged"),
        (["--average", "--into", "0.pth", "--force"], "0.pth is one of the files that are merged"),
        (["--average", "--into", "other"], "other exists already"),
    ],
)
def test_what_the_command_refuses(
    segcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    saved(Path(), [[BASE], [BASE]])
    Path("other").write_text("kept")
    into = [] if "--into" in words else ["--into", "it.pth"]
    done = segcli("ckpt", "merge", "0.pth", "1.pth", *words, *into)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert Path("other").read_text() == "kept"
    assert not Path("it.pth").exists()


def test_one_file_is_not_merged(segcli: Run, tmp_path: Path) -> None:
    (path,) = saved(tmp_path, [[BASE]])
    done = segcli("ckpt", "merge", path, "--average", "--into", tmp_path / "it.pth")
    assert done.code == 2
    assert "1 file is given, expected two or more to merge" in done.err
