import csv
import io
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from segcli.params import VARIANTS
from segcli.params.operation import APART
from tests.conftest import Run


def test_bare_it_compares_the_notes_layer(segcli: Run, snapshot: SnapshotAssertion) -> None:
    done = segcli("params")
    assert (done.code, done.err) == (0, "")
    assert done.out == snapshot


def test_norms_and_biases_are_shown_apart(segcli: Run, snapshot: SnapshotAssertion) -> None:
    argv = ("params", "conv", 64, 64, "--stride", 2, "--norm", "batch", "--bias", "--variants", "standard,convnext")
    assert segcli(*argv).out == snapshot


def test_a_formula_term_by_term(segcli: Run, snapshot: SnapshotAssertion) -> None:
    argv = ("params", "conv", 16, 64, "--norm", "batch", "--variants", "resnet-bottleneck", "--formula")
    assert segcli(*argv).out == snapshot


def test_one_narrow_dimension_in_half_precision(segcli: Run, snapshot: SnapshotAssertion) -> None:
    argv = ("params", "conv", 3, 6, "--dims", 1, "-k", 5, "--size", 100, "--padding", "same", "--dtype", "float16")
    assert segcli(*argv).out == snapshot


@pytest.mark.parametrize("argv", [[], ["--norm", "batch", "--bias"], ["--formula"]], ids=["tables", "apart", "formula"])
def test_every_line_fits_eighty_columns(segcli: Run, monkeypatch: pytest.MonkeyPatch, argv: list[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = segcli("params", *argv).out.splitlines()
    widest = max(lines, key=len)
    assert len(widest) <= 80, widest


def test_json_is_the_result_in_base_units(segcli: Run) -> None:
    document = segcli("params", "--json").json
    assert document["schema"] == "segcli.params/1"
    rows = {row["variant"]: row for row in document["layers"]}
    assert set(rows) == set(VARIANTS)
    assert rows["standard"]["params"] == 9_216
    assert rows["grouped"]["params"] == 1_152
    assert rows["depthwise-separable"]["params"] == 1_168
    assert rows["standard"]["flops"] == 2 * rows["standard"]["macs"]
    assert rows["standard"] | {"stages": []} == {
        "variant": "standard",
        "params": 9_216,
        "params_by_kind": {"weights": 9_216, "biases": 0, "norms": 0, "scales": 0},
        "buffers": 0,
        "macs": 331_776,
        "flops": 663_552,
        "output_shape": [64, 6, 6],
        "receptive_field": [3, 3],
        "weight_bytes": 36_864,
        "activation_bytes": 9_216,
        "traffic_bytes": 4 * (16 * 64 + 9_216 + 64 * 36),
        "arithmetic_intensity": 663_552 / (4 * (16 * 64 + 9_216 + 64 * 36)),
        "apart": dict.fromkeys(APART, 0),
        "ratio": 1.0,
        "macs_ratio": 1.0,
        "formula": "Cin*Cout*kh*kw",
        "formula_numbers": "16*64*3*3",
        "where": {},
        "symbols": {"Cin": 16, "Cout": 64, "kh": 3, "kw": 3},
        "stages": [],
    }
    assert rows["shufflenet"]["where"] == {"M": "floor(Cout/4)", "B": "Cout - Cin"}
    assert rows["shufflenet"]["symbols"]["B"] == 48
    assert document["conventions"][0].startswith("MAC: one multiply-accumulate of a convolution. FLOPs = 2 x MACs.")


def test_csv_holds_everything_in_one_table(segcli: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(segcli("params", "--csv", "--formula").out)))
    assert [row["variant"] for row in rows] == list(VARIANTS)
    assert rows[0]["params"] == "9216"
    assert rows[0]["weights_bytes"] == "36864"
    assert rows[0]["flops"] == "663552"
    assert rows[0]["output_shape"] == "(64, 6, 6)"
    assert rows[0]["formula"] == "Cin*Cout*kh*kw"
    assert set(rows[0]) >= {"macs", "receptive_field", "activations_bytes", "arithmetic_intensity", "ratio", "added"}


@pytest.mark.parametrize(
    ("argv", "shape"),
    [
        (["-k", "1x3", "--size", "8x8"], [128, 8, 6]),
        (["-k", "(1, 3)", "--size", "8"], [128, 8, 6]),
        (["-k", "5", "--stride", "1x2", "--padding", "2x0"], [128, 8, 2]),
        (["-k", "4", "--padding", "same", "--size", "7x9"], [128, 7, 9]),
        (["-k", "3x1x2", "--dims", "3", "--size", "4x5x6"], [128, 2, 5, 5]),
        (["--dims", "1", "--size", "10"], [128, 8]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value[0], str) else "",
)
def test_conv_takes_sides_that_differ(segcli: Run, argv: list[str], shape: list[int]) -> None:
    done = segcli("params", "conv", 64, 128, *argv, "--variants", "standard", "--json")
    assert done.json["layers"][0]["output_shape"] == shape


def test_the_bare_command_takes_the_options_too(segcli: Run) -> None:
    done = segcli("params", "--size", "32x32", "--norm", "batch", "--variants", "standard", "--json")
    assert done.json["layers"][0]["output_shape"] == [64, 30, 30]
    assert done.json["layers"][0]["params"] == 9_216 + 2 * 64


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["--kernel", "3x3x3"], "error: kernel 3x3x3 has 3 sides, expected one or 2\nhint: give --dims 3"),
        (["--kernel", "-1"], "error: --kernel '-1' is not a list of whole numbers from 0 to 2^63 - 1"),
        (["--kernel", "1" * 1_000_000], "error: --kernel '11111"),
        (["--groups", "0"], "error: groups is 0, expected 1 or more"),
        (
            ["--groups", "1" * 1_000_000],
            "error: invalid value for '--groups': '1111111111111111111...' has 1000000 digits",
        ),
        (["--dilation", "0x1"], "error: dilation is 0, expected 1 or more"),
        (["--size", "2x2"], "error: the output of a 3x3 kernel would have side floor((2 + 2 x 0 - 2 - 1) / 1) + 1 = 0"),
        (["--size", "-8"], "error: --size '-8' is not a list of whole numbers from 0 to 2^63 - 1"),
        (["--size", str(2**40)], "error: size is 1099511627776, expected at most 2147483647 (2^31 - 1, what cuDNN"),
        (["--size", "2147483647"], "error: the input of shape (16, 2147483647, 2147483647) would take 2.95e+20 bytes"),
        (["--dims", "4"], "error: dims is 4, expected 1, 2 or 3"),
        (["--dims", "two"], "error: invalid value for '--dims': 'two' is not a valid int"),
        (["--norm", "batches"], "error: unknown norm 'batches'\nhint: did you mean batch?"),
        (["--dtype", "flot32"], "error: unknown dtype 'flot32'\nhint: did you mean float32"),
        (["--padding", "some"], "error: --padding 'some' is not a list of whole numbers"),
        (["--variants", "depthwize"], "error: unknown variant 'depthwize'"),
        (["--variants", "x" * 1_000_000], "error: unknown variant 'xxxxx"),
        (["--variants", "grouped", "--groups", "5"], "error: in_channels 16 does not divide into 5 groups"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_bad_layers_are_refused(segcli: Run, argv: list[str], error: str) -> None:
    done = segcli("params", "conv", 16, 64, *argv)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(error)
    assert len(done.err) < 400


def test_channels_of_a_million_digits_are_refused(segcli: Run) -> None:
    done = segcli("params", "conv", "1" * 1_000_000, 64)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(
        "error: invalid value for 'IN': '1111111111111111111...' has 1000000 digits, expected at most 19"
    )


def test_names_are_taken_once_and_stripped(segcli: Run) -> None:
    done = segcli("params", "--variants", "standard, grouped,standard", "--json")
    assert [row["variant"] for row in done.json["layers"]] == ["standard", "grouped"]


def test_numbers_come_from_a_file_too(segcli: Run, tmp_path: Path) -> None:
    config = tmp_path / "segcli.yaml"
    config.write_text("params: {conv: {dims: 1, groups: 4, size: 10, norm: batch}}\n")
    document = segcli("params", "conv", 16, 64, "--config", config, "--variants", "grouped", "--json").json
    assert document["layers"][0]["output_shape"] == [64, 8]
    assert (document["layer"]["groups"], document["layer"]["norm"]) == (4, "batch")


@pytest.mark.parametrize(
    ("incomplete", "offered"), [("standard,dep", ["standard,depthwise", "standard,depthwise-separable"]), ("x", [])]
)
def test_variants_complete_behind_a_comma(incomplete: str, offered: list[str]) -> None:
    from segcli.params.command import _complete_variants

    assert _complete_variants(incomplete) == offered


def test_norms_and_dtypes_complete() -> None:
    from segcli.params.command import _complete_dtypes, _complete_norms

    assert _complete_norms("b") == ["batch"]
    assert _complete_dtypes("float8") == ["float8_e4m3fn", "float8_e5m2"]
