"""Kinds and shapes are looked at before anything is read; values are searched for where a reading found them wrong."""

import math

import pytest
import torch
from torch import Tensor

from segcli.nn.kernels.checks import Mode, check_inputs, refuse_unsound, unsoundness

LOGITS = torch.zeros(2, 3, 4)
LABELS = torch.zeros(2, 4, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("logits", "labels", "mode", "words"),
    [
        (LOGITS, LABELS, "softmax", "mode is 'softmax', expected multiclass, multilabel, binary"),
        (LOGITS.int(), LABELS, "multiclass", "logits are torch.int32, expected a floating dtype"),
        (LOGITS, LABELS.float(), "multiclass", "labels are torch.float32, expected whole numbers"),
        (LOGITS, LOGITS.to(torch.complex64), "multilabel", "labels are torch.complex64, expected whole numbers"),
        (LOGITS, LABELS.to("meta"), "multiclass", "labels are on meta, logits on cpu: expected one device"),
        (LOGITS[0, 0], LABELS, "multiclass", r"logits have shape \(4,\), expected \(N, C, \*S\)"),
        (torch.tensor(0.0), LABELS, "binary", r"logits have shape \(\), expected \(N, \*S\)"),
        (LOGITS[:, :1], LABELS, "multiclass", "the softmax of 1 class is no choice"),
        (LOGITS, LABELS[:, 1:], "multiclass", r"labels have shape \(2, 3\), expected \(2, 4\) to match"),
        (LOGITS, LABELS, "multilabel", r"labels have shape \(2, 4\), expected \(2, 3, 4\) to match"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_fit_is_named(logits: Tensor, labels: Tensor, mode: Mode, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_inputs(logits, labels, mode)


def test_what_fits_passes() -> None:
    check_inputs(LOGITS, LABELS, "multiclass")
    check_inputs(LOGITS, LOGITS.bool(), "multilabel")
    check_inputs(LOGITS, LOGITS, "binary")
    refuse_unsound(LOGITS, LABELS, 3, 255)


def test_the_first_bad_value_is_named() -> None:
    bad = LOGITS.clone()
    bad[1, 2, 3] = math.nan
    assert unsoundness(bad, LABELS, 3, None) == "logits hold nan at (1, 2, 3), expected finite numbers"
    assert unsoundness(LOGITS, LABELS + 9, 3, None) == "labels hold 9 at (0, 0), expected 0 to 2"
    assert unsoundness(LOGITS, LABELS + 9, 3, 7) == "labels hold 9 at (0, 0), expected 0 to 2, or ignore_index 7"
    with pytest.raises(ValueError, match=r"labels hold 9 at \(0, 0\), expected 0 to 2$"):
        refuse_unsound(LOGITS, LABELS + 9, 3, None)
