"""A convolution as PyTorch 2.13 reads it: its tensors, and how its window walks each axis."""

from dataclasses import replace

from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call
from segcli.shapes.integers import read_size
from segcli.shapes.layer.affine import add, times
from segcli.shapes.layer.layers import as_tensor
from segcli.shapes.layer.windows import Window, bracketed, read_sizes
from segcli.shapes.records import record
from segcli.shapes.request import Given
from segcli.shapes.signatures import Signatures
from segcli.shapes.symbols import quotient
from segcli.shapes.values import Item, RaisedError, Shape, Size, Span, Tensor

_SIZES = "ints stride=, {padding} padding=, ints dilation=, int groups="
_TRANSPOSED_SIZES = "ints stride=, ints padding=, ints output_padding=, int groups=, ints dilation="
_PLAIN = Signatures(
    (),
    tuple(
        f"Tensor input, Tensor weight, Tensor? bias=, {_SIZES.format(padding=padding)}" for padding in ("ints", "str")
    ),
)
_TRANSPOSED = Signatures(
    (),
    (f"Tensor input, Tensor weight, Tensor? bias=, {_TRANSPOSED_SIZES}",),
)


@record(frozen=True, slots=True)
class Convolution:
    """A call of ``F.conv2d`` and its relatives; that of a layer is one too.

    Attributes:
        call: The call.
        name: ``conv2d``, ``conv_transpose1d`` ...
        axes: How many axes the window walks.
        input: What it reads.
        weight: The filters: (out, in / groups, *kernel), or (in, out / groups, *kernel) of a transposed one.
        bias: What is added, None for nothing.
        stride: As given: one number, or one an axis.
        padding: Likewise, or ``same``.
        dilation: Likewise.
        groups: Into how many groups the channels fall.
        output_padding: Likewise as the stride.
        given: The arguments, for the places to point to.
        tokens: What the trace shows for the channels and for each axis: the filters, or the layer's arguments.
        is_layer: Whether the filters are a layer's own.
    """

    call: Call
    name: str
    axes: int
    input: Item
    weight: Item
    bias: Item | None
    stride: Shape
    padding: Shape | str
    dilation: Shape
    groups: Size
    output_padding: Shape
    given: dict[str, Given]
    tokens: tuple[Item, ...]
    is_layer: bool = False

    @property
    def transposed(self) -> bool:
        """Whether it is a transposed one."""
        return "transpose" in self.name

    @property
    def source(self) -> Tensor:
        """What it reads."""
        return as_tensor(self.input)

    @property
    def filters(self) -> Tensor:
        """Its weight."""
        return as_tensor(self.weight)

    @property
    def batched(self) -> bool:
        """Whether the first axis counts what goes through one by one."""
        return len(self.source.shape) == self.axes + 2

    @property
    def sizes(self) -> Shape:
        """The shape that it reads, with a batch of one where there is none."""
        return self.source.shape if self.batched else (1, *self.source.shape)

    @property
    def channels(self) -> Size:
        """How many channels the result has."""
        out = self.filters.shape[int(self.transposed)]
        return times(self.groups, out) if self.transposed else out

    @property
    def takes(self) -> Size:
        """How many channels it reads."""
        taken = self.filters.shape[1 - int(self.transposed)]
        return taken if self.transposed else times(self.groups, taken)

    @property
    def windows(self) -> tuple[Window, ...]:
        """How the window walks each axis."""
        kernel = self.filters.shape[2:]
        stride, dilation = _spread(self.stride, len(kernel)), _spread(self.dilation, len(kernel))
        if isinstance(self.padding, str):
            plain = [Window(size, step, 0, gap) for size, step, gap in zip(kernel, stride, dilation, strict=True)]
            return tuple(_same(window) if self.padding == "same" else window for window in plain)
        padding = _spread(self.padding, len(kernel))
        return tuple(
            Window(size, step, pad, gap) for size, step, pad, gap in zip(kernel, stride, padding, dilation, strict=True)
        )

    @property
    def more(self) -> Shape:
        """How many positions are put behind each axis of a transposed one's result."""
        return _spread(self.output_padding, len(self.filters.shape) - 2)

    @property
    def per_group(self) -> tuple[Size, Size]:
        """How many channels each group reads and gives."""
        return quotient(self.takes, self.groups), quotient(self.channels, self.groups)

    def span(self, name: str) -> Span:
        """Return where an argument stands, or the call where it is not given."""
        return self.given[name].item.span if name in self.given else self.call.span

    def fail(self, *, at: str, words: str, axis: int | None = None) -> RaisedError:
        """Return a RuntimeError at an argument; an axis is that of the input with a batch."""
        place = axis if axis is None or self.batched else max(axis - 1, 0)
        return RaisedError(self.span(at), "RuntimeError", words, place)


def read_convolution(call: Call, axes: int) -> Convolution:
    """Read a call of ``F.conv2d`` and its relatives.

    Args:
        call: The call.
        axes: How many axes the window walks.

    Raises:
        RaisedError: The TypeError of PyTorch's parser.
    """
    transposed = "transpose" in call.name
    bound = bind_call(call, _TRANSPOSED if transposed else _PLAIN)
    padding = bound["padding"].value if "padding" in bound else 0
    weight = bound["weight"].item
    bias = bound["bias"].item if "bias" in bound and bound["bias"].value is not None else None

    def sizes(name: str, default: int) -> Shape:
        return read_sizes(call.name, name, bound[name], axes) if name in bound else (default,) * axes

    return Convolution(
        call=call,
        name=call.name,
        axes=axes,
        input=bound["input"].item,
        weight=weight,
        bias=bias,
        stride=sizes("stride", 1),
        padding=padding if isinstance(padding, str) else sizes("padding", 0),
        dilation=sizes("dilation", 1),
        groups=read_size(bound["groups"].item) if "groups" in bound else 1,
        output_padding=sizes("output_padding", 0),
        given=bound,
        tokens=(weight,) * (axes + 1),
    )


def expand(conv: Convolution, name: str, sizes: Shape) -> Shape:
    """Return a size an axis.

    Raises:
        RaisedError: Where there are neither one nor as many as axes.
    """
    number = len(conv.filters.shape) - 2
    if len(sizes) not in (1, number):
        words = (
            f"expected {name} to be a single integer value or a list of {number} values to match the convolution "
            f"dimensions, but got {name}={bracketed(sizes)}"
        )
        raise conv.fail(at=name, words=words)
    return _spread(sizes, number)


def _spread(sizes: Shape, number: int) -> Shape:
    return sizes * number if len(sizes) == 1 else sizes


def _same(window: Window) -> Window:
    """Return the window with as much padding as keeps the size, the odd one behind."""
    around = add((1, window.reach), (-1, 1)).size
    # C++ rounds towards zero: a kernel of size 0 asks for less than nothing.
    before = -(-around // 2) if isinstance(around, int) and around < 0 else quotient(around, 2)
    return replace(window, padding=before, surplus=add((1, around), (-2, before)).size)
