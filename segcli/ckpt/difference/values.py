"""What differs between values that are no tensors. They are compared as a pickle says them, and never built."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from segcli.errors import SegcliError
from segcli.formats.node_preview import preview, type_name
from segcli.formats.pickle_nodes import Call, Global, Group, Mapping, Node, Text
from segcli.formats.rebuilt_tensor import rebuilt_tensor

# Cycles of different lengths make as many pairs as their product; no checkpoint has so many.
MAX_PAIRS = 10_000_000
# Beyond so many characters a path is not made longer.
_LONGEST_PATH = 300

Pair = tuple[str, Node, Node]


@dataclass(frozen=True)
class ValueDifference:
    """A value that differs, or that only one file has.

    Attributes:
        key: Its dotted path.
        first_type: Its type in the first file; None where it is missing there.
        first: The value, in few words.
        second_type: Its type in the second file; None where it is missing there.
        second: The value.
    """

    key: str
    first_type: str | None
    first: str | None
    second_type: str | None
    second: str | None


class Values:
    """Compares values; a pair of objects that are reached twice is compared once."""

    def __init__(self) -> None:
        """Start with nothing compared."""
        self._seen: set[tuple[int, int]] = set()

    def differences(self, key: str, first: Node, second: Node) -> Iterator[ValueDifference]:
        """Yield what differs at and below a key; tensors are passed over.

        Raises:
            SegcliError: For objects that lead back to themselves in more ways than any checkpoint's.
        """
        pairs: list[Pair] = [(key, first, second)]
        while pairs:
            pair = pairs.pop()
            path, one, two = pair
            if isinstance(one, Group | Mapping | Call) and isinstance(two, Group | Mapping | Call):
                if (id(one), id(two)) in self._seen:
                    continue
                self._note(one, two)
            are_tensors = [rebuilt_tensor(node) is not None for node in (one, two)]
            if all(are_tensors):
                continue
            below = None if any(are_tensors) else _compared(path, one, two)
            if below is None:
                yield ValueDifference(path, *_told(one), *_told(two))
            elif below:
                yield from _missing(below)
                pairs += [(path, one, two) for path, one, two in reversed(below) if _ABSENT not in (one, two)]

    def _note(self, one: Node, two: Node) -> None:
        self._seen.add((id(one), id(two)))
        if len(self._seen) > MAX_PAIRS:
            message = f"their values lead back to themselves in more than {MAX_PAIRS:,} ways"
            raise SegcliError(message, hint="no checkpoint needs as many: do not load these files")


def only(key: str, node: Node, *, in_first: bool) -> ValueDifference:
    """Return the difference that a value makes which one file does not have."""
    none = (None, None)
    return ValueDifference(key, *(_told(node) if in_first else none), *(none if in_first else _told(node)))


def _told(node: Node) -> tuple[str, str]:
    tensor = rebuilt_tensor(node)
    return ("tensor", f"{tensor.dtype} {tensor.shape}") if tensor else (type_name(node), preview(node))


# Stands where one of two dicts has no value under a key.
_ABSENT = Global("", "absent")


def _missing(pairs: Sequence[Pair]) -> Iterator[ValueDifference]:
    for path, one, two in pairs:
        if one is _ABSENT:
            yield only(path, two, in_first=False)
        elif two is _ABSENT:
            yield only(path, one, in_first=True)


def _compared(path: str, one: Node, two: Node) -> list[Pair] | None:
    """Return the pairs that must be equal for two nodes to be; None where the nodes themselves differ."""
    if type(one) is not type(two):
        return None
    return _COMPARED.get(type(one), _plain)(path, one, two)


def _plain(_path: str, one: Node, two: Node) -> list[Pair] | None:
    # NaN is the one value that differs from itself.
    return [] if one == two or (one != one and two != two) else None  # noqa: PLR0124 - that is how NaN is told


def _texts(_path: str, one: Text, two: Text) -> list[Pair] | None:
    return [] if type(one.value) is type(two.value) and one.value == two.value else None


def _globals(_path: str, one: Global, two: Global) -> list[Pair] | None:
    return [] if one.path == two.path else None


def _groups(path: str, one: Group, two: Group) -> list[Pair] | None:
    if one.kind != two.kind or len(one.items) != len(two.items):
        return None
    if one.kind in ("set", "frozenset"):
        # A pickle has a set's members in no order.
        atoms = [[atom(item) for item in group.items] for group in (one, two)]
        if None not in atoms[0] and None not in atoms[1]:
            return [] if set(atoms[0]) == set(atoms[1]) else None
    return _in_order(path, one.items, two.items)


def _mappings(path: str, one: Mapping, two: Mapping) -> list[Pair] | None:
    return _by_key(path, one.pairs, two.pairs)


def _calls(path: str, one: Call, two: Call) -> list[Pair] | None:
    if one.path != two.path or len(one.items) != len(two.items) or len(one.state) != len(two.state):
        return None
    parts = [(path, one.function, two.function), (path, one.args, two.args), (path, one.keywords, two.keywords)]
    states = [(path, *pair) for pair in zip(one.state, two.state, strict=True)]
    return [*parts, *_in_order(path, one.items, two.items), *_by_key(path, one.pairs, two.pairs), *states]


_COMPARED: dict[type, Callable[..., list[Pair] | None]] = {
    Text: _texts,
    Global: _globals,
    Group: _groups,
    Mapping: _mappings,
    Call: _calls,
}


def _in_order(path: str, one: Sequence[Node], two: Sequence[Node]) -> list[Pair]:
    return [(_joined(path, str(at)), *pair) for at, pair in enumerate(zip(one, two, strict=True))]


def _by_key(path: str, one: Sequence[tuple[Node, Node]], two: Sequence[tuple[Node, Node]]) -> list[Pair]:
    """Return the values of two dicts under one key each; what has no plain key is counted from the start."""
    named = [{atom(key) or (at,): (key, value) for at, (key, value) in enumerate(pairs)} for pairs in (one, two)]
    found: list[Pair] = []
    for one_key in {**named[0], **named[1]}:
        key, first = named[0].get(one_key, (None, _ABSENT))
        other, second = named[1].get(one_key, (key, _ABSENT))
        name = _shown(other if first is _ABSENT else key)
        found.append((_joined(path, name), first, second))
        if atom(key) is None and first is not _ABSENT and second is not _ABSENT:
            found.append((_joined(path, name), key, other))
    return found


def _shown(key: Node) -> str:
    return key.decoded() if isinstance(key, Text) else preview(key)


def _joined(path: str, part: str) -> str:
    return path if len(path) > _LONGEST_PATH else f"{path}.{part}" if path else part


def atom(node: Node) -> tuple[object, ...] | None:
    """Return what stands for a plain value, so that equal ones are equal and no others."""
    match node:
        case Text():
            return (type(node.value), bytes(node.value) if isinstance(node.value, bytearray) else node.value)
        case Global():
            return (Global, node.path)
        case bool() | int() | float() | None:
            return (type(node), "nan" if node != node else node)  # noqa: PLR0124 - that is how NaN is told
    return None
