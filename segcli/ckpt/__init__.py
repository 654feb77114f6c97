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

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segcli.ckpt.conversion import Conversion, TagChange, convert
    from segcli.ckpt.inspection import Inspection, inspect

__all__ = ["Conversion", "Inspection", "TagChange", "convert", "inspect"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562: whatever the core holds
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from segcli.ckpt import conversion, inspection

    return getattr(inspection if name in ("Inspection", "inspect") else conversion, name)
