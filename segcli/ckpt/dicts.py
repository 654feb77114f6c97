"""Finds the dicts of a checkpoint: those that hold tensors somewhere, and the state dicts among them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from segcli.formats.checkpoint_tree import members
from segcli.formats.pickle_nodes import Call, Group, Mapping, Node, Text
from segcli.formats.rebuilt_tensor import rebuilt_tensor

Pairs = list[tuple[Node, Node]]


@dataclass(frozen=True, slots=True)
class Found:
    """A dict in a checkpoint, or another object on the way to one.

    Attributes:
        node: It.
        part: What it adds to the dotted path of what it lies in.
        above: What it lies in; None for the outermost object.
    """

    node: Node
    part: str = ""
    above: "Found | None" = None

    @property
    def pairs(self) -> Pairs:
        """Its keys and values."""
        return pairs_of(self.node)

    @property
    def key(self) -> str:
        """Its dotted path, which is joined only where it is wanted; empty for the outermost object."""
        parts = []
        found: Found | None = self
        while found is not None and found.above is not None:
            parts.append(found.part)
            found = found.above
        return ".".join(reversed(parts))


def is_dict(node: Node) -> bool:
    """Say whether a node stands for a dict, or for one of a class with items of its own, such as ``OrderedDict``."""
    return isinstance(node, Mapping) or (isinstance(node, Call) and (bool(node.pairs) or _is_empty_dict(node)))


def _is_empty_dict(call: Call) -> bool:
    return call.path in ("collections.OrderedDict", "collections.defaultdict")


def is_state_dict(node: Node) -> bool:
    """Say whether a node stands for a dict that has tensors under names."""
    return any(isinstance(key, Text) and rebuilt_tensor(value) is not None for key, value in pairs_of(node))


def is_flat(node: Node) -> bool:
    """Say whether a state dict is all that a node stands for: no dict in it has tensors but as a module's own state."""
    if not is_state_dict(node):
        return False
    # In one walk: a hostile file has one large dict under very many keys.
    values = [value for key, value in pairs_of(node) if not _is_extra_state(key)]
    return not any(is_state_dict(below.node) for below in dicts(Group("list", values)))


def _is_extra_state(key: Node) -> bool:
    """Say whether a key is what torch calls a module's own state, in which anything may be."""
    return isinstance(key, Text) and key.decoded().endswith("_extra_state")


def pairs_of(node: Node) -> Pairs:
    """Return the keys and values of a dict; nothing for what is none."""
    return node.pairs if isinstance(node, Mapping | Call) else []


def dicts(root: Node) -> Iterator[Found]:
    """Yield every dict below an object, once, with the first way to it; the outer before the inner."""
    seen: set[int] = set()
    stack = [Found(root)]
    while stack:
        found = stack.pop()
        node = found.node
        if id(node) in seen or not isinstance(node, Mapping | Call | Group):
            continue
        seen.add(id(node))
        if rebuilt_tensor(node):
            continue
        if is_dict(node):
            yield found
        below = [(part, one) for part, one in members(node) if isinstance(one, Mapping | Call | Group)]
        stack += [Found(one, part, found) for part, one in reversed(below)]


def state_dicts(root: Node) -> list[Found]:
    """Return every dict below an object that has tensors under names."""
    return [found for found in dicts(root) if is_state_dict(found.node)]


def joined(key: str, part: str) -> str:
    """Return a path with a part behind it.

    Examples:
        >>> joined("", "model"), joined("model", "head.weight")
        ('model', 'model.head.weight')
    """
    return f"{key}.{part}" if key else part


def metadata_of(node: Node) -> Sequence[Mapping | Call]:
    """Return what a state dict has as ``_metadata``: the versions of its modules, by their names."""
    states = node.state if isinstance(node, Call) else []
    pairs = [pair for state in states if isinstance(state, Mapping) for pair in state.pairs]
    return [
        value
        for key, value in pairs
        if isinstance(key, Text) and key.decoded() == "_metadata" and isinstance(value, Mapping | Call)
    ]
