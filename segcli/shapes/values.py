"""What an expression works on: tensors known by shape and dtype, and the plain Python values around them."""

from math import prod

from segcli.errors import SegcliError
from segcli.shapes.records import record

# A size that is not known is a symbol: a name, or what it follows from, such as "nonzero(m)".
Size = int | str
Shape = tuple[Size, ...]
Labels = tuple[str | None, ...]
Span = tuple[int, int]

FLOATING = ("float16", "bfloat16", "float32", "float64")
COMPLEX = ("complex64", "complex128")
# What the size of a complex number is.
REAL = {"complex64": "float32", "complex128": "float64"}
INTEGER = ("uint8", "int8", "int16", "int32", "int64")
# Sums of uint8 have it in NumPy; nobody binds it.
NUMPY_INTEGER = (*INTEGER, "uint64")
DTYPES = ("bool", *INTEGER, *FLOATING, *COMPLEX)
# Of more tensors nobody wants a list: an axis may have 2^62 positions.
_MAX_LISTED = 4096


@record(frozen=True, slots=True)
class Tensor:
    """A tensor without its storage.

    Attributes:
        shape: Its sizes; one that is not known is a symbol.
        dtype: One of ``DTYPES``.
        text: How the expression writes it, for formulas and symbols.
        values: The elements in row-major order, where they are known.
        true_count: How many elements of a mask are True, where that is known.
        scalar: Whether NumPy would hold it as a scalar, which is no array.
        labels: What its axes are called, None for one without a label; empty where no axis has any.
        strides: How many elements lie between two neighbours along each axis, None where that is not known; None in
            the whole for row-major order.
    """

    shape: Shape
    dtype: str
    text: str
    values: tuple[int | float | bool, ...] | None = None
    true_count: int | None = None
    scalar: bool = False
    labels: Labels = ()
    strides: tuple[Size | None, ...] | None = None

    @property
    def nonzero(self) -> Size:
        """How many elements are not zero: a number where it is known, else a symbol."""
        if self.values is not None:
            return sum(1 for value in self.values if value)
        if self.true_count is not None:
            return self.true_count
        return 0 if 0 in self.shape else f"nonzero({self.text})"


@record(frozen=True, slots=True)
class SliceBounds:
    """A slice's three numbers, as written; a bound may follow from sizes that are not known."""

    start: Size | None = None
    stop: Size | None = None
    step: int | None = None

    def __str__(self) -> str:
        """Write it as it stands between brackets."""
        start, stop, step = ("" if bound is None else str(bound) for bound in (self.start, self.stop, self.step))
        return f"{start}:{stop}" + (f":{step}" if step else "")


@record(frozen=True, slots=True)
class Listed:
    """A list or a tuple inside an index."""

    items: tuple["Item", ...]
    is_tuple: bool = False
    # A ``torch.Size`` is a tuple too.
    is_size: bool = False

    @property
    def kind(self) -> str:
        """``list`` or ``tuple``, as Python's messages name it."""
        return "tuple" if self.is_tuple else "list"


@record(frozen=True, slots=True)
class Pair:
    """What ``max(dim)`` and ``min(dim)`` of torch return: two tensors with names."""

    values: Tensor
    indices: Tensor
    function: str


@record(frozen=True, slots=True)
class Run:
    """Some of the tensors in ``Parts``, all alike.

    Attributes:
        count: How many.
        tensor: One of them.
        start: Where the first begins, along the axis that is cut.
        width: How many positions each takes, the last one fewer where the axis ends; None for one position whose axis
            is gone.
        stride: How far apart two of them begin; None for as far as they are wide.
    """

    count: Size
    tensor: Tensor
    start: Size = 0
    width: Size | None = None
    stride: Size | None = None


