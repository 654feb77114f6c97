"""What shape a tensor expression has, and why: PyTorch's rules and NumPy's, without either.

Examples:
    >>> from segcli.shapes import explain
    >>> explain("x.argmax(dim=1)", {"x": "2,3,4"}).torch.shape
    (2, 4)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segcli.shapes.explanation import explain
    from segcli.shapes.result import Answer, Explanation, Failure

__all__ = ["Answer", "Explanation", "Failure", "explain"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562: whatever the core holds
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from segcli.shapes import result
    from segcli.shapes.explanation import explain

    return explain if name == "explain" else getattr(result, name)
