"""What the layers that normalize share: what they learn, and which dtypes they take. PyTorch 2.13's rules."""

from collections.abc import Sequence

from segcli.errors import SegcliError
from segcli.shapes.calls import Call
from segcli.shapes.computed import Computed, Formula, Read
from segcli.shapes.indexing import Step
from segcli.shapes.kinds import SCALARS
from segcli.shapes.layer.affine import add
from segcli.shapes.layer.kernels import made_like, no_kernel
from segcli.shapes.layer.layers import as_tensor, is_true, make_parameter, say_parameters, weight_dtype
from segcli.shapes.records import record
from segcli.shapes.request import Given
from segcli.shapes.symbols import at_least, product
from segcli.shapes.values import (
    FLOATING,
    Item,
    Listed,
    RaisedError,
    Shape,
    Size,
    Span,
    Symbol,
    Tensor,
    format_sizes,
    type_name,
)

_EXPECTS = "mixed dtype (CPU): expect parameter to have scalar type of Float"


@record(frozen=True, slots=True)
class Learned:
    """What a layer holds: None for what it does without.

    Attributes:
        weight: The factors.
        bias: What is added.
        buffer: ``running_mean``; ``running_var`` is like it.
    """

    weight: Item | None = None
    bias: Item | None = None
    buffer: Item | None = None

    @property
    def dtype(self) -> str | None:
        """The dtype of all that is held, None where nothing is."""
        held = self.weight or self.buffer
        return None if held is None else as_tensor(held).dtype

    def notes(self) -> tuple[str, ...]:
        """Say what is held."""
        made = []
        if self.weight is not None:
            made.append(say_parameters(self.weight, self.bias))
        if self.buffer is not None:
            shape = format_sizes(as_tensor(self.buffer).shape)
            made.append(
                f"buffers: running_mean {shape}, running_var {shape}, num_batches_tracked (): kept, not learned"
            )
        return tuple(made)


def learn(made: Call, bound: dict[str, Given], sizes: Sequence[Item], *, affine: str, default: bool) -> Learned:
    """Make weight and bias of a layer.

    Args:
        made: The call that makes the layer.
        bound: Its arguments.
        sizes: The shape of both.
        affine: The argument that says whether there are any.
        default: What it is where it is not given.

    Raises:
        RaisedError: As ``torch.empty`` and ``Parameter`` raise.
    """
    if not flag(bound, affine, default=default):
        return Learned()
    if sizes and (not isinstance(sizes[0].value, int | Symbol) or isinstance(sizes[0].value, bool)):
        # Of two wrong arguments, this one comes first.
        make_parameter("weight", sizes, "float32", made.span)
    dtype = weight_dtype(bound)
    weight = make_parameter("weight", sizes, dtype, made.span)
    has_bias = flag(bound, "bias", default=True)
    return Learned(weight, make_parameter("bias", sizes, dtype, made.span) if has_bias else None)


def flag(bound: dict[str, Given], name: str, *, default: bool) -> bool:
    """Return what Python takes an argument for."""
    return is_true(bound[name].item) if name in bound else default


def one_size(item: Item, maker: str) -> tuple[Item, ...]:
    """Return the shape that a number of features stands for.

    Args:
        item: The number.
        maker: The function that makes a tensor of that shape.

    Raises:
        RaisedError: The TypeError of PyTorch for what is no int.
        SegcliError: For a tensor, and for a list.
    """
    value = item.value
    if isinstance(value, Listed) and len(value.items) == 1:
        return value.items
    if isinstance(value, Listed | Tensor):
        message = f"{item.text} is not supported, expected the number of channels"
        raise SegcliError(message, hint="write an int")
    if not isinstance(value, int | Symbol) or isinstance(value, bool):
        words = f"{maker}(): argument 'size' (position 1) must be tuple of ints, not {type_name(value)}"
        raise RaisedError(item.span, "TypeError", words)
    return (item,)


def check_mixed(x: Tensor, dtype: str | None, span: Span) -> None:
    """Refuse an input and parameters whose dtypes do not go together.

    Raises:
        RaisedError: PyTorch's RuntimeError.
    """
    if dtype is None or dtype == x.dtype:
        return
    if dtype != "float32":
        raise RaisedError(span, "RuntimeError", _EXPECTS)
    if x.dtype not in ("float16", "bfloat16"):
        words = "mixed dtype (CPU): all inputs must share same datatype."
        raise RaisedError(span, "RuntimeError", words)


def check_parameters(x: Tensor, learned: Learned, span: Span) -> None:
    """Refuse a weight and a bias of dtypes that PyTorch does not put together with the input's.

    Raises:
        RaisedError: PyTorch's RuntimeError.
    """
    held = [as_tensor(item).dtype for item in (learned.weight, learned.bias) if item is not None]
    if held and held[0] != x.dtype:
        if set(held) != {"float32"}:
            raise RaisedError(span, "RuntimeError", _EXPECTS)
        check_mixed(x, "float32", span)


def check_alike(x: Tensor, learned: Learned) -> None:
    """Refuse a bias of another dtype than the weight's, which is the input's, as it is read.

    Raises:
        RaisedError: PyTorch's RuntimeError.
    """
    weight, bias = learned.weight, learned.bias
    if weight is None or bias is None or as_tensor(weight).dtype != x.dtype or as_tensor(bias).dtype == x.dtype:
        return
    words = f"expected scalar type {SCALARS[x.dtype]} but found {SCALARS[as_tensor(bias).dtype]}"
    raise RaisedError(bias.span, "RuntimeError", words)


