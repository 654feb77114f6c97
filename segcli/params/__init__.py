"""Parameters, MACs and receptive field of layers, in closed form and without torch.

Examples:
    >>> from segcli.params import Layer, compare
    >>> [(row.variant, row.params) for row in compare(Layer(16, 64)).layers[:2]]
    [('standard', 9216), ('pointwise', 1024)]
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segcli.params.conv import Conv
    from segcli.params.count import LayerCount, Stage
    from segcli.params.description import Layer
    from segcli.params.variants import VARIANTS, Comparison, compare

_HOMES = {
    "Conv": "conv",
    "Layer": "description",
    "LayerCount": "count",
    "Stage": "count",
    "VARIANTS": "variants",
    "Comparison": "variants",
    "compare": "variants",
}
__all__ = ["VARIANTS", "Comparison", "Conv", "Layer", "LayerCount", "Stage", "compare"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562: whatever the core holds
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"segcli.params.{_HOMES[name]}"), name)
