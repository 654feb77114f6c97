"""Sizes, inputs and arguments of a factory, as the command line has them."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from segcli.errors import SegcliError
from segcli.params.network.asked import inputs_of
from segcli.params.network.values import literal, parse_arguments, parse_image_size, parse_input


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("19", 19), ("-3", -3), ("1e-3", 0.001), (".5", 0.5), ("2.", 2.0), ("true", True), ("False", False),
        ("null", None), ("None", None), ("", None), ("relu", "relu"), ("'19'", "19"), ('"true"', "true"),
        ("[3, 4, 6, 3]", [3, 4, 6, 3]), ("(1, 2)", (1, 2)), ("{a: 1}", {"a": 1}), ("[]", []), ("()", ()),
        ("os.system('x')", "os.system('x')"), ("1x2", "1x2"), ("123456789012345678901", 123456789012345678901.0),
    ],
)  # fmt: skip
def test_a_value_is_read_as_yaml_would(text: str, value: object) -> None:
    read = literal(text)
    assert (type(read), read) == (type(value), value)


@given(st.one_of(st.integers(-(10**18), 10**18), st.booleans(), st.none(), st.lists(st.integers(0, 99), max_size=4)))
def test_plain_values_are_what_yaml_reads(value: Any) -> None:  # noqa: ANN401 - plain data
    text = yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()
    assert literal(text) == value


@pytest.mark.parametrize("text", ["[1, 2", "{a: 1", "'open", "(1, [)", "[" * 2_000])
def test_values_that_are_cut_off_are_refused(text: str) -> None:
    with pytest.raises(SegcliError, match="is no list, mapping or quoted text"):
        literal(text)


def test_arguments_have_names() -> None:
    assert parse_arguments(["width=8", " name = a=b "]) == {"width": 8, "name": "a=b"}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["width"], "--arg 'width' is no key=value"),
        (["=3"], "--arg '=3' is no key=value"),
        (["a-b=3"], "is no key=value"),
        (["a=1", "a=2"], "--arg a was given twice"),
    ],
)
def test_arguments_without_names_are_refused(texts: list[str], message: str) -> None:
    with pytest.raises(SegcliError, match=message):
        parse_arguments(texts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1x2x3", "--size 1x2x3 has 3 sides, expected height and width"),
        ("()", "has 0 sides"),
        ("0x8", "--size 0x8: 0 of 0x8 is not from 1 to 1,048,576"),
        ("1099511627776", "1,099,511,627,776 is not from 1 to 1,048,576"),
        ("-4", "is not a list of whole numbers"),
    ],
)
def test_sizes_that_no_image_has(text: str, message: str) -> None:
    with pytest.raises(SegcliError, match=message):
        parse_image_size(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2x128:int65", "'int65' is not among the dtypes"),
        ("2x128:", "'' is not among the dtypes"),
        ("2xa", "is not a list of whole numbers"),
        ("1x2097152", "2,097,152 of 1x2097152 is not from 1"),
    ],
)
def test_inputs_that_are_none(text: str, message: str) -> None:
    with pytest.raises(SegcliError, match=message):
        parse_input(text)


def test_an_image_of_224_is_what_is_not_said_otherwise() -> None:
    assert inputs_of(None, 1, []) == [((1, 3, 224, 224), "float32")]
    assert inputs_of("64", 2, []) == [((2, 3, 64, 64), "float32")]
    assert inputs_of(None, 1, ["1x8", "4:int64"]) == [((1, 8), "float32"), ((4,), "int64")]


@pytest.mark.parametrize(("size", "batch"), [("64", 1), (None, 2)])
def test_a_whole_shape_stands_alone(size: str | None, batch: int) -> None:
    with pytest.raises(SegcliError, match="expected one or the other"):
        inputs_of(size, batch, ["1x8"])
