"""Reductions: which there are, how a call of one is read, and what both libraries say of the result."""

from collections.abc import Sequence
from dataclasses import dataclass

from segcli.errors import SegcliError
from segcli.shapes.indexing import Step, axes_text
from segcli.shapes.values import Item, Listed, Shape, Span, Tensor, Value, type_name


@dataclass(frozen=True, slots=True)
class Function:
    """A reduction, as PyTorch has it.

    Attributes:
        many: Whether ``dim`` may be several dimensions.
        keepdim_alone: Whether ``keepdim`` may be given without ``dim``.
        nothing: Whether an empty tuple of dimensions reduces nothing (else it reduces all).
        needs_elements: Whether there is no result over no elements.
        words: How a formula writes it.
    """

    many: bool
    keepdim_alone: bool
    nothing: bool
    needs_elements: bool
    words: str


FUNCTIONS = {
    "argmax": Function(many=False, keepdim_alone=True, nothing=False, needs_elements=True, words="largest"),
    "argmin": Function(many=False, keepdim_alone=True, nothing=False, needs_elements=True, words="smallest"),
    "max": Function(many=False, keepdim_alone=False, nothing=False, needs_elements=True, words="max"),
    "min": Function(many=False, keepdim_alone=False, nothing=False, needs_elements=True, words="min"),
    "sum": Function(many=True, keepdim_alone=False, nothing=False, needs_elements=False, words="sum"),
    "mean": Function(many=True, keepdim_alone=False, nothing=False, needs_elements=False, words="mean"),
    "amax": Function(many=True, keepdim_alone=True, nothing=False, needs_elements=True, words="max"),
    "amin": Function(many=True, keepdim_alone=True, nothing=False, needs_elements=True, words="min"),
    "any": Function(many=True, keepdim_alone=True, nothing=True, needs_elements=False, words="any"),
    "all": Function(many=True, keepdim_alone=True, nothing=True, needs_elements=False, words="all"),
}

_KEYWORDS = {"dim": "dim", "axis": "dim", "keepdim": "keepdim", "keepdims": "keepdim"}


@dataclass(frozen=True, slots=True)
class Given:
    """An argument as it was given: ``position`` from 1, or 0 for a keyword."""

    item: Item
    position: int

    @property
    def value(self) -> Value:
        """What was given."""
        return self.item.value


@dataclass(frozen=True, slots=True)
class Request:
    """A call of a reduction.

    Attributes:
        name: The function.
        span: Where the call stands.
        text: The call as written.
        types: The types of its arguments as PyTorch's messages list them.
        dim: The argument ``dim``, None where it is not given.
        keepdim: The argument ``keepdim``, None where it is not given.
        of_torch: Whether it is ``torch.f(x, ...)``.
    """

    name: str
    span: Span
    text: str
    types: str
    dim: Given | None
    keepdim: Given | None
    of_torch: bool

    @property
    def function(self) -> Function:
        """What there is to know about the function."""
        return FUNCTIONS[self.name]


@dataclass(frozen=True, slots=True)
class Reduced:
    """What a reduction gives.

    Attributes:
        shape: The result's shape.
        dtype: The result's dtype.
        dims: Which axes are reduced, in order.
        keepdim: Whether they stay, of size 1.
        flat: Whether the positions of ``argmax`` count the flattened source.
        pair: Whether there are two results, values and indices.
        step: The trace.
        needs: What must hold of sizes that are not known.
        rules: Names of the rules at work that the two libraries do not share.
    """

    shape: Shape
    dtype: str
    dims: tuple[int, ...]
    keepdim: bool
    flat: bool
    pair: bool
    step: Step
    needs: tuple[str, ...] = ()
    rules: frozenset[str] = frozenset()


def read_request(name: str, arguments: Sequence[tuple[str, Item]], span: Span, text: str, *, of_torch: bool) -> Request:
    """Sort the arguments of a reduction.

    Args:
        name: The function.
        arguments: Keyword (empty for a positional one) and value, in order, the tensor left out.
        span: Where the call stands.
        text: The call as written.
        of_torch: Whether it is ``torch.f(x, ...)``, where positions count from the tensor.

    Raises:
        SegcliError: For arguments beyond ``dim`` and ``keepdim``.
    """
    given: dict[str, Given] = {}
    for place, (keyword, item) in enumerate(arguments):
        target = _KEYWORDS.get(keyword) if keyword else ("dim", "keepdim", None)[min(place, 2)]
        if target is None or target in given or isinstance(item.value, Tensor):
            message = f"{name}({_argument_text(keyword, item)}) is not supported, only dim and keepdim, each once"
            raise SegcliError(message, hint=f"write x.{name}(dim=1, keepdim=True)")
        given[target] = Given(item, 0 if keyword else place + 1 + of_torch)
    types = _types(arguments, of_torch=of_torch)
    return Request(name, span, text, types, given.get("dim"), given.get("keepdim"), of_torch)


def _argument_text(keyword: str, item: Item) -> str:
    return f"{keyword}={item.text}" if keyword else item.text


def _types(arguments: Sequence[tuple[str, Item]], *, of_torch: bool) -> str:
    """List types as PyTorch's argument parser does, trailing comma included."""
    shown = ["Tensor"] if of_torch else []
    shown += [type_name(item.value) for keyword, item in arguments if not keyword]
    shown += [f"{keyword}={type_name(item.value)}" for keyword, item in reversed(arguments) if keyword]
    only_keywords = not of_torch and all(keyword for keyword, _ in arguments)
    return "(" + ", ".join(shown) + (", " if only_keywords and shown else "") + ")"


def reduced_shape(shape: Shape, dims: Sequence[int], *, keepdim: bool) -> Shape:
    """Return the shape that is left.

    Examples:
        >>> reduced_shape((2, 3, 4), [1], keepdim=False), reduced_shape((2, 3, 4), [1], keepdim=True)
        ((2, 4), (2, 1, 4))
    """
    gone = set(dims)
    if keepdim:
        return tuple(1 if axis in gone else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in gone)


def element_needs(request: Request, shape: Shape, dims: Sequence[int]) -> tuple[str, ...]:
    """Say which sizes that are not known must not be 0."""
    if not request.function.needs_elements:
        return ()
    return tuple(f"{shape[axis]} >= 1" for axis in dims if axis < len(shape) and isinstance(shape[axis], str))


def reduction_step(request: Request, dims: tuple[int, ...], *, keepdim: bool, stage: int) -> Step:
    """Return the trace of a reduction."""
    fate = "kept at size 1" if keepdim else "gone"
    effect = f"{axes_text(dims)} reduced, {fate}" if dims else "no axis reduced"
    gives = dims if keepdim else ()
    return Step(stage, request.text, request.span, request.name, dims, gives, effect)


def dim_items(value: Value) -> list[Value] | None:
    """Return the dimensions in a list or a tuple, or None where ``value`` is neither."""
    return [item.value for item in value.items] if isinstance(value, Listed) else None


def nearest_functions() -> str:
    """List the reductions there are."""
    return ", ".join(sorted(FUNCTIONS))
