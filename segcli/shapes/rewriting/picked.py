"""Ways to write what is picked from several results: of a pair its values or positions, of pieces one of them."""

from collections.abc import Iterator
from typing import cast

from segcli.shapes.rewriting.place import Called, Place, read_call
from segcli.shapes.rewriting.reduced import extreme_indices, extreme_values, sorted_pair
from segcli.shapes.symbols import total
from segcli.shapes.text.nodes import Attribute, Subscript
from segcli.shapes.values import Pair, Parts, Run

_MEMBERS = {0: "values", 1: "indices", -2: "values", -1: "indices"}


def from_attribute(place: Place, node: Attribute) -> Iterator[str]:
    """Go through the ways to write ``x.max(1).values``."""
    call = read_call(place, node.base)
    if call is not None:
        yield from _member(call, node.name)


def from_index(place: Place, node: Subscript) -> Iterator[str]:
    """Go through the ways to write ``x.max(1)[0]`` and ``x.split(2)[1]``."""
    call, position = read_call(place, node.base), place.value(node.index)
    if call is None or not isinstance(position, int):
        return
    several = place.found.values[id(node.base)]
    if isinstance(several, Pair):
        yield from _member(call, _MEMBERS[position])
    else:
        yield from _piece(call, cast("Parts", several), position)


def _member(call: Called, member: str) -> Iterator[str]:
    if call.name in ("max", "min"):
        if member == "values":
            yield extreme_values(call)
        else:
            yield extreme_indices(call)
            yield extreme_indices(call, ".int()")
        return
    for values, indices in sorted_pair(call):
        yield values if member == "values" else indices


def _piece(call: Called, pieces: Parts, position: int) -> Iterator[str]:
    """Write a piece as a slice, and one position whose axis is gone as an integer."""
    count = pieces.count
    if not isinstance(count, int):
        return
    position += count if position < 0 else 0
    for run in pieces.runs:
        if 0 <= position < int(run.count):
            yield from _cut_out(call, pieces.dim, run, position)
        position -= int(run.count)


def _cut_out(call: Called, dim: int, run: Run, place: int) -> Iterator[str]:
    stride = run.stride if run.stride is not None else 1 if run.width is None else run.width
    if not isinstance(run.start, int) or not isinstance(stride, int):
        return
    start = run.start + place * stride
    if run.width is None:
        yield call.owner + call.at(dim, str(start))
        return
    yield call.owner + call.at(dim, f"{start}:{total([start, run.tensor.shape[dim]])}")
