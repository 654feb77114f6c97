"""What a star unpacks: ``*x.shape[:2]``."""

from segcli.errors import SegcliError
from segcli.shapes.values import Item, Listed, Pair, Parts, RaisedError, Span, Tensor, type_name


def unpack(item: Item, span: Span) -> list[Item]:
    """Return the items of what a star stands before.

    Args:
        item: What it stands before.
        span: Where it stands, with the star.

    Raises:
        RaisedError: Python's TypeError for what has no items.
        SegcliError: For a tensor, whose rows nobody means, and for as many tensors as nobody knows.

    Examples:
        >>> sizes = Listed((Item(8, "8", (0, 1)), Item(16, "16", (0, 1))), is_tuple=True)
        >>> [each.value for each in unpack(Item(sizes, "sizes", (1, 6)), (0, 6))]
        [8, 16]
    """
    value = item.value
    if isinstance(value, Listed):
        return [Item(each.value, each.text, span) for each in value.items]
    if isinstance(value, Pair | Parts):
        tensors = [value.values, value.indices] if isinstance(value, Pair) else value.tensors()
        if tensors is None:
            message = f"how many tensors {value.function}() returns is not known, so that they cannot be unpacked"
            raise SegcliError(message, hint="give the size of the axis a number")
        return [Item(tensor, f"{item.text}[{place}]", span) for place, tensor in enumerate(tensors)]
    if isinstance(value, Tensor):
        if not value.shape:
            raise RaisedError(span, "TypeError", "iteration over a 0-d tensor")
        message = f"*{item.text} would unpack a tensor into its rows"
        raise SegcliError(message, hint=f"write *{item.text}.unbind(0) for the rows, *{item.text}.shape for the sizes")
    raise RaisedError(span, "TypeError", f"Value after * must be an iterable, not {type_name(value)}")
