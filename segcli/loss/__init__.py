"""What the segmentation losses say about predictions that were saved.

Examples:
    >>> from segcli.loss import LossSettings
    >>> LossSettings().losses
    ('ce', 'ohem', 'dice', 'focal', 'bce')
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segcli.loss.evaluation import evaluate
    from segcli.loss.result import LossResult
    from segcli.loss.running import evaluate_files
    from segcli.loss.settings import LossSettings

_HOMES = {"LossResult": "result", "LossSettings": "settings", "evaluate": "evaluation", "evaluate_files": "running"}

__all__ = ["LossResult", "LossSettings", "evaluate", "evaluate_files"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562: whatever the core holds
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"segcli.loss.{_HOMES[name]}"), name)
