"""Which bytes of its storages a checkpoint's tensors use: those of a view of a large tensor use few of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod

from segcli.formats.dtypes import ITEM_BYTES, STORAGE_DTYPES
from segcli.formats.node_walk import Container, below
from segcli.formats.pickle_nodes import Call, Node, Storage
from segcli.formats.rebuilt_tensor import PACKED_DTYPES, Strided, strided_arguments


@dataclass
class Extent:
    """What is used of a storage.

    Attributes:
        size: The bytes of its elements.
        start: The first byte that a tensor uses.
        end: The byte behind the last; 0 where none is used.
        item_bytes: Of what all places in it must be multiples, in bytes.
        shown: The bytes that its tensors show, those that several show counted more than once.
        views: The tensors that lie in it.
        mentions: Every time that it is named.
    """

    size: int
    start: int
    end: int
    item_bytes: int
    shown: int = 0
    views: list[Strided] = field(default_factory=list)
    mentions: list[Storage] = field(default_factory=list)

    @property
    def slack(self) -> int:
        """Bytes before the first and behind the last that a tensor uses."""
        return self.size - (self.end - self.start)

    @property
    def gaps(self) -> int:
        """Bytes between the elements of its tensors that none of them shows; there may be more."""
        return max(0, self.end - self.start - self.shown)

    def use(self, start: int, end: int) -> None:
        """Take note of bytes that are used."""
        self.start, self.end = min(self.start, start), max(self.end, end)


def extents(root: Node) -> dict[str, Extent]:
    """Return what the tensors below an object use of each storage, by its key, in the order of the first mentions.

    A storage that something else than a tensor names, or of which a tensor does not say plainly what it uses, counts
    as used from end to end.
    """
    found: dict[str, Extent] = {}
    for storage, view in _mentions(root):
        dtype = STORAGE_DTYPES.get(storage.type_name, "uint8")
        item_bytes = ITEM_BYTES[dtype]
        size = storage.numel * item_bytes
        extent = found.setdefault(storage.key, Extent(size, size, 0, item_bytes))
        extent.mentions.append(storage)
        if view is None or view.dtype in PACKED_DTYPES or view.dtype not in ITEM_BYTES:
            extent.use(0, size)
            extent.shown += size
            continue
        own = ITEM_BYTES[view.dtype]
        extent.item_bytes = max(extent.item_bytes, own)
        extent.views.append(view)
        if prod(view.shape):
            last = view.offset + sum((side - 1) * step for side, step in zip(view.shape, view.stride, strict=True))
            extent.use(view.offset * own, min((last + 1) * own, size))
            extent.shown += prod(side for side, step in zip(view.shape, view.stride, strict=True) if step) * own
    for extent in found.values():
        extent.start = min(extent.start, extent.end) // extent.item_bytes * extent.item_bytes
        extent.end = -(-extent.end // extent.item_bytes) * extent.item_bytes
        extent.end = min(extent.end, extent.size)
    return found


def _mentions(root: Node) -> Iterator[tuple[Storage, Strided | None]]:
    """Yield every mention of a storage, with the tensor whose own it is; None where it is no tensor's."""
    seen: set[int] = set()
    placed: set[int] = set()
    stack: list[Node] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, Storage):
            yield node, None
        elif isinstance(node, Container) and id(node) not in seen:
            seen.add(id(node))
            view = strided_arguments(node)
            if view and id(view.arguments) not in placed:
                placed.add(id(view.arguments))
                yield view.storage, view
            stack += reversed(_below(node, view))


def _below(node: Container, view: Strided | None) -> list[Node]:
    """Return what a node holds, but for the storage that a tensor lies in."""
    if not (view and isinstance(node, Call)):
        return below(node)
    # What comes with it: the scales of a quantized tensor, the state of a subclass.
    parts = [one for one in node.arguments if one is not view.arguments and one is not view.storage]
    pairs = [one for pair in node.pairs for one in pair]
    return [*parts, *view.arguments.items[1:], node.keywords, *node.items, *pairs, *node.state]
