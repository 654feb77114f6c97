"""What training code imports: segmentation losses, exact in every corner, on any device.

The names below are handed on lazily, so that ``import segcli.nn`` costs nothing until one is used.

Examples:
    >>> import torch
    >>> from segcli.nn import OhemCrossEntropyLoss
    >>> criterion = OhemCrossEntropyLoss(thresh=0.7)
    >>> criterion(torch.zeros(1, 19, 8, 8), torch.zeros(1, 8, 8, dtype=torch.uint8))
    tensor(2.9444)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segcli.nn.losses.bce import BCEWithLogitsLoss, bce_with_logits_loss
    from segcli.nn.losses.cross_entropy import CrossEntropyLoss, cross_entropy_loss
    from segcli.nn.losses.dice import DiceLoss, dice_loss
    from segcli.nn.losses.focal import FocalLoss, focal_loss
    from segcli.nn.losses.ohem import OhemCrossEntropyLoss, OhemSelection, ohem_cross_entropy_loss, ohem_selection

_HOMES = {
    "BCEWithLogitsLoss": "bce",
    "CrossEntropyLoss": "cross_entropy",
    "DiceLoss": "dice",
    "FocalLoss": "focal",
    "OhemCrossEntropyLoss": "ohem",
    "OhemSelection": "ohem",
    "bce_with_logits_loss": "bce",
    "cross_entropy_loss": "cross_entropy",
    "dice_loss": "dice",
    "focal_loss": "focal",
    "ohem_cross_entropy_loss": "ohem",
    "ohem_selection": "ohem",
}

__all__ = [
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "FocalLoss",
    "OhemCrossEntropyLoss",
    "OhemSelection",
    "bce_with_logits_loss",
    "cross_entropy_loss",
    "dice_loss",
    "focal_loss",
    "ohem_cross_entropy_loss",
    "ohem_selection",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562: whatever the losses hold
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"segcli.nn.losses.{_HOMES[name]}"), name)
