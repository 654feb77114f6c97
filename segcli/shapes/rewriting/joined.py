"""Ways to write what joins, cuts and makes tensors."""

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import cast

from segcli.shapes.rewriting.place import Called, Place, parts_of
from segcli.shapes.text.nodes import Argument, Attribute, Call, Sequence
from segcli.shapes.values import Parts, Tensor

Maker = Callable[[Place, Call], Iterator[str]]


def _cut(call: Called) -> Iterator[str]:
    """Say where to cut."""
    result = call.place.result
    dim = result.dim if isinstance(result, Parts) else 0
    sizes = [tensor.shape[dim] for tensor in parts_of(result)]
    known = [size for size in sizes if isinstance(size, int)]
    if not known or len(known) < len(sizes):
        return
    ends = list(accumulate(known))
    points = "".join(f"{point}, " for point in ends[:-1]).strip()
    points = points if len(ends) == 2 else points.rstrip(",")  # noqa: PLR2004 - a tuple of one point keeps its comma
    yield f"torch.tensor_split({call.bare}, ({points}), dim={dim})"


WAYS: dict[str, Callable[[Called], Iterator[str]]] = {"split": _cut, "chunk": _cut}


def make(place: Place, node: Call) -> Iterator[str]:
    """Go through the ways to write a function that takes no tensor first."""
    if isinstance(node.function, Attribute):
        way = _MAKERS.get(node.function.name)
        if way is not None:
            yield from way(place, node)


def _without_empty(place: Place, node: Call) -> Iterator[str]:
    """Leave out the tensors of shape (0,), which PyTorch skips."""
    listed = next((argument for argument in node.arguments if isinstance(argument.node, Sequence)), None)
    if listed is None or not isinstance(listed.node, Sequence):
        return
    items = listed.node.items
    kept = [item for item in items if not _is_empty(place, item)]
    texts = [place.text(item) for item in kept]
    others = [_written(place, argument) for argument in node.arguments if argument is not listed]
    yield f"torch.concatenate({', '.join([_bracketed(texts), *others])})"
    result = place.result
    dtype = result.dtype if isinstance(result, Tensor) else ""
    wide = [f"torch.{dtype}" for _ in texts]
    wider = [f"{text}.to({to})" for text, to in zip(texts, wide, strict=True)]
    name = "concatenate" if len(kept) < len(items) else place.text(node.function).rpartition(".")[2]
    yield f"torch.{name}({', '.join([_bracketed(wider), *others])})"


def _is_empty(place: Place, node: object) -> bool:
    tensor = place.found.values.get(id(node)) if id(node) in place.found.values else place.value(node)  # type: ignore[arg-type]
    return isinstance(tensor, Tensor) and tensor.shape == (0,)


def _bracketed(texts: list[str]) -> str:
    return f"[{', '.join(texts)}]"


def _written(place: Place, argument: Argument) -> str:
    text = place.text(argument.node)
    return f"{argument.keyword}={text}" if argument.keyword else text


def _filled(place: Place, node: Call) -> Iterator[str]:
    """Put the sizes in one tuple, and say the dtype."""
    dtype = cast("Tensor", place.result).dtype
    sizes = [place.text(argument.node) for argument in node.arguments if not argument.keyword]
    keywords = [_written(place, argument) for argument in node.arguments if argument.keyword not in ("", "dtype")]
    alone = len(sizes) == 1 and sizes[0].startswith(("(", "["))
    shape = sizes[0] if alone else f"({', '.join(sizes)}{',' * (len(sizes) == 1)})"
    first = [shape] if sizes else []
    name = place.text(node.function)
    yield f"{name}({', '.join([*first, *keywords])})"
    yield f"{name}({', '.join([*first, *keywords, f'dtype=torch.{dtype}'])})"


def _with_dtype(place: Place, node: Call) -> Iterator[str]:
    """Say the dtype, which the libraries choose by rules of their own."""
    dtype = cast("Tensor", place.result).dtype
    given = [_written(place, argument) for argument in node.arguments if argument.keyword != "dtype"]
    yield f"{place.text(node.function)}({', '.join([*given, f'dtype=torch.{dtype}'])})"


_MAKERS: dict[str, Maker] = {
    **dict.fromkeys(("cat", "concat", "concatenate", "stack", "hstack", "vstack", "dstack"), _without_empty),
    **dict.fromkeys(("zeros", "ones", "empty"), _filled),
    **dict.fromkeys(("full", "arange", "zeros_like", "ones_like", "full_like", "empty_like"), _with_dtype),
}
