"""Checkpoints moved between devices and looked into, without torch, a GPU, or running what they say.

Examples:
    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> from segcli.ckpt import convert, inspect
    >>> folder = Path(tempfile.mkdtemp())
    >>> torch.save({"weight": torch.zeros(2, 3)}, folder / "cpu.pth")
    >>> convert(folder / "cpu.pth", folder / "gpu.pth", "cuda:0").tags[0].after
    'cuda:0'
    >>> [(tensor.key, tensor.shape, tensor.device) for tensor in inspect(folder / "gpu.pth").tensors]
    [('weight', (2, 3), 'cuda:0')]
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segcli.ckpt.conversion.converting import convert
    from segcli.ckpt.conversion.recipe import Recipe
    from segcli.ckpt.conversion.result import Conversion, TagChange
    from segcli.ckpt.difference.comparing import Difference, Question, diff
    from segcli.ckpt.inspection.listing import Inspection, inspect
    from segcli.ckpt.merging.averaging import average
    from segcli.ckpt.merging.joining import join
    from segcli.ckpt.merging.merge import Merge
    from segcli.ckpt.stripping.strip import Strip, Wish, strip
    from segcli.ckpt.verification.verifying import Verification, verify

_HOMES = {
    "conversion.converting": ("convert",),
    "conversion.recipe": ("Recipe",),
    "conversion.result": ("Conversion", "TagChange"),
    "difference.comparing": ("Difference", "Question", "diff"),
    "inspection.listing": ("Inspection", "inspect"),
    "merging.averaging": ("average",),
    "merging.joining": ("join",),
    "merging.merge": ("Merge",),
    "stripping.strip": ("Strip", "Wish", "strip"),
    "verification.verifying": ("Verification", "verify"),
}
__all__ = [
    "Conversion",
    "Difference",
    "Inspection",
    "Merge",
    "Question",
    "Recipe",
    "Strip",
    "TagChange",
    "Verification",
    "Wish",
    "average",
    "convert",
    "diff",
    "inspect",
    "join",
    "strip",
    "verify",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562: whatever the core holds
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"segcli.ckpt.{home}"), name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
