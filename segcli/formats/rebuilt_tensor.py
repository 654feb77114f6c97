"""Reads a tensor's shape, dtype and place from the call that would rebuild it.

Source: the functions of ``torch/_utils.py`` and ``torch/_tensor.py`` of pytorch 2.13, whose arguments these are.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

from segcli.formats.dtypes import ITEM_BYTES, STORAGE_DTYPES
from segcli.formats.pickle_nodes import Call, Global, Group, Mapping, Node, Storage, Text
from segcli.formats.tensor_header import TensorHeader

# Of which a byte holds several elements, and how many.
PACKED_DTYPES = {"quint4x2": 2, "quint2x4": 4}
# Which argument of ``_rebuild_tensor_v2`` is the tensor's metadata.
_METADATA_AT = 6


@dataclass(frozen=True, slots=True)
class Strided:
    """A tensor that lies in a storage by an offset and strides.

    Attributes:
        arguments: What it would be rebuilt from: the storage, the offset, the shape, the strides, and more.
        storage: The storage.
        dtype: Torch's name of its dtype.
        offset: Its first element's place in the storage, in elements.
        shape: Its shape.
        stride: Elements between neighbours, an axis.
    """

    arguments: Group
    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def strided_arguments(node: Node) -> Strided | None:
    """Return where a tensor lies that a node itself rebuilds; None for all else, parameters of tensors among it."""
    if not isinstance(node, Call):
        return None
    path, arguments = node.path, node.args
    match path, node.arguments:
        case "torch._tensor._rebuild_from_type_v2", [Global() as function, Global(), Group() as inner, *_]:
            path, arguments = function.path, inner
    match arguments:
        case Group(items=[Storage() as storage, int() as offset, *_]) if path in _STRIDED:
            header = _STRIDED[path](arguments.items)
            if header and header.stride is not None:
                return Strided(arguments, storage, header.dtype, offset, header.shape, header.stride)
    return None


def rebuilt_tensor(node: Node) -> TensorHeader | None:
    """Return the tensor that a node stands for, its key empty; None where it is none, or none that can be read.

    A storage that stands on its own counts as a tensor with the layout ``storage``.
    """
    if isinstance(node, Storage):
        dtype = STORAGE_DTYPES.get(node.type_name, "unknown")
        return _header((node.numel,), dtype, node, offset=0, stride=(1,), layout="storage")
    # Parameters wrap a tensor in a call or two; a loop, since a hostile file wraps more.
    layout = ""
    while isinstance(node, Call):
        if node.path in _READERS:
            header = _READERS[node.path](node.arguments)
            return replace(header, layout=layout) if header and layout else header
        node, layout = _unwrapped(node, layout)
    return None


def is_rebuilding(call: Call) -> bool:
    """Say whether a call is of a function that rebuilds a tensor from a storage."""
    return call.path in _STRIDED


def attached(node: Node) -> Node:
    """Return what was saved along with a tensor, such as the attributes of a subclass; None where nothing was."""
    if isinstance(node, Call) and node.path in _STATES:
        arguments = node.arguments
        return arguments[3] if len(arguments) > 3 else None  # noqa: PLR2004 - (..., ..., ..., state)
    return None


def _unwrapped(call: Call, layout: str) -> tuple[Node, str]:
    match call.path, call.arguments:
        case (("torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state"), [Call() as data, *_]):
            return data, layout
        case "torch._tensor._rebuild_from_type_v2", [Global() as function, Global() as kind, Group() as args, *_]:
            return Call(function, args), kind.name
    return None, ""


def _strided(args: list[Node]) -> TensorHeader | None:
    match args:
        case [Storage() as storage, int() as offset, size, stride, *_]:
            dtype = STORAGE_DTYPES.get(storage.type_name, "unknown")
            layout = _layout(args[_METADATA_AT : _METADATA_AT + 1])
            return _header(_ints(size), dtype, storage, offset=offset, stride=_ints(stride), layout=layout)
    return None


def _strided_with_dtype(args: list[Node]) -> TensorHeader | None:
    match args:
        case [Storage() as storage, int() as offset, size, stride, _, _, Global() as dtype, *more]:
            return _header(_ints(size), dtype.name, storage, offset=offset, stride=_ints(stride), layout=_layout(more))
    return None


def _layout(more: list[Node]) -> str:
    """Return what a tensor's metadata says is still to be done to its elements: to conjugate, to negate them."""
    match more:
        case [Mapping(pairs=pairs), *_]:
            names = [key.decoded() for key, value in pairs if isinstance(key, Text) and value is True]
            return " ".join(name for name in ("conj", "neg") if name in names) or "strided"
    return "strided"


