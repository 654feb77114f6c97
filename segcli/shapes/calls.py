"""A call of an operation, and what an operation is."""

from collections.abc import Callable
from dataclasses import field

from segcli.shapes.records import record
from segcli.shapes.values import Item, RaisedError, Span, Tensor


@record(frozen=True, slots=True)
class Call:
    """An operation with its arguments, evaluated.

    Attributes:
        name: The operation: ``cat``, ``Conv2d``, or a mark such as ``+``.
        space: Where its name stands: ``method``, ``attribute``, ``torch``, ``functional``, ``nn`` or ``operator``.
        arguments: Keyword (empty for a positional one) and value, in order. The tensor of a method, of an attribute and
            of a layer comes first.
        span: Where the call stands.
        text: The call as the trace writes it.
        result_text: The expression up to and with the call, for what its result is called in formulas.
        stage: Which operation of the expression this is, from 0.
        layer: Of a layer that is applied, the call that made it, as ``nn.Conv2d(3, 64, 3)``.
    """

    name: str
    space: str
    arguments: tuple[tuple[str, Item], ...]
    span: Span
    text: str
    result_text: str
    stage: int
    layer: "Call | None" = None

    @property
    def first(self) -> Item:
        """The first argument.

        Raises:
            RaisedError: Where there is none.
        """
        if not self.arguments:
            words = f'{self.name}() missing 1 required positional arguments: "input"'
            raise RaisedError(self.span, "TypeError", words)
        return self.arguments[0][1]

    def make(self, shape: tuple[int | str, ...], dtype: str, *, scalar: bool = False) -> Tensor:
        """Return the tensor that the call gives."""
        return Tensor(shape, dtype, self.result_text, scalar=scalar)


# Gives an ``Indexing`` of the first argument, a ``Reduced`` of it, or a ``Computed``.
Rule = Callable[[Call], object]


@record(frozen=True, slots=True)
class Operation:
    """What an operation does in both libraries.

    Attributes:
        torch: PyTorch's rule.
        numpy: NumPy's, None where it has no such operation.
        advice: What to write in NumPy where it has none: ``write np.take(x, index, axis)``.
        read_as: What NumPy calls it, where that is another name: ``np.concatenate``.
    """

    torch: Rule
    numpy: Rule | None = None
    advice: str = ""
    read_as: str = ""


@record(frozen=True, slots=True)
class Layer:
    """A layer that was made and not applied yet, such as ``nn.Conv2d(3, 64, 3)``; of ``nn.Sequential``, its layers."""

    call: Call
    operation: Operation = field(compare=False)
    layers: "tuple[Layer, ...] | None" = None
