"""Walks over everything below an object of a pickle, in the order in which the pickle has it."""

import itertools
from collections.abc import Iterator

from segcli.formats.pickle_nodes import Call, Group, Mapping, Node, Storage

Container = Group | Mapping | Call


def below(node: Container) -> list[Node]:
    """Return what an object is made of: items, keys and values, what is called and what it is given."""
    if isinstance(node, Group):
        return node.items
    pairs = [part for pair in node.pairs for part in pair]
    if isinstance(node, Mapping):
        return pairs
    return [node.function, node.args, node.keywords, *node.items, *pairs, *node.state]


def containers(root: Node) -> Iterator[Container]:
    """Yield every object below one, and itself, that others are in: each once, the outer before the inner."""
    seen: set[int] = set()
    nodes = [root]
    while nodes:
        node = nodes.pop()
        if isinstance(node, Container) and id(node) not in seen:
            seen.add(id(node))
            yield node
            nodes += reversed(below(node))


def storages_in(root: Node) -> Iterator[Storage]:
    """Yield every mention of a storage: each node once, of which one storage may have several."""
    seen: set[int] = set()
    for nodes in itertools.chain([[root]], map(below, containers(root))):
        for node in nodes:
            if isinstance(node, Storage) and id(node) not in seen:
                seen.add(id(node))
                yield node
