"""The one-pass kernel of segmentation losses: one read of the logits gives the sums that every loss is made of.

The names below are handed on lazily, so that importing the package costs nothing until one is used.

Examples:
    >>> import torch
    >>> from segcli.nn import kernels
    >>> read = kernels.statistics(torch.zeros(1, 19, 8, 8), torch.zeros(1, 8, 8, dtype=torch.uint8))
    >>> round((read.cross_entropy.sum() / read.count.sum()).item(), 4)
    2.9444
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segcli.nn.kernels.reading import Statistics, argmax, statistics
    from segcli.nn.kernels.selection import Selection

_HOMES = {"Selection": "selection", "Statistics": "reading", "argmax": "reading", "statistics": "reading"}

__all__ = ["Selection", "Statistics", "argmax", "statistics"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562: whatever the modules hold
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"segcli.nn.kernels.{_HOMES[name]}"), name)
