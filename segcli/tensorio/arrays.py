"""Loads what NumPy saved."""

import errno
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcli.errors import SegcliError
from segcli.tensorio.picking import damaged, no_key, pick
from segcli.units import format_bytes

if TYPE_CHECKING:
    import numpy as np
    import torch


def from_npy(path: Path, key: str, what: str) -> "torch.Tensor":  # noqa: ARG001 - every loader takes the same
    """Map an ``.npy`` file.

    Raises:
        SegcliError: Where it is damaged, or holds what is no tensor; for any key.
    """
    if key:
        raise no_key(path, key, "array")
    with _reading_arrays(path):
        try:
            return _from_array(_mapped(path), str(path))
        except ValueError:
            _check_length(path)
            raise


def _check_length(path: Path) -> None:
    """Refuse a file that was cut short with how much is missing, of which NumPy's own words say nothing."""
    from segcli.formats.byte_source import open_source
    from segcli.formats.npy_header import read_npy_header

    try:
        with open_source(path) as source:
            read_npy_header(source)
    except SegcliError as error:
        _, is_damaged, why = error.message.partition(" is damaged: ")
        if is_damaged:
            raise damaged(path, why) from error


def _mapped(path: Path) -> "np.ndarray[Any, Any]":
    import numpy as np

    array: np.ndarray[Any, Any]
    try:
        # Copy on write: torch wants memory that it may write to.
        array = np.load(path, mmap_mode="c", allow_pickle=False)
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        # Larger than the copies that the system would promise memory for; none will be made.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def from_npz(path: Path, key: str, what: str) -> "torch.Tensor":
    """Unpack an array of an ``.npz`` file.

    Raises:
        SegcliError: Where it is damaged, or holds what is no tensor; for a key that is unknown or missing.
    """
    import numpy as np

    # NumPy itself leaves the file open where it is no zip.
    with path.open("rb") as file, _reading_arrays(path), np.load(file, allow_pickle=False) as archive:
        name = pick(archive.files, lambda _: "", key, path, what)
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
        raise damaged(path, str(error)) from error
    except (EOFError, OSError, OverflowError, SyntaxError, zipfile.BadZipFile, *_zlib_error()) as error:
        raise damaged(path, str(error)) from error
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
