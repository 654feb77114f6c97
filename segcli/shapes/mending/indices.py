"""Mends an index."""

import re
from collections.abc import Iterator
from collections.abc import Sequence as Several

from segcli.shapes.mending.fault import Fault
from segcli.shapes.text.nodes import Assign, Constant, Name, Node, Sequence, Subscript
from segcli.shapes.values import Size, Tensor


def flip(fault: Fault) -> Iterator[str]:
    """Walk an axis backwards with flip, and slice what comes out."""
    for subscript in fault.subscripts():
        if any(_is_reversed(fault, item) for item in _items(subscript)):
            yield _flipped(fault, subscript)


def _is_reversed(fault: Fault, item: Node) -> bool:
    return fault.text(item).replace(" ", "") == "::-1"


def _items(subscript: Subscript) -> list[Node]:
    index = subscript.index
    return list(index.items) if isinstance(index, Sequence) and index.is_tuple else [index]


def _flipped(fault: Fault, subscript: Subscript) -> str:
    texts, dims = [], []
    for axis, item in enumerate(_items(subscript)):
        is_reversed = _is_reversed(fault, item)
        text = ":" if is_reversed else fault.text(item)
        if is_reversed:
            dims.append(str(axis))
        texts.append(text)
    while texts and texts[-1] == ":":
        texts.pop()
    rest = f"[{', '.join(texts)}]" if texts else ""
    return fault.with_text(subscript.span, f"{fault.text(subscript.base)}.flip({', '.join(dims)}){rest}")


def fit_mask(fault: Fault) -> Iterator[str]:
    """Let a mask take the axes that it fits; or make positions of what was none."""
    for subscript in fault.subscripts():
        yield from _positions(fault, subscript)
        start = subscript.index.span[0]
        for count in (1, 2):
            if _fits_behind(fault, subscript, count):
                yield fault.with_text((start, start), ":, " * count)
                # What is kept whole behind the mask stands in front of it now.
                kept = [text for text in map(fault.text, _items(subscript)) if text != ":"]
                yield fault.with_text(subscript.index.span, ", ".join([":"] * count + kept))
        for item in _items(subscript):
            mask = fault.tensor(item) if item.span == (fault.error.start, fault.error.end) else None
            if mask is not None:
                yield from _other_masks(fault, subscript, item, mask)


def _fits_behind(fault: Fault, subscript: Subscript, count: int) -> bool:
    """Tell whether a mask has the sizes of axes of which so many stand in front, so that it may take those."""
    sizes = fault.shape(subscript.base) or ()
    masks = [found.split(", ") for found in re.findall(r"mask \[(.*?)\]", fault.error.message)]
    return any(_fits(mask, sizes[start:]) for mask in masks for start in range(count, len(sizes)))


def _fits(mask: Several[Size], sizes: Several[Size]) -> bool:
    """Tell whether a mask may take the first of some axes; sizes with different names may be equal."""
    pairs = list(zip(map(str, mask), map(str, sizes), strict=False))
    return len(pairs) == len(mask) and all(one == two or not (one + two).isdecimal() for one, two in pairs)


def as_masks(fault: Fault) -> Iterator[str]:
    """Make masks of what has the dtype that they once had."""
    for node in fault.nodes:
        target = node.target if isinstance(node, Assign) else None
        for item in _items(target) if isinstance(target, Subscript) else ():
            tensor = fault.tensor(item)
            if tensor is not None and tensor.dtype == "uint8":
                yield fault.with_text(item.span, f"{fault.primary(item)}.bool()")


def _other_masks(fault: Fault, subscript: Subscript, item: Node, mask: Tensor) -> Iterator[str]:
    text, base = fault.primary(item), fault.primary(subscript.base)
    boolean = text if mask.dtype == "bool" else f"{text}.bool()"
    if mask.dtype == "uint8":
        yield fault.with_text(item.span, f"{text}.long()")
    if mask.shape[1:2] == (1,):
        yield fault.with_text(item.span, f"{boolean}.squeeze(1)")
    # The channels, which a mask of a batch of pictures does not have, go last.
    batch, *rest = fault.shape(subscript.base) or ("",)
    if _fits(mask.shape, (batch, *rest[1:], *rest[:1])):
        yield fault.with_text(subscript.span, f"{base}.movedim(1, -1)[{boolean}]")
    if any(isinstance(node, Assign) for node in fault.nodes):
        yield fault.with_text(item.span, f"{boolean}.expand_as({base})")


def _positions(fault: Fault, subscript: Subscript) -> Iterator[str]:
    """Write the True elements of a list of lists as positions, an axis each."""
    index = subscript.index
    rows = index.items if isinstance(index, Sequence) and not index.is_tuple else ()
    found = [
        (place, column)
        for place, row in enumerate(rows)
        for column, item in enumerate(row.items if isinstance(row, Sequence) else ())
        if isinstance(item, Constant) and item.value is True
    ]
    if found:
        axes = ", ".join(str(list(axis)) for axis in zip(*found, strict=True))
        yield fault.with_text(index.span, axes)


def last_position(fault: Fault) -> Iterator[str]:
    """Take the last position where the one behind it is asked for."""
    found = re.search(r"index (\d+) is out of bounds for dimension \d+ with size (\d+)", fault.error.message)
    if found and found[1] == found[2] == fault.error.token:
        yield fault.with_text((fault.error.start, fault.error.end), "-1")


def fewer_indices(fault: Fault) -> Iterator[str]:
    """Leave out the last index, where that is the one too many."""
    for subscript in fault.subscripts():
        items = _items(subscript)[:-1]
        shape = fault.shape(subscript.base) or ()
        if items and sum(_taken(fault, item) for item in items) <= len(shape):
            yield fault.with_text(subscript.index.span, ", ".join(fault.text(item) for item in items))


def _taken(fault: Fault, item: Node) -> int:
    """Return how many axes an item of an index takes."""
    if isinstance(item, Constant):
        return int(isinstance(item.value, int) and not isinstance(item.value, bool))
    value = fault.value(item) if isinstance(item, Name) else None
    is_mask = isinstance(value, Tensor) and value.dtype in ("bool", "uint8")
    return len(value.shape) if is_mask and isinstance(value, Tensor) else 1
