import csv
import io
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from syrupy.assertion import SnapshotAssertion

from tests.conftest import Run
from tests.formats.crafting import PLAIN, checkpoint, large, pickled, rebuild, save, tags


def test_inspect_lists_what_is_inside(segcli: Run, source: Path, snapshot: SnapshotAssertion) -> None:
    done = segcli("ckpt", "inspect", source)
    assert (done.code, done.err) == (0, "")
    assert done.out == snapshot


def test_convert_says_what_it_did(segcli: Run, source: Path, snapshot: SnapshotAssertion) -> None:
    done = segcli("ckpt", "convert", source, "cpu.pth", "--to", "cpu")
    assert (done.code, done.err) == (0, "")
    assert done.out == snapshot
    assert tags(Path("cpu.pth")) == {"cpu"}
    again = segcli("ckpt", "convert", "cpu.pth", "copy.pth", "--to", "cpu")
    assert "nothing to change: copy.pth is a copy, byte for byte" in again.out


def test_inspects_json_is_the_documented_one(segcli: Run, source: Path) -> None:
    document = segcli("ckpt", "inspect", source, "--json").json
    assert document["schema"] == "segcli.ckpt/1"
    assert document["format"] == "torch zip"
    assert document["tensors"][0] == {
        "key": "state_dict.0.weight",
        "shape": [8, 3, 3, 3],
        "dtype": "float32",
        "device": "cuda:1",
        "bytes": 864,
        "storage": "0",
        "offset": 0,
        "stride": [27, 9, 3, 1],
    }
    assert document["other"][:2] == [
        {"key": "arch", "type": "str", "value": "bisenet"},
        {"key": "device", "type": "str", "value": "cuda:1"},
    ]
    assert {"name": "torch.device", "verdict": "allowed"} in document["globals"]
    assert document["tags"] == [{"tag": "cuda:1", "storages": 7, "bytes": 864 + 5 * 32 + 8}]
    assert document["aliases"] == [{"storage": "0", "keys": ["state_dict.0.weight", "ema.0.weight"]}]
    assert document["layout"]["byteorder"] == "little"


def test_inspects_csv_is_the_table_of_tensors(segcli: Run, source: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(segcli("ckpt", "inspect", source, "--csv").out)))
    assert rows[0] == {
        "key": "state_dict.0.weight",
        "shape": "(8, 3, 3, 3)",
        "dtype": "float32",
        "device": "cuda:1",
        "size_bytes": "864",
        "storage": "0",
    }
    assert len(rows) == 8


def test_converts_json(segcli: Run, source: Path) -> None:
    document = segcli("ckpt", "convert", source, "cpu.pth", "--to", "cpu", "--json").json
    assert document["tags"] == [{"before": "cuda:1", "after": "cpu", "storages": 7, "bytes": 1032}]
    assert (document["changed"], document["device_values"]) == (7, 1)


def test_inspect_reads_safetensors(segcli: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"head.weight": torch.zeros(2, 3)}, path, metadata={"format": "pt"})
    done = segcli("ckpt", "inspect", path)
    assert done.code == 0
    assert "safetensors, 136 B, 1 tensor in 24 B of storage" in done.out
    assert "head.weight   (2, 3)" in done.out
    assert "__metadata__.format" in done.out
    done = segcli("ckpt", "convert", path, tmp_path / "b.safetensors", "--to", "cpu")
    assert done.code == 2
    assert "safetensors names no devices, so that --to and --map would change nothing" in done.err


def test_inspect_reads_standard_input_where_it_is_a_file(source: Path) -> None:
    command = [sys.executable, "-m", "segcli", "ckpt", "inspect", "-", "--json"]
    with source.open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, check=True)
    assert len(json.loads(done.stdout)["tensors"]) == 8
    piped = subprocess.run(command, input=source.read_bytes(), capture_output=True, check=False)
    assert piped.returncode == 2
    assert b"error: standard input is not a regular file, and a checkpoint is read from its end" in piped.stderr


def test_long_lists_are_cut_and_say_so(segcli: Run, tmp_path: Path) -> None:
    content = {f"{name}{index}": one for index in range(45) for one in [torch.zeros(1)] for name in "ab"}
    save({**content, **{f"value{index}": index for index in range(52)}}, tmp_path / "it.pth")
    out = segcli("ckpt", "inspect", tmp_path / "it.pth").out
    assert "other values" in out
    assert "and 5 more, which --json lists" in out
    assert "and 12 more, which --json lists" in out


