"""Labels of axes, such as ``h`` and ``w``: where they go, and how a shape is written with them."""

from segcli.shapes.indexing import Along, Indexing
from segcli.shapes.reduced import Reduced
from segcli.shapes.values import Labels, Shape


def label_indexed(labels: Labels, done: Indexing) -> Labels:
    """Return the labels of an indexed result: an axis that stays keeps its own, and broadcast axes take the indices'.

    Args:
        labels: The source's.
        done: What the index does.

    Examples:
        >>> from segcli.shapes import explain
        >>> explain("x[:, 0, i]", {"x": "h:8,w:16,c:3", "i": "k:4"}).torch.labels
        ('h', 'k')
    """
    if not labels and not any(operand.tensor.labels for operand in done.operands):
        return ()
    found: list[str | None] = [None] * len(done.shape)
    if labels:
        for label, access in zip(labels, done.accesses, strict=True):
            if isinstance(access, Along):
                found[access.axis] = label
    for axis, label in zip(done.landing, _broadcast_labels(done), strict=True):
        found[axis] = label
    return _unless_empty(found)


def _broadcast_labels(done: Indexing) -> list[str | None]:
    """Return the labels of the advanced indices' common shape: the first one that has a label and more than size 1."""
    width = len(done.landing)
    found: list[str | None] = [None] * width
    for wide in (True, False):
        for operand in done.operands:
            labels = operand.tensor.labels
            if len(labels) != len(operand.shape):
                # No label, or a mask of several axes, which all become one.
                continue
            for offset, label in enumerate(labels, start=width - len(labels)):
                stretched = operand.shape[offset - width] == 1
                if found[offset] is None and not (wide and stretched):
                    found[offset] = label
    return found


def label_reduced(labels: Labels, done: Reduced) -> Labels:
    """Return the labels of a reduced result: an axis that is gone takes its label along.

    Args:
        labels: The source's.
        done: What the reduction does.
    """
    kept = [label for axis, label in enumerate(labels) if axis not in done.dims or len(labels) == len(done.shape)]
    return _unless_empty(kept) if len(kept) == len(done.shape) else ()


def _unless_empty(labels: list[str | None]) -> Labels:
    return tuple(labels) if any(labels) else ()


def labelled(shape: Shape, labels: Labels | None) -> Shape:
    """Write the sizes of a shape with the labels that its axes have.

    Examples:
        >>> labelled((8, 3), ("h", "c")), labelled((8, 3), (None, "c")), labelled((8,), None)
        (('h: 8', 'c: 3'), (8, 'c: 3'), (8,))
    """
    if not labels:
        return shape
    return tuple(f"{label}: {size}" if label else size for label, size in zip(labels, shape, strict=True))
