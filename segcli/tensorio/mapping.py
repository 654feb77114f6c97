"""Maps a tensor to be read alone, where the system will not promise memory for a copy of its file.

Torch and safetensors map files so that a tensor can be written to without changing the file. For that Linux sets memory
aside, and refuses where the file is larger than all there is, although not a byte of it will ever be needed. Where the
tensor lies in the file, our own readers know.
"""

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.errors import SegcliError
from segcli.tensorio.picking import pick

if TYPE_CHECKING:
    import torch

    from segcli.formats.checkpoint import Checkpoint
    from segcli.formats.stored_storage import StoredStorage
    from segcli.formats.tensor_header import TensorHeader


def is_shortage(error: RuntimeError) -> bool:
    """Say whether torch's error is that of a file too large to be mapped with room for copies.

    Examples:
        >>> is_shortage(RuntimeError("unable to mmap 60800000096 bytes from file <a>: Cannot allocate memory (12)"))
        True
    """
    text = str(error)
    return "unable to mmap" in text and "Cannot allocate memory" in text


def map_tensor(path: Path, key: str, what: str) -> "torch.Tensor":
    """Map a tensor of a torch zip or ``.safetensors`` file; writing to it would end the process.

    Raises:
        SegcliError: Where the file is damaged, or the tensor is not laid out plainly; for a key that is unknown or
            missing.

    Examples:
        >>> import tempfile, torch
        >>> name = Path(tempfile.mkdtemp()) / "logits.pt"
        >>> torch.save(torch.arange(3.0), name)
        >>> map_tensor(name, "", "logits")
        tensor([0., 1., 2.])
    """
    # Readers of all formats of checkpoints; hardly any run needs them.
    from segcli.formats.checkpoint import open_checkpoint
    from segcli.formats.checkpoint_tree import list_contents

    with open_checkpoint(path) as checkpoint:
        found = {tensor.key: tensor for tensor in list_contents(checkpoint.root, checkpoint.name).tensors}
        header = found[pick(found, lambda name: str(found[name].shape), key, path, what)]
        return _view(path, header, _storage(path, header, checkpoint))


def _storage(path: Path, header: "TensorHeader", checkpoint: "Checkpoint") -> "StoredStorage":
    storage = checkpoint.storages.get(header.storage) if header.storage is not None else None
    if storage is None or header.stride is None or header.layout != "strided" or checkpoint.byteorder != sys.byteorder:
        message = f"{path} is larger than this machine's memory, and its tensor is not laid out to be read in place"
        raise SegcliError(message, hint="save it as a dense tensor, tensor.contiguous(), or as .npy")
    return storage


def _view(path: Path, header: "TensorHeader", storage: "StoredStorage") -> "torch.Tensor":
    import numpy as np
    import torch

    if not storage.bytes or header.stride is None:
        return torch.empty(header.shape, dtype=getattr(torch, header.dtype))
    raw = np.memmap(path, np.uint8, "r", offset=storage.data.start, shape=(storage.bytes,))
    with warnings.catch_warnings():
        # That it must not be written to is known.
        warnings.simplefilter("ignore")
        elements = torch.from_numpy(raw).view(getattr(torch, header.dtype))
    return elements.as_strided(header.shape, header.stride, header.offset or 0)
