"""Networks whose state dicts are those of the projects that people train them with.

ResNet as in torchvision, BiSeNet V1 and V2 as in CoinCheung/BiSeNet, TMO as in suhwan-cho/TMO: a checkpoint of one of
these loads with ``strict=True``, and the outputs are the same. Nothing is downloaded: a network starts from random
weights, and ``net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))`` makes it yours. Keys that
``DataParallel`` or ``DistributedDataParallel`` prefixed lose their ``module.`` through
``torch.nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")``.

The names below are handed on lazily, so that `NETS`, the list of what there is, costs no import of torch.

Examples:
    >>> from segcli.nn.nets import NETS, bisenet_v2
    >>> sum(parameter.numel() for parameter in bisenet_v2(NETS["bisenet_v2"].classes).parameters())
    5231487
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segcli.nn.nets.bisenetv1 import BiSeNetV1, bisenet_v1
    from segcli.nn.nets.bisenetv2 import BiSeNetV2, bisenet_v2
    from segcli.nn.nets.building import build
    from segcli.nn.nets.registry import NETS, NetInfo
    from segcli.nn.nets.resnet import (
        ResNet,
        ResNetFeatures,
        resnet18,
        resnet18_features,
        resnet34,
        resnet34_features,
        resnet50,
        resnet50_features,
        resnet101,
        resnet101_features,
        resnet152,
        resnet152_features,
    )
    from segcli.nn.nets.sides import SizeError
    from segcli.nn.nets.tmo_resnet101 import TMO, tmo

_HOMES = {
    "NETS": "registry",
    "TMO": "tmo_resnet101",
    "BiSeNetV1": "bisenetv1",
    "BiSeNetV2": "bisenetv2",
    "NetInfo": "registry",
    "ResNet": "resnet",
    "ResNetFeatures": "resnet",
    "SizeError": "sides",
    "bisenet_v1": "bisenetv1",
    "bisenet_v2": "bisenetv2",
    "build": "building",
    "resnet18": "resnet",
    "resnet18_features": "resnet",
    "resnet34": "resnet",
    "resnet34_features": "resnet",
    "resnet50": "resnet",
    "resnet50_features": "resnet",
    "resnet101": "resnet",
    "resnet101_features": "resnet",
    "resnet152": "resnet",
    "resnet152_features": "resnet",
    "tmo": "tmo_resnet101",
}

__all__ = [
    "NETS",
    "TMO",
    "BiSeNetV1",
    "BiSeNetV2",
    "NetInfo",
    "ResNet",
    "ResNetFeatures",
    "SizeError",
    "bisenet_v1",
    "bisenet_v2",
    "build",
    "resnet18",
    "resnet18_features",
    "resnet34",
    "resnet34_features",
    "resnet50",
    "resnet50_features",
    "resnet101",
    "resnet101_features",
    "resnet152",
    "resnet152_features",
    "tmo",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562: whatever the modules hold
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"segcli.nn.nets.{_HOMES[name]}"), name)
