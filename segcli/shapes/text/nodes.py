"""The tree of a parsed expression. Nothing here is ever evaluated by Python."""

from segcli.shapes.records import record
from segcli.shapes.values import Span


@record(frozen=True, slots=True)
class Name:
    """A bound name."""

    name: str
    span: Span


@record(frozen=True, slots=True)
class Constant:
    """A number, ``True``, ``False``, ``None`` or ``...`` (a string of three dots)."""

    value: int | float | bool | str | None
    span: Span


@record(frozen=True, slots=True)
class Sequence:
    """A list, or a tuple in parentheses or of a subscript."""

    items: tuple["Node", ...]
    is_tuple: bool
    span: Span


@record(frozen=True, slots=True)
class Slice:
    """``start:stop:step``; what is left out is None."""

    bounds: tuple["Node | None", "Node | None", "Node | None"]
    span: Span


@record(frozen=True, slots=True)
class Subscript:
    """``base[index]``."""

    base: "Node"
    index: "Node"
    span: Span


@record(frozen=True, slots=True)
class Attribute:
    """``base.name``; ``name_span`` is the name alone."""

    base: "Node"
    name: str
    name_span: Span
    span: Span


@record(frozen=True, slots=True)
class Argument:
    """An argument of a call; ``keyword`` is empty for a positional one."""

    keyword: str
    node: "Node"
    span: Span


@record(frozen=True, slots=True)
class Call:
    """``function(arguments)``."""

    function: "Node"
    arguments: tuple[Argument, ...]
    span: Span


@record(frozen=True, slots=True)
class Text:
    """A string between quotes."""

    value: str
    span: Span


@record(frozen=True, slots=True)
class Operator:
    """One operand behind an operator, or two around it; ``mark_span`` is the operator alone."""

    mark: str
    operands: tuple["Node", ...]
    mark_span: Span
    span: Span


@record(frozen=True, slots=True)
class Starred:
    """``*value``, an item of a list, a tuple or a call."""

    value: "Node"
    span: Span


@record(frozen=True, slots=True)
class Assign:
    """``target = value``, or ``target += value`` where ``mark`` is ``+``; the outermost node if there is one."""

    target: Subscript | Name
    value: "Node"
    span: Span
    mark: str = ""
    mark_span: Span = (0, 0)


Node = Name | Constant | Text | Sequence | Slice | Subscript | Attribute | Call | Operator | Starred | Assign
