"""Keeps a network that names devices on the meta device, where it is built and run to be counted."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

# What torch and CUDA say where a device is asked for itself.
_ABOUT_DEVICES = re.compile(r"\bcuda|\bnvidia\b|\bmps\b|\bxpu\b|\bhip\b", re.IGNORECASE)
DEVICE_HINT = (
    "counting takes no device: .cuda() and .to(device) may stay; ask torch.cuda.is_available() before other calls"
)


class StaysOnMeta(TorchFunctionMode):
    """Makes every move to another device stay, and every tensor that names an accelerator a meta tensor.

    What a move to the processor gives stays on the meta device as well: it costs the same, and looking at its values
    then fails as it does without the move.

    Examples:
        >>> with torch.device("meta"), StaysOnMeta():
        ...     print((torch.zeros(3, device="cuda").cpu() + torch.ones(3).to("cuda:1")).device)
        meta
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - what the function gives
        """Call a function, without the devices that it names."""
        named = dict(kwargs or {})
        if func in (Tensor.cuda, Tensor.xpu):
            return args[0].to("meta")
        if func is Tensor.cpu:
            return args[0]
        if func is Tensor.to:
            tensor, *given = args
            given[:1] = [_target(one, tensor) for one in given[:1]]
            named.update({"device": _target(named["device"], tensor)} if "device" in named else {})
            return func(tensor, *given, **named)
        if _is_accelerator(named.get("device")):
            # Made where everything else is.
            del named["device"]
        return func(*args, **named)


def _target(value: object, tensor: Tensor) -> object:
    """Return where a tensor is moved to instead; anything but a device stays as it is."""
    if _is_accelerator(value):
        return "meta"
    is_processor = isinstance(value, str | torch.device) and torch.device(value).type == "cpu"
    return tensor.device if is_processor else value


def _is_accelerator(value: object) -> bool:
    # A number is a device of the accelerator, and -1 what a tensor without one says that it is on.
    if isinstance(value, int) and not isinstance(value, bool):
        return True
    return isinstance(value, str | torch.device) and torch.device(value).type not in ("cpu", "meta")


def is_about_devices(error: BaseException) -> bool:
    """Tell whether an error is about an accelerator that is not there.

    Examples:
        >>> is_about_devices(AssertionError("Torch not compiled with CUDA enabled"))
        True
    """
    return bool(_ABOUT_DEVICES.search(str(error)))
