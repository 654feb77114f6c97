"""What numbers a layer may be made of, and how large its tensors may be."""

from math import prod

from segcli.errors import SegcliError
from segcli.units import INT64_MAX, format_shape

# cuDNN's tensor descriptors keep the sides of a tensor in 32 bits (``cudnnSetTensorNdDescriptor``).
MAX_SIDE = 2**31 - 1


def require_whole(name: str, value: int, *, at_least: int = 1) -> None:
    """Refuse a number that no layer can have.

    Raises:
        SegcliError: Where ``value`` is less than ``at_least``, or more than 2^31 - 1.
    """
    if value < at_least:
        message = f"{name} is {value}, expected {at_least} or more"
        raise SegcliError(message)
    if value > MAX_SIDE:
        message = f"{name} is {value}, expected at most {MAX_SIDE} (2^31 - 1, what cuDNN can address)"
        raise SegcliError(message)


def require_storable(what: str, shape: tuple[int, ...], item_bytes: int) -> None:
    """Refuse a tensor that torch could not describe, let alone hold.

    Raises:
        SegcliError: Where its bytes are more than 2^63 - 1.
    """
    held = prod(shape) * item_bytes
    if held > INT64_MAX:
        plain = tuple(int(side) for side in shape)
        message = f"{what} of shape {format_shape(plain)} would take {held:.3g} bytes, and torch counts to 2^63 - 1"
        raise SegcliError(message, hint="give a smaller --size, or fewer channels")