@record(frozen=True, slots=True)
class Parts:
    """A tuple, or a list, of tensors: what ``chunk``, ``split`` and ``unbind`` return.

    Attributes:
        runs: The tensors in order, those that are alike counted.
        function: What returned them.
        source: What they are cut from, along the axis ``dim``; None where they are no pieces of a tensor.
        dim: That axis.
        is_tuple: False for a list.
    """

    runs: tuple[Run, ...]
    function: str
    source: Tensor | None = None
    dim: int = 0
    is_tuple: bool = True

    @property
    def count(self) -> Size:
        """How many there are: a number where it is known, else a symbol."""
        counts = [run.count for run in self.runs]
        known = [count for count in counts if isinstance(count, int)]
        return sum(known) if len(known) == len(counts) else str(counts[0])

    def tensors(self) -> list[Tensor] | None:
        """Return every tensor, or None where their number is not known.

        Raises:
            SegcliError: For more than anyone lists.
        """
        counts = [(run.count, run.tensor) for run in self.runs]
        if any(isinstance(count, str) for count, _ in counts):
            return None
        if int(self.count) > _MAX_LISTED:
            message = f"{self.function}() returns {self.count:,} tensors here, too many to go through one by one"
            raise SegcliError(message, hint="pick some first, as in x.split(8)[0]")
        return [tensor for count, tensor in counts for _ in range(int(count))]


@record(frozen=True, slots=True)
class Symbol:
    """An int that is not known: a size, or what follows from sizes."""

    size: str


@record(frozen=True, slots=True)
class Unknown:
    """A number of Python of which only the type is known, such as what ``x.item()`` returns: its type's name."""

    kind: str


@record(frozen=True, slots=True)
class DType:
    """A dtype as a value, such as ``torch.float32``."""

    name: str


class _Ellipsis:
    """The type of ``...`` here: mypy knows no literal type of Python's own."""


ELLIPSIS = _Ellipsis()

# A str is a text between quotes.
Value = (
    int
    | float
    | bool
    | str
    | None
    | _Ellipsis
    | SliceBounds
    | Listed
    | Symbol
    | Unknown
    | DType
    | Tensor
    | Pair
    | Parts
)


@record(frozen=True, slots=True)
class Item:
    """A value with the place in the expression that it was read from."""

    value: Value
    text: str
    span: Span


class RaisedError(Exception):
    """The library would raise.

    Args:
        span: The part of the expression at fault.
        kind: The exception's type, such as ``IndexError``.
        message: The library's own words.
        axis: The source's axis at fault, where there is one.
    """

    def __init__(self, span: Span, kind: str, message: str, axis: int | None = None) -> None:
        """Keep what an explanation shows."""
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.span = span
        self.axis = axis


def type_name(value: Value) -> str:
    """Return the name of a value's type as Python's messages write it.

    Examples:
        >>> type_name(None), type_name(ELLIPSIS), type_name(Tensor((), "int64", "i"))
        ('NoneType', 'ellipsis', 'Tensor')
    """
    if isinstance(value, Listed):
        return "torch.Size" if value.is_size else value.kind
    if isinstance(value, Unknown):
        return value.kind
    if isinstance(value, Parts):
        return "tuple" if value.is_tuple else "list"
    if isinstance(value, Pair):
        return f"torch.return_types.{value.function}"
    return _TYPE_NAMES.get(type(value)) or type(value).__name__


_TYPE_NAMES = {
    type(None): "NoneType",
    _Ellipsis: "ellipsis",
    SliceBounds: "slice",
    Tensor: "Tensor",
    Symbol: "int",
    DType: "torch.dtype",
}


def format_sizes(shape: Shape, *, opening: str = "(", closing: str = ")") -> str:
    """Print a shape that may hold symbols, as Python prints a tuple.

    Examples:
        >>> format_sizes((4, "nonzero(m)")), format_sizes((4,))
        ('(4, nonzero(m))', '(4,)')
    """
    comma = "," if len(shape) == 1 and opening == "(" else ""
    return opening + ", ".join(map(str, shape)) + comma + closing


def check_elements(shape: Shape, what: str) -> None:
    """Refuse a shape with more elements than an int64 counts.

    Raises:
        SegcliError: Where it has.
    """
    known = [size for size in shape if isinstance(size, int)]
    if 0 not in known and prod(known) >= 2**63:
        message = f"{what} would have shape {format_sizes(shape)}, more than 2^63 - 1 elements"
        raise SegcliError(message)
