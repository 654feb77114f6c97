"""Ways to write what gathers, scatters and masks."""

from collections.abc import Callable, Iterator

from segcli.shapes.rewriting.place import Called, as_primary
from segcli.shapes.values import Tensor


def _gather(call: Called) -> Iterator[str]:
    """Crop to the axes of the index first, where it is smaller."""
    axis, node = call.axis(), call.node_of(1, "index")
    index = None if node is None else call.place.tensor(node)
    if node is None or index is None or len(index.shape) != len(call.source.shape):
        return
    slices = []
    for place, (size, most) in enumerate(zip(index.shape, call.source.shape, strict=True)):
        # NumPy would stretch an axis of size 1.
        slices.append(":" if place == axis or size == most else f":{size}")
    while slices and slices[-1] == ":":
        slices.pop()
    cropped = f"{call.owner}[{', '.join(slices)}]" if slices else call.owner
    yield f"torch.take_along_dim({cropped}, {call.place.text(node)}, {axis})"


def _take_along(call: Called) -> Iterator[str]:
    """Bring positions into the axis, as PyTorch does."""
    axis, index = call.axis(1), call.text_of(0, "indices")
    yield f"torch.take_along_dim({call.bare}, {as_primary(index)} % {call.size(axis)}, {axis})"


def _masked_select(call: Called) -> Iterator[str]:
    mask = call.text_of(0, "mask")
    yield f"{call.owner}[{mask}]"
    node = call.node_of(0, "mask")
    other = None if node is None else call.place.tensor(node)
    if other is None:
        return
    if len(other.shape) < len(call.source.shape):
        yield f"{call.owner}[..., {mask}].reshape(-1)"
    if len(other.shape) <= len(call.source.shape):
        yield f"{call.owner}[torch.broadcast_to({mask}, {call.owner}.shape)]"
    yield f"torch.broadcast_to({call.bare}, {as_primary(mask)}.shape)[{mask}]"


def _masked_fill(call: Called) -> Iterator[str]:
    value = call.text_of(1, "value")
    yield f"torch.where({call.text_of(0, 'mask')}, {value}, {call.bare})"


def _where(call: Called) -> Iterator[str]:
    """Put the condition first, as the function has it."""
    if call.space == "method":
        yield f"torch.where({call.text_of(0, 'condition')}, {call.bare}, {call.text_of(1, 'other')})"


def _nonzero(call: Called) -> Iterator[str]:
    if call.node_of(0, "as_tuple") is None or call.number(0, "as_tuple") is False:
        yield f"torch.argwhere({call.bare})"
    else:
        yield f"torch.where({call.bare})"


def _fits(call: Called, index: Tensor, axis: int) -> bool:
    """Tell whether an index says a position for every place along the other axes."""
    pairs = enumerate(zip(index.shape, call.source.shape, strict=False))
    alike = all(size == most for place, (size, most) in pairs if place != axis)
    return alike and len(index.shape) == len(call.source.shape)


def _spread_out(call: Called, axis: int, inside: str) -> str:
    """Write what stands at each position: the last axis is that of the positions, and goes where it belongs."""
    ndim = len(call.source.shape)
    reduced = inside.format(axis=axis)
    return reduced if axis == ndim - 1 else f"torch.moveaxis({reduced}, -1, {axis})"


def _scatter(call: Called) -> Iterator[str]:
    """Choose between a number and what was there."""
    axis, node = call.axis(), call.node_of(1, "index")
    index = None if node is None else call.place.tensor(node)
    value = call.node_of(2, "value")
    if node is None or index is None or value is None or not _fits(call, index, axis):
        return
    if call.place.tensor(value) is not None or any(argument.keyword == "reduce" for argument in call.arguments):
        return
    positions = f"{as_primary(call.place.text(node))}[..., None] == torch.arange({call.size(axis)})"
    hit = _spread_out(call, axis, f"({positions}).any({{axis}})")
    yield f"torch.where({hit}, {call.place.text(value)}, {call.bare})"


def _scatter_add(call: Called) -> Iterator[str]:
    """Add up what falls on each position."""
    axis, node, source = call.axis(), call.node_of(1, "index"), call.node_of(2, "src")
    index = None if node is None else call.place.tensor(node)
    given = None if source is None else call.place.tensor(source)
    if node is None or index is None or source is None or given is None:
        return
    if not _fits(call, index, axis) or len(given.shape) != len(index.shape):
        return
    crops = [":" if size == most else f":{size}" for size, most in zip(index.shape, given.shape, strict=True)]
    text = as_primary(call.place.text(source))
    kept = f"{text}[{', '.join(crops)}, None]" if any(crop != ":" for crop in crops) else f"{text}[..., None]"
    positions = f"{as_primary(call.place.text(node))}[..., None] == torch.arange({call.size(axis)})"
    added = _spread_out(call, axis, f"torch.where({positions}, {kept}, 0).sum({{axis}})")
    yield f"{call.owner} + {added}"


def _spread(call: Called, axis: int, text: str) -> str:
    """Give what has an entry a position the axes that stand behind it."""
    behind = len(call.source.shape) - 1 - axis
    return text + f"[{', '.join([':'] + ['None'] * behind)}]" * bool(behind)


def _index_fill(call: Called) -> Iterator[str]:
    axis, index = call.axis(), as_primary(call.text_of(1, "index"))
    hit = f"({index}[..., None] == torch.arange({call.size(axis)}))"
    text = _spread(call, axis, f"{hit}.reshape(-1, {call.size(axis)}).any(0)")
    yield f"torch.where({text}, {call.text_of(2, 'value')}, {call.bare})"


def _index_add(call: Called) -> Iterator[str]:
    """Add up the slices that go to each position, by a product with what says which do."""
    axis, node, source = call.axis(), call.node_of(1, "index"), call.node_of(2, "source")
    if node is None or source is None or call.node_of(3, "alpha") is not None or len(call.source.shape) < 1:
        return
    hit = f"torch.arange({call.size(axis)})[:, None] == {as_primary(call.place.text(node))}"
    given = as_primary(call.place.text(source))
    slices = given if axis == 0 else f"torch.moveaxis({given}, {axis}, 0)"
    behind = len(call.source.shape) - 1
    spread = f"[..., {', '.join(['None'] * behind)}]" if behind else ""
    text = f"torch.where(({hit}){spread}, {slices}, 0).sum(1)"
    moved = text if axis == 0 else f"torch.moveaxis({text}, 0, {axis})"
    yield f"{call.owner} + {moved}"


WAYS: dict[str, Callable[[Called], Iterator[str]]] = {
    "gather": _gather,
    "take_along_dim": _take_along,
    "masked_select": _masked_select,
    "masked_fill": _masked_fill,
    "where": _where,
    "nonzero": _nonzero,
    "scatter": _scatter,
    "scatter_add": _scatter_add,
    "index_fill": _index_fill,
    "index_add": _index_add,
}
