"""The numbers that other projects' own code gave for inputs by formula, at the versions of `PROJECTS`.

``pinned.json`` holds what that code returned or raised on the CPU in float32: smp 0.6.0 and mmsegmentation 1.2.2 from
their packages, the others at the commits named, PaddleSeg on paddlepaddle 3.3.1. Only ``.cuda()`` was left out, and
``1 - mask`` of TorchSeg written ``~mask``. mmseg's focal is its `py_sigmoid_focal_loss` with the one-hot labels and the
mask that its CUDA path makes.
"""

import json
import math
from pathlib import Path

import pytest
from torch.nn.functional import cross_entropy

from segcli.loss.projects import PROJECTS, ProjectValue, project_values
from tests.loss.projects.cases import CASES

PINNED: dict[str, dict[str, float | str]] = json.loads(Path(__file__).with_name("pinned.json").read_text())


PROJECTS_PINNED = sorted({key.split("/")[0] for key in PINNED})


def values_of(project: str, case: str) -> dict[str, ProjectValue]:
    settings = CASES[case].settings
    values = project_values(project, CASES[case].logits, CASES[case].labels, settings)
    known = [known for known in PROJECTS[project].losses if settings.mode in known.modes]
    names = ["/".join(filter(None, (project, loss.name, loss.form))) for loss in known]
    return dict(zip(names, values, strict=True))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("project", PROJECTS_PINNED)
def test_the_projects_own_numbers(project: str, case: str) -> None:
    pinned = {key: found[case] for key, found in PINNED.items() if key.startswith(f"{project}/") and case in found}
    values = values_of(project, case)
    assert set(pinned) <= set(values)
    for key, theirs in pinned.items():
        value, error = values[key].value, values[key].error
        if isinstance(theirs, float):
            assert not error, key
            assert value == pytest.approx(theirs, rel=2e-6, abs=1e-6), key
        else:
            # An exception by name, or a tensor that is no number.
            assert math.isnan(value), key
            assert theirs == "NaN" or theirs.removeprefix("shape ") in error, key


def test_every_loss_of_these_projects_is_pinned() -> None:
    expected = {
        "/".join(filter(None, (project.name, loss.name, loss.form)))
        for project in PROJECTS.values()
        for loss in project.losses
        if project.name not in ("monai", "kornia")
    }
    # Torch's own cross-entropy, and a formula.
    by_torch = {"notes/ce", "bisenet/ce", "torchseg/ce", "notes/dice"}
    assert expected - by_torch == set(PINNED)


@pytest.mark.parametrize("case", [case for case, of in CASES.items() if of.settings.mode == "multiclass"])
@pytest.mark.parametrize("project", ["notes", "bisenet", "hrnet", "torchseg"])
def test_torchs_cross_entropy(project: str, case: str) -> None:
    of = CASES[case]
    index = -100 if of.settings.ignore_index is None else of.settings.ignore_index
    theirs = cross_entropy(of.logits, of.labels, ignore_index=index).item()
    assert values_of(project, case)[f"{project}/ce"].value == pytest.approx(theirs, rel=2e-6, nan_ok=True)


@pytest.mark.parametrize("case", ["masks", "masks, no foreground", "masks, empty image"])
def test_the_notes_dice(case: str) -> None:
    of = CASES[case]
    valid = (of.labels != 255).double().flatten(1)
    p, y = of.logits.double().sigmoid().flatten(1) * valid, of.labels.flatten(1) * valid
    theirs = 1 - (2 * (p * y).sum(1) + 1) / (p.sum(1) + y.sum(1) + 1)
    assert values_of("notes", case)["notes/dice"].value == pytest.approx(theirs.mean().item(), rel=1e-6)


def test_the_inputs_are_what_they_were() -> None:
    assert CASES["holes"].logits.flatten()[:3].tolist() == [-3.125, -0.8125, 1.5]
    assert [int(case.labels.sum()) for case in list(CASES.values())[:3]] == [90, 90, 1327]
    assert bool((CASES["nothing"].labels == 255).all())
