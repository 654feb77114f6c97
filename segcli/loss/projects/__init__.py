"""What other projects' losses say of the same predictions, and why that is not what segcli says.

Nothing of these projects is imported: their definitions are segcli's, under other conventions. Each number is reached
from ours by changing one convention at a time, and the changes that move it are the reasons.

Examples:
    >>> from segcli.loss.projects import PROJECTS
    >>> PROJECTS["kornia"].version
    '0.9.0'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segcli.loss.projects.evaluation import project_values, values_of_reads
    from segcli.loss.projects.known import PROJECTS, Project, ProjectLoss, parse_projects
    from segcli.loss.projects.reads import Reads
    from segcli.loss.projects.result import ProjectSettings, ProjectValue, Step

_HOMES = {
    "PROJECTS": "known",
    "Project": "known",
    "ProjectLoss": "known",
    "ProjectSettings": "result",
    "ProjectValue": "result",
    "Reads": "reads",
    "Step": "result",
    "parse_projects": "known",
    "project_values": "evaluation",
    "values_of_reads": "evaluation",
}

__all__ = [
    "PROJECTS",
    "Project",
    "ProjectLoss",
    "ProjectSettings",
    "ProjectValue",
    "Reads",
    "Step",
    "parse_projects",
    "project_values",
    "values_of_reads",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562: whatever the core holds
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