def check_floating(x: Tensor, kernel: str, span: Span) -> None:
    """Refuse what is not floating point."""
    if x.dtype not in FLOATING:
        raise no_kernel(kernel, x.dtype, span)


def check_float(function: str, name: str, position: int, item: Item) -> None:
    """Refuse what PyTorch's parser does not take for a float."""
    value = item.value
    if not isinstance(value, int | float | Symbol) and not (isinstance(value, Tensor) and not value.shape):
        words = f"{function}(): argument '{name}' (position {position}) must be float, not {type_name(value)}"
        raise RaisedError(item.span, "TypeError", words)


def more_than_one(sizes: Sequence[Size], words: str, span: Span) -> tuple[str, ...]:
    """Refuse statistics of a single value; say what must hold of sizes that are not known.

    Raises:
        RaisedError: PyTorch's ValueError.
    """
    count = product(sizes)
    if count == 1:
        raise RaisedError(span, "ValueError", words)
    single = isinstance(count, str) and all(isinstance(size, str) or size == 1 for size in sizes)
    return (at_least(str(count), 2),) if single else ()


@record(frozen=True, slots=True)
class Statistics:
    """Over what a layer takes means, and how it writes them.

    Attributes:
        over: The axes of the input whose values go into one mean.
        names: What they are called.
        each: What has a mean of its own: ``channel``.
        at: The coordinates of a mean, over ``{i0}``, ``{i1}`` ...
        learned_at: Those of weight and bias.
    """

    over: tuple[int, ...]
    names: tuple[str, ...]
    each: str
    at: tuple[str, ...]
    learned_at: tuple[str, ...]


def normalized(  # noqa: PLR0913 - what a layer that normalizes is
    call: Call,
    source: Item,
    learned: Learned,
    stats: Statistics,
    steps: Sequence[Step],
    *,
    eps: Item,
    count: Size | None = None,
    dtype: str = "",
    needs: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> Computed:
    """Return what a layer that normalizes gives: a tensor of the same shape.

    Args:
        call: The call.
        source: What it normalizes.
        learned: What it holds.
        stats: Over what it takes means.
        steps: The trace.
        eps: What is added to a variance.
        count: How many values go into one mean; None for the product of the sizes.
        dtype: The result's dtype; empty for the input's.
        needs: What must hold of sizes that are not known.
        notes: What else a reader should know.
    """
    x = as_tensor(source)
    sizes = [x.shape[axis] for axis in stats.over]
    number = product(sizes) if count is None else count
    # There may be a single mean.
    mean = f"[{', '.join(stats.at)}]" if stats.at else ""
    body = f"({{0}} - mean{mean}) / sqrt(var{mean} + {eps.text})"
    reads = [Read(0, tuple(f"{{i{axis}}}" for axis in range(len(x.shape))))]
    at = ", ".join(stats.learned_at)
    given: list[Item] = []
    for sign, item in (("*", learned.weight), ("+", learned.bias)):
        if item is not None and call.layer is None:
            # A layer has names of its own for what it holds; a function is given tensors.
            given.append(item)
            reads.append(Read(len(given), stats.learned_at))
            body += f" {sign} {{{len(given)}}}"
        elif item is not None:
            body += f" {sign} {item.text}[{at}]"
    why = (
        f"mean and var: mean over {', '.join(stats.names)}, of {number} values for each {stats.each}, and the mean of "
        "the squared distances from it"
    )
    return Computed(
        made_like(call, x, x.shape, dtype),
        (source, *given),
        (*steps, *_given_steps(call, given, stats)),
        formula=None if 0 in x.shape else Formula(body, tuple(reads)),
        why=why,
        needs=needs,
        notes=notes if call.layer is None else (*notes, *learned.notes()),
    )


def _given_steps(call: Call, given: Sequence[Item], stats: Statistics) -> list[Step]:
    """Return the trace of the tensors that a function is given beside its input."""
    axes = tuple(int(at.strip("{i}")) for at in stats.learned_at)
    return [
        Step(call.stage, item.text, item.span, "learned", tuple(range(len(axes))), axes, "a number a position", place)
        for place, item in enumerate(given, 1)
    ]


def axis_names(ndim: int) -> tuple[str, ...]:
    """Name the axes of a batch of pictures: n, c, h, w.

    Examples:
        >>> axis_names(4), axis_names(3), axis_names(2)
        (('n', 'c', 'h', 'w'), ('n', 'c', 'l'), ('n', 'c'))
    """
    spatial = {1: ("l",), 2: ("h", "w"), 3: ("d", "h", "w")}.get(ndim - 2)
    if spatial is None:
        spatial = tuple(f"s{number}" for number in range(ndim - 2))
    return ("n", "c", *spatial)


def counted(sizes: Shape) -> str:
    """Write how many values a mean has.

    Examples:
        >>> counted((2, 4, 5)), counted((7,)), counted(("N", "H"))
        ('2 * 4 * 5 = 40 values', '7 values', 'N * H values')
    """
    written = " * ".join(map(str, sizes))
    if len(sizes) < 2 or any(isinstance(size, str) for size in sizes):  # noqa: PLR2004 - nothing to multiply
        return f"{written} values"
    return f"{written} = {add((1, product(sizes))).size} values"


def both_of(learned: Learned, call: Call) -> list[Item]:
    """Return weight and bias, None for each that there is none of."""
    nothing = Item(None, "None", call.span)
    return [learned.weight or nothing, learned.bias or nothing]


def are_known(pair: tuple[Size, Size]) -> bool:
    """Tell whether both sizes are numbers."""
    return isinstance(pair[0], int) and isinstance(pair[1], int)
