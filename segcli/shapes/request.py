"""A call of a function of one tensor: how its arguments are read."""

from collections.abc import Mapping, Sequence

from segcli.errors import SegcliError
from segcli.shapes.records import record
from segcli.shapes.values import Item, Span, Tensor, Value, type_name

_ALIASES = {"axis": "dim", "keepdims": "keepdim"}


@record(frozen=True, slots=True)
class Given:
    """An argument as it was given: for the parameter ``name``, at ``position`` from 1, or 0 for a keyword."""

    name: str
    item: Item
    position: int

    @property
    def value(self) -> Value:
        """What was given."""
        return self.item.value


@record(frozen=True, slots=True)
class Request:
    """A call.

    Attributes:
        name: The function.
        span: Where the call stands.
        text: The call as written.
        pairs: Keyword (empty for a positional one) and value of each argument, as they were given.
        arguments: The arguments in order, the tensor left out.
        given: The arguments by parameter; which one a position means, PyTorch's overloads may see otherwise.
        of_torch: Whether it is ``torch.f(x, ...)``.
        left_out: How many arguments in front of the others are left out: the tensor of ``torch.f(x, ...)``, or none.
    """

    name: str
    span: Span
    text: str
    pairs: Sequence[tuple[str, Item]]
    arguments: tuple[Given, ...]
    given: Mapping[str, Given]
    of_torch: bool
    left_out: int = 0

    @property
    def types(self) -> str:
        """The types of the arguments as PyTorch's messages list them."""
        return _list_types(self.pairs, of_torch=self.of_torch, left_out=bool(self.left_out))

    @property
    def dim(self) -> Given | None:
        """The argument ``dim``, None where it is not given."""
        return self.given.get("dim")

    @property
    def keepdim(self) -> Given | None:
        """The argument ``keepdim``, None where it is not given."""
        return self.given.get("keepdim")

    @property
    def has_dtype(self) -> bool:
        """Whether a dtype is asked for."""
        return "dtype" in self.given and self.given["dtype"].value is not None

    def span_of(self, name: str) -> Span:
        """Return where an argument stands, or the whole call where it is not given."""
        return self.given[name].item.span if name in self.given else self.span


def read_request(
    name: str, arguments: Sequence[tuple[str, Item]], span: Span, text: str, *, takes: str, of_torch: bool
) -> Request:
    """Sort the arguments of a call.

    Args:
        name: The function.
        arguments: Keyword (empty for a positional one) and value, in order, the tensor left out.
        span: Where the call stands.
        text: The call as written.
        takes: Its parameters, ``dim unbiased keepdim * correction``: what follows ``*`` has no position.
        of_torch: Whether it is ``torch.f(x, ...)``, where positions count from the tensor.

    Raises:
        SegcliError: For arguments that are not supported.
    """
    positions, _, rest = (part.split() for part in takes.partition("*"))
    known = positions + rest
    if "unbiased" in known and arguments and not arguments[0][0] and isinstance(arguments[0][1].value, bool):
        # std(True): of the overloads, only the one without dim takes a bool first.
        positions = positions[1:]
    given: dict[str, Given] = {}
    for place, (keyword, item) in enumerate(arguments):
        target = _target(name, keyword) if keyword else [*positions, *[""] * (place + 1)][place]
        if target not in known or target in given or isinstance(item.value, Tensor):
            shown = f"{keyword}={item.text}" if keyword else item.text
            message = f"{name}({shown}) is not supported, only {_listed(known)}, each once"
            raise SegcliError(message, hint=_hint(name, known, item.value))
        given[target] = Given(target, item, 0 if keyword else place + 1 + of_torch)
    return Request(name, span, text, arguments, tuple(given.values()), given, of_torch, int(of_torch))


def _target(name: str, keyword: str) -> str:
    # norm is Python, not of PyTorch's parser, which takes NumPy's names too.
    return keyword if name == "norm" else _ALIASES.get(keyword, keyword)


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _hint(name: str, known: Sequence[str], value: Value) -> str:
    if isinstance(value, Tensor) and name in ("max", "min"):
        return f"write torch.{name}(x, y) of two tensors, or x.{name}(dim=1)"
    usual = {"dim": "dim=1", "keepdim": "keepdim=True", "k": "2"}
    return f"write x.{name}({', '.join(usual[parameter] for parameter in known if parameter in usual)})"


def _list_types(arguments: Sequence[tuple[str, Item]], *, of_torch: bool, left_out: bool) -> str:
    """List types as PyTorch's argument parser does, trailing comma included."""
    shown = ["Tensor"] if left_out else []
    shown += [type_name(item.value) for keyword, item in arguments if not keyword]
    shown += [f"{keyword}={type_name(item.value)}" for keyword, item in reversed(arguments) if keyword]
    only_keywords = not of_torch and all(keyword for keyword, _ in arguments)
    return "(" + ", ".join(shown) + (", " if only_keywords and shown else "") + ")"
