"""Parameters, MACs and receptive field of layers, in closed form and without torch.

Examples:
    >>> from segcli.params import Layer, compare
    >>> [(row.variant, row.params) for row in compare(Layer(16, 64)).layers[:2]]
    [('standard', 9216), ('pointwise', 1024)]
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segcli.params.conv import Conv
    from segcli.params.variants import VARIANTS, Comparison, Layer, LayerCount, compare

__all__ = ["VARIANTS", "Comparison", "Conv", "Layer", "LayerCount", "compare"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562: whatever the core holds
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from segcli.params import conv, variants

    return getattr(conv if name == "Conv" else variants, name)
