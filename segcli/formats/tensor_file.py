"""Finds one tensor in a file of any format that is known, from headers alone: a file of 100 GB takes no longer."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from segcli.errors import SegcliError
from segcli.formats.byte_source import ByteSource, open_source
from segcli.formats.checkpoint import read_checkpoint
from segcli.formats.checkpoint_tree import list_contents
from segcli.formats.npy_header import read_npy_header
from segcli.formats.npz_members import list_members, read_member_header
from segcli.formats.safetensors_header import read_safetensors_header
from segcli.formats.sniff import Kind, refusal, sniff
from segcli.formats.tensor_header import TensorHeader
from segcli.formats.torch_zip import PICKLE_NAME, read_torch_zip

# Keys that an error lists, and keys that are searched for similar ones.
_LISTED = 3
_SEARCHED = 2_000
_SHOWN = 100


def read_tensor_header(path: Path, key: str | None = None) -> TensorHeader:
    """Read what a file says of one of its tensors.

    Args:
        path: A torch checkpoint (``.pt``, ``.pth``), ``.npy``, ``.npz`` or ``.safetensors`` file, known by its content.
        key: Which tensor; None where the file holds one.

    Returns:
        The tensor's header, its key the one in the file.

    Raises:
        SegcliError: Where the file cannot be read, or has no such tensor, or several and ``key`` is None.
    """
    with open_source(path) as source:
        kind = sniff(source)
        if kind is Kind.NPY:
            if key is not None:
                message = f"{source.name} is one array and has no keys, {_short(key)!r} is asked for"
                raise SegcliError(message, hint=f"leave the key out: @{source.name}")
            return read_npy_header(source).tensor
        if kind is Kind.SAFETENSORS:
            return _among(read_safetensors_header(source).tensors, source, key)
        if kind is Kind.ZIP:
            return _in_zip(source, key)
        if kind in (Kind.LEGACY, Kind.TAR):
            checkpoint = read_checkpoint(source)
            return _among(list_contents(checkpoint.root, checkpoint.name).tensors, source, key)
        raise refusal(source, kind)


def _in_zip(source: ByteSource, key: str | None) -> TensorHeader:
    if source.name.endswith(".npz") or _is_npz(source):
        members = list_members(source)
        found = _chosen(members, source, key, "array")
        return replace(read_member_header(source, found).tensor, key=found)
    checkpoint = read_torch_zip(source)
    contents = list_contents(checkpoint.walk.root, f"{PICKLE_NAME} in {source.name}")
    return _among(contents.tensors, source, key)


def _is_npz(source: ByteSource) -> bool:
    try:
        return bool(list_members(source))
    except SegcliError:
        # The reader of checkpoints says better what is wrong with one.
        return False


def _among(tensors: Sequence[TensorHeader], source: ByteSource, key: str | None) -> TensorHeader:
    by_key = {tensor.key: tensor for tensor in tensors}
    return by_key[_chosen(tuple(by_key), source, key, "tensor")]


def _chosen(keys: Sequence[str], source: ByteSource, key: str | None, what: str) -> str:
    if not keys:
        message = f"{source.name} holds no {what}"
        raise SegcliError(message)
    if key is None:
        if len(keys) == 1:
            return keys[0]
        message = f"{source.name} holds {len(keys):,} {what}s, and no key says which"
        raise SegcliError(message, hint=f"append one: {_listed(keys, lambda one: f'@{source.name}:{one}')}")
    if key not in keys:
        message = f"{source.name} has no {what} {_short(key)!r}"
        raise SegcliError(message, hint=_similar(keys, key))
    return key


def _similar(keys: Sequence[str], key: str) -> str:
    """Name the keys that end as the one that was asked for, else those nearest to it, else the first."""
    ends = [known for known in keys if known.endswith(f".{key}")]
    close = ends or get_close_matches(key[:_SHOWN], [known[:_SHOWN] for known in keys[:_SEARCHED]], n=3)
    return f"did you mean {_listed(close, str)}?" if close else f"it has {_listed(keys, str)}"


def _listed(keys: Sequence[str], write: Callable[[str], str]) -> str:
    more = f" and {len(keys) - _LISTED:,} more" if len(keys) > _LISTED else ""
    return ", ".join(_short(write(key)) if key else "(the whole)" for key in keys[:_LISTED]) + more


def _short(text: str) -> str:
    printable = "".join(char if char.isprintable() else "?" for char in text)
    return printable if len(printable) <= _SHOWN else printable[: _SHOWN - 3] + "..."
