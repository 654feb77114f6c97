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
    from segcli.nn.losses.bce import BCELoss, BCEWithLogitsLoss, bce_loss, bce_of, bce_with_logits_loss
    from segcli.nn.losses.combined import CombinedLoss, combined_loss
    from segcli.nn.losses.cross_entropy import CrossEntropyLoss, cross_entropy_loss, cross_entropy_of
    from segcli.nn.losses.dice import DiceLoss, dice_loss, dice_of
    from segcli.nn.losses.focal import FocalLoss, focal_loss, focal_of
    from segcli.nn.losses.focal_tversky import FocalTverskyLoss, focal_tversky_loss, focal_tversky_of
    from segcli.nn.losses.generalized_dice import GeneralizedDiceLoss, generalized_dice_loss, generalized_dice_of
    from segcli.nn.losses.jaccard import JaccardLoss, jaccard_loss, jaccard_of
    from segcli.nn.losses.lovasz import LovaszHingeLoss, LovaszSoftmaxLoss, lovasz_hinge_loss, lovasz_softmax_loss
    from segcli.nn.losses.ohem import (
        OhemCrossEntropyLoss,
        OhemSelection,
        ohem_cross_entropy_loss,
        ohem_of,
        ohem_selection,
    )
    from segcli.nn.losses.tversky import TverskyLoss, tversky_loss, tversky_of

_HOMES = {
    "BCELoss": "bce",
    "BCEWithLogitsLoss": "bce",
    "CombinedLoss": "combined",
    "CrossEntropyLoss": "cross_entropy",
    "DiceLoss": "dice",
    "FocalLoss": "focal",
    "FocalTverskyLoss": "focal_tversky",
    "GeneralizedDiceLoss": "generalized_dice",
    "JaccardLoss": "jaccard",
    "LovaszHingeLoss": "lovasz",
    "LovaszSoftmaxLoss": "lovasz",
    "OhemCrossEntropyLoss": "ohem",
    "OhemSelection": "ohem",
    "TverskyLoss": "tversky",
    "bce_loss": "bce",
    "bce_of": "bce",
    "bce_with_logits_loss": "bce",
    "combined_loss": "combined",
    "cross_entropy_loss": "cross_entropy",
    "cross_entropy_of": "cross_entropy",
    "dice_loss": "dice",
    "dice_of": "dice",
    "focal_loss": "focal",
    "focal_of": "focal",
    "focal_tversky_loss": "focal_tversky",
    "focal_tversky_of": "focal_tversky",
    "generalized_dice_loss": "generalized_dice",
    "generalized_dice_of": "generalized_dice",
    "jaccard_loss": "jaccard",
    "jaccard_of": "jaccard",
    "lovasz_hinge_loss": "lovasz",
    "lovasz_softmax_loss": "lovasz",
    "ohem_cross_entropy_loss": "ohem",
    "ohem_of": "ohem",
    "ohem_selection": "ohem",
    "tversky_loss": "tversky",
    "tversky_of": "tversky",
}

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CombinedLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "FocalLoss",
    "FocalTverskyLoss",
    "GeneralizedDiceLoss",
    "JaccardLoss",
    "LovaszHingeLoss",
    "LovaszSoftmaxLoss",
    "OhemCrossEntropyLoss",
    "OhemSelection",
    "TverskyLoss",
    "bce_loss",
    "bce_of",
    "bce_with_logits_loss",
    "combined_loss",
    "cross_entropy_loss",
    "cross_entropy_of",
    "dice_loss",
    "dice_of",
    "focal_loss",
    "focal_of",
    "focal_tversky_loss",
    "focal_tversky_of",
    "generalized_dice_loss",
    "generalized_dice_of",
    "jaccard_loss",
    "jaccard_of",
    "lovasz_hinge_loss",
    "lovasz_softmax_loss",
    "ohem_cross_entropy_loss",
    "ohem_of",
    "ohem_selection",
    "tversky_loss",
    "tversky_of",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562: whatever the losses hold
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"segcli.nn.losses.{_HOMES[name]}"), name)
