"""Builds networks on the meta device, whose tensors have shapes and no memory."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from segcli.counting.devices import StaysOnMeta

# What torch says where values are wanted that are not there, or where it has no rule for shapes.
_NO_VALUES = re.compile(
    r"cannot be called on meta|out of meta tensor|convert meta device|register_meta function"
    r"|a meta tensor|data.dependent|'Meta' backend|on Meta\b",
    re.IGNORECASE,
)
_MAX_LINE = 300
# They make the few numbers that a network is planned with: rates that grow from layer to layer, relative positions.
_PLANNING = (torch.linspace, torch.logspace, torch.arange, torch.tensor)


def build_on_meta(build: Callable[[], object]) -> object:
    """Build a network on the meta device, and return whatever was built.

    Where that looks at values, it is built again with the tensors that plan a network in memory. What is made elsewhere
    in spite of the device is moved there, and parameters that are one stay one. Accelerators that it names are never
    asked for.

    Args:
        build: Called without arguments; twice, where values were wanted.

    Raises:
        Exception: Whatever it raises.

    Examples:
        >>> build_on_meta(lambda: nn.Linear(10**6, 10**6)).weight.device
        device(type='meta')
    """
    try:
        with torch.device("meta"), StaysOnMeta():
            built = build()
    except (RuntimeError, NotImplementedError, TypeError) as error:
        if not wants_values(error):
            raise
        with torch.device("meta"), _PlansInMemory(), StaysOnMeta():
            built = build()
    if isinstance(built, nn.Module):
        _move(built)
    return built


class _PlansInMemory(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - what the function gives
        """Call a function; on the processor, where it plans."""
        named = dict(kwargs or {})
        if func in _PLANNING:
            named.setdefault("device", "cpu")
        return func(*args, **named)


def _move(net: nn.Module) -> None:
    moved: dict[int, Tensor] = {}
    for module in net.modules():
        for name, parameter in module._parameters.items():  # noqa: SLF001 - tied ones too, each under its names
            if parameter is not None and parameter.device.type != "meta":
                made = nn.Parameter(parameter.detach().to("meta"), requires_grad=parameter.requires_grad)
                module._parameters[name] = moved.setdefault(id(parameter), made)  # type: ignore[assignment]  # noqa: SLF001
        for name, buffer in module._buffers.items():  # noqa: SLF001 - as above
            if buffer is not None and buffer.device.type != "meta":
                module._buffers[name] = moved.setdefault(id(buffer), buffer.to("meta"))  # noqa: SLF001


def wants_values(error: BaseException) -> bool:
    """Tell whether an error is torch's for values that a tensor without memory does not have."""
    return bool(_NO_VALUES.search(str(error)))


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, cut where it is long."""
    lines = str(error).strip().splitlines() or [""]
    return lines[0] if len(lines[0]) <= _MAX_LINE else lines[0][: _MAX_LINE - 3] + "..."
