import pytest

from segcli.params.formula import Named, Term, gather, in_sum, symbols_of, with_numbers

CIN, COUT, G = Named(16, "Cin"), Named(64, "Cout"), Named(8, "g")


@pytest.mark.parametrize(
    ("term", "text", "value"),
    [
        (Term("weights", (CIN, COUT, 3, 3)), "Cin*Cout*3*3", 9_216),
        (Term("weights", (CIN, COUT, 1, 1)), "Cin*Cout", 1_024),
        (Term("weights", (CIN, COUT, 3), divisor=G), "Cin/g*Cout*3", 384),
        (Term("weights", (CIN, COUT, 3), divisor=CIN), "Cout*3", 192),
        (Term("weights", (CIN, CIN), divisor=CIN), "Cin", 16),
        (Term("weights", (8, 8, 1), divisor=8), "8", 8),
        (Term("weights", (1, 1)), "1", 1),
        (Term("norms", (COUT,), times=2), "2*Cout", 128),
        (Term("norms", (1,), times=2), "2", 2),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_term_is_its_factors(term: Term, text: str, value: int) -> None:
    assert (term.text, term.value) == (text, value)


def test_what_is_alike_is_gathered_kind_by_kind() -> None:
    bias, norm, weight = Term("biases", (COUT,)), Term("norms", (COUT,), times=2), Term("weights", (CIN, COUT))
    found = gather([norm, bias, weight, norm, bias])
    assert [(term.kind, term.text) for term in found] == [
        ("weights", "Cin*Cout"),
        ("biases", "2*Cout"),
        ("norms", "4*Cout"),
    ]
    assert in_sum(found) == "Cin*Cout + 2*Cout + 4*Cout"


def test_nothing_is_zero() -> None:
    assert in_sum([]) == "0"


def test_numbers_take_the_symbols_places() -> None:
    term = Term("weights", (CIN, Named(96, "M", "6*Cin"), 3), divisor=G)
    symbols = symbols_of([term])
    assert with_numbers(term.text, symbols) == "16/8*96*3"
    assert {name: number.meaning for name, number in symbols.items()} == {"Cin": "", "M": "6*Cin", "g": ""}
