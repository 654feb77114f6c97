"""Ways to write what arranges axes and shapes."""

from collections.abc import Callable, Iterator, Sequence

from segcli.shapes.rewriting.place import CASTS, Called, are_known, as_primary, sure_if
from segcli.shapes.values import Tensor


def _transpose(call: Called) -> Iterator[str]:
    one, other = call.text_of(0, "dim0"), call.text_of(1, "dim1")
    known = bool(call.source.shape) and len(call.numbers(0, "dim0") or ()) == len(call.numbers(1, "dim1") or ()) == 1
    yield sure_if(known, f"{call.owner}.swapaxes({one}, {other})")


def _repeat(call: Called) -> Iterator[str]:
    sizes = [argument.node for argument in call.arguments]
    texts = [call.place.text(node) for node in sizes]
    alone = len(sizes) == 1 and texts[0].startswith(("(", "["))
    yield f"torch.tile({call.bare}, {texts[0] if alone else _tuple(texts)})"


def _squeeze(call: Called) -> Iterator[str]:
    shape = call.source.shape
    ones = [str(dim) for dim in call.numbers(0, "dim") or () if shape and shape[dim] == 1]
    yield f"{call.owner}.squeeze({_tuple(ones)})" if ones else call.bare


def _view(call: Called) -> Iterator[str]:
    given = ", ".join(call.place.text(argument.node) for argument in call.arguments)
    known = call.rest() is not None and are_known(call.source.shape)
    yield sure_if(known, f"{call.owner}.reshape({given})")


def _like(function: str) -> Callable[[Called], Iterator[str]]:
    def write(call: Called) -> Iterator[str]:
        shape = f"{as_primary(call.text_of(0, 'other'))}.shape"
        method = f"{call.owner}.reshape({shape})"
        yield method if function == "reshape" else f"torch.broadcast_to({call.bare}, {shape})"

    return write


def _flatten(call: Called) -> Iterator[str]:
    ndim = len(call.source.shape)
    start, end = call.axis(0, "start_dim", 0), call.axis(1, "end_dim", -1)
    before, after = range(start), range(end + 1, ndim)
    sizes = [*(call.size(axis) for axis in before), "-1", *(call.size(axis) for axis in after)]
    yield sure_if(ndim > 0 and are_known(call.source.shape), f"{call.owner}.reshape({', '.join(sizes)})")
    # With no elements, -1 could be anything.
    yield f"{call.owner}.reshape({_tuple(list(map(str, call.given_shape)))})"


def _unflatten(call: Called) -> Iterator[str]:
    dim, sizes = call.axis(), call.numbers(1, "sizes")
    after = range(dim + 1, len(call.source.shape))
    given = [*map(call.size, range(dim)), *map(str, sizes or ()), *map(call.size, after)]
    yield f"{call.owner}.reshape({', '.join(given)})"
    yield f"{call.owner}.reshape({_tuple(list(map(str, call.given_shape)))})"


def _size(call: Called) -> Iterator[str]:
    dim = call.text_of(0, "dim")
    yield f"{call.owner}.shape[{dim}]" if dim else f"{call.owner}.shape"


def _expand(call: Called) -> Iterator[str]:
    sizes = call.rest()
    if sizes is None:
        return
    missing = len(sizes) - len(call.source.shape)
    texts = [call.size(axis - missing) if size == -1 else str(size) for axis, size in enumerate(sizes)]
    yield f"torch.broadcast_to({call.bare}, {_tuple(texts)})"


def _itself(call: Called) -> Iterator[str]:
    yield call.bare


def _to(call: Called) -> Iterator[str]:
    """Leave out the device."""
    result = call.place.result
    if isinstance(result, Tensor) and result.dtype in CASTS:
        yield call.bare if result.dtype == call.source.dtype else f"{call.owner}.{CASTS[result.dtype]}()"


def _select(call: Called) -> Iterator[str]:
    dim = call.axis()
    yield call.owner + call.at(dim, call.text_of(1, "index"))


def _narrow(call: Called) -> Iterator[str]:
    dim, start, length = call.axis(), call.number(1, "start"), call.number(2, "length")
    size = call.source.shape[dim]
    if isinstance(start, int) and isinstance(length, int):
        first = start % size if isinstance(size, int) and size else start
        yield call.owner + call.at(dim, f"{first}:{first + length}")


def _tuple(texts: Sequence[str]) -> str:
    return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"


WAYS: dict[str, Callable[[Called], Iterator[str]]] = {
    "transpose": _transpose,
    "repeat": _repeat,
    "squeeze": _squeeze,
    "view": _view,
    "view_as": _like("reshape"),
    "reshape_as": _like("reshape"),
    "expand_as": _like("broadcast"),
    "flatten": _flatten,
    "unflatten": _unflatten,
    "size": _size,
    "expand": _expand,
    "contiguous": _itself,
    "detach": _itself,
    "cpu": _itself,
    "cuda": _itself,
    "to": _to,
    "select": _select,
    "narrow": _narrow,
}
