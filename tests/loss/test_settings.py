from fractions import Fraction

import pytest

from segcli.errors import SegcliError
from segcli.loss.settings import parse_alpha, parse_losses, parse_n_min


def test_a_loss_named_twice_is_evaluated_once() -> None:
    assert parse_losses("Dice, ce,dice") == ("dice", "ce")


@pytest.mark.parametrize("text", ["", "ce,", "jaccard"])
def test_unknown_losses_are_refused(text: str) -> None:
    with pytest.raises(SegcliError, match="unknown loss"):
        parse_losses(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("100000", 100_000), (" 1/16 ", Fraction(1, 16)), (".5", Fraction(1, 2)), ("1.0", Fraction(1))],
)
def test_counts_and_shares(text: str, value: int | Fraction) -> None:
    assert parse_n_min(text) == value
    assert isinstance(parse_n_min(text), type(value))


@pytest.mark.parametrize("text", ["", "-1", "17/16", "1.5", "1/0", "1/00", "many", "1e5", "1" * 10_000, ".", "0x10"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(SegcliError, match="is neither a count nor a share of the valid pixels"):
        parse_n_min(text)


@pytest.mark.parametrize("text", ["", "a", "1,", "1;2"])
def test_what_is_no_alpha_is_refused(text: str) -> None:
    with pytest.raises(SegcliError, match="is neither a number nor one a class"):
        parse_alpha(text)


def test_no_alpha_is_none() -> None:
    assert parse_alpha(None) is None
