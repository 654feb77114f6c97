"""Arithmetic of sizes that are not known: ``N``, ``nonzero(m)``, and what slices and reshapes make of them.

A size is written as Python writes it, so that a reader can evaluate it once the names have values.
"""

from segcli.shapes.symbols.bounds import is_at_least
from segcli.shapes.symbols.known import RESERVED, assume, forget_needs, remember_order
from segcli.shapes.symbols.needs import (
    at_least,
    contradictions,
    equal,
    equal_or_one,
    indivisible,
    refuse_unequal,
    some,
    strongest,
    unequal,
)
from segcli.shapes.symbols.products import difference, divides, product, quotient, starts_of, times, total
from segcli.shapes.symbols.slices import capped, divided, lessened, most, slice_needs, slice_symbol

__all__ = [
    "RESERVED",
    "assume",
    "at_least",
    "capped",
    "contradictions",
    "difference",
    "divided",
    "divides",
    "equal",
    "equal_or_one",
    "forget_needs",
    "indivisible",
    "is_at_least",
    "lessened",
    "most",
    "product",
    "quotient",
    "refuse_unequal",
    "remember_order",
    "slice_needs",
    "slice_symbol",
    "some",
    "starts_of",
    "strongest",
    "times",
    "total",
    "unequal",
]
