import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from segcli.bench import Run
from segcli.bench.ceilings.ceiling import Bandwidth, Ceilings
from segcli.bench.comparing import stored
from segcli.bench.comparing.stored import read_run
from segcli.bench.measuring.gpu import Gpu
from segcli.bench.results import Status
from segcli.emit import to_json
from segcli.errors import SegcliError
from tests.bench.comparing.made import made_reference, made_result, made_run, real_run, write_run

CEILINGS = Ceilings("cpu", 2, None, (Bandwidth(4096, 2e10, 1e10),), {"float32": 1e11}, 1e-6)
Change = Callable[[dict[str, Any]], object]


def document(change: Change) -> str:
    plain = json.loads(to_json("bench", made_run(made_result("argmax", [[1.0, 2.0], [3.0]]))))
    change(plain)
    return json.dumps(plain)


def put(*keys: str | int, to: object) -> Change:
    def change(plain: Any) -> None:  # noqa: ANN401 - a document
        for key in keys[:-1]:
            plain = plain[key]
        plain[keys[-1]] = to

    return change


def test_a_real_run_comes_back(tmp_path: Path) -> None:
    run = real_run()
    assert read_run(write_run(tmp_path / "run.json", run)) == run


def test_what_a_run_may_hold_comes_back(tmp_path: Path) -> None:
    run = made_run(
        made_result("ohem", [[1.0, 2.0], [3.0]], items=3, unit="frames", fraction=0.5),
        replace(made_result("dice", [[1.0]], samples_s=(), median_s=None, status=Status.WRONG), passes=(), bound=None),
        references=[made_reference("copy", [[1e-3], [2e-3]])],
    )
    gpu = Gpu("H100", 80 * 10**9, "9.0", "12.8", None)
    run = replace(run, ceilings=CEILINGS, environment=replace(run.environment, gpu=gpu, variables={"OMP_X": "1"}))
    assert read_run(write_run(tmp_path / "run.json", run)) == run


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.TextIOWrapper(io.BytesIO(to_json("bench", real_run()).encode()))
    monkeypatch.setattr(sys, "stdin", text)
    assert read_run(Path("-")) == real_run()


def test_standard_input_is_named_in_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    with pytest.raises(SegcliError, match="standard input has schema null"):
        read_run(Path("-"))


def test_a_later_version_may_say_more_and_an_earlier_one_less(tmp_path: Path) -> None:
    def change(plain: dict[str, Any]) -> None:
        plain["mood"] = "good"
        del plain["references"]
        del plain["results"][0]["dropped"]

    (tmp_path / "run.json").write_text(document(change))
    assert read_run(tmp_path / "run.json").results[0].dropped == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (put("schema", to="segcli.bench/2"), "has schema \"segcli.bench/2\", expected 'segcli.bench/1'"),
        (put("schema", to="segcli.ckpt.diff/1"), 'has schema "segcli.ckpt.diff/1"'),
        (lambda plain: plain.pop("schema"), "has schema null"),
        (lambda plain: plain.pop("environment"), ": environment is missing"),
        (lambda plain: plain["environment"].pop("cpu"), ": environment.cpu is missing"),
        (put("environment", to=[]), ": environment is a list of 0, expected an object"),
        (put("environment", "variables", to=[]), ": environment.variables is a list of 0, expected an object"),
        (put("environment", "variables", to={"OMP": 1}), ": environment.variables.OMP is 1, expected text"),
        (put("partial", to=0), ": partial is 0, expected true or false"),
        (put("seed", to=True), ": seed is true, expected a whole number from 0 to"),
        (put("seed", to=1.0), ": seed is 1.0, expected a whole number"),
        (put("results", to={}), ": results is an object of 0, expected a list"),
        (put("results", 0, to=None), r": results\[0\] is null, expected an object"),
        (put("results", 0, "status", to="fast"), r'status is "fast", expected timed or wrong or unsupported'),
        (put("results", 0, "bound", to="luck"), r'bound is "luck", expected memory or compute or call'),
        (put("results", 0, "size", to=[4]), r"results\[0\].size is a list of 1, expected a list of 2"),
        (put("results", 0, "samples_s", 1, to=-2.0), r"results\[0\].samples_s\[1\] is -2.0, expected a finite number"),
        (put("results", 0, "samples_s", 1, to="2"), r'samples_s\[1\] is "2", expected a finite number of 0 or more'),
        (put("results", 0, "samples_s", 1, to=None), r"samples_s\[1\] is null, expected a finite number of 0 or more"),
        (put("results", 0, "samples_s", 1, to=True), r"samples_s\[1\] is true, expected a finite number of 0 or more"),
        (put("results", 0, "median_s", to=10**400), r"median_s is 1000000.*\.\.\., expected a finite number"),
        (put("results", 0, "median_s", to=None), r"results\[0\].median_s is missing, expected it of a kernel that was"),
        (
            put("results", 0, "median_s", to=2.5),
            r"results\[0\].median_s is 2.5, expected 2, the median of its samples_s",
        ),
        (put("results", 0, "passes", to=[2, 2]), r"passes add up to 4, expected 3, one a sample"),
        (put("results", 0, "passes", to=[-1, 4]), r"passes\[0\] is -1, expected a whole number from 0 to"),
        (
            put("results", 0, "bytes", to=10**400),
            r"results\[0\].bytes is 1000.*\.\.\., expected a whole number from 0",
        ),
        (put("results", 0, "samples_s", 1, to=1e300), r"samples_s holds 1e\+300, expected at most 1e\+09 seconds"),
        (put("results", 0, "kernel", to="k" * 99), None),
    ],
    # A function's own text has an address, which differs from process to process.
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_wrong_field_is_named(tmp_path: Path, change: Change, words: str | None) -> None:
    file = tmp_path / "run.json"
    file.write_text(document(change))
    if words is None:
        assert read_run(file).results[0].kernel == "k" * 99
        return
    with pytest.raises(SegcliError, match=words) as caught:
        read_run(file)
    assert caught.value.message.startswith(str(file))
    assert caught.value.hint


