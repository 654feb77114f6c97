"""A checkpoint as plain data, for formats that hold dicts, lists, tensors and plain values: DCP."""

from dataclasses import dataclass, field
from typing import Any, TypeGuard

from segcli.ckpt.conversion.state_tensors import StateTensor, described, is_versions, state_tensor
from segcli.errors import SegcliError
from segcli.formats.checkpoint import Checkpoint
from segcli.formats.checkpoint_tree import members
from segcli.formats.node_preview import preview
from segcli.formats.pickle_nodes import Call, Group, Mapping, Node, Text
from segcli.formats.rebuilt_tensor import rebuilt_tensor
from segcli.formats.sniff import Kind

# Dicts in dicts, and values in all; a hostile file's one dict stands in itself, or in two places forty deep.
_MAX_DEPTH = 100
_MAX_VALUES = 1_000_000
_DICTS = ("collections.OrderedDict",)
_LEFT_OUT = object()


@dataclass(frozen=True, slots=True)
class Key:
    """Stands for the tensor of a dotted key."""

    key: str


@dataclass
class PlainState:
    """What a checkpoint holds, as plain data.

    Attributes:
        tensors_only: Whether values that are no tensors are left out.
        root: Dicts and lists of values, with a `Key` for each tensor.
        tensors: The tensors, by dotted key.
        ties: Tensors that are the same as one before, and stand nowhere in ``root``: their path, and its key.
        other: The keys of what has no place in plain data, with their types.
        versions: The keys of ``_metadata``: what modules say of their version; ``load_state_dict`` does without.
    """

    tensors_only: bool
    root: Any = None
    tensors: dict[str, StateTensor] = field(default_factory=dict)
    ties: dict[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)
    other: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)


def plain_state(checkpoint: Checkpoint, *, tensors_only: bool) -> PlainState:
    """Return what a checkpoint holds as plain data.

    Args:
        checkpoint: The open checkpoint.
        tensors_only: Whether values that are no tensors are left out.

    Raises:
        SegcliError: Where it is no dict, has tensors that are more than elements in a storage, or is nested without
            end.
    """
    reader = _Reader(checkpoint, PlainState(tensors_only))
    if not isinstance(checkpoint.root, Mapping) and not _is_dict(checkpoint.root):
        message = f"{checkpoint.source.name} holds one {described(checkpoint.root)}, expected a dict"
        raise SegcliError(message, hint="a distributed checkpoint is a dict: write a .pth")
    reader.state.root = reader.read(checkpoint.root, ())
    return reader.state


@dataclass
class _Reader:
    checkpoint: Checkpoint
    state: PlainState
    places: dict[tuple[object, ...], str] = field(default_factory=dict)
    count: int = 0

    def read(self, node: Node, path: tuple[str | int, ...]) -> Any:  # noqa: ANN401 - nested plain data
        """Return what a node stands for."""
        self.count += 1
        if len(path) > _MAX_DEPTH or self.count > _MAX_VALUES:
            message = f"{self.checkpoint.source.name} is nested more than {_MAX_DEPTH} levels deep, or without end"
            raise SegcliError(message, hint="write a .pth, which holds what it holds as it is")
        header = rebuilt_tensor(node)
        if header is not None and header.layout != "storage":
            return self._tensor(node, path)
        if isinstance(node, Mapping) or _is_dict(node):
            return self._dict(node, path)
        if isinstance(node, Group) and node.kind in ("list", "tuple"):
            read = [self.read(one, (*path, index)) for index, one in enumerate(node.items)]
            items = [one for one in read if one is not _LEFT_OUT]
            return items if node.kind == "list" else tuple(items)
        if self.state.tensors_only or not (node is None or isinstance(node, bool | int | float | Text)):
            self.state.other.append(f"{_dotted(path)} ({described(node)})")
            return _LEFT_OUT
        return node.value if isinstance(node, Text) else node

    def _tensor(self, node: Node, path: tuple[str | int, ...]) -> object:
        key = _dotted(path)
        tensor = state_tensor(self.checkpoint, Kind.DCP, key, node)
        # What was saved along with it: the attributes of a tensor, or of a parameter.
        self.state.other += [f"{key}.{name} ({described(value)})" for name, value in members(node)]
        if key in self.state.tensors or key in self.state.ties:
            message = f"{self.checkpoint.source.name} has two tensors whose dotted key is {key!r}"
            raise SegcliError(message, hint="rename one of them: segcli ckpt strip --rename")
        view = tensor.view
        place = (tensor.placed.storage.key, view.dtype, view.offset, view.shape, view.stride)
        steps = tuple(step for step in path if isinstance(step, str))
        if view.count and len(steps) == len(path):
            first = self.places.setdefault(place, key)
            if first != key:
                self.state.ties[key] = (steps, first)
                return _LEFT_OUT
        self.state.tensors[key] = tensor
        return Key(key)

    def _dict(self, node: Mapping | Call, path: tuple[str | int, ...]) -> dict[str, Any]:
        for state in node.state if isinstance(node, Call) else []:
            for name, value in state.pairs if isinstance(state, Mapping) else []:
                key = _dotted((*path, preview(name) if not isinstance(name, Text) else name.decoded()))
                (self.state.versions if is_versions(key, value) else self.state.other).append(key)
        found: dict[str, Any] = {}
        for name, value in node.pairs:
            key = name.decoded() if isinstance(name, Text) else preview(name)
            if key in found:
                message = f"{_dotted(path) or self.checkpoint.source.name} has two keys that read {key!r}"
                raise SegcliError(message, hint="a distributed checkpoint's keys are texts: write a .pth")
            read = self.read(value, (*path, key))
            if read is not _LEFT_OUT:
                found[key] = read
        return found


def _is_dict(node: Node) -> TypeGuard[Call]:
    return isinstance(node, Call) and node.path in _DICTS


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))
