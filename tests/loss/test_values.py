import math

import pytest
import torch
from torch import Tensor

from segcli.errors import SegcliError
from segcli.loss import LossSettings, evaluate

LOGITS = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
LABELS = torch.randint(0, 3, (2, 4, 5), generator=torch.Generator().manual_seed(0))


def changed(tensor: Tensor, place: tuple[int, ...], value: float) -> Tensor:
    copy = tensor.clone()
    copy[place] = value
    return copy


@pytest.mark.parametrize(
    ("logits", "labels", "message", "hint"),
    [
        pytest.param(
            changed(LOGITS, (1, 2, 3, 4), math.nan),
            LABELS,
            "logits holds nan at (1, 2, 3, 4), expected finite numbers",
            "1 of 120 values are NaN or infinite",
            id="nan",
        ),
        pytest.param(
            changed(LOGITS, (0, 1), -math.inf),
            LABELS,
            "logits holds -inf at (0, 1, 0, 0), expected finite numbers",
            "20 of 120 values",
            id="infinity",
        ),
        pytest.param(
            LABELS,
            LOGITS,
            "logits holds int64, expected floating logits",
            "are LOGITS and LABELS swapped",
            id="swapped",
        ),
        pytest.param(
            LOGITS,
            LABELS.float(),
            "labels holds float32, expected whole numbers",
            "save classes: labels.long()",
            id="float labels",
        ),
        pytest.param(
            LOGITS, LABELS.to(torch.complex64), "labels holds complex64, expected whole numbers", "", id="complex"
        ),
        pytest.param(
            LOGITS,
            changed(LABELS, (0, 1), -1),
            "labels holds -1 at (0, 1, 0), expected 0 to 2, or 255 where ignored",
            "if -1 marks ignored pixels: --ignore-index -1",
            id="-1 for 255",
        ),
        pytest.param(
            LOGITS,
            LABELS * 2,
            "labels holds 4 at",
            "labels reach 4",
            id="too high",
        ),
        pytest.param(LOGITS, LABELS + 1, "labels holds 3 at", "labels from 1 to 3: subtract 1", id="from 1"),
        pytest.param(
            LOGITS,
            changed(changed(LABELS, (1, 2, 2), 33), (1, 3), 24).to(torch.uint16),
            "labels holds 33 at (1, 2, 2), expected 0 to 2",
            "labels reach 33, the logits have classes 0 to 2: map the raw ids",
            id="raw ids",
        ),
        pytest.param(
            LOGITS[:, 0],
            torch.full((2, 4, 5), 0.5),
            "labels holds 0.5 at (0, 0, 0), expected 0 to 1",
            "probabilities? save classes: 0 or 1",
            id="soft masks",
        ),
        pytest.param(
            LOGITS[0],
            torch.nn.functional.one_hot(LABELS[0], 3).permute(2, 0, 1),
            "labels (3, 4, 5) has one 1 along its first axis at every pixel: one-hot labels",
            "save labels.argmax(0)",
            id="one-hot",
        ),
    ],
)
def test_bad_values_are_refused(logits: Tensor, labels: Tensor, message: str, hint: str) -> None:
    with pytest.raises(SegcliError, match=r"holds|one-hot") as caught:
        evaluate(logits, labels, LossSettings())
    assert caught.value.message.startswith(message)
    assert hint in caught.value.hint


def test_255_that_is_not_ignored_says_how_to_ignore_it() -> None:
    with pytest.raises(SegcliError, match=r"labels holds 255 at \(0, 0, 0\), expected 0 to 2, or -1") as caught:
        evaluate(LOGITS, changed(LABELS, (0, 0), 255), LossSettings(ignore_index=-1))
    assert caught.value.hint == "if 255 marks ignored pixels: --ignore-index 255"


def test_one_hot_masks_pass_where_binary_was_said() -> None:
    masks = torch.nn.functional.one_hot(LABELS[0], 3).permute(2, 0, 1)
    assert evaluate(LOGITS[0], masks, LossSettings(mode="binary")).inputs.n_images == 3
    # One mask that is 1 everywhere is no choice between classes.
    assert evaluate(LOGITS[0, 0], torch.ones(4, 5), LossSettings()).inputs.n_images == 1


@pytest.mark.parametrize(
    ("logits", "labels", "note"),
    [
        (LOGITS, LABELS * 0 + 255, "no pixel is valid, so every loss is 0 by definition"),
        (LOGITS[:0], LABELS[:0], "no pixel is valid"),
        (
            LOGITS[:, 0],
            LABELS.clamp(max=1) * 255,
            "no label is 1 and there are ignored ones (255): if 255 is the foreground",
        ),
        (LOGITS.softmax(1), LABELS, "the logits look like probabilities"),
        (LOGITS[:, 0].sigmoid(), LABELS.clamp(max=1), "the logits look like probabilities"),
    ],
    ids=["all ignored", "empty", "255 for foreground", "softmax", "sigmoid"],
)
def test_what_is_valid_but_odd_is_noted(logits: Tensor, labels: Tensor, note: str) -> None:
    (found,) = evaluate(logits, labels, LossSettings()).notes
    assert found.startswith(note)


@pytest.mark.parametrize("logits", [LOGITS, LOGITS.abs() / LOGITS.abs().max(), torch.zeros(2, 3, 4, 5)])
def test_plain_logits_are_not_taken_for_probabilities(logits: Tensor) -> None:
    assert evaluate(logits, LABELS, LossSettings()).notes == ()
