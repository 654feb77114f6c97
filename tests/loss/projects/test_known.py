import pytest
import torch

import segcli.loss.projects
from segcli.errors import SegcliError
from segcli.loss.projects import PROJECTS, ProjectSettings, parse_projects, project_values


def test_the_projects_of_the_command_line() -> None:
    assert list(PROJECTS) == ["notes", "bisenet", "mmseg", "hrnet", "paddle", "torchseg", "smp", "monai", "kornia"]
    for name, project in PROJECTS.items():
        assert (project.name, bool(project.version), bool(project.title)) == (name, True, True)


def test_the_versions_are_those_installed() -> None:
    kornia, monai = (pytest.importorskip(name, reason="a peer of the dev extra") for name in ("kornia", "monai"))
    assert PROJECTS["kornia"].version == kornia.__version__
    assert PROJECTS["monai"].version == monai.__version__.split("+")[0]


@pytest.mark.parametrize(("text", "word"), [("smpp", "smp"), ("", "known: notes")])
def test_an_unknown_project_is_refused(text: str, word: str) -> None:
    with pytest.raises(SegcliError, match=f"unknown project '{text}'") as refused:
        parse_projects(text)
    assert word in refused.value.hint
    with pytest.raises(SegcliError, match=f"unknown project '{text}'"):
        project_values(text, torch.zeros(1, 2, 3), torch.zeros(1, 3), ProjectSettings())


@pytest.mark.parametrize(
    ("project", "loss", "expected"),
    [
        ("mmseg", "ohem", "OHEMPixelSampler(thresh=0.7, min_kept=1/2)"),
        ("hrnet", "ohem", "OhemCrossEntropy(thres=0.7, min_kept=1)"),
        ("mmseg", "focal", "FocalLoss(gamma=2, alpha=[0.5, 1])"),
        ("smp", "focal", "FocalLoss('multiclass', gamma=2, alpha=None)"),
        (
            "kornia",
            "focal",
            "focal_loss(..., alpha=None, weight=[0.5, 1], gamma=2, reduction='mean', ignore_index=255)",
        ),
        ("monai", "tversky", "TverskyLoss(softmax=True, to_onehot_y=True, alpha=0.3, beta=0.7, batch=False, "),
    ],
)
def test_how_a_project_is_called(project: str, loss: str, expected: str) -> None:
    labels = torch.arange(24).view(2, 3, 4) % 2
    settings = ProjectSettings(losses=(loss,), alpha=(0.5, 1.0))
    assert project_values(project, torch.zeros(2, 2, 3, 4), labels, settings)[0].call.startswith(expected)


@pytest.mark.parametrize("mode", ["multiclass", "binary"])
def test_the_losses_that_are_asked_for(mode: str) -> None:
    logits = torch.zeros(1, 2, 3, 4) if mode == "multiclass" else torch.zeros(1, 3, 4)
    labels = torch.zeros(1, 3, 4, dtype=torch.uint8)
    for name, project in PROJECTS.items():
        wanted = ProjectSettings(mode=mode, losses=("dice", "bce"))  # type: ignore[arg-type]
        found = [value.loss for value in project_values(name, logits, labels, wanted)]
        assert found == [loss.name for loss in project.losses if loss.name in ("dice", "bce") and mode in loss.modes]


def test_an_unknown_name_of_the_package() -> None:
    with pytest.raises(AttributeError, match=r"module 'segcli.loss.projects' has no attribute 'unknown'"):
        segcli.loss.projects.unknown  # noqa: B018 - to see it raise
