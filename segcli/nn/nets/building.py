"""A network by its name."""

from importlib import import_module
from typing import Any

from torch import nn

from segcli.nn.nets.registry import NETS


def build(name: str, *, classes: int | None = None, aux: bool = True) -> nn.Module:
    """Return a network of `segcli.nn.nets.registry.NETS`, made to run at its input's own size.

    That is what its function returns, but for ``tmo``, which is built with ``size=None``: at 384x384 the same.

    Args:
        name: As in the registry.
        classes: How many classes; None for the network's own number.
        aux: Whether it has its auxiliary heads; of no effect for a network that has none.

    Raises:
        ValueError: For an unknown name, and for ``classes`` that are less than 1 or that the network does not have.

    Examples:
        >>> import torch
        >>> with torch.device("meta"):
        ...     net = build("bisenet_v2", classes=3, aux=False).eval()
        ...     print(net(torch.empty(1, 3, 32, 64))[0].shape)
        torch.Size([1, 3, 32, 64])
    """
    if name not in NETS:
        message = f"unknown network {name!r}, expected one of {', '.join(NETS)}"
        raise ValueError(message)
    info = NETS[name]
    options: dict[str, Any] = {"aux": aux} if info.has_aux else {}
    if name == "tmo":
        options["size"] = None
    if classes is not None:
        if info.classes_argument is None or classes < 1:
            expected = "none: it has no choice of classes" if info.classes_argument is None else "1 or more"
            message = f"{name} got {classes} classes, expected {expected}"
            raise ValueError(message)
        options[info.classes_argument] = classes
    net: nn.Module = getattr(import_module(info.home), name)(**options)
    return net
