"""The tensors and other values of an open checkpoint, with the nodes that stand for them."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from segcli.ckpt.selection import selects_any
from segcli.errors import SegcliError
from segcli.formats.checkpoint import Checkpoint
from segcli.formats.checkpoint_tree import list_entries
from segcli.formats.pickle_nodes import Call, Group, Node, Storage
from segcli.formats.rebuilt_tensor import rebuilt_tensor
from segcli.formats.tensor_header import TensorHeader

# Of names that a message lists.
_LISTED = 3


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor of a checkpoint.

    Attributes:
        header: What is said of it.
        node: What stands for it.
        parts: What has values in a storage: mostly the tensor itself; of a sparse one its indices and values, of a
            quantized one the scales of its channels, too; nothing of one on ``meta``.
    """

    header: TensorHeader
    node: Node
    parts: tuple[TensorHeader, ...]

    @property
    def key(self) -> str:
        """Its dotted path; empty where it is all that the checkpoint holds."""
        return self.header.key


@dataclass(frozen=True)
class Holdings:
    """What a checkpoint holds, by key: its tensors, and other values."""

    tensors: dict[str, StoredTensor]
    other: dict[str, Node]


def holdings(checkpoint: Checkpoint, *, quoted: Collection[str] = ()) -> Holdings:
    """List all tensors and other values of a checkpoint.

    Args:
        checkpoint: The open checkpoint.
        quoted: Keys of which several tensors have each; their parts that hold dots are put in quotes, as in
            ``'a.b'.weight``, which tells ``{"a.b": ...}`` from ``{"a": {"b": ...}}``.

    Raises:
        SegcliError: Where a key stands there twice, or as `list_entries`.
    """
    tensors: dict[str, StoredTensor] = {}
    other: dict[str, Node] = {}
    for entry in list_entries(checkpoint.root, checkpoint.name):
        if entry.tensor:
            key = entry.quoted if entry.key in quoted else entry.key
            if key in tensors:
                message = f"{checkpoint.source.name} has two tensors whose key is {key!r}"
                raise SegcliError(message, hint="keys that hold dots make one: rename one of them")
            tensors[key] = StoredTensor(entry.tensor.under(key), entry.node, parts_of(entry.node))
        elif entry.same_as is None:
            other[entry.key] = entry.node
    return Holdings(tensors, other)


def shared_keys(checkpoint: Checkpoint) -> set[str]:
    """Return the keys that several tensors have, since parts of keys may hold dots."""
    counts = Counter(entry.key for entry in list_entries(checkpoint.root, checkpoint.name) if entry.tensor)
    return {key for key, count in counts.items() if count > 1}


def parts_of(tensor: Node) -> tuple[TensorHeader, ...]:
    """Return what has values of its own: a tensor, and the tensors among what would rebuild it."""
    return tuple(_parts(tensor))


def _parts(tensor: Node) -> Iterator[TensorHeader]:
    seen: set[tuple[object, ...]] = set()
    nodes = [tensor]
    done: set[int] = set()
    while nodes:
        node = nodes.pop()
        if id(node) in done:
            continue
        done.add(id(node))
        # A parameter and the tensor in it are one.
        header = rebuilt_tensor(node)
        place = (header.storage, header.offset, header.shape, header.stride) if header else ()
        if header and header.storage is not None and place not in seen:
            seen.add(place)
            yield header
        if isinstance(node, Call | Group):
            below = node.arguments[:3] if isinstance(node, Call) and _has_state(node) else _below(node)
            nodes += [one for one in reversed(below) if isinstance(one, Call | Group)]


def _has_state(call: Call) -> bool:
    """Whether the last argument is what was saved along with the tensor, and is listed on its own."""
    return call.path == "torch._tensor._rebuild_from_type_v2"


def _below(node: Call | Group) -> list[Node]:
    return node.arguments if isinstance(node, Call) else node.items


def storages_below(node: Node) -> Iterator[tuple[Storage, bool]]:
    """Yield the storages that would rebuild a tensor, and whether each is a quantized tensor's or in one."""
    done: set[int] = set()
    nodes = [(node, False)]
    while nodes:
        node, quantized = nodes.pop()
        if isinstance(node, Storage):
            yield node, quantized
        elif isinstance(node, Call | Group) and id(node) not in done:
            done.add(id(node))
            quantized = quantized or (isinstance(node, Call) and node.path == "torch._utils._rebuild_qtensor")
            below = node.arguments[:3] if isinstance(node, Call) and _has_state(node) else _below(node)
            nodes += [(one, quantized) for one in reversed(below)]


def matches(key: str, globs: tuple[str, ...]) -> bool:
    """Say whether a key is what one of some globs means, or lies below it.

    Examples:
        >>> matches("model.head.weight", ("model.*", "*.bias")), matches("heads.weight", ("head",))
        (True, False)
    """
    return selects_any(globs, key)


def listed(keys: list[str]) -> str:
    """Return the first of some keys, and how many more there are.

    Examples:
        >>> listed(["a", "b", "c", "d", "e"])
        'a, b, c and 2 more'
    """
    more = len(keys) - _LISTED
    shown = ", ".join(key or "(the file itself)" for key in keys[:_LISTED])
    return f"{shown} and {more:,} more" if more > 0 else shown
