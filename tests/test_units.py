import pytest
from hypothesis import given
from hypothesis import strategies as st

from segcli import units
from segcli.errors import SegcliError


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=5), st.sampled_from(["x", ",", ", "]))
def test_sizes_come_back(sides: list[int], separator: str) -> None:
    assert units.parse_size(separator.join(map(str, sides))) == tuple(sides)
    assert units.parse_size(str(tuple(sides))) == tuple(sides)


@pytest.mark.parametrize(("text", "size"), [("()", ()), ("(3,)", (3,)), ("3,", (3,)), (" 8 x 16 ", (8, 16))])
def test_forms_of_a_size(text: str, size: tuple[int, ...]) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "size is empty"),
        ("8x", "'8x' is not a list of whole numbers"),
        ("-1", "'-1' is not"),
        ("8.5", "'8.5' is not"),
        (str(2**63), "is not a list of whole numbers from 0 to 2"),
        ("9" * 1_000_000, r"'9{57}\.\.\.'|9{57}\.\.\."),
        ("\u0663", "is not a list"),
    ],
    ids=["empty", "half", "negative", "fraction", "2^63", "a megabyte", "other digits"],
)
def test_bad_sizes_are_refused(text: str, words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        units.parse_size(text)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (units.format_count(1814073344), "1,814,073,344"),
        (units.format_bytes(0), "0 B"),
        (units.format_bytes(1_500_000), "1.50 MB"),
        (units.format_bytes(2.5e15), "2.50 PB"),
        (units.format_rate(950, "B/s"), "950 B/s"),
        (units.format_rate(12.5e9, "FLOP/s"), "12.5 GFLOP/s"),
        (units.format_seconds(3.2e-9), "3.20 ns"),
        (units.format_seconds(45.6e-6), "45.6 us"),
        (units.format_seconds(0.123), "123 ms"),
        (units.format_seconds(1.5), "1.50 s"),
        (units.format_seconds(75), "1 min 15 s"),
        (units.format_seconds(119.7), "2 min 0 s"),
        (units.format_ratio(0.1267), "0.127x"),
        (units.format_ratio(0), "0x"),
        (units.format_ratio(float("inf")), "infx"),
        (units.format_number(0.10536051565), "0.105361"),
        (units.format_shape((4,)), "(4,)"),
        (units.format_size((512, 1024)), "512x1024"),
    ],
)
def test_formats(shown: str, expected: str) -> None:
    assert shown == expected
