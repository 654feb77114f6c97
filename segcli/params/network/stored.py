"""What a checkpoint holds of a network, by the parts of its keys: from headers alone, without torch."""

from dataclasses import dataclass
from pathlib import Path

from segcli.formats.checkpoint import open_checkpoint
from segcli.formats.checkpoint_tree import list_contents
from segcli.formats.collection import collection_paused
from segcli.formats.subtotals import Subtotal, subtotals

# What batch and instance norms keep beside their parameters; a file does not say which tensors are buffers.
_NORM_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Stored:
    """The tensors of a checkpoint.

    Attributes:
        file: The file.
        tensors: How many there are.
        elements: Their elements; of those that are aliases of one another, only the first's.
        norm_buffers: How many of these are, by their names, what norms keep beside their parameters.
        bytes: What they take.
        dtypes: Of all of them.
        tree: The same by the parts of their keys, from all of them down.
    """

    file: Path
    tensors: int
    elements: int
    norm_buffers: int
    bytes: int
    dtypes: tuple[str, ...]
    tree: tuple[Subtotal, ...]


@collection_paused()
def read_stored(path: Path, depth: int) -> Stored:
    """Read which tensors a checkpoint holds.

    Args:
        path: A torch zip, legacy, tar or safetensors file, or the folder of a distributed checkpoint.
        depth: How many parts of their keys down the tree goes.

    Raises:
        SegcliError: For a file that is none of them, or is damaged.
    """
    with open_checkpoint(path) as checkpoint:
        tensors = list_contents(checkpoint.root, checkpoint.name).tensors
    tree = subtotals(tensors, depth)
    whole = tree[0]
    buffers = subtotals((one for one in tensors if one.key.rpartition(".")[2] in _NORM_BUFFERS), 0)[0]
    return Stored(path, whole.tensors, whole.elements, buffers.elements, whole.bytes, whole.dtypes, tree)
