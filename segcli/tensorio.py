"""Loads tensors that users saved, memory-mapped where the format lets it. The only caller of torch.load.

What a file is, its first bytes say, not its name. Nothing is unpickled but tensors and plain containers of them.
"""

import os
import re
import shutil
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from segcli.errors import SegcliError, nearest
from segcli.files import check_source
from segcli.units import format_bytes

if TYPE_CHECKING:
    import numpy as np
    import torch

Kind = Literal["torch-zip", "torch-legacy", "npy", "npz", "safetensors"]

STANDARD_INPUT = "-"
_SUFFIXES = (".pt", ".pth", ".npy", ".npz", ".safetensors")
_ZIP_MAGIC, _NPY_MAGIC, _PICKLE_MAGIC, _LFS_MAGIC = b"PK\x03\x04", b"\x93NUMPY", b"\x80", b"version https://git-lfs"
_HEAD_BYTES = 24
# safetensors: eight bytes of length, then a JSON object.
_JSON_START = 8
_SHOWN_KEYS = 8


def load_tensor(reference: str, what: str = "tensor") -> "torch.Tensor":
    """Load the tensor that ``reference`` names, on the CPU.

    Args:
        reference: A file, or ``file:key`` for one of several tensors in it: ``out.pt:outputs.0.logits`` (dotted
            keys and indices into nested containers), ``out.npz:logits``, ``out.safetensors:logits``. No key is needed
            where the file holds one tensor. ``-`` is standard input, and so is the file in ``-:logits``.
        what: What the tensor is for, in messages.

    Returns:
        A dense tensor. Those of ``.pt`` (but for the legacy form), ``.npy`` and ``.safetensors`` are mapped into memory
        and read as they are used; writing to them does not change the file.

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
    kind = _kind(path, what)
    with warnings.catch_warnings():
        # Of formats on their way out; the user did not choose them here.
        warnings.simplefilter("ignore")
        match kind:
            case "npy":
                tensor = _from_npy(path, key)
            case "npz":
                tensor = _from_npz(path, key, what)
            case "safetensors":
                tensor = _from_safetensors(path, key, what)
            case _:
                tensor = _from_torch(path, key, what, mapped=kind == "torch-zip")
    return _dense(tensor, reference)


def split_reference(reference: str) -> tuple[Path, str]:
    """Split ``file:key``; the key is empty where none is given. A file that is there by the whole name wins.

    Examples:
        >>> split_reference("out.pt:outputs.0.logits")
        (PosixPath('out.pt'), 'outputs.0.logits')
    """
    colons = [place.start() for place in re.finditer(":", reference)]
    if not colons or Path(reference).exists():
        return Path(reference), ""
    for place in colons:
        name = reference[:place]
        if name == STANDARD_INPUT or Path(name).is_file() or name.lower().endswith(_SUFFIXES):
            return Path(name), reference[place + 1 :]
    return Path(reference), ""


def _kind(path: Path, what: str) -> Kind:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(_LFS_MAGIC):
        message = f"{path} is a Git LFS pointer, not the file itself"
        raise SegcliError(message, hint=f"fetch it first: git lfs pull --include {path.name}")
    if head.startswith(_NPY_MAGIC):
        return "npy"
    if head.startswith(_ZIP_MAGIC):
        return _zip_kind(path)
    if head[_JSON_START : _JSON_START + 1] == b"{":
        return "safetensors"
    if head.startswith(_PICKLE_MAGIC):
        return "torch-legacy"
    message = f"{path} is no tensor file: it starts with {head[:8]!r}"
    raise SegcliError(message, hint=f"{what} are read from {', '.join(_SUFFIXES)}")


def _zip_kind(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise _damaged(path, "it has no zip directory at its end") from error
    return "npz" if names and all(name.endswith(".npy") for name in names) else "torch-zip"


def _from_npy(path: Path, key: str) -> "torch.Tensor":
    import numpy as np

    if key:
        message = f"{path} holds one array, so it has no key {key!r}"
        raise SegcliError(message, hint=f"leave the key out: {path}")
    with _reading_arrays(path):
        # Copy on write: torch wants memory that it may write to.
        return _from_array(np.load(path, mmap_mode="c", allow_pickle=False), str(path))


def _from_npz(path: Path, key: str, what: str) -> "torch.Tensor":
    import numpy as np

    with _reading_arrays(path), np.load(path, allow_pickle=False) as archive:
        name = _pick(dict.fromkeys(archive.files, ""), key, path, what)
        _require_memory(f"{path}:{name}", archive.zip.getinfo(f"{name}.npy").file_size)
        return _from_array(archive[name], f"{path}:{name}")


def _require_memory(name: str, size: int) -> None:
    """Refuse what could only be unpacked with the machine's last byte: a megabyte of zip holds a gigabyte of zeros."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if size > total:
        message = f"{name} unpacks to {format_bytes(size)}, this machine has {format_bytes(total)}"
        raise SegcliError(message, hint="save it as .npy, which is read in place")


@contextmanager
def _reading_arrays(path: Path) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        # numpy's words for both, among "Object arrays cannot be loaded" and "Array can't be memory-mapped".
        if "object" in str(error).lower():
            message = f"{path} holds Python objects, which segcli does not unpickle"
            raise SegcliError(message, hint="save numbers: array.astype('float32')") from error
        raise _damaged(path, str(error)) from error
    except (EOFError, OSError, OverflowError, SyntaxError, zipfile.BadZipFile, *_zlib_error()) as error:
        raise _damaged(path, str(error)) from error
    except MemoryError as error:
        message = f"{path} holds an array that does not fit into memory"
        raise SegcliError(message, hint=str(error).rstrip(".")) from error


