"""Conversions to another dtype or device: PyTorch 2.13's, and ``astype`` of NumPy 2.4."""

import re
from dataclasses import replace

from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.compute.broadcasting import broadcast_operands
from segcli.shapes.compute.elementwise import computed
from segcli.shapes.compute.keeping import same, tensor_of, whole_step
from segcli.shapes.compute.promotion import is_integral
from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Indexing
from segcli.shapes.kinds import SCALARS
from segcli.shapes.python_call import bind_python
from segcli.shapes.signatures import Signatures
from segcli.shapes.values import DTYPES, DType, Item, RaisedError, Tensor

_NAMED = {
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "bfloat16": "bfloat16",
    "int": "int32",
    "long": "int64",
    "short": "int16",
    "bool": "bool",
    "byte": "uint8",
    "char": "int8",
}
_FORMAT = "memory_format? memory_format="
_CAST = Signatures((f"*, {_FORMAT}",), ())
_REST = f"bool non_blocking=, bool copy=, *, {_FORMAT}"
_TO = Signatures(
    (
        f"str? device=, dtype? dtype=, {_REST}",
        f"dtype dtype, {_REST}",
        f"Tensor tensor, {_REST}",
        f"int device, dtype? dtype=, {_REST}",
    ),
    (),
)
_CUDA = Signatures((f"device? device=, bool non_blocking=, *, {_FORMAT}",), ())
_TYPE_AS = Signatures(("Tensor other",), ())
_DEVICES = (
    "cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, ve, fpga, maia, xla, lazy, vulkan, mps, meta, hpu, mtia, "
    "privateuseone"
)
_TYPES = {f"torch.{name}Tensor": dtype for dtype, name in SCALARS.items()}


def _named(call: Call) -> Computed | Indexing:
    """Convert as ``x.float()`` does."""
    bind_call(call, _CAST)
    return _cast(call, _NAMED[call.name])


def _to(call: Call) -> Computed | Indexing:
    """Convert as ``x.to(...)`` does: to a dtype, a device, or both of another tensor."""
    bound = bind_call(call, _TO)
    copy = "copy" in bound and bool(bound["copy"].value)
    if "tensor" in bound:
        other = bound["tensor"].value
        return _cast(call, other.dtype if isinstance(other, Tensor) else "", copy=copy)
    dtype = bound["dtype"].value if "dtype" in bound else None
    device = bound["device"].item if "device" in bound else None
    moved = device is not None and device.value is not None and _is_elsewhere(device)
    where = str(device.value) if device is not None and moved else ""
    return _cast(call, dtype.name if isinstance(dtype, DType) else "", copy=copy, device=where)


def _cuda(call: Call) -> Computed | Indexing:
    """Move as ``x.cuda()`` and ``x.cuda(1)`` do."""
    given = bind_call(call, _CUDA).get("device")
    device = given.value if given else None
    if given is not None and isinstance(device, str):
        _is_elsewhere(given.item)
        if not device.startswith("cuda"):
            raise RaisedError(given.item.span, "RuntimeError", "Invalid device, must be cuda device")
    return _cast(call, "", device=device if isinstance(device, str) else f"cuda:{device}" if given else "cuda")


def _is_elsewhere(item: Item) -> bool:
    """Tell whether a device is another than the one that tensors are on here, ``cpu``."""
    device = item.value
    if not isinstance(device, str):
        return True
    found = re.fullmatch(r"([A-Za-z_]+)(?::(?:0|[1-9][0-9]*))?", device)
    words = ""
    if not device:
        words = "Device string must not be empty"
    elif found is None:
        words = f"Invalid device string: '{device}'"
    elif found[1] not in _DEVICES.split(", "):
        words = f"Expected one of {_DEVICES} device type at start of device string: {found[1]}"
    if words:
        raise RaisedError(item.span, "RuntimeError", words)
    return device != "cpu"