def _quantized(args: list[Node]) -> TensorHeader | None:
    header = _strided(args)
    match args:
        case [_, _, _, _, Group(items=[Global() as scheme, *_]), *_] if header:
            return replace(header, layout=scheme.name)
    return None


def _sparse(args: list[Node]) -> TensorHeader | None:
    match args:
        case [Call(args=Group(items=[Text() as layout])), Group(items=parts)]:
            tensors = [tensor for tensor in map(_part, parts) if tensor]
            shape = next((ints for ints in map(_ints, parts) if ints is not None), None)
            if tensors and shape is not None:
                size = sum(tensor.bytes or 0 for tensor in tensors)
                # The values come last of the tensors.
                values, name = tensors[-1], layout.decoded().removeprefix("torch.")
                return TensorHeader("", shape, values.dtype, values.device, size, None, None, None, name)
    return None


def _nested(args: list[Node]) -> TensorHeader | None:
    buffer = _part(args[0]) if args else None
    return replace(buffer, layout="nested") if buffer else None


def _part(node: Node) -> TensorHeader | None:
    """Read a plain tensor inside another; only a hostile file has anything else there, and nests it without end."""
    if isinstance(node, Call) and node.path in _PLAIN:
        return _PLAIN[node.path](node.arguments)
    return None


def _meta(args: list[Node]) -> TensorHeader | None:
    match args:
        case [Global() as dtype, size, stride, *_] if (shape := _ints(size)) is not None:
            return TensorHeader("", shape, dtype.name, "meta", 0, None, None, _ints(stride))
    return None


def _on_other_device(args: list[Node]) -> TensorHeader | None:
    match args:
        case [data, Global() as dtype, Text() as device, *_]:
            tensor = _part(data)
            if tensor:
                return replace(tensor, dtype=dtype.name, device=device.decoded())
    return None


def _wrapper(args: list[Node]) -> TensorHeader | None:
    match args:
        case [Global() as kind, Global() as dtype, size, stride, *_] if (shape := _ints(size)) is not None:
            device = _device(args[6]) if len(args) > 6 else "unknown"  # noqa: PLR2004 - where the device stands
            return TensorHeader("", shape, dtype.name, device, None, None, None, _ints(stride), kind.name)
    return None


def _device(node: Node) -> str:
    """Return a device as text, be it that or a ``torch.device``."""
    match node:
        case Text():
            return node.decoded()
        case Call(args=Group(items=[Text() as kind, *index])) if node.path == "torch.device":
            return ":".join([kind.decoded(), *(str(one) for one in index if isinstance(one, int))])
    return "unknown"


_Reader = Callable[[list[Node]], TensorHeader | None]

_PLAIN: dict[str, _Reader] = {
    "torch._utils._rebuild_tensor": _strided,
    "torch._utils._rebuild_tensor_v2": _strided,
    "torch._utils._rebuild_tensor_v3": _strided_with_dtype,
}
_STRIDED: dict[str, _Reader] = {**_PLAIN, "torch._utils._rebuild_qtensor": _strided}
_READERS: dict[str, _Reader] = {
    **_PLAIN,
    "torch._utils._rebuild_qtensor": _quantized,
    "torch._utils._rebuild_sparse_tensor": _sparse,
    "torch._utils._rebuild_nested_tensor": _nested,
    "torch._utils._rebuild_meta_tensor_no_storage": _meta,
    "torch._utils._rebuild_device_tensor_from_numpy": _on_other_device,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _on_other_device,
    "torch._utils._rebuild_wrapper_subclass": _wrapper,
}
_STATES = ("torch._tensor._rebuild_from_type_v2", "torch._utils._rebuild_parameter_with_state")


def _header(
    shape: tuple[int, ...] | None,
    dtype: str,
    storage: Storage,
    *,
    offset: int,
    stride: tuple[int, ...] | None,
    layout: str = "strided",
) -> TensorHeader | None:
    if shape is None or stride is None or len(shape) != len(stride) or offset < 0:
        return None
    item_bytes = ITEM_BYTES.get(dtype)
    size = None if item_bytes is None else -(-prod(shape) * item_bytes // PACKED_DTYPES.get(dtype, 1))
    return TensorHeader("", shape, dtype, storage.location.decoded(), size, storage.key, offset, stride, layout)


def _ints(node: Node) -> tuple[int, ...] | None:
    """Return a tuple of sizes, be it plain or a ``torch.Size``."""
    if isinstance(node, Call) and node.path == "torch.Size" and len(node.arguments) == 1:
        node = node.arguments[0]
    if not (isinstance(node, Group) and node.kind == "tuple"):
        return None
    sizes = tuple(item for item in node.items if isinstance(item, int) and not isinstance(item, bool) and item >= 0)
    return sizes if len(sizes) == len(node.items) else None
