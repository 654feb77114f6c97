"""Reads a SPEC that is a file: ``@logits.pt``, ``@model.pth:state_dict.head.weight``. Its header alone is read."""

from os.path import isfile
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.errors import SegcliError
from segcli.shapes.values import DTYPES, Tensor

if TYPE_CHECKING:
    from segcli.formats.tensor_header import TensorHeader

# Longer than any path, and what messages show of one.
_MAX_CHARACTERS = 4096


def read_file_spec(name: str, text: str) -> Tensor:
    """Read the shape and the dtype of a tensor in a file.

    Args:
        name: The bound name, for messages and for the tensor's own text.
        text: ``@PATH``, or ``@PATH:KEY``.

    Raises:
        SegcliError: Where there is no such tensor, or none that an expression could index.
    """
    # The readers of files are not loaded where no file is read.
    from segcli.formats.tensor_file import read_tensor_header

    path, key = _split(name, text.removeprefix("@"))
    header = read_tensor_header(path, key)
    shown = f"{path}:{header.key}" if header.key else str(path)
    _refuse_layout(name, shown, header)
    if header.dtype not in DTYPES:
        message = f"{shown} is of dtype {header.dtype}, whose rules are not known here; known: {', '.join(DTYPES)}"
        raise SegcliError(message, hint=_instead(name, header))
    return Tensor(header.shape, header.dtype, name)


def describe(tensor: Tensor, text: str) -> str:
    """Say what was read.

    Examples:
        >>> describe(Tensor((2, 3), "float32", "x"), "@x.npy")
        'x is float32 (2, 3) in x.npy'
    """
    return f"{tensor.text} is {tensor.dtype} {tensor.shape} in {text.strip().removeprefix('@')}"


def _split(name: str, text: str) -> tuple[Path, str | None]:
    """Split the key from the path: at the last colon that leaves the path of a file, else at the first."""
    if not text or "\0" in text or len(text) > _MAX_CHARACTERS:
        message = f"{name}=@ is followed by no path of a file"
        raise SegcliError(message, hint=f"for example {name}=@logits.pt, or {name}=@model.pth:state_dict.head.weight")
    path, key = text, ""
    while path and not isfile(path):  # noqa: PTH113 - Path.is_file raises where a name is too long
        path, _, part = path.rpartition(":")
        key = f"{part}:{key}" if key else part
    if path:
        return Path(path), key or (None if path == text else "")
    path, colon, key = text.partition(":")
    return Path(path or text), key if colon else None


def _refuse_layout(name: str, shown: str, header: "TensorHeader") -> None:
    layout = header.layout
    if layout == "storage":
        what = "a storage without a shape"
    elif header.dtype.startswith(("qint", "quint")):
        what = f"a quantized tensor ({header.dtype}, {layout})"
    elif layout.startswith(("sparse", "nested", "jagged")):
        what = f"a tensor of the layout {layout}"
    else:
        return
    message = f"{shown} is {what}, expected a plain one, which is strided"
    raise SegcliError(message, hint=_instead(name, header))


def _instead(name: str, header: "TensorHeader") -> str:
    sizes = ",".join(map(str, header.shape)) + ("," if len(header.shape) == 1 else "")
    return f"give its shape, with a dtype that is known if need be: {name}={sizes or '()'}"
