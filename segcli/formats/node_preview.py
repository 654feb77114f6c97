"""Says in a few words what a node of a pickle is. It looks only so deep and so far, whatever the file holds."""

from segcli.formats.numpy_nodes import numpy_type, numpy_value
from segcli.formats.pickle_nodes import Call, Global, Group, Mapping, Node, Storage, Text

_DEPTH = 2
_ITEMS = 4
_TEXT = 60
_WHOLE = 100
# Longer ones are not written out: Python refuses to, from some length on.
_INTEGER_BITS = 256
_BRACKETS = {"tuple": "()", "list": "[]", "set": "{}", "frozenset": "{}"}
_TYPES: dict[type, str] = {Mapping: "dict", Global: "name", type(None): "None"}
_ENCODE = "_codecs.encode"
_RECONSTRUCTORS = ("copyreg._reconstructor", "copyreg.__newobj__")


def type_name(node: Node) -> str:
    """Return the type that a node would have.

    Examples:
        >>> type_name(Group("list", [])), type_name(Global("torch", "float32")), type_name(None)
        ('list', 'name', 'None')
    """
    match node:
        case Text():
            name = type(node.value).__name__
        case Group():
            name = node.kind
        case Storage():
            name = node.type_name
        case Call():
            name = _call_name(node)
        case _:
            name = _TYPES.get(type(node), type(node).__name__)
    return name


def preview(node: Node) -> str:
    """Return a node's value as Python would write it, cut to a line; of a call only what stands in its brackets.

    Examples:
        >>> preview(Group("tuple", [0.9, 0.999])), preview(Mapping([(1, None)]))
        ('(0.9, 0.999)', '{1: None}')
    """
    shown = _call_body(node, _DEPTH) if isinstance(node, Call) else _shown(node, _DEPTH)
    return _cut(shown, _WHOLE)


def _shown(node: Node, depth: int) -> str:
    match node:
        case Text(value=str() as value):
            text = repr(_cut(value, _TEXT))
        case Text():
            text = f"{len(node.value)} bytes"
        case Group():
            brackets = _BRACKETS[node.kind]
            comma = "," if node.kind == "tuple" and len(node.items) == 1 else ""
            text = f"{brackets[0]}{_items(node.items, depth)}{comma}{brackets[1]}"
        case Mapping():
            text = f"{{{_pairs(node.pairs, depth)}}}"
        case Global():
            text = node.path
        case Storage():
            text = f"storage {node.key}"
        case Call() if _configured(node):
            text = _shown(_configured(node)[0], depth)
        case Call():
            text = f"{_call_name(node)}({_call_body(node, depth)})"
        case int() if node.bit_length() > _INTEGER_BITS:
            text = f"an integer of {node.bit_length()} bits"
        case _:
            text = repr(node)
    return text


def _call_body(call: Call, depth: int) -> str:
    if numpy_type(call):
        return numpy_value(call)
    if encoded := _encoded(call):
        return _cut(repr(encoded), _TEXT)
    if _configured(call):
        return _shown(_configured(call)[0], depth)
    parts = []
    if call.path not in _RECONSTRUCTORS:
        parts.append(_items(call.arguments, depth))
    parts.append(_items(call.items, depth))
    parts.append(_pairs(call.pairs, depth))
    state = call.state[0] if call.state else None
    if isinstance(state, Mapping):
        parts.append(_pairs(_public(state.pairs), depth, attributes=True))
    return ", ".join(filter(None, parts))


def _encoded(call: Call) -> bytes:
    """Return the bytes that a call gives, as protocol 2 writes them; nothing for all other calls."""
    match call.arguments:
        case [Text() as encoded, Text(value="latin1")] if call.path == _ENCODE:
            return encoded.decoded().encode("latin-1", "replace")
    return b""


def _configured(call: Call) -> list[Node]:
    """Return what a configuration of OmegaConf's holds, which keeps it in a private attribute; nothing for all else."""
    if not call.path.startswith("omegaconf."):
        return []
    pairs = [pair for state in call.state if isinstance(state, Mapping) for pair in state.pairs]
    return [value for key, value in pairs if isinstance(key, Text) and key.decoded() in ("_content", "_val")]


def _call_name(call: Call) -> str:
    if call.path in _RECONSTRUCTORS and call.arguments and isinstance(call.arguments[0], Global):
        return call.arguments[0].path
    return numpy_type(call) or call.path or "object"


def _public(pairs: list[tuple[Node, Node]]) -> list[tuple[Node, Node]]:
    """Leave out what an object keeps for itself: modules have twenty such attributes each."""
    return [pair for pair in pairs if not (isinstance(pair[0], Text) and pair[0].decoded().startswith("_"))]


def _items(items: list[Node], depth: int) -> str:
    if depth == 0 and items:
        return "..."
    shown = [_shown(item, depth - 1) for item in items[:_ITEMS]]
    return ", ".join(shown + _more(len(items)))


def _pairs(pairs: list[tuple[Node, Node]], depth: int, *, attributes: bool = False) -> str:
    if depth == 0 and pairs:
        return "..."
    shown = []
    for key, value in pairs[:_ITEMS]:
        name = _cut(key.decoded(), _TEXT) if attributes and isinstance(key, Text) else _shown(key, depth - 1)
        shown.append(f"{name}{'=' if attributes else ': '}{_shown(value, depth - 1)}")
    return ", ".join(shown + _more(len(pairs)))


def _more(count: int) -> list[str]:
    return [f"... {count:,} in all"] if count > _ITEMS else []


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."
