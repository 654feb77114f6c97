"""Formulas that follow from the layers: numbers that know their names, products of them, and sums of products."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Literal, Self

Kind = Literal["weights", "biases", "norms", "scales"]
KINDS: tuple[Kind, ...] = ("weights", "biases", "norms", "scales")


class Named(int):
    """A whole number that knows what formulas call it.

    Attributes:
        name: Its symbol.
        meaning: The symbol in terms of others; empty where it is given and not derived.

    Examples:
        >>> channels = Named(96, "M", "6*Cin")
        >>> channels + 4, channels.name, channels.meaning
        (100, 'M', '6*Cin')
    """

    name: str
    meaning: str

    def __new__(cls, value: int, name: str, meaning: str = "") -> Self:
        """Make the number, and give it its name."""
        number = super().__new__(cls, value)
        number.name = name
        number.meaning = meaning
        return number


@dataclass(frozen=True)
class Term:
    """A product of numbers: how many parameters of one kind a layer holds.

    Attributes:
        kind: What the parameters are for.
        factors: The numbers; those with a name are shown by it, and a bare 1 is not shown.
        divisor: What the first of them is divided by.
        times: How often the product is held.

    Examples:
        >>> term = Term("weights", (Named(16, "Cin"), Named(64, "Cout"), 3, 3), divisor=Named(8, "g"))
        >>> term.text, term.value
        ('Cin/g*Cout*3*3', 1152)
    """

    kind: Kind
    factors: tuple[int, ...]
    divisor: int = 1
    times: int = 1

    @property
    def value(self) -> int:
        """The number of parameters."""
        return self.times * prod(self.factors) // self.divisor

    @property
    def text(self) -> str:
        """The term in symbols."""
        names = [_name(factor) for factor in self.factors]
        divisor = _name(self.divisor)
        if divisor in names:
            names.remove(divisor)
        elif divisor != "1":
            names[0] += f"/{divisor}"
        shown = [name for name in names if name != "1"]
        return "*".join(([str(self.times)] if self.times > 1 or not shown else []) + shown)

    @property
    def named(self) -> tuple[Named, ...]:
        """The numbers in it that have names."""
        return tuple(number for number in (*self.factors, self.divisor) if isinstance(number, Named))


def gather(terms: Iterable[Term]) -> list[Term]:
    """Return the terms kind by kind, those that are alike as one.

    Examples:
        >>> bias = Term("biases", (Named(64, "Cout"),))
        >>> [term.text for term in gather([bias, bias])]
        ['2*Cout']
    """
    alike: dict[tuple[Kind, str], Term] = {}
    for term in terms:
        key = (term.kind, replace(term, times=1).text)
        found = alike.get(key)
        alike[key] = term if found is None else replace(term, times=term.times + found.times)
    return sorted(alike.values(), key=lambda term: KINDS.index(term.kind))


def symbols_of(terms: Iterable[Term]) -> dict[str, Named]:
    """Return the numbers with names that stand in ``terms``, by name."""
    return {number.name: number for term in terms for number in term.named}


def in_sum(terms: Sequence[Term]) -> str:
    """Write terms as a sum in symbols; of nothing, ``0``."""
    return " + ".join(term.text for term in terms) or "0"


def with_numbers(formula: str, symbols: Mapping[str, int]) -> str:
    """Put numbers in the place of the symbols.

    Examples:
        >>> with_numbers("Cin/g*Cout", {"Cin": 16, "Cout": 64, "g": 8})
        '16/8*64'
    """
    return re.sub(r"[A-Za-z]+", lambda symbol: str(int(symbols[symbol.group()])), formula)


def _name(number: int) -> str:
    return number.name if isinstance(number, Named) else str(number)
