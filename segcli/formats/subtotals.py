"""Adds up a checkpoint's tensors by module: what lies below each part of their keys."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from segcli.formats.tensor_header import TensorHeader


@dataclass(frozen=True)
class Subtotal:
    """What lies below a part of the tensors' keys.

    Attributes:
        path: The part, up to a dot; empty for all.
        depth: How many dots down it is; 0 for all.
        is_last: Of it and each part above but the first, whether it is the last of its neighbours.
        tensors: The tensors below it.
        elements: Their elements; of those that are aliases of one another, only the first's.
        bytes: What these take.
        dtypes: Of all of them, in the file's order.
    """

    path: str
    depth: int
    is_last: tuple[bool, ...]
    tensors: int
    elements: int
    bytes: int
    dtypes: tuple[str, ...]

    @property
    def part(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]


class _Node:
    def __init__(self) -> None:
        self.tensors = self.elements = self.bytes = 0
        self.dtypes: dict[str, None] = {}
        self.below: dict[str, _Node] = {}

    def add(self, elements: int, size: int, dtype: str) -> None:
        self.tensors += 1
        self.dtypes[dtype] = None
        self.elements += elements
        self.bytes += size


def subtotals(tensors: Iterable[TensorHeader], depth: int) -> tuple[Subtotal, ...]:
    """Add tensors up by the parts of their keys.

    Args:
        tensors: The tensors.
        depth: How many parts down.

    Returns:
        All of them, then each module in front of what lies in it, in the file's order.

    Examples:
        >>> one = TensorHeader("head.weight", (2, 3), "float32", "cpu", 24, "0", 0, (3, 1))
        >>> [(total.path, total.elements) for total in subtotals([one, one.under("head.tied")], depth=1)]
        [('', 6), ('head', 6)]
    """
    root = _Node()
    seen: set[tuple[object, ...]] = set()
    for tensor in tensors:
        place = (tensor.storage, tensor.offset, tensor.shape, tensor.stride)
        is_alias = tensor.storage is not None and place in seen
        seen.add(place)
        elements, size = (0, 0) if is_alias else (prod(tensor.shape), tensor.bytes or 0)
        node = root
        node.add(elements, size, tensor.dtype)
        for part in tensor.key.split(".", depth)[:depth]:
            node = node.below.setdefault(part, _Node())
            node.add(elements, size, tensor.dtype)
    return tuple(_listed(root))


def _listed(root: _Node) -> Iterable[Subtotal]:
    stack: list[tuple[str, tuple[bool, ...], _Node]] = [("", (), root)]
    while stack:
        path, is_last, node = stack.pop()
        yield Subtotal(path, len(is_last), is_last, node.tensors, node.elements, node.bytes, tuple(node.dtypes))
        last = len(node.below) - 1
        rows = [
            (f"{path}.{part}" if is_last else part, (*is_last, index == last), below)
            for index, (part, below) in enumerate(node.below.items())
        ]
        stack += reversed(rows)
