"""Ways to write an index."""

from collections.abc import Iterator
from typing import cast

from segcli.shapes.index.torch_sequence import LEGACY_LENGTH
from segcli.shapes.indexing import Along, Fixed, Indexing
from segcli.shapes.rewriting.place import CASTS, Place, as_primary
from segcli.shapes.rewriting.steps import Site
from segcli.shapes.text.nodes import Assign, Constant, Name, Node, Sequence, Subscript
from segcli.shapes.text.parse import parse
from segcli.shapes.values import INTEGER, Listed, Tensor


def propose(place: Place, node: Subscript, site: Site) -> Iterator[str]:
    """Go through the ways to write an index.

    Args:
        place: The step.
        node: It.
        site: What both libraries make of it.
    """
    base = as_primary(place.text(node.base))
    for inner in _indices(place, node, site):
        yield f"{base}{inner}"


def assigned(place: Place, node: Assign, site: Site) -> Iterator[str]:
    """Go through the ways to write what is assigned to, and what is assigned."""
    value, target, sign = place.text(node.value), node.target, f"{node.mark}="
    if isinstance(target, Subscript):
        for text in propose(place, target, site):
            yield f"{text} {sign} {value}"
    written, shape = place.text(target), cast("Tensor", site.result).shape
    if 0 in shape:
        # Nothing is written, whatever it is.
        yield f"{written} {sign} 0"
    given = place.tensor(node.value)
    if given is not None and 0 not in given.shape:
        # One element, to a place of one; and rows for a place that has fewer axes.
        yield f"{written} {sign} {as_primary(value)}.reshape(())"
        yield f"{written} {sign} {as_primary(value)}.reshape({_tuple(shape)})"
        yield f"{written} {sign} torch.broadcast_to({value}, {_tuple(shape)})"
    yield from _typed(place, node, f"{written} {sign}")


def _typed(place: Place, node: Assign, before: str) -> Iterator[str]:
    """Give what is assigned the dtype of what it is written to."""
    there = place.tensor(node.target.base if isinstance(node.target, Subscript) else node.target)
    cast = CASTS.get(there.dtype) if there else None
    if cast and place.tensor(node.value) is not None:
        yield f"{before} {as_primary(place.text(node.value))}.{cast}()"


def _tuple(shape: tuple[int | str, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"


def _indices(place: Place, node: Subscript, site: Site) -> Iterator[str]:
    """Go through what may stand behind the base: one index, or several."""
    index, rules = node.index, site.torch.state.rules
    items: list[Node] = list(index.items) if isinstance(index, Sequence) else [index]
    texts = [place.text(item) for item in items]
    if isinstance(index, Sequence) and not index.is_tuple:
        if "legacy-tuple" in rules and 0 < len(texts) < LEGACY_LENGTH:
            # What PyTorch takes for a tuple, written as one.
            yield f"[{', '.join(texts)}]"
        items, texts = [index], [place.text(index)]
    if "legacy-tuple" in rules:
        yield from _spread(place, index)
    if "truncated-floats" in rules:
        yield f"[{', '.join(_truncated(place, item) for item in items)}]"
    if "uint8-mask" in rules:
        yield f"[{', '.join(_as_mask(place, item) for item in items)}]"
    if "second-ellipsis" in rules:
        yield from _basic(site)
        if texts[-1] == "...":
            # Behind all others it stands for nothing.
            yield f"[{', '.join(texts[:-1])}]"
    yield from _selects_first(place, items, texts)
    if "empty-ellipsis" in site.numpy.state.rules:
        # An ellipsis that stands for nothing separates in NumPy.
        kept = [(item, text) for item, text in zip(items, texts, strict=True) if text != "..."]
        yield f"[{', '.join(text for _, text in kept)}]"
        yield from _selects_first(place, [item for item, _ in kept], [text for _, text in kept])


def _spread(place: Place, index: Node) -> Iterator[str]:
    """Write a bound list, which PyTorch takes for a tuple, as one."""
    value = place.value(index) if isinstance(index, Name) else None
    if isinstance(value, Listed):
        literal = value.items[0].text
        rows = ", ".join(literal[slice(*row.span)] for row in cast("Sequence", parse(literal)).items)
        yield f"[{rows}]"
        # A tuple that stands alone is no index by itself.
        yield f"[{rows},]"


def _as_mask(place: Place, item: Node) -> str:
    """Write what PyTorch takes for a mask as one."""
    tensor, text = place.tensor(item), place.text(item)
    if tensor is None or tensor.dtype != "uint8":
        return text
    # Of one element that is known, it is said.
    alone = tensor.values is not None and not tensor.shape
    return str(bool(tensor.nonzero)) if alone else f"{as_primary(text)}.bool()"


def _truncated(place: Place, node: Node) -> str:
    """Write a list with the integers that PyTorch makes of its floats."""
    if isinstance(node, Sequence):
        inner = ", ".join(_truncated(place, item) for item in node.items)
        return f"[{inner}]"
    if isinstance(node, Constant) and isinstance(node.value, float):
        return str(int(node.value))
    return place.text(node)


def _basic(site: Site) -> Iterator[str]:
    """Write an index of integers, slices and new axes anew, from what it does to each axis."""
    stage = site.torch.state.stages[-1] if site.torch.state.stages else None
    if stage is None or not isinstance(stage.done, Indexing) or stage.done.operands:
        return
    done, source = stage.done, stage.source
    if not isinstance(source, Tensor) or len(done.shape) > len(source.shape):
        return
    items = []
    for access, _ in zip(done.accesses, source.shape, strict=True):
        if isinstance(access, Fixed):
            items.append(str(access.position))
        elif isinstance(access, Along) and access.whole:
            items.append(":")
        elif isinstance(access, Along) and isinstance(access.start, int):
            size = done.shape[access.axis]
            if not isinstance(size, int):
                return
            step = f":{access.step}" if access.step != 1 else ""
            items.append(f"{access.start}:{access.start + size * access.step}{step}")
    while items and items[-1] == ":":
        items.pop()
    yield f"[{', '.join(items) or ':'}]"


def _selects_first(place: Place, items: list[Node], texts: list[str]) -> Iterator[str]:
    """Select with integers in an index of its own, and then do the rest."""
    first: list[str] = []
    rest: list[str] = []
    for item, text in zip(items, texts, strict=True):
        if _is_integer(place, item):
            first.append(text)
            continue
        rest.append(text)
        first.extend(_stand_ins(place, item))
    while first and first[-1] in (":", "..."):
        first.pop()
    if first and rest:
        yield f"[{', '.join(first)}][{', '.join(rest)}]"


def _is_integer(place: Place, item: Node) -> bool:
    value = place.value(item)
    if isinstance(value, Tensor):
        return not value.shape and value.dtype in INTEGER and value.dtype != "uint8"
    return isinstance(value, int) and not isinstance(value, bool)


def _stand_ins(place: Place, item: Node) -> list[str]:
    """Return what keeps, in the first index, the axes that an item of the second one takes."""
    if isinstance(item, Constant):
        return ["..."] if item.value == "..." else []
    value = place.value(item)
    if isinstance(value, Tensor) and value.dtype in ("bool", "uint8"):
        return [":"] * len(value.shape)
    return [] if isinstance(value, bool) else [":"]
