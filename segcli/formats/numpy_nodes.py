"""Reads NumPy scalars and arrays from the calls that would rebuild them: metrics are often saved as the former.

Source: ``numpy/_core/src/multiarray`` of NumPy 2 (``scalar``, ``_reconstruct``, ``dtype.__setstate__``).
"""

import struct

from segcli.formats.pickle_nodes import Call, Group, Node, Text

_SCALAR = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
_ARRAY = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
# NumPy's kinds of dtypes as struct's.
_FORMATS = {"f2": "e", "f4": "f", "f8": "d", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "b1": "?"}
_FORMATS |= {"u1": "B", "u2": "H", "u4": "I", "u8": "Q"}


# Its names of kinds; a number behind them counts bytes.
_KINDS = {"f": "float", "i": "int", "u": "uint", "c": "complex"}


def numpy_type(call: Call) -> str | None:
    """Return ``numpy scalar`` or ``numpy.ndarray`` for calls that would rebuild one."""
    if call.path in _SCALAR:
        return "numpy scalar"
    return "numpy.ndarray" if call.path in _ARRAY else None


def numpy_value(call: Call) -> str:
    """Return a scalar's value, or an array's dtype and shape; an empty string where they cannot be read."""
    match call:
        case Call(args=Group(items=[Call() as dtype, data])) if call.path in _SCALAR:
            return _scalar(dtype, data)
        case Call(state=[Group(items=[_, Group() as shape, Call() as dtype, *_]), *_]) if call.path in _ARRAY:
            sides = tuple(side for side in shape.items[:8] if isinstance(side, int))
            return f"{_dtype_name(dtype)} of shape {sides}"
    return ""


def _scalar(dtype: Call, data: Node) -> str:
    raw = raw_bytes(data)
    code = _FORMATS.get(_code(dtype))
    if raw is None or code is None or struct.calcsize(f"={code}") != len(raw):
        return _code(dtype)
    return repr(struct.unpack(f"{_byte_order(dtype)}{code}", raw)[0])


def _code(dtype: Call) -> str:
    match dtype.arguments:
        case [Text() as code, *_]:
            return code.decoded()[:20]
    return ""


def _dtype_name(dtype: Call) -> str:
    """Return NumPy's name of a dtype: ``float32`` for ``f4``."""
    code = _code(dtype)
    kind, size = code[:1], code[1:]
    if code == "b1":
        return "bool"
    if kind == "O":
        return "object"
    if kind not in _KINDS or not size.isdecimal():
        return code
    swapped = " (big-endian)" if _byte_order(dtype) == ">" else ""
    return f"{_KINDS[kind]}{8 * int(size)}{swapped}"


def _byte_order(dtype: Call) -> str:
    match dtype.state:
        case [Group(items=[_, Text(value=">"), *_]), *_]:
            return ">"
    return "<"


def raw_bytes(node: Node) -> bytes | None:
    """Return bytes as protocol 3 has them, or as protocol 2 does: text to be encoded."""
    match node:
        case Text(value=bytes() as raw):
            return raw
        case Call(args=Group(items=[Text(value=str() as text), *_])) if node.path == "_codecs.encode":
            return text.encode("latin-1", "replace")
    return None