@pytest.mark.parametrize(
    ("name", "note"),
    [("builtins", "all are on the list"), ("argparse", "refuses the unknown ones"), ("posix", "do not load this file")],
)
def test_inspect_warns_of_what_the_pickle_names(segcli: Run, tmp_path: Path, name: str, note: str) -> None:
    names = {"builtins": b"c__builtin__\nset\n.", "argparse": b"cargparse\nNamespace\n.", "posix": b"cposix\nsystem\n."}
    done = segcli("ckpt", "inspect", checkpoint(tmp_path / "it.pth", names[name]))
    assert done.code == 0
    assert note in done.out


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_inspect_knows_the_opcodes_that_weights_only_loading_refuses(
    segcli: Run, tmp_path: Path, protocol: int
) -> None:
    path = save({"w": torch.zeros(2), "n": 2**40, "s": "text"}, tmp_path / "it.pth", pickle_protocol=protocol)
    try:
        torch.load(path, weights_only=True)
    except pickle.UnpicklingError:
        refused = True
    else:
        refused = False
    assert ("refuses this pickle" in segcli("ckpt", "inspect", path).out) == refused == (protocol > 3)


def test_tensors_whose_device_is_no_tag_are_told(segcli: Run, tmp_path: Path) -> None:
    node = rebuild("_rebuild_device_tensor_from_cpu_tensor", rebuild(*PLAIN), torch.float32, "xla:0", *(False,))
    path = checkpoint(tmp_path / "it.pth", pickled([node]))
    out = segcli("ckpt", "convert", path, tmp_path / "cuda.pth", "--to", "cuda").out
    assert "tensors that name their device outside of storages, and stay there: 1" in out


_WITHOUT_TORCH = """
import sys
for name in ("torch", "numpy", "tensorboardX", "safetensors", "hydra"):
    sys.modules[name] = None
from segcli.cli import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "argv",
    [
        ["inspect", "SRC"],
        ["convert", "SRC", "DST", "--to", "cuda:0"],
        ["strip", "SRC", "DST", "--drop", "ema", "--compact"],
    ],
    ids=lambda one: one[0],
)
def test_torch_is_not_needed(source: Path, argv: list[str]) -> None:
    words = [str(source) if word == "SRC" else word for word in argv]
    subprocess.run([sys.executable, "-c", _WITHOUT_TORCH, "ckpt", *words], check=True, capture_output=True)


# Not getrusage: its peak counts the process that this one was forked from.
_PEAK = """
import re, sys
from pathlib import Path
from segcli.cli import run
code = run(sys.argv[1:])
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text()).group(1))
sys.exit(code)
"""


def peak_bytes(source: Path, destination: Path) -> int:
    words = ["ckpt", "convert", str(source), str(destination), "--to", "cuda:0", "-q"]
    command = [sys.executable, "-c", _PEAK, *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return 1024 * int(done.stdout.splitlines()[-1])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from Linux's /proc")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    small = peak_bytes(large(tmp_path / "small.pth", 2**20), tmp_path / "a.pth")
    much = peak_bytes(large(tmp_path / "large.pth", 2**27), tmp_path / "b.pth")
    assert much < small + 2**22
    assert much < 64 * 10**6


def test_a_file_that_is_one_meta_tensor(segcli: Run, tmp_path: Path) -> None:
    out = segcli("ckpt", "inspect", save(torch.empty(5, device="meta"), tmp_path / "it.pth")).out
    assert "(the file itself)   (5,)    float32   meta      0 B   -" in out
    assert "device tags: none" in out
    assert "other values" not in out


def test_bare_it_shows_its_help(segcli: Run) -> None:
    done = segcli("ckpt")
    assert "segcli ckpt convert gpu.pth cpu.pth --to cpu" in done.out + done.err


def test_devices_complete() -> None:
    from segcli.ckpt.conversion.command import _complete_device

    assert _complete_device("cu") == ["cuda", "cuda:0"]


def test_the_public_names_are_there() -> None:
    import segcli.ckpt

    assert all(getattr(segcli.ckpt, name) for name in segcli.ckpt.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'none'"):
        segcli.ckpt.none  # noqa: B018 - the access is the test
