"""Devices that a checkpoint names apart from its storages: ``torch.device`` objects, and tensors that have no storage.

Source: ``THPDevice_reduce`` in ``torch/csrc/Device.cpp``, and the functions of ``torch/_utils.py`` of pytorch 2.13.
"""

from collections.abc import Callable, Iterator

from segcli.ckpt.assembly import text
from segcli.formats.pickle_nodes import Call, Group, Mapping, Node, Text

_DEVICE = "torch.device"
# What rebuilds a tensor on a device that it is told, and the place of that among its arguments.
_WITH_DEVICE = {
    "torch._utils._rebuild_device_tensor_from_numpy": 2,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": 2,
    "torch._utils._rebuild_wrapper_subclass": 6,
}


def retarget(root: Node, new: Callable[[str], str]) -> int:
    """Change the devices that an object names apart from its storages; return how many became others.

    Args:
        root: The outermost object, which is changed in place.
        new: What the tag of each device becomes.
    """
    changed = 0
    for call in list(_calls(root)):
        if call.path == _DEVICE and isinstance(call.args, Group):
            before = _tag(call.args.items)
            after = before and new(before)
            if after and after != before:
                call.args = Group("tuple", _arguments(after))
                changed += 1
        place = _WITH_DEVICE.get(call.path, len(call.arguments))
        named = call.arguments[place] if place < len(call.arguments) else None
        if isinstance(named, Text) and new(named.decoded()) != named.decoded():
            call.arguments[place] = text(new(named.decoded()))
            changed += 1
    return changed


def _tag(arguments: list[Node]) -> str:
    """Return the tag of a ``torch.device``; empty for one that torch would not make."""
    match arguments:
        case [Text() as kind]:
            return kind.decoded()
        case [Text() as kind, int() as index]:
            return f"{kind.decoded()}:{index}"
    return ""


def _arguments(tag: str) -> list[Node]:
    kind, colon, index = tag.partition(":")
    return [text(kind), int(index)] if colon else [text(kind)]


def _calls(root: Node) -> Iterator[Call]:
    seen: set[int] = set()
    nodes = [root]
    while nodes:
        node = nodes.pop()
        if isinstance(node, Group | Mapping | Call) and id(node) not in seen:
            seen.add(id(node))
            if isinstance(node, Call):
                yield node
            nodes += _below(node)


def _below(node: Group | Mapping | Call) -> list[Node]:
    if isinstance(node, Group):
        return node.items
    pairs = [part for pair in node.pairs for part in pair]
    if isinstance(node, Mapping):
        return pairs
    return [node.function, node.args, node.keywords, *node.items, *pairs, *node.state]
