from dataclasses import replace
from typing import Any

import pytest
import torch

from segcli import loss as room
from segcli.errors import SegcliError
from segcli.loss import LossResult, LossSettings, evaluate
from segcli.loss.pictures.scalars import scalars
from segcli.loss.result import OhemValue
from segcli.nn import (
    bce_with_logits_loss,
    cross_entropy_loss,
    dice_loss,
    focal_loss,
    ohem_cross_entropy_loss,
    ohem_selection,
)

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(2, 4, 6, 5, generator=GENERATOR)
LABELS = torch.randint(0, 3, (2, 6, 5), generator=GENERATOR)
LABELS[0, 0] = 255
MASKS = torch.randint(0, 2, (2, 4, 6, 5), generator=GENERATOR)
MASKS[1, :, 0] = 255


def values(result: LossResult) -> dict[str, float]:
    return {name: loss.value for name, loss in result.losses.items()}


def test_multiclass_values_are_the_librarys() -> None:
    settings = LossSettings(thresh=0.3, gamma=1.5, alpha=(1.0, 2.0, 3.0, 4.0), smooth=0.5, absent="count")
    assert values(evaluate(LOGITS, LABELS, settings)) == pytest.approx(
        {
            "ce": cross_entropy_loss(LOGITS, LABELS).item(),
            "ohem": ohem_cross_entropy_loss(LOGITS, LABELS, thresh=0.3).item(),
            "dice": dice_loss(LOGITS, LABELS, smooth=0.5, absent="count").item(),
            "focal": focal_loss(LOGITS, LABELS, gamma=1.5, alpha=[1, 2, 3, 4]).item(),
        }
    )


def test_binary_values_are_the_librarys() -> None:
    logits, labels = LOGITS[:, 0], MASKS[:, 0]
    two = torch.stack([torch.zeros_like(logits), logits], dim=1)
    result = evaluate(logits, labels, LossSettings(alpha=0.25))
    assert values(result) == pytest.approx(
        {
            "ohem": ohem_cross_entropy_loss(two, labels).item(),
            "dice": dice_loss(logits, labels, mode="binary").item(),
            "focal": focal_loss(logits, labels, alpha=0.25, mode="binary").item(),
            "bce": bce_with_logits_loss(logits, labels).item(),
        }
    )
    assert [entry.name for entry in result.inputs.classes] == ["background", "foreground"]
    assert result.losses["dice"].per_class[0] is None


def test_multilabel_values_are_the_librarys() -> None:
    result = evaluate(LOGITS, MASKS, LossSettings(mode="multilabel"))
    assert values(result) == pytest.approx(
        {
            "ohem": ohem_cross_entropy_loss(LOGITS, MASKS, mode="multilabel").item(),
            "dice": dice_loss(LOGITS, MASKS, mode="multilabel").item(),
            "focal": focal_loss(LOGITS, MASKS, mode="multilabel").item(),
            "bce": bce_with_logits_loss(LOGITS, MASKS).item(),
        }
    )
    expected = [bce_with_logits_loss(LOGITS[:, c], MASKS[:, c]).item() for c in range(4)]
    assert result.losses["bce"].per_class == pytest.approx(expected)
    assert [entry.n_pixels for entry in result.inputs.classes] == (MASKS == 1).sum((0, 2, 3)).tolist()
    assert (result.inputs.n_labels, result.inputs.n_ignored) == (MASKS.numel(), int((MASKS == 255).sum()))


def test_classes_add_up_to_the_whole() -> None:
    result = evaluate(LOGITS, LABELS, LossSettings(thresh=0.2, n_min=40))
    counts = [entry.n_pixels for entry in result.inputs.classes]
    assert counts == [int(LABELS.eq(c).sum()) for c in range(4)]
    for name in ("ce", "focal"):
        loss = result.losses[name]
        parts = [(part or 0) * count for part, count in zip(loss.per_class, counts, strict=True)]
        assert sum(parts) / result.inputs.n_valid == pytest.approx(loss.value)
        assert loss.per_class[3] is None
    ohem = result.losses["ohem"]
    assert isinstance(ohem, OhemValue)
    assert sum(ohem.n_kept_per_class) == pytest.approx(ohem.n_kept)
    parts = [(part or 0) * kept for part, kept in zip(ohem.per_class, ohem.n_kept_per_class, strict=True)]
    assert sum(parts) / ohem.n_kept == pytest.approx(ohem.value)
    assert result.losses["dice"].per_class[3] is None


