from fractions import Fraction

import pytest

from segcli.errors import SegcliError
from segcli.loss.spelling import parse_alpha, parse_losses, parse_n_min, parse_numbers


@pytest.mark.parametrize(
    ("text", "names", "factors"),
    [
        ("Dice, ce,dice", ("dice", "ce"), ()),
        ("focal_tversky", ("focal-tversky",), ()),
        ("none", (), ()),
        ("ce + 0.5*dice", ("ce", "dice"), (1.0, 0.5)),
        ("0.5 * ce", ("ce",), (0.5,)),
        ("- ce + dice", ("ce", "dice"), (-1.0, 1.0)),
        ("ce - dice", ("ce", "dice"), (1.0, -1.0)),
        ("ce+lovasz", ("ce", "lovasz"), (1.0, 1.0)),
        ("ce + lovasz-hinge", ("ce", "lovasz-hinge"), (1.0, 1.0)),
    ],
)
def test_lists_and_sums(text: str, names: tuple[str, ...], factors: tuple[float, ...]) -> None:
    assert parse_losses(text) == (names, factors)


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("", "unknown loss ''", "known: ce, ohem"),
        ("ce,", "unknown loss ''", "known: "),
        ("jacard", "unknown loss 'jacard'", "did you mean jaccard"),
        ("ce,none", "unknown loss 'none'", "did you mean none"),
        ("ce + dise", "there is no loss 'dise', did you mean dice", "known: ce, ohem"),
        ("ce + ", "has the end, expected a number or the name of a loss", "for example: ce"),
        ("ce + ce", "has ce twice", "for example"),
        ("ce +" * 10_000, "--loss has 40000 characters", ""),
    ],
)
def test_what_is_no_loss_is_refused(text: str, words: str, hint: str) -> None:
    with pytest.raises(SegcliError, match=words) as caught:
        parse_losses(text)
    assert hint in caught.value.hint


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
    with pytest.raises(SegcliError, match="is not a number or one a class"):
        parse_alpha(text)


def test_alpha_is_none_or_one_or_many() -> None:
    assert (parse_alpha(None), parse_alpha("0.5"), parse_alpha("1,2")) == (None, 0.5, (1.0, 2.0))


def test_numbers_are_finite() -> None:
    with pytest.raises(SegcliError, match="--class-weights '1,inf' is not finite, expected one a class"):
        parse_numbers("1,inf", "--class-weights", "one a class", "1,2")