def _zlib_error() -> tuple[type[Exception]]:
    import zlib

    return (zlib.error,)


def _from_array(array: "np.ndarray[Any, Any]", name: str) -> "torch.Tensor":
    import torch

    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    try:
        return torch.from_numpy(array)
    except TypeError as error:
        message = f"{name} has dtype {array.dtype}, which torch does not have"
        raise SegcliError(message, hint="save it as float32 or int64: array.astype('float32')") from error


def _from_safetensors(path: Path, key: str, what: str) -> "torch.Tensor":
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt", device="cpu") as archive:
            shapes = {name: str(tuple(archive.get_slice(name).get_shape())) for name in archive.keys()}  # noqa: SIM118 - no mapping
            tensor: torch.Tensor = archive.get_tensor(_pick(shapes, key, path, what))
            return tensor
    except SafetensorError as error:
        raise _damaged(path, str(error)) from error


def _from_torch(path: Path, key: str, what: str, *, mapped: bool) -> "torch.Tensor":
    import torch

    content = _unpickled(path, mapped=mapped)
    if isinstance(content, torch.Tensor) and not key:
        return content
    try:
        named = _at(content, key) if key else None
        if isinstance(named, torch.Tensor):
            return named
        tensors = dict(_tensors_in(content, "", set()))
    except RecursionError as error:
        raise _damaged(path, "its lists or dicts are nested too deeply") from error
    shapes = {name: str(tuple(tensor.shape)) for name, tensor in tensors.items()}
    return tensors[_pick(shapes, key, path, what)]


def _unpickled(path: Path, *, mapped: bool) -> object:
    import pickle

    import torch

    try:
        return torch.load(str(path), map_location="cpu", weights_only=True, mmap=mapped)
    except MemoryError:
        raise
    except Exception as error:
        text = str(error)
        if isinstance(error, pickle.UnpicklingError) or "TorchScript" in text:
            raise _holds_objects(path, text) from error
        # Damaged pickles raise what they like: KeyError, EOFError, RuntimeError, struct.error ...
        raise _damaged(path, text.partition(". ")[0] or "it ends too early") from error


def _holds_objects(path: Path, text: str) -> SegcliError:
    if "TorchScript" in text:
        return SegcliError(
            f"{path} is a TorchScript program, expected tensors", hint="save the tensors with torch.save"
        )
    found = re.search(r"GLOBAL (\S+)", text)
    if not found:
        return SegcliError(f"{path} is a pickle that torch.save did not write", hint="save it with torch.save")
    hint = "save tensors alone: torch.save(logits.detach().cpu(), 'logits.pt')"
    if found[1].startswith("numpy."):
        hint = "NumPy arrays go through torch.from_numpy(array) before torch.save, or into an .npy file"
    return SegcliError(f"{path} holds objects that are no tensors ({found[1]}), which segcli does not unpickle", hint)


def _tensors_in(content: object, prefix: str, seen: set[int]) -> Iterator[tuple[str, "torch.Tensor"]]:
    import torch

    if isinstance(content, torch.Tensor):
        yield prefix.removesuffix("."), content
        return
    # A container is walked once: it may contain itself, and 40 nested pairs of one pair are 2^40 paths.
    if id(content) in seen:
        return
    seen.add(id(content))
    for name, value in _items(content):
        yield from _tensors_in(value, f"{prefix}{name}.", seen)


def _items(content: object) -> Iterator[tuple[object, object]]:
    if isinstance(content, Mapping):
        return iter(content.items())
    return iter(enumerate(content)) if isinstance(content, list | tuple) else iter(())


def _at(content: object, key: str) -> object:
    """Return what a dotted key leads to, or None; names may hold dots themselves, as ``head.weight`` does."""
    for name, value in _items(content):
        if key == str(name):
            return value
        if key.startswith(f"{name}."):
            found = _at(value, key.removeprefix(f"{name}."))
            if found is not None:
                return found
    return None


def _pick(shapes: Mapping[str, str], key: str, path: Path, what: str) -> str:
    """Return the key that is meant."""
    listed = _listed(shapes)
    if not shapes:
        message = f"{path} holds no tensor"
        raise SegcliError(message)
    if key:
        if key in shapes:
            return key
        message = f"{path} has no tensor {key!r}"
        close = nearest(key, list(shapes))
        raise SegcliError(message, hint=close if close.startswith("did") else f"it holds {listed}")
    if len(shapes) == 1:
        return next(iter(shapes))
    message = f"{path} holds {len(shapes)} tensors, expected one or a key: {listed}"
    raise SegcliError(message, hint=f"name the {what}: {path}:{next(iter(shapes))}")


def _listed(shapes: Mapping[str, str]) -> str:
    shown = [f"{name} {shape}".strip() for name, shape in list(shapes.items())[:_SHOWN_KEYS]]
    more = [f"{len(shapes) - _SHOWN_KEYS} more"] if len(shapes) > _SHOWN_KEYS else []
    return ", ".join([*shown, *more])


def _dense(tensor: "torch.Tensor", reference: str) -> "torch.Tensor":
    import torch

    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_nested:
        message = f"{reference} is a {'quantized' if tensor.is_quantized else 'sparse'} tensor, expected a dense one"
        raise SegcliError(message, hint="save tensor.dequantize() or tensor.to_dense()")
    if tensor.device.type != "cpu":
        message = f"{reference} is on device {tensor.device}: it holds no values"
        raise SegcliError(message)
    return tensor.detach()


def _damaged(path: Path, why: str) -> SegcliError:
    return SegcliError(
        f"{path} is damaged or incomplete: {' '.join(why.split()).rstrip('.')}", hint="save or copy it again"
    )