def test_ohem_says_what_it_chose() -> None:
    chosen = ohem_selection(LOGITS, LABELS, thresh=0.01, n_min=7)
    ohem = evaluate(LOGITS, LABELS, LossSettings(losses=("ohem",), thresh=0.01, n_min=7)).losses["ohem"]
    for field in ("n_valid", "n_hard", "n_min", "n_kept", "threshold", "loss_threshold", "branch"):
        assert getattr(ohem, field) == getattr(chosen, field)


@pytest.mark.parametrize(
    "shapes",
    [((4, 6, 5), (6, 5)), ((1, 4, 6, 5), (6, 5)), ((4, 6, 5), (1, 6, 5)), ((1, 4, 2, 3, 5), (1, 2, 3, 5))],
    ids=str,
)
def test_shapes_of_one_image_give_the_same(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    result = evaluate(LOGITS[0].reshape(shapes[0]), LABELS[0].reshape(shapes[1]), LossSettings())
    assert values(result) == values(evaluate(LOGITS[:1], LABELS[:1], LossSettings()))


def test_float_labels_of_masks_are_welcome_and_so_is_bool() -> None:
    logits, labels = LOGITS[:, 0], MASKS[:, 0].clamp(max=1)
    whole = values(evaluate(logits, labels, LossSettings()))
    assert values(evaluate(logits, labels.float(), LossSettings())) == whole
    assert values(evaluate(logits, labels.bool(), LossSettings())) == whole


@pytest.mark.parametrize("losses", [("ce", "ohem", "focal", "dice", "tversky"), ()], ids=str)
def test_tensors_can_be_evaluated_over_all(losses: tuple[str, ...]) -> None:
    settings = LossSettings(losses=losses, thresh=0.01, n_min=30, over="all", reduce="batch")
    assert values(evaluate(LOGITS, LABELS, settings)) == pytest.approx(
        values(evaluate(LOGITS, LABELS, replace(settings, over="file")))
    )


def test_losses_too_near_to_tell_apart_are_read_once_more() -> None:
    near = torch.zeros_like(LOGITS)
    near[:, 0] = 3e-5 * torch.rand(2, 6, 5, generator=torch.Generator().manual_seed(1))
    settings = LossSettings(losses=("ohem",), thresh=0.01, n_min=20, over="all")
    expected = ohem_cross_entropy_loss(near, LABELS, thresh=0.01, n_min=20).item()
    assert evaluate(near, LABELS, settings).losses["ohem"].value == pytest.approx(expected, rel=2e-7)


def test_scalars_name_losses_and_classes() -> None:
    tagged = scalars(evaluate(LOGITS, LABELS, LossSettings(class_names=("sky", "road", "car", "bus"))))
    assert tagged["loss/ce"] == pytest.approx(cross_entropy_loss(LOGITS, LABELS).item())
    assert tagged["ohem/n_valid"] == 55
    assert "ce_by_class/sky" in tagged
    assert "ce_by_class/bus" not in tagged


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"thresh": 2.0}, "thresh is 2, expected a probability from 0 to 1"),
        ({"gamma": -1.0}, "gamma is -1, expected"),
        ({"alpha": (1.0, 2.0)}, r"alpha has shape \(2,\), expected \(4,\): one a class"),
        ({"alpha": -1.0}, r"alpha is \[-1.0\]"),
        ({"smooth": -1.0}, "smooth is -1"),
        ({"losses": ("bce",), "all_that_apply": False}, "bce does not apply to logits, whose logits are multiclass"),
        ({"class_names": ("a",)}, "1 class names were given, logits has 4 classes"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        evaluate(LOGITS, LABELS, LossSettings(**settings))


def test_names_are_handed_on_lazily() -> None:
    assert all(getattr(room, name) for name in room.__all__)
    with pytest.raises(AttributeError, match="no attribute 'evaluat'"):
        _ = room.evaluat
