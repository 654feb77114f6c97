"""The device tags that torch understands.

Source: the ``register_package`` calls and ``_deserialize`` of pytorch 2.13's ``torch/serialization.py``, and
``c10/core/DeviceType.h`` and ``Device.h``.
"""

import re

from segcli.errors import SegcliError, nearest

# Torch reads these only without a number.
_SINGLE = ("cpu", "meta", "mps")
# The last two are common names that privateuse1 is given.
_NUMBERED = ("cuda", "xpu", "hpu", "mtia", "privateuse1", "npu", "mlu")
# An index is a signed byte.
_MAX_INDEX = 127


def check_tag(tag: str) -> str:
    """Return a tag that torch can read, such as ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        SegcliError: For any other text.

    Examples:
        >>> check_tag("cuda:0")
        'cuda:0'
    """
    name, colon, index = tag.partition(":")
    if name not in _SINGLE + _NUMBERED:
        message = (
            f"unknown device {tag!r}, expected cpu, cuda, cuda:N, mps, meta, xpu, hpu, mtia, privateuse1, npu or mlu"
        )
        is_any_gpu = name.lower() in ("gpu", "nvidia", "amd", "rocm", "hip")
        hint = "such a GPU is cuda, or cuda:0" if is_any_gpu else nearest(name, [*_SINGLE, *_NUMBERED])
        raise SegcliError(message, hint=hint)
    if colon and name in _SINGLE:
        message = f"unknown device {tag!r}: {name} has no number"
        raise SegcliError(message, hint=f"write it as {name}")
    if colon and not (re.fullmatch("0|[1-9][0-9]{0,2}", index) and int(index) <= _MAX_INDEX):
        message = f"unknown device {tag!r}, expected a number from 0 to {_MAX_INDEX} behind {name}:"
        raise SegcliError(message)
    return tag
