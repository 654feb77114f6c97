"""From our number to theirs: the chain ends there, and every reason moves the number."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import settings as testing
from torch import Tensor

from segcli.loss.projects import PROJECTS, ProjectSettings, ProjectValue, Step, project_values
from segcli.nn import (
    bce_with_logits_loss,
    cross_entropy_loss,
    dice_loss,
    focal_loss,
    generalized_dice_loss,
    jaccard_loss,
    lovasz_hinge_loss,
    lovasz_softmax_loss,
    ohem_cross_entropy_loss,
    tversky_loss,
)
from tests.loss.projects.cases import CASES
from tests.loss.projects.test_peers import Drawn, drawn


def of_case(project: str, loss: str, case: str) -> ProjectValue:
    of = CASES[case]
    settings = ProjectSettings(**{**vars(of.settings), "losses": (loss,)})
    return project_values(project, of.logits, of.labels, settings)[0]


def check_value(found: ProjectValue) -> None:
    before = found.ours
    assert len(found.reasons) == len(found.steps)
    for step in found.steps:
        assert step.words
        assert step.value != pytest.approx(before, rel=1e-7, abs=1e-13, nan_ok=True), step
        before = step.value
    assert found.value == before or (math.isnan(found.value) and math.isnan(before))
    assert bool(found.error) <= math.isnan(found.value)


@pytest.mark.parametrize("project", PROJECTS)
@pytest.mark.parametrize("case", CASES)
def test_every_step_moves_the_number_and_the_last_is_theirs(project: str, case: str) -> None:
    of = CASES[case]
    for found in project_values(project, of.logits, of.labels, of.settings):
        check_value(found)


@testing(max_examples=12)
@given(drawn())
def test_every_step_moves_the_number_of_drawn_inputs(inputs: Drawn) -> None:
    for project in PROJECTS:
        for found in project_values(project, *inputs):
            check_value(found)


@pytest.mark.parametrize("case", CASES)
def test_the_chain_starts_from_the_librarys_number(case: str) -> None:
    of = CASES[case]
    found = {
        value.loss: value.ours
        for project in PROJECTS
        for value in project_values(project, of.logits, of.labels, of.settings)
    }
    for loss, value in found.items():
        assert value == pytest.approx(ours(loss, of.logits, of.labels, of.settings), rel=1e-6, abs=1e-7), loss


def ours(loss: str, logits: Tensor, labels: Tensor, settings: ProjectSettings) -> float:
    mode, index = settings.mode, settings.ignore_index
    region: dict[str, Any] = {"smooth": settings.smooth, "reduce": settings.reduce, "mode": mode, "ignore_index": index}
    overlap: dict[str, Any] = {**region, "squared": settings.squared, "absent": settings.absent}
    costs: dict[str, Any] = {"alpha": settings.tversky_alpha, "beta": settings.tversky_beta}
    weighed: Any = "count" if settings.absent == "count" else "skip"
    by: dict[str, Any] = {"reduce": settings.reduce, "ignore_index": index}
    rule: dict[str, Any] = {"thresh": settings.thresh, "n_min": settings.n_min, "ignore_index": index}
    functions: dict[str, Any] = {
        "ce": lambda: cross_entropy_loss(logits, labels, ignore_index=index),
        "bce": lambda: bce_with_logits_loss(logits, labels, mode="binary", ignore_index=index),
        "ohem": lambda: ohem_cross_entropy_loss(logits, labels, **rule),
        "focal": lambda: focal_loss(
            logits, labels, gamma=settings.gamma, alpha=settings.alpha, mode=mode, ignore_index=index
        ),
        "dice": lambda: dice_loss(logits, labels, **overlap),
        "jaccard": lambda: jaccard_loss(logits, labels, **overlap),
        "tversky": lambda: tversky_loss(logits, labels, **costs, **region, absent=settings.absent),
        "generalized-dice": lambda: generalized_dice_loss(logits, labels, **region, absent=weighed),
        "lovasz-softmax": lambda: lovasz_softmax_loss(logits, labels, **by),
        "lovasz-hinge": lambda: lovasz_hinge_loss(logits, labels, **by),
    }
    value: float = functions[loss]().item()
    return value


@pytest.mark.parametrize(
    ("project", "loss", "case", "expected"),
    [
        ("smp", "ce", "holes", "5 ignored pixels counted in the mean: 1.44201 -> 1.32184"),
        ("smp", "dice", "holes", "class 3 absent: counted as a loss of 0"),
        ("smp", "dice", "holes", "smooth 1 is added to TP and not to 2 TP"),
        ("smp", "dice", "holes, batch, smooth 0", "class 3 absent: counted as a loss of 0"),
        ("smp", "focal", "plain", "a sigmoid for each class against the rest, added up, in place of the softmax"),
        ("smp", "focal", "nothing", "nothing is valid: the mean of nothing is NaN: 0 -> NaN"),
        ("smp", "focal", "holes, alpha a class", "no alpha a class"),
        ("smp", "lovasz-softmax", "nothing, batch", "nothing is valid in the first group of pixels: 0 -> a tensor of"),
        ("smp", "lovasz-hinge", "masks, empty image", "1 image without a valid pixel counted as 0"),
        ("monai", "dice", "holes", "class 3 absent: counted by the formula, near 1"),
        ("monai", "dice", "empty image", "1 image without a valid pixel counted as the formula has it"),
        ("monai", "dice", "masks, no foreground", "2 images without label 1 counted by the formula"),
        ("monai", "focal", "no ignore_index", "the mean is over the 4 classes of a pixel too"),
        ("monai", "focal", "holes, alpha .25", "alpha 0.25 weighs all classes but class 0, which takes 1 - alpha"),
        ("monai", "generalized-dice", "holes", "label 255 is none of 4 classes: "),
        ("monai", "generalized-dice", "masks", "4 ignored pixels labelled 255 have that number for a target"),
        ("monai", "generalized-dice", "ignore 0", "15 ignored pixels labelled 0 are pixels of their class"),
        ("kornia", "dice", "plain", "one sum over all 4 classes in place of the mean over classes"),
        ("kornia", "dice", "empty image", "1 image without a valid pixel counted as 1"),
        ("kornia", "lovasz-softmax", "ignore 0", "there is no ignore_index: 15 ignored pixels of class 0"),
        ("kornia", "lovasz-hinge", "masks", "there is no ignore_index: 4 ignored pixels with 255 for a target"),
        ("mmseg", "ohem", "holes", "divided by all 60 pixels and not by the"),
        ("mmseg", "ohem", "holes, thresh .1, n_min 30", "n_min 30 is for each of 2 images"),
        ("mmseg", "ohem", "holes, thresh .001, n_min 0", "min_kept has to be above 1: "),
        ("mmseg", "dice", "holes", "5 ignored pixels stay in: what is predicted there is wrong"),
        ("mmseg", "dice", "ignore -1", "4 ignored pixels taken for class 0"),
        ("mmseg", "dice", "ignore 0", "class 0 is left out: ignore_index takes out a class, not pixels"),
        ("mmseg", "dice", "masks", "the target is where the label is 0"),
        ("mmseg", "tversky", "ignore 0", "class 0, which is ignored, is counted as a loss of 0"),
        ("mmseg", "lovasz-softmax", "one pixel", "a pixel that alone is valid loses its axis"),
        (
            "mmseg",
            "bce",
            "masks, nothing",
            "nothing is valid: it looks for the largest of no labels: 0 -> RuntimeError",
        ),
        ("hrnet", "ohem", "nothing", "it looks at the last of the valid pixels, and none is valid: 0 -> IndexError"),
        ("hrnet", "ohem", "holes, thresh .1, n_min 57", "not strictly below its bound is left out"),
        ("hrnet", "ohem", "holes, thresh .001, n_min 0", "n_min is 1 at least"),
        ("notes", "ohem", "holes, thresh .1, n_min 57", "2 ignored pixels with a loss of 0 kept too"),
        ("notes", "ohem", "holes, thresh .1, n_min 60", "it looks at the loss in place 60"),
        ("notes", "ohem", "holes, thresh .001, n_min 0", "nothing is kept"),
        ("bisenet", "ohem", "holes, thresh .1, n_min 30", "n_min is always 1/16 of the valid pixels"),
        ("paddle", "ohem", "holes, thresh .1, n_min 30", "not strictly below its bound is left out"),
        ("paddle", "ohem", "holes, thresh .001, n_min 0", "n_min 0 switches mining off"),
        ("paddle", "ohem", "holes", "0.00001 of all pixels is added to how many are kept"),
    ],
)
def test_the_reason_in_words(project: str, loss: str, case: str, expected: str) -> None:
    assert any(expected in reason for reason in of_case(project, loss, case).reasons)


@pytest.mark.parametrize(
    ("project", "loss", "case"),
    [
        ("smp", "jaccard", "nothing"),
        ("monai", "focal", "holes"),
        ("notes", "ohem", "holes"),
        ("torchseg", "ohem", "holes"),
        ("smp", "lovasz-softmax", "holes"),
        ("mmseg", "lovasz-hinge", "masks"),
    ],
)
def test_where_both_agree_no_reason_is_named(project: str, loss: str, case: str) -> None:
    found = of_case(project, loss, case)
    assert found.reasons == ()
    assert found.value == found.ours


def test_a_chain_is_told_with_the_numbers_between() -> None:
    steps = (Step("mean", "a", 0.5), Step("classes", "b", 0.125))
    assert ProjectValue("smp", "ce", "", 0.125, 1.0, steps).reasons == ("a: 1 -> 0.5", "b: 0.5 -> 0.125")
    error = (Step("error", "a", math.nan),)
    assert ProjectValue("smp", "ce", "", math.nan, 1.0, error, "IndexError").reasons == ("a: 1 -> IndexError",)


def test_absent_classes_of_single_images_are_counted() -> None:
    labels = torch.tensor([[[0, 0, 1, 1]], [[0, 0, 0, 0]]])
    found = project_values("monai", torch.zeros(2, 3, 1, 4), labels, ProjectSettings(losses=("dice",)))
    assert found[0].reasons[0].startswith("3 times a class is absent from an image: counted by the formula")


def test_many_absent_classes_are_cut_short() -> None:
    labels = torch.zeros(1, 1, 4, dtype=torch.int64)
    found = project_values("monai", torch.zeros(1, 20, 1, 4), labels, ProjectSettings(losses=("dice",)))
    assert found[0].reasons[0].startswith("classes 1, 2, 3, 4, 5, 6, 7, 8, ... absent")