def _type(call: Call) -> Computed | Indexing:
    """Convert as ``x.type(torch.long)`` and ``x.type('torch.LongTensor')`` do; without a dtype, tell the type."""
    bound = bind_python(call, "type", "input, dtype=None, non_blocking=False, *, memory_format=None")
    given = bound.get("dtype")
    source = _source(call)
    match given.value if given else None:
        case None:
            name = f"torch.{SCALARS[source.dtype]}Tensor"
            return Computed(name, (call.first,), ())
        case DType(name):
            return _cast(call, name)
        case str(name) if given is not None:
            if name not in _TYPES:
                raise RaisedError(given.item.span, "ValueError", f"invalid type: '{name}'")
            return _cast(call, _TYPES[name])
    span = given.item.span if given else call.span
    raise RaisedError(span, "TypeError", "dtype must be a type, str, or dtype object")


def _type_as(call: Call) -> Computed | Indexing:
    other = bind_call(call, _TYPE_AS)["other"].value
    return _cast(call, other.dtype if isinstance(other, Tensor) else "")


def _source(call: Call) -> Tensor:
    return tensor_of(call, call.first)


def _cast(call: Call, dtype: str, *, copy: bool = False, device: str = "") -> Computed | Indexing:
    """Convert to a dtype, and move to a device, where they are given; tensors are on the CPU here."""
    source = _source(call)
    if not copy and not device and dtype in ("", source.dtype):
        return same(call, source, f"{source.dtype} already: the tensor itself")
    made = _converted(call, source, dtype or source.dtype, "torch")
    if not device:
        return made
    named = f"device {device}" if device.isdecimal() else device
    (step,) = made.steps
    effect = step.effect.replace("a copy", f"a copy on {named}", 1)
    note = f"x.{call.name}(...) is a copy of what is on the CPU, as here; on {named} already, it is the tensor itself"
    return replace(made, steps=(replace(step, effect=effect),), notes=(note,))


def _converted(call: Call, source: Tensor, dtype: str, library: str) -> Computed:
    together = broadcast_operands(call, [call.first], library)
    made = computed(call, together, dtype, _body(source.dtype, dtype))
    result = replace(call.make(source.shape, dtype, scalar=source.scalar), labels=source.labels)
    if dtype == source.dtype:
        result = replace(source, text=call.result_text, strides=None)
    effect = f"a copy, {source.dtype} converted to {dtype}" if dtype != source.dtype else f"a copy, {dtype} as before"
    return replace(made, result=result, steps=(whole_step(call, source, effect),))


def _body(source: str, dtype: str) -> str:
    if dtype == "bool" != source:
        return "{0} != 0"
    return "trunc({0})" if is_integral(dtype) and not is_integral(source) else "{0}"


def _astype(call: Call, dtype: str) -> Computed:
    if dtype == "bfloat16":
        raise RaisedError(call.span, "TypeError", "data type 'bfloat16' not understood")
    return _converted(call, _source(call), dtype, "numpy")


def _numpy_named(call: Call) -> Computed:
    if len(call.arguments) > 1:
        raise RaisedError(call.span, "TypeError", f"{call.name}() takes no arguments")
    return _astype(call, _NAMED[call.name])


def _numpy_to(call: Call) -> Computed:
    """Read ``x.to(torch.float16)`` and the like as ``x.astype(np.float16)``."""
    if len(call.arguments) == 1:
        raise RaisedError(call.span, "TypeError", "astype() missing required argument 'dtype' (pos 1)")
    item = next((item for keyword, item in call.arguments if keyword == "dtype"), call.arguments[1][1])
    match item.value:
        case DType(name) | Tensor(dtype=name):
            return _astype(call, name)
        case None:
            return _astype(call, "float64")
        case str(name) if name in (*DTYPES, "int", "float"):
            return _astype(call, {"int": "int64", "float": "float64"}.get(name, name))
        case str(name):
            raise RaisedError(item.span, "TypeError", f"data type '{name}' not understood")
    raise RaisedError(item.span, "TypeError", f"Cannot interpret '{item.text}' as a data type")


OPERATIONS = {
    **{name: Operation(_named, _numpy_named, read_as=f"x.astype(np.{dtype})") for name, dtype in _NAMED.items()},
    "cuda": Operation(_cuda, None, "leave it out: arrays are nowhere else"),
    "to": Operation(_to, _numpy_to, read_as="x.astype"),
    "type": Operation(_type, _numpy_to, read_as="x.astype"),
    "type_as": Operation(_type_as, _numpy_to, read_as="x.astype"),
}
