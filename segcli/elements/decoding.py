"""What the bytes of elements mean, for every dtype of torch.

Source: IEEE 754; the bfloat16 and float8 formats as ``c10/util/BFloat16.h`` and ``Float8_*.h`` of pytorch 2.13 have
them, after "FP8 Formats for Deep Learning" (Micikevicius et al., 2022) and the OCP 8-bit and MX specifications.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_CODES = {"float64": "f8", "float32": "f4", "float16": "f2", "complex128": "c16", "complex64": "c8"}
_CODES |= {f"{sign}int{8 * size}": f"{sign or 'i'}{size}" for sign in ("", "u") for size in (1, 2, 4, 8)}
# Quantized elements are the integers that they are kept as.
_CODES |= {"qint8": "i1", "quint8": "u1", "qint32": "i4", "bits16": "u2"}
# Exponent bits, mantissa bits, and the exponent's bias.
_SMALL = {"float8_e4m3fn": (4, 3, 7), "float8_e4m3fnuz": (4, 3, 8), "float8_e5m2": (5, 2, 15)}
_SMALL |= {"float8_e5m2fnuz": (5, 2, 16)}
FLOATS = ("float64", "float32", "float16", "bfloat16", *_SMALL, "float8_e8m0fnu")
COMPLEX = ("complex128", "complex64", "complex32")


def decode(raw: bytes, dtype: str, byteorder: str) -> Array:
    """Return elements as numbers that NumPy can work with, each exactly what it was.

    Floats of 16 bits and less come as float32 (float16 as itself), booleans as such, other dtypes of which NumPy has
    no like, such as ``bits8``, as unsigned integers.

    Args:
        raw: The elements' bytes.
        dtype: Torch's name of their dtype.
        byteorder: ``little`` or ``big``.

    Examples:
        >>> decode(bytes([0x80, 0x3F, 0xC0, 0x7F]), "bfloat16", "little")
        array([ 1., nan], dtype=float32)
        >>> decode(bytes([0x7E, 0x38]), "float8_e4m3fn", "little")
        array([448.,   1.], dtype=float32)
    """
    order = ">" if byteorder == "big" else "<"
    if dtype in _CODES:
        return np.frombuffer(raw, order + _CODES[dtype]).astype(_CODES[dtype], copy=False)
    values = np.frombuffer(raw, np.uint8)
    if dtype == "bfloat16":
        return (np.frombuffer(raw, f"{order}u2").astype(np.uint32) << 16).view(np.float32)
    if dtype == "complex32":
        return np.frombuffer(raw, f"{order}f2").astype(np.float32).view(np.complex64)
    if dtype in FLOATS:
        return np.take(_table(dtype), values)
    return values != 0 if dtype == "bool" else values


@cache
def _table(dtype: str) -> Array:
    """Return the 256 values of a float of 8 bits."""
    if dtype == "float8_e8m0fnu":
        return np.array([*(2.0 ** (code - 127) for code in range(255)), np.nan], np.float32)
    return np.array([_small_float(code, dtype) for code in range(256)], np.float32)


def _small_float(code: int, dtype: str) -> float:
    exponent_bits, mantissa_bits, bias = _SMALL[dtype]
    sign = -1.0 if code & 0x80 else 1.0
    exponent, mantissa = (code & 0x7F) >> mantissa_bits, code & ((1 << mantissa_bits) - 1)
    if dtype.endswith("fnuz"):
        if code == 0x80:  # noqa: PLR2004 - what would be -0 is the one NaN
            return np.nan
    elif dtype.endswith("fn"):
        if code & 0x7F == 0x7F:  # noqa: PLR2004 - all bits but the sign
            return np.nan
    elif exponent == (1 << exponent_bits) - 1:
        return np.nan if mantissa else sign * np.inf
    fraction = mantissa / (1 << mantissa_bits)
    return sign * (2.0 ** (exponent - bias) * (1 + fraction) if exponent else 2.0 ** (1 - bias) * fraction)
