"""A safetensors file as the nodes of a pickle that would hold the same: a dict of tensors."""

from segcli.formats.byte_source import ByteSource
from segcli.formats.dtypes import STORAGE_DTYPES
from segcli.formats.payload import Stretch
from segcli.formats.pickle_nodes import Call, Global, Group, Mapping, Node, Place, Storage, Text
from segcli.formats.safetensors_header import SafetensorsHeader
from segcli.formats.stored_storage import StoredStorage
from segcli.formats.tensor_header import TensorHeader

_CLASSES = {dtype: name for name, dtype in STORAGE_DTYPES.items() if name != "UntypedStorage"}
_NOWHERE = Place("BINUNICODE", 0, 0)


def safetensors_root(header: SafetensorsHeader) -> Mapping:
    """Return the dict of tensors that a header describes, each in a storage of its own that has its name."""
    once = {word: Text(word, _NOWHERE) for word in ("storage", "cpu")}
    return Mapping([(Text(one.key, _NOWHERE), _tensor(one, once)) for one in header.tensors])


def safetensors_storages(source: ByteSource, header: SafetensorsHeader) -> dict[str, StoredStorage]:
    """Return where the bytes of each tensor are: one behind another, up to the file's end."""
    at = source.size - sum(tensor.bytes or 0 for tensor in header.tensors)
    found = {}
    for tensor in header.tensors:
        size = tensor.bytes or 0
        dtype = tensor.dtype if tensor.dtype in _CLASSES else "uint8"
        found[tensor.key] = StoredStorage(tensor.key, dtype, "cpu", size, Stretch(source, at, size))
        at += size
    return found


def tensor_node(header: TensorHeader) -> tuple[Call, Storage]:
    """Return a tensor that a header describes, whose storage has its name, and the storage."""
    made = _tensor(header, {word: Text(word, _NOWHERE) for word in ("storage", "cpu")})
    (storage,) = (one for one in made.arguments[:1] if isinstance(one, Storage))
    return made, storage


def _tensor(header: TensorHeader, once: dict[str, Text]) -> Call:
    shape: list[Node] = [*header.shape]
    stride: list[Node] = [*(header.stride or ())]
    hooks = Call(Global("collections", "OrderedDict"), Group("tuple", []))
    rest: list[Node] = [0, Group("tuple", shape), Group("tuple", stride), False, hooks]
    if header.dtype in _CLASSES:
        count = 1
        for side in header.shape:
            count *= side
        storage = _storage(_CLASSES[header.dtype], header.key, count, once)
        return Call(Global("torch._utils", "_rebuild_tensor_v2"), Group("tuple", [storage, *rest]))
    storage = _storage("UntypedStorage", header.key, header.bytes or 0, once)
    rest.append(Global("torch", header.dtype))
    return Call(Global("torch._utils", "_rebuild_tensor_v3"), Group("tuple", [storage, *rest]))


def _storage(name: str, key: str, count: int, once: dict[str, Text]) -> Storage:
    module = "torch.storage" if name == "UntypedStorage" else "torch"
    items: list[Node] = [once["storage"], Global(module, name), Text(key, _NOWHERE), once["cpu"], count]
    return Storage(name, key, once["cpu"], count, Group("tuple", items))
