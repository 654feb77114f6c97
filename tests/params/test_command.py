import csv
import io

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.conftest import Run


def test_bare_it_compares_the_notes_layer(segcli: Run, snapshot: SnapshotAssertion) -> None:
    done = segcli("params")
    assert (done.code, done.err) == (0, "")
    assert done.out == snapshot


def test_json_is_the_result_in_base_units(segcli: Run) -> None:
    document = segcli("params", "--json").json
    assert document["schema"] == "segcli.params/1"
    rows = {row["variant"]: row for row in document["layers"]}
    assert rows["standard"]["params"] == 9_216
    assert rows["grouped"]["params"] == 1_152
    assert rows["depthwise-separable"]["params"] == 1_168
    assert rows["standard"]["flops"] == 2 * rows["standard"]["macs"]


def test_csv_is_the_table(segcli: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(segcli("params", "--csv").out)))
    assert rows[0]["variant"] == "standard"
    assert rows[0]["params"] == "9216"
    assert rows[0]["weights_bytes"] == "36864"


def test_conv_takes_kernels_of_unequal_sides(segcli: Run) -> None:
    done = segcli("params", "conv", 64, 128, "-k", "1x3", "--size", "8x8", "--variants", "standard", "--json")
    assert done.json["layers"][0]["output_shape"] == [128, 8, 6]


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["--kernel", "3x3x3"], "error: --kernel 3x3x3 has 3 sides, expected one or two"),
        (["--kernel", "-1"], "error: --kernel '-1' is not a list of whole numbers from 0 to 2^63 - 1"),
        (["--groups", "0"], "error: groups is 0, expected 1 or more"),
        (["--dilation", "0x1"], "error: a side of size or dilation is 0, expected 1 or more"),
        (["--size", "2x2"], "error: the output of a 3x3 kernel would have side floor((2 + 2 x 0 - 2 - 1) / 1) + 1 = 0"),
        (["--variants", "depthwize"], "error: unknown variant 'depthwize'"),
        (["--variants", "grouped", "--groups", "5"], "error: in_channels 16 does not divide into 5 groups"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_layers_are_refused(segcli: Run, argv: list[str], error: str) -> None:
    done = segcli("params", "conv", 16, 64, *argv)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(error)


def test_names_are_taken_once_and_stripped(segcli: Run) -> None:
    done = segcli("params", "--variants", "standard, grouped,standard", "--json")
    assert [row["variant"] for row in done.json["layers"]] == ["standard", "grouped"]
