"""Other projects' region losses, where their definition is ours: each under the convention that it does not name."""

from typing import Any

import pytest
import torch
from torch import Tensor

from segcli.nn import dice_loss, generalized_dice_loss, jaccard_loss, tversky_loss
from tests.nn.losses.regions import draw

kornia = pytest.importorskip("kornia", reason="kornia is not installed: pip install -e '.[dev]'")
monai = pytest.importorskip("monai", reason="monai is not installed: pip install -e '.[dev]'")

SHAPE = (3, 4, 6, 5)
# MONAI takes a multiclass target as one channel of labels.
OF_MONAI: dict[str, dict[str, Any]] = {
    "multiclass": {"softmax": True, "to_onehot_y": True},
    "multilabel": {"sigmoid": True},
    "binary": {"sigmoid": True},
}


def inputs(mode: str, *, ignored: float = 0.0, classes: int = 4) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return ours, logits and labels, and the same as MONAI takes them."""
    logits, labels = draw(mode, SHAPE, ignored=ignored, classes=classes)
    with_channel = labels if mode == "multilabel" else labels.unsqueeze(1)
    return logits, labels, logits.unsqueeze(1) if mode == "binary" else logits, with_channel.double()


def test_the_value_of_monais_own_test() -> None:
    logits, labels = torch.tensor([[[1.0, -1.0], [-1.0, 1.0]]]), torch.tensor([[[1, 0], [1, 1]]])
    theirs = monai.losses.DiceLoss(sigmoid=True, smooth_nr=1e-6, smooth_dr=1e-6)(logits[:, None], labels[:, None])
    assert theirs.item() == pytest.approx(0.307576507, abs=1e-7)
    assert dice_loss(logits, labels, mode="binary", smooth=1e-6).item() == pytest.approx(0.307576507, abs=1e-7)


@pytest.mark.parametrize("jaccard", [False, True])
@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("mode", OF_MONAI)
def test_monais_dice_and_jaccard_count_absent_classes(mode: Any, *, batch: bool, squared: bool, jaccard: bool) -> None:  # noqa: ANN401 - a literal
    logits, labels, theirs, target = inputs(mode, classes=3)
    smooth = 1e-3
    reference = monai.losses.DiceLoss(
        squared_pred=squared, jaccard=jaccard, batch=batch, smooth_nr=smooth, smooth_dr=smooth, **OF_MONAI[mode]
    )
    settings: Any = {"mode": mode, "squared": squared, "reduce": "batch" if batch else "image", "absent": "count"}
    loss, ours = (jaccard_loss, smooth / 2) if jaccard else (dice_loss, smooth)
    value = loss(logits, labels, smooth=ours, **settings)
    # MONAI's one-hot labels are float32, and so are norms of them.
    torch.testing.assert_close(value, reference(theirs, target).double(), rtol=1e-7, atol=0)


def test_what_monai_ignores() -> None:
    logits, labels, theirs, target = inputs("multiclass", ignored=0.2)
    reference = monai.losses.DiceLoss(softmax=True, to_onehot_y=True, ignore_index=255)
    ours = dice_loss(logits, labels, absent="count", smooth=1e-5)
    torch.testing.assert_close(ours, reference(theirs, target).double(), rtol=1e-9, atol=0)


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("mode", OF_MONAI)
def test_monais_tversky_counts_absent_classes(mode: Any, *, batch: bool) -> None:  # noqa: ANN401 - a literal
    logits, labels, theirs, target = inputs(mode, classes=3)
    reference = monai.losses.TverskyLoss(alpha=0.3, beta=0.7, batch=batch, **OF_MONAI[mode])
    settings: Any = {"mode": mode, "reduce": "batch" if batch else "image", "absent": "count"}
    ours = tversky_loss(logits, labels, smooth=1e-5, **settings)
    torch.testing.assert_close(ours, reference(theirs, target).double(), rtol=1e-9, atol=0)


@pytest.mark.parametrize("weighting", ["square", "simple", "uniform"])
@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("mode", OF_MONAI)
def test_monais_generalized_dice_counts_absent_classes(mode: Any, weighting: Any, *, batch: bool) -> None:  # noqa: ANN401 - literals
    logits, labels, theirs, target = inputs(mode, classes=3)
    reference = monai.losses.GeneralizedDiceLoss(w_type=weighting, batch=batch, **OF_MONAI[mode])
    settings: Any = {"mode": mode, "weighting": weighting, "smooth": 1e-5, "reduce": "batch" if batch else "image"}
    ours = generalized_dice_loss(logits, labels, absent="count", **settings)
    # MONAI takes the weights in float32.
    torch.testing.assert_close(ours, reference(theirs, target).double(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("ignored", [0.0, 0.2])
def test_kornias_macro_dice_and_tversky_skip_absent_classes(ignored: float) -> None:
    logits, labels, *_ = inputs("multiclass", ignored=ignored, classes=3)
    settings = {"eps": 0.0, "ignore_index": 255}
    dice = kornia.losses.dice_loss(logits, labels, average="macro", **settings)
    torch.testing.assert_close(dice_loss(logits, labels, smooth=0), dice)
    tversky = kornia.losses.tversky_loss(logits, labels, alpha=0.3, beta=0.7, **settings)
    torch.testing.assert_close(tversky_loss(logits, labels, smooth=0), tversky)


def test_kornias_micro_dice_is_generalized_dice_of_even_weights() -> None:
    logits, labels, *_ = inputs("multiclass", classes=3)
    micro = kornia.losses.dice_loss(logits, labels, average="micro", eps=0.0)
    ours = generalized_dice_loss(logits, labels, weighting="uniform", absent="count")
    torch.testing.assert_close(ours, micro)


def test_ten_classes_of_which_one_is_there() -> None:
    logits, labels = torch.zeros(1, 10, 8, 8), torch.zeros(1, 8, 8, dtype=torch.int64)
    monais = monai.losses.DiceLoss(softmax=True, to_onehot_y=True)(logits, labels[:, None])
    assert monais.item() == pytest.approx(0.9818, abs=1e-4)
    assert dice_loss(logits, labels, smooth=1e-5, absent="count").item() == pytest.approx(monais.item(), abs=1e-6)
    kornias = kornia.losses.dice_loss(logits, labels, average="macro")
    assert kornias.item() == pytest.approx(0.8182, abs=1e-4)
    assert dice_loss(logits, labels, smooth=0, absent="skip").item() == pytest.approx(kornias.item(), abs=1e-6)
