"""The tensors of a checkpoint under dotted keys, for formats that hold nothing else: safetensors."""

from dataclasses import dataclass, field

from segcli.ckpt.tensors import listed
from segcli.ckpt.views import view_of
from segcli.elements.strides import View
from segcli.errors import SegcliError
from segcli.formats.checkpoint import Checkpoint
from segcli.formats.checkpoint_tree import list_entries
from segcli.formats.node_preview import type_name
from segcli.formats.pickle_nodes import Call, Mapping, Node
from segcli.formats.rebuilt_tensor import Strided, rebuilt_tensor, strided_arguments
from segcli.formats.sniff import Kind
from segcli.formats.tensor_header import TensorHeader

# What one object that stands in many places may come to.
_MAX_TENSORS = 1_000_000
_PARAMETERS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
_QUANTIZED = "torch._utils._rebuild_qtensor"


@dataclass(frozen=True)
class StateTensor:
    """A tensor that is no more than elements in a storage.

    Attributes:
        key: Its dotted path.
        header: What is said of it.
        placed: Where it lies in its storage.
        view: Its elements.
        node: What rebuilds it.
    """

    key: str
    header: TensorHeader
    placed: Strided
    view: View
    node: Node

    @property
    def dtype(self) -> str:
        """The dtype that it shall have: casting changes what rebuilds it."""
        header = rebuilt_tensor(self.node)
        return header.dtype if header else self.header.dtype


@dataclass(frozen=True)
class StateTensors:
    """All tensors of a checkpoint, and what else it holds.

    Attributes:
        tensors: The tensors, in the checkpoint's order.
        other: The keys of what is no tensor, with their types.
        versions: The keys of ``_metadata``: what modules say of their version; ``load_state_dict`` does without.
    """

    tensors: list[StateTensor] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)


def state_tensors(checkpoint: Checkpoint, target: Kind) -> StateTensors:
    """Return the tensors of a checkpoint under dotted keys; a dict that stands in two places is in both.

    Args:
        checkpoint: The open checkpoint.
        target: The format that they are for.

    Raises:
        SegcliError: For tensors that are more than elements in a storage (sparse and quantized ones, say), and where
            two have one key.
    """
    found = StateTensors()
    nodes: dict[str, Node] = {}
    for entry in list_entries(checkpoint.root, checkpoint.name):
        if entry.tensor and entry.tensor.layout != "storage":
            _add(nodes, checkpoint, entry.key, entry.node)
        elif entry.same_as is not None and not _is_within(entry.key, entry.same_as):
            below = [(key, node) for key, node in nodes.items() if _is_within(key, entry.same_as)]
            for key, node in below:
                _add(nodes, checkpoint, entry.key + key.removeprefix(entry.same_as), node)
        elif is_versions(entry.key, entry.node):
            found.versions.append(entry.key)
        else:
            what = described(entry.node)
            found.other.append(f"{entry.key} ({what})" if entry.key else f"one {what}, which is all that it holds")
    for key, node in nodes.items():
        found.tensors.append(state_tensor(checkpoint, target, key, node))
    return found


def described(node: Node) -> str:
    """Return what a node stands for, in a word.

    Examples:
        >>> described(Mapping([])), described(7)
        ('dict', 'int')
    """
    header = rebuilt_tensor(node)
    if header:
        return "storage" if header.layout == "storage" else "tensor"
    return type_name(node)


def _is_within(key: str, of: str) -> bool:
    return key.startswith(f"{of}.") or of == "the whole"


def is_versions(key: str, node: Node) -> bool:
    """Say whether something is the ``_metadata`` of a state dict: the versions of its modules."""
    return key.rpartition(".")[2] == "_metadata" and isinstance(node, Mapping | Call)


def _add(nodes: dict[str, Node], checkpoint: Checkpoint, key: str, node: Node) -> None:
    name = checkpoint.source.name
    if not key:
        message = f"{name} is one tensor, which has no key"
        raise SegcliError(message, hint="save it in a dict: torch.save({'weight': tensor}, ...)")
    if key in nodes:
        message = f"{name} has two tensors whose dotted key is {key!r}"
        raise SegcliError(message, hint="rename one of them: segcli ckpt strip --rename")
    if len(nodes) >= _MAX_TENSORS:
        message = f"{name} has more than {_MAX_TENSORS:,} tensors"
        raise SegcliError(message, hint="no checkpoint needs as many: do not load this file")
    nodes[key] = node


def state_tensor(checkpoint: Checkpoint, target: Kind, key: str, node: Node) -> StateTensor:
    """Return a tensor that is no more than elements in a storage.

    Args:
        checkpoint: The open checkpoint.
        target: The format that it is for.
        key: Its dotted path.
        node: What rebuilds it.

    Raises:
        SegcliError: Where it is more than that.
    """
    header, plain = rebuilt_tensor(node), _plain(node)
    if header is None or plain is None:
        kind = (
            f"{header.layout} tensor" if header and header.layout != "strided" else "tensor without values of its own"
        )
        message = f"{key} in {checkpoint.source.name} is a {kind}, which {target} has no place for"
        raise SegcliError(message, hint="leave it out first: segcli ckpt strip --drop KEY; or convert it with torch")
    if _is_lazy(plain):
        message = f"{key} in {checkpoint.source.name} is conjugated or negated lazily, which {target} cannot say"
        raise SegcliError(message, hint="save it with torch after resolve_conj() and resolve_neg()")
    return StateTensor(key, header, plain, view_of(checkpoint, key, header), node)


def _plain(node: Node) -> Strided | None:
    while isinstance(node, Call) and node.path in _PARAMETERS and node.arguments:
        node = node.arguments[0]
    # A quantized tensor's elements mean nothing without its scale.
    return None if isinstance(node, Call) and node.path == _QUANTIZED else strided_arguments(node)


def _is_lazy(placed: Strided) -> bool:
    """Whether a tensor's elements are to be conjugated or negated where it is loaded."""
    said = [one for one in placed.arguments.items[5:] if isinstance(one, Mapping)]
    return any(value is True for mapping in said for _, value in mapping.pairs)


def refuse_other(name: str, other: list[str], target: Kind) -> None:
    """Refuse what a format that holds tensors alone has no place for.

    Raises:
        SegcliError: Where there is any.
    """
    if other:
        message = f"{name} holds what {target} has no place for: {listed(other)}"
        raise SegcliError(message, hint="leave all of it out with --tensors-only, or write a .pth, which holds it")


def used_twice(tensors: list[StateTensor]) -> dict[str, list[StateTensor]]:
    """Return the tensors that share a storage with others, by its key; tensors without elements share nothing."""
    by_storage: dict[str, list[StateTensor]] = {}
    for tensor in tensors:
        if tensor.view.count:
            by_storage.setdefault(tensor.placed.storage.key, []).append(tensor)
    return {key: found for key, found in by_storage.items() if len(found) > 1}
