"""Loads one tensor, of whatever format its file turns out to be."""

import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.errors import SegcliError
from segcli.files import check_source
from segcli.formats.byte_source import ByteSource
from segcli.formats.sniff import Kind, sniff
from segcli.tensorio.arrays import from_npy, from_npz
from segcli.tensorio.pictures import from_picture
from segcli.tensorio.reference import PICTURE_SUFFIXES, STANDARD_INPUT, SUFFIXES, split_reference
from segcli.tensorio.safetensors_files import from_safetensors
from segcli.tensorio.torch_files import from_torch, from_torch_legacy

if TYPE_CHECKING:
    import torch

Loader = Callable[[Path, str, str], "torch.Tensor"]

# A zip begins with its first member: after 26 bytes the length of its name, after 30 the name (APPNOTE.TXT, 4.3.7).
_NAME_LENGTH_AT, _NAME_AT = 26, 30
_LOADERS: dict[Kind, Loader] = {
    Kind.NPY: from_npy,
    Kind.ZIP: from_torch,
    Kind.SAFETENSORS: from_safetensors,
    Kind.LEGACY: from_torch_legacy,
    # Torch says what is wrong with one that it did not write.
    Kind.PICKLE: from_torch_legacy,
    Kind.IMAGE: from_picture,
}


def load_tensor(reference: str, what: str = "tensor") -> "torch.Tensor":
    """Load the tensor that ``reference`` names, on the CPU.

    Args:
        reference: A file, or ``file:key`` for one of several tensors in it: ``out.pt:outputs.0.logits`` (dotted
            keys and indices into nested containers), ``out.npz:logits``, ``out.safetensors:logits``. No key is needed
            where the file holds one tensor. ``-`` is standard input, and so is the file in ``-:logits``.
        what: What the tensor is for, in messages.

    Returns:
        A dense tensor. Those of ``.pt`` (but for the legacy form), ``.npy`` and ``.safetensors`` are mapped into memory
        and read as they are used; writing to them does not change the file. A file that is larger than the system
        promises memory for is mapped to be read alone: write to a copy of such a tensor.
        A ``.png`` gives what its pixels hold: see `segcli.tensorio.pictures.from_picture`.

    Raises:
        SegcliError: Where the file is missing, empty, a folder, damaged, of another kind, or holds objects that are no
            tensors; where the key is unknown, or missing though the file holds several tensors.

    Examples:
        >>> import tempfile, numpy
        >>> name = Path(tempfile.mkdtemp()) / "labels.npy"
        >>> numpy.save(name, numpy.zeros((2, 3), dtype="uint8"))
        >>> load_tensor(str(name)).shape
        torch.Size([2, 3])
    """
    path, key = split_reference(reference)
    if str(path) == STANDARD_INPUT:
        return _from_standard_input(reference, key, what)
    check_source(path)
    return _load(path, key, what, reference)


def _from_standard_input(reference: str, key: str, what: str) -> "torch.Tensor":
    """Copy standard input into a file first: every format is read by jumping about in it, or is mapped."""
    with tempfile.NamedTemporaryFile(prefix="segcli-") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
        path = Path(file.name)
        try:
            check_source(path)
            return _load(path, key, what, reference)
        except SegcliError as error:
            message, hint = (text.replace(file.name, "standard input") for text in (error.message, error.hint))
            raise SegcliError(message, hint) from error


def _load(path: Path, key: str, what: str, reference: str) -> "torch.Tensor":
    loader = _loader(path, what)
    with warnings.catch_warnings():
        # Of formats on their way out; the user did not choose them here.
        warnings.simplefilter("ignore")
        return _dense(loader(path, key, what), reference)


def _loader(path: Path, what: str) -> Loader:
    with path.open("rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        source = ByteSource(str(path), file.fileno(), status.st_size, status.st_mtime_ns)
        kind, head = sniff(source), source.at(0, min(_NAME_AT + 2**16, source.size))
    if kind is Kind.LFS:
        message = f"{path} is a Git LFS pointer, not the file itself"
        raise SegcliError(message, hint=f"fetch it first: git lfs pull --include {path.name}")
    if kind is Kind.ZIP and _first_name(head).endswith(b".npy"):
        return from_npz
    # Cut short inside its header, which only safetensors itself says.
    if kind is Kind.UNKNOWN and head[8:9] == b"{":
        return from_safetensors
    if kind in _LOADERS:
        return _LOADERS[kind]
    found = f"it starts with {head[:8]!r}" if kind is Kind.UNKNOWN else f"its first bytes say {kind}"
    message = f"{path} is no tensor file: {found}"
    suffixes = SUFFIXES if what == "logits" else SUFFIXES + PICTURE_SUFFIXES
    raise SegcliError(message, hint=f"{what} are read from {', '.join(suffixes)}")


def _first_name(head: bytes) -> bytes:
    length = int.from_bytes(head[_NAME_LENGTH_AT:_NAME_AT][:2], "little")
    return head[_NAME_AT : _NAME_AT + length]


def _dense(tensor: "torch.Tensor", reference: str) -> "torch.Tensor":
    import torch

    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_nested:
        message = f"{reference} is a {'quantized' if tensor.is_quantized else 'sparse'} tensor, expected a dense one"
        raise SegcliError(message, hint="save tensor.dequantize() or tensor.to_dense()")
    if tensor.device.type != "cpu":
        message = f"{reference} is on device {tensor.device}: it holds no values"
        raise SegcliError(message)
    return tensor.detach()
