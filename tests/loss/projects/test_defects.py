"""What goes wrong in other projects, number by number: so it has to be shown to those who come from there."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from segcli.loss.projects import ProjectSettings, ProjectValue, project_values
from tests.loss.projects.cases import formula_logits

P = (0.05, 0.2, 0.4, 0.6, 0.65, 0.7, 0.8, 0.9, 0.95, 0.99)
NAN, INDEX_ERROR = math.nan, "IndexError"
# As tests/nn/losses/test_ohem_semantics.py has them; p = .7 sits on the threshold, so a hair beside it.
OHEM: dict[str, dict[str, float | str]] = {
    "k=3": {"notes": 1.29261, "mmseg": 0.53859, "hrnet": 1.29261, "paddle": 1.29258, "torchseg": 1.13662},
    "k=8": {"notes": 0.893531, "mmseg": 0.595687, "hrnet": 0.893531, "paddle": 1.006110, "torchseg": 0.893531},
    "k=11": {"notes": 0.655417, "mmseg": 0.599962, "hrnet": 0.799949, "paddle": 0.720951, "torchseg": 0.720959},
    "k=12": {"notes": INDEX_ERROR, "mmseg": 0.599962, "hrnet": 0.799949, "paddle": 0.720951, "torchseg": 0.720959},
    "nothing": {"notes": 0, "mmseg": 0, "hrnet": INDEX_ERROR, "paddle": 0, "torchseg": NAN},
    "ties": {"notes": 0.105361, "mmseg": 0, "hrnet": NAN, "paddle": 0, "torchseg": 0.105361},
}
INPUTS: dict[str, tuple[tuple[float, ...], int, int]] = {
    **{f"k={k}": ((*P, 0.5, 0.5), 2, k) for k in (3, 8, 11, 12)},
    # There is a place to look at for the notes, and mmseg's sampler wants more than 1.
    "nothing": ((0.5,) * 3, 3, 2),
    "ties": ((0.9,) * 6, 0, 2),
}


def one(project: str, loss: str, logits: Tensor, labels: Tensor, **settings: Any) -> ProjectValue:  # noqa: ANN401 - settings
    return project_values(project, logits, labels, ProjectSettings(losses=(loss,), **settings))[0]


@pytest.mark.parametrize(("case", "project"), [(case, project) for case, found in OHEM.items() for project in found])
def test_the_table_of_ohems(case: str, project: str) -> None:
    p, n_ignored, n_min = INPUTS[case]
    chances = torch.tensor([p], dtype=torch.float64)
    logits, labels = torch.stack([chances.log(), (1 - chances).log()], 1), torch.zeros(1, len(p), dtype=torch.int64)
    labels[0, len(p) - n_ignored :] = 255
    thresh = 0.7 + (1e-9 if project == "torchseg" else -1e-9)
    found = one(project, "ohem", logits.unsqueeze(2), labels.unsqueeze(1), thresh=thresh, n_min=n_min)
    expected = OHEM[case][project]
    if expected == INDEX_ERROR:
        assert (found.error, math.isnan(found.value)) == (INDEX_ERROR, True)
        assert found.reasons[-1].endswith("-> IndexError")
    else:
        assert found.value == pytest.approx(expected, abs=5e-6, nan_ok=True)
        assert not found.error
    assert found.ours == pytest.approx(0 if case == "nothing" else found.ours)


def test_monais_focal_is_c_times_as_large_with_ignore_index() -> None:
    logits, labels = formula_logits(), torch.arange(60).view(2, 5, 6) % 4
    without = one("monai", "focal", logits, labels, ignore_index=None)
    given = one("monai", "focal", logits, labels, ignore_index=255)
    assert given.value == pytest.approx(4 * without.value)
    assert given.value == given.ours == without.ours
    assert [step.key for step in without.steps] == ["classes"]
    assert (
        given.remark == f"without ignore_index the mean is over the 4 classes of a pixel too: {without.value:.6g} here"
    )


def test_kornias_focal_divides_by_classes_and_by_ignored_pixels() -> None:
    logits, labels = formula_logits(), torch.arange(60).view(2, 5, 6) % 4
    labels[0] = 255
    found = one("kornia", "focal", logits, labels)
    assert found.value == pytest.approx(found.ours / 2 / 4)
    assert [step.key for step in found.steps] == ["mean", "classes"]


def test_smps_multiclass_focal_is_no_softmax() -> None:
    # All pixels alike and sure of class 0, which is wrong: the softmax costs twice what a sigmoid does.
    logits = torch.tensor([3.0, -3.0]).view(1, 2, 1, 1).expand(1, 2, 2, 2)
    found = one("smp", "focal", logits, torch.ones(1, 2, 2, dtype=torch.int64))
    p, wrong = 1 / (1 + math.exp(-3)), 1 / (1 + math.exp(-6))
    assert found.value == pytest.approx(-math.log(1 - p) * p**2)
    assert found.ours == pytest.approx(-math.log(1 - wrong) * wrong**2)
    assert [step.key for step in found.steps] == ["form", "classes"]


def test_smps_cross_entropy_counts_ignored_pixels() -> None:
    labels = torch.full((1, 2, 4), 255)
    labels[0, 0, 0] = 1
    found = one("smp", "ce", torch.zeros(1, 2, 2, 4), labels)
    assert found.value == pytest.approx(math.log(2) / 8)
    assert found.reasons == ("7 ignored pixels counted in the mean: 0.693147 -> 0.0866434",)


@pytest.mark.parametrize(
    ("project", "form", "value"),
    [("smp", 0, 0.0818), ("kornia", 0, 0.9), ("kornia", 1, 0.8182), ("monai", 0, 0.9818)],
)
def test_one_class_of_ten(project: str, form: int, value: float) -> None:
    settings = ProjectSettings(losses=("dice",), smooth=1e-7)
    found = project_values(project, torch.zeros(1, 10, 8, 8), torch.zeros(1, 8, 8, dtype=torch.int64), settings)[form]
    assert found.value == pytest.approx(value, abs=5e-5)
    assert found.ours == pytest.approx(0.8182, abs=5e-5)


def test_an_empty_target_all_of_it_predicted() -> None:
    logits, labels = torch.full((1, 5, 5), 30.0), torch.zeros(1, 5, 5, dtype=torch.int64)
    values = {project: one(project, "dice", logits, labels, mode="binary", smooth=1e-5) for project in ("smp", "monai")}
    assert values["smp"].value == 0
    assert values["monai"].value == pytest.approx(0.9999994, abs=3e-7)
    assert one("monai", "generalized-dice", logits, labels, mode="binary", smooth=1e-5).value == 0


@pytest.mark.parametrize("mode", ["multiclass", "binary"])
@pytest.mark.parametrize("loss", ["dice", "jaccard", "tversky"])
def test_smp_in_float16_is_nan(loss: str, mode: Any) -> None:  # noqa: ANN401 - a literal
    logits, labels = half_inputs(300, torch.float16)
    found = one("smp", loss, logits if mode == "multiclass" else logits[:, 0], labels, mode=mode)
    assert math.isnan(found.value)
    assert found.steps[-1].words == "sums are float16, as the logits are"
    assert all(math.isfinite(value) for value in (found.ours, *(step.value for step in found.steps[:-1])))


# What smp 0.6.0 gave on the CPU.
@pytest.mark.parametrize(
    ("mode", "dtype", "dice", "jaccard", "tversky"),
    [
        ("multiclass", torch.float16, 0.409912109375, 0.5078125, 0.421142578125),
        ("binary", torch.float16, 0.5986328125, 0.7490234375, 0.5634765625),
        ("multiclass", torch.bfloat16, 0.41015625, 0.5078125, 0.421875),
        ("binary", torch.bfloat16, 0.6015625, 0.75, 0.5625),
    ],
)
def test_smp_adds_up_in_the_dtype_of_half_logits(
    mode: Any,  # noqa: ANN401 - a literal
    dtype: torch.dtype,
    dice: float,
    jaccard: float,
    tversky: float,
) -> None:
    logits, labels = half_inputs(20, dtype)
    logits = logits if mode == "multiclass" else logits[:, 0]
    for loss, value in {"dice": dice, "jaccard": jaccard, "tversky": tversky}.items():
        assert one("smp", loss, logits, labels, mode=mode).value == value


# What mmsegmentation 1.2.2 gave on the CPU, where a sum of p that is infinite is a Dice of 0.
@pytest.mark.parametrize(
    ("side", "dtype", "dice", "squared", "default", "tversky"),
    [
        (300, torch.float16, 1.0, 1.0, 1.0, 0.76806640625),
        (20, torch.float16, 0.6780339479446411, 0.6191042065620422, 0.5162762403488159, 0.74609375),
        (300, torch.bfloat16, 0.6831809282302856, 0.6436762809753418, 0.5154681205749512, 0.765625),
        (20, torch.bfloat16, 0.67829430103302, 0.6188449859619141, 0.5168590545654297, 0.74609375),
    ],
)
def test_mmseg_adds_up_in_the_dtype_of_half_logits(
    side: int, dtype: torch.dtype, dice: float, squared: float, default: float, tversky: float
) -> None:
    logits, labels = half_inputs(side, dtype)
    plain = project_values("mmseg", logits, labels, ProjectSettings(losses=("dice", "tversky")))
    # How many threads torch has decides in which order it adds, and with it the last digits of a half type.
    assert [value.value for value in plain] == pytest.approx([dice, default, tversky], rel=1e-4)
    assert one("mmseg", "dice", logits, labels, squared=True).value == pytest.approx(squared, rel=1e-4)


@pytest.mark.parametrize(
    ("side", "dtype", "value"),
    [(300, torch.float16, 0.34715569019317627), (20, torch.bfloat16, 0.34647756814956665)],
)
def test_mmseg_adds_up_binary_dice_in_the_dtype_of_half_logits(side: int, dtype: torch.dtype, value: float) -> None:
    logits, labels = half_inputs(side, dtype)
    assert one("mmseg", "dice", logits[:, 0], labels, mode="binary").value == pytest.approx(value, rel=1e-6)


def half_inputs(side: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    labels = (torch.arange(side * side) % 3 // 2).view(1, side, side)
    labels[0, 0, :5] = 255
    return formula_logits((1, 3, side, side)).to(dtype), labels


def test_mmsegs_binary_dice_looks_for_the_background() -> None:
    labels = torch.tensor([[[1, 1, 0, 0]]])
    sure = torch.where(labels == 1, 30.0, -30.0)
    found = project_values("mmseg", sure, labels, ProjectSettings(mode="binary", losses=("dice",)))[0]
    assert found.ours == pytest.approx(0, abs=1e-6)
    assert found.value == pytest.approx(1, abs=1e-6)
    assert found.steps[0].key == "target"


def test_mmsegs_tversky_wants_its_costs_to_add_up() -> None:
    logits, labels = torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2, dtype=torch.int64)
    found = one("mmseg", "tversky", logits, labels, tversky_alpha=0.5, tversky_beta=0.7)
    assert (found.error, found.steps[0].words) == ("AssertionError", "alpha and beta do not add up to 1")
