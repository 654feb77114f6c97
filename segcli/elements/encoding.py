"""Numbers as elements of a floating dtype, rounded as torch rounds them.

To nearest, ties to even; from float64 to a dtype of 16 bits by way of float32, as torch's conversions go. A NaN stays
one; of its other bits torch keeps now these, now those, by the processor and the length of the tensor.
"""

import numpy as np

from segcli.elements.decoding import Array

# What can be encoded, and the largest finite value of each that another may exceed.
LARGEST = {
    "float64": float(np.finfo(np.float64).max),
    "float32": float(np.finfo(np.float32).max),
    "float16": float(np.finfo(np.float16).max),
    "bfloat16": float.fromhex("0x1.fep127"),
}
_CODES = {"float64": "f8", "float32": "f4", "float16": "f2", "complex64": "c8", "complex128": "c16"}
ENCODED = (*LARGEST, "complex128", "complex64", "complex32")
_BFLOAT16_NAN = 0x7FC0


def encode(values: Array, dtype: str, byteorder: str = "little") -> bytes:
    """Return numbers as the bytes of elements of a dtype.

    Args:
        values: Real or, for a complex dtype, complex numbers.
        dtype: One of `ENCODED`.
        byteorder: ``little`` or ``big``.

    Examples:
        >>> encode(np.array([1.0, 1.00390625, 1.01171875]), "bfloat16").hex(" ", 2)
        '803f 803f 823f'
    """
    order = ">" if byteorder == "big" else "<"
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        if dtype == "complex32":
            return values.astype(np.complex64).view(np.float32).astype(f"{order}f2").tobytes()
        if dtype in ("float16", "bfloat16"):
            values = values.astype(np.float32)
        if dtype == "bfloat16":
            return _to_bfloat16(values).astype(f"{order}u2", copy=False).tobytes()
        return values.astype(f"{order}{_CODES[dtype]}", copy=False).tobytes()


def _to_bfloat16(values: Array) -> Array:
    bits = values.view(np.uint32)
    # Half of the last kept bit, less one where that bit is even.
    rounded = ((bits + (((bits >> 16) & 1) + np.uint32(0x7FFF))) >> 16).astype(np.uint16)
    rounded[np.isnan(values)] = _BFLOAT16_NAN
    return rounded
