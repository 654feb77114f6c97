"""Where PyTorch stands between two tokens of an index."""

from dataclasses import dataclass, field
from typing import NoReturn

from segcli.shapes.index.layout import Dim, Plan
from segcli.shapes.values import Item, RaisedError, Tensor

MASKS = ("bool", "uint8")


@dataclass(slots=True)
class Walk:
    """Where PyTorch stands between two tokens.

    Attributes:
        source: The tensor that is indexed.
        plan: What the tokens said so far.
        dims: The dimensions as they are now.
        specified: How many dimensions all tokens take up.
        dim: The next dimension.
        out: The tensors to index by in the end, a place a dimension.
    """

    source: Tensor
    plan: Plan
    dims: list[Dim]
    specified: int
    dim: int = 0
    out: list[tuple[Item, Tensor, str] | None] = field(default_factory=list)

    @property
    def skips(self) -> int:
        """How many dimensions an ellipsis stands for."""
        return len(self.source.shape) - self.specified

    def skip(self, count: int) -> None:
        """Go past dimensions that no tensor indexes."""
        self.dim += count
        if self.out:
            self.out.extend([None] * count)


def out_of_range(item: Item, dim: int, ndim: int) -> NoReturn:
    """Raise PyTorch's error for a dimension that is not there."""
    words = f"Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], but got {dim})"
    raise RaisedError(item.span, "IndexError", words)