def test_samples_must_be_there_of_what_was_timed(tmp_path: Path) -> None:
    def change(plain: dict[str, Any]) -> None:
        plain["results"][0].update(samples_s=[], passes=[])

    (tmp_path / "run.json").write_text(document(change))
    with pytest.raises(SegcliError, match=r"results\[0\].samples_s is missing, expected it of a kernel that was timed"):
        read_run(tmp_path / "run.json")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"schema": "segcli.bench/1", "seed": NaN}', "holds NaN, which JSON has no word for"),
        (b'{"schema": "segcli.bench/1", "seed": -Infinity}', "holds -Infinity, which"),
        (b"[" * 100_000, "is not a whole JSON document"),
        (b"1" * 5_000, "is not a whole JSON document: Exceeds the limit"),
        (b"\xff\xfe\xfd", "is not a whole JSON document"),
        (b"kernel,median_s\n", "is not a whole JSON document: Expecting value"),
        (b"[]", "holds a list of 0, expected a run of segcli bench, an object"),
        (gzip.compress(b"{}"), "is compressed with gzip, expected JSON"),
        (b'{"schema": ["segcli.bench/1"]}', "has schema a list of 1, expected"),
    ],
    ids=["NaN", "infinity", "deep", "long-number", "bytes", "csv", "list", "gzip", "schema"],
)
def test_what_is_no_run_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(SegcliError, match=words):
        read_run(tmp_path / "run.json")


def test_a_missing_file_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.json").touch()
    with pytest.raises(SegcliError, match=r"empty\.json is empty \(0 bytes\)"):
        read_run(tmp_path / "empty.json")
    with pytest.raises(SegcliError, match=r"none\.json does not exist"):
        read_run(tmp_path / "none.json")


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "MAX_BYTES", 100)
    file = write_run(tmp_path / "run.json", real_run())
    with pytest.raises(SegcliError, match="is larger than 100 B, expected a run of segcli bench"):
        read_run(file)


@given(st.integers(0, 5_000))
@example(0)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_a_truncated_run_is_never_taken_for_a_whole_one(tmp_path: Path, length: int) -> None:
    text = to_json("bench", real_run())
    file = tmp_path / "cut.json"
    file.write_text(text[: min(length, len(text) - 2)])
    with pytest.raises(SegcliError, match=r"is not a whole JSON document|is empty"):
        read_run(file)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(
        ["started", "environment", "method", "seed", "data", "results", "warnings", "partial", "ceilings", "references"]
    ),
)
@example({}, "environment")
@example([{}], "results")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_is_a_run_or_a_clear_error(tmp_path: Path, value: object, field: str) -> None:
    file = tmp_path / "any.json"
    file.write_text(document(put(field, to=value)).replace("Infinity", "1e999"))
    found = read_or_refuse(file)
    if isinstance(found, SegcliError):
        assert field in found.message
    else:
        assert json.loads(to_json("bench", found))[field] == value


def read_or_refuse(file: Path) -> Run | SegcliError:
    try:
        return read_run(file)
    except SegcliError as error:
        return error


def test_reading_needs_neither_torch_nor_numpy(tmp_path: Path) -> None:
    file = write_run(tmp_path / "run.json", real_run())
    code = (
        "import sys\n"
        "for name in ('torch', 'numpy'): sys.modules[name] = None\n"
        "from pathlib import Path\n"
        "from segcli.bench.comparing.stored import read_run\n"
        "print(len(read_run(Path(sys.argv[1])).results))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{len(real_run().results)}\n", "")
