"""Finds the weights in a checkpoint: its one state dict, or what would be the state dict of a module saved whole."""

from collections.abc import Iterator
from dataclasses import dataclass

from segcli.ckpt.assembly import text
from segcli.ckpt.dicts import is_dict, is_flat, joined, pairs_of
from segcli.ckpt.stripping.pruning import Removed
from segcli.errors import SegcliError
from segcli.formats.checkpoint_tree import is_module
from segcli.formats.pickle_nodes import Call, Global, Group, Node, Text
from segcli.formats.rebuilt_tensor import rebuilt_tensor

# What training code calls its weights, where there is more than one dict with tensors.
_USUAL = frozenset(
    [
        *("state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params", "params_ema"),
        *("ema", "model_ema", "ema_state_dict", "state_dict_ema", "teacher", "student", "generator", "net_g"),
    ]
)
# How deep in dicts it is looked for.
_LEVELS = 4
MAX_ENTRIES = 1_000_000


@dataclass(frozen=True, slots=True)
class _Place:
    """An object, the way to it, and the dict that it lies in."""

    key: str
    node: Node
    above: "_Place | None" = None

    def below(self) -> "list[_Place]":
        pairs = pairs_of(self.node) if is_dict(self.node) else []
        return [
            _Place(joined(self.key, part.decoded()), value, self) for part, value in pairs if isinstance(part, Text)
        ]


def weights_of(root: Node, name: str, removed: Removed) -> tuple[Node, str]:
    """Return a checkpoint's one state dict, and its dotted path; what else there was is appended to ``removed``.

    Args:
        root: The outermost object.
        name: How messages call the file.
        removed: Takes what went.

    Raises:
        SegcliError: Where there is none, or more than one.
    """
    level = [_Place("", root)]
    seen: set[int] = set()
    for _ in range(_LEVELS):
        found = [place for place in level if is_flat(place.node) or is_module(place.node)]
        if found:
            chosen = _only(found, name)
            break
        # Each object once: a hostile file has one large dict under very many keys.
        level = [below for place in level if _is_new(place.node, seen) for below in place.below()]
    else:
        message = f"{name} holds no state dict: no dict in it has tensors under names"
        raise SegcliError(message, hint=f"segcli ckpt inspect '{name}' shows what it holds")
    place: _Place | None = chosen
    while place is not None:
        above = place.above.below() if place.above else []
        removed += [(one.key, one.node) for one in above if one.node is not place.node]
        place = place.above
    return _as_state_dict(chosen.node, name), chosen.key


def _is_new(node: Node, seen: set[int]) -> bool:
    is_new = id(node) not in seen
    seen.add(id(node))
    return is_new


def _only(found: list[_Place], name: str) -> _Place:
    usual = [one for one in found if one.key.rpartition(".")[2] in _USUAL]
    chosen = usual if len(usual) == 1 else found
    # One object under two names is no choice.
    if len({id(place.node) for place in chosen}) > 1:
        keys = ", ".join(place.key for place in chosen)
        message = f"{name} holds {len(chosen)} state dicts, and nothing says which to take: {keys}"
        raise SegcliError(message, hint=f"choose: --keep {chosen[0].key} --weights-only")
    return chosen[0]


def _as_state_dict(node: Node, name: str) -> Node:
    if not (isinstance(node, Call) and is_module(node)):
        return node
    pairs: list[tuple[Node, Node]] = []
    for steps, entries in enumerate(_module_entries(node)):
        pairs += [(text(key), value) for key, value in entries]
        if max(steps, len(pairs)) > MAX_ENTRIES:
            message = f"the module in {name} has more than {MAX_ENTRIES:,} parameters and buffers, or modules"
            raise SegcliError(message, hint="no checkpoint needs as many: do not load this file")
    return Call(Global("collections", "OrderedDict"), Group("tuple", []), pairs=pairs)


def _module_entries(module: Call) -> Iterator[list[tuple[str, Node]]]:
    """Yield, module for module, what ``module.state_dict()`` has, as far as the modules' classes do not change it."""
    stack: list[tuple[str, Call]] = [("", module)]
    while stack:
        key, node = stack.pop()
        attributes = {
            name.decoded(): value for state in node.state for name, value in pairs_of(state) if isinstance(name, Text)
        }
        passing = attributes.get("_non_persistent_buffers_set")
        left_out = {one.decoded() for one in _items(passing) if isinstance(one, Text)}
        parameters = [(part, _data(value)) for part, value in _named(attributes.get("_parameters"))]
        buffers = [pair for pair in _named(attributes.get("_buffers")) if pair[0] not in left_out]
        yield [(joined(key, part), value) for part, value in (*parameters, *buffers) if rebuilt_tensor(value)]
        below = [(joined(key, part), one) for part, one in _named(attributes.get("_modules")) if isinstance(one, Call)]
        stack += reversed(below)


def _named(node: Node) -> list[tuple[str, Node]]:
    return [(key.decoded(), value) for key, value in pairs_of(node) if isinstance(key, Text)]


def _items(node: Node) -> list[Node]:
    return node.items if isinstance(node, Group) else _call_items(node)


def _call_items(node: Node) -> list[Node]:
    """Return the items of a set as protocols 2 and 3 write it: ``set([...])``."""
    match node:
        case Call(args=Group(items=[Group(items=items)])):
            return items
    return []


def _data(parameter: Node) -> Node:
    """Return the tensor in a parameter, which is what a state dict has."""
    match parameter:
        case Call(args=Group(items=[Call() as data, *_])) if parameter.path.startswith("torch._utils._rebuild_param"):
            return data
    return parameter
