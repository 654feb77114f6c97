"""Values of machines that write the last byte of a number first, and of those that write it last."""

from segcli.formats.dtypes import ITEM_BYTES


def unit_of(dtype: str, byteorder: str) -> int:
    """Return of how many bytes the order must be reversed to have a dtype's elements little-endian; 1 for none.

    Examples:
        >>> unit_of("float32", "big"), unit_of("complex64", "big"), unit_of("float32", "little")
        (4, 4, 1)
    """
    if byteorder != "big":
        return 1
    # A complex number is two numbers, each of which has its bytes in order.
    return ITEM_BYTES[dtype] // 2 if dtype.startswith("complex") else ITEM_BYTES[dtype]


def reversed_units(data: bytes, unit: int) -> bytes:
    r"""Return bytes with every ``unit`` of them in reverse order.

    Examples:
        >>> reversed_units(b"\x00\x01\x00\x02", 2)
        b'\x01\x00\x02\x00'
    """
    if unit == 1:
        return data
    turned = bytearray(len(data))
    for index in range(unit):
        turned[index::unit] = data[unit - 1 - index :: unit]
    return bytes(turned)
