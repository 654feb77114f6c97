"""Lays out an indexed result: which axes stay, where the advanced ones land, and the trace of it all."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from segcli.shapes.indexing import (
    Access,
    Along,
    Fixed,
    Gathered,
    Indexing,
    Ledger,
    Operand,
    Step,
    axes_text,
    position_need,
    slice_size,
    tokens_text,
)
from segcli.shapes.symbols import slice_needs
from segcli.shapes.values import Item, Shape, Size, SliceBounds, Span, Symbol, format_sizes


@dataclass(slots=True, eq=False)
class Dim:
    """An axis on its way to the result: of the source, or (``axis`` None) a new one of size 1."""

    size: Size
    axis: int | None = None
    start: Size | None = 0
    step: int = 1
    whole: bool = True

    def cut(self, bounds: SliceBounds) -> None:
        """Apply a slice."""
        self.size, self.start, self.whole = slice_size(bounds, self.size)
        self.step = 1 if bounds.step is None else bounds.step


@dataclass(slots=True)
class Draft:
    """A step whose place in the result is not known yet."""

    token: str
    span: Span
    kind: str
    takes: tuple[int, ...]
    effect: str
    dims: tuple[Dim, ...] = ()
    operand: bool = False


@dataclass(slots=True)
class Plan:
    """What an algorithm gathers from the tokens, left to right."""

    source: Shape
    ledger: Ledger
    fixed: dict[int, int | str] = field(default_factory=dict)
    operands: list[Operand] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)

    def note_integer(self, item: Item, dims: Sequence[Dim], position: Size | None) -> None:
        """Note a dimension that an integer, or a 0-d tensor, selects from."""
        for axis in _axes(dims):
            size = self.source[axis]
            if position is None:
                self.fixed[axis] = item.text
            elif isinstance(size, int) and isinstance(position, int):
                self.fixed[axis] = position + size if position < 0 else position
            else:
                self.fixed[axis] = position
            self.ledger.needs.extend(position_need(size, position))
        what = "the position it holds" if position is None else f"position {position}"
        self.draft(
            item, "integer" if isinstance(item.value, int | Symbol) else "0-d tensor", _axes(dims), f"selects {what}"
        )

    def note_slice(self, item: Item, bounds: SliceBounds, dim: Dim, before: Size) -> None:
        """Note a slice that has been applied to ``dim``."""
        if isinstance(bounds.start, str) or isinstance(bounds.stop, str):
            self.ledger.needs.extend(slice_needs(bounds, before))
        takes = () if dim.axis is None else (dim.axis,)
        effect = "keeps the axis" if dim.whole else f"keeps {dim.size} of {before} positions"
        self.draft(item, "slice", takes, effect, (dim,))

    def note_new(self, item: Item, dim: Dim) -> None:
        """Note a new axis."""
        self.draft(item, "None", (), "adds an axis of size 1", (dim,))

    def note_ellipsis(self, item: Item, dims: Sequence[Dim]) -> None:
        """Note what an ellipsis stands for."""
        count = len(dims)
        effect = f"stands for {count} axis" if count == 1 else f"stands for {count or 'no'} axes"
        self.draft(item, "ellipsis", _axes(dims), effect, tuple(dims))

    def note_operand(self, operand: Operand) -> None:
        """Note an advanced index."""
        self.operands.append(operand)
        tensor = operand.tensor
        match operand.kind:
            case "mask":
                kind = f"{tensor.dtype} mask {format_sizes(tensor.shape)}"
                effect = "looks up its True positions"
            case "bool":
                kind, effect = "bool", f"adds an axis of size {operand.shape[0]}"
            case _:
                kind = f"{tensor.dtype} {format_sizes(tensor.shape)}" if tensor.shape else "integer"
                effect = "looks up positions" if tensor.shape else "looks up one position"
        self.drafts.append(Draft(operand.item.text, operand.item.span, kind, operand.takes, effect, operand=True))

    def draft(self, item: Item, kind: str, takes: tuple[int, ...], effect: str, dims: tuple[Dim, ...] = ()) -> None:
        """Note a step."""
        self.drafts.append(Draft(item.text, item.span, kind, takes, effect, dims))


def lay_out(
    plan: Plan,
    kept: Sequence[Dim],
    broadcast: Shape | None,
    landing: int,
    why: str,
    *,
    view: bool,
    scalar: bool = False,
) -> Indexing:
    """Put the kept axes and the advanced ones together.

    Args:
        plan: What the tokens said.
        kept: The axes that stay, in order.
        broadcast: The advanced indices' common shape.
        landing: Before which of the kept axes the common shape goes.
        why: Why it goes there.
        view: Whether the result shares storage with the source.
        scalar: Whether NumPy returns a scalar.
    """
    width = len(broadcast or ())
    places = {id(dim): place + (width if place >= landing else 0) for place, dim in enumerate(kept)}
    sizes = [dim.size for dim in kept]
    shape = (*sizes[:landing], *(broadcast or ()), *sizes[landing:])
    landed = tuple(range(landing, landing + width))
    ledger = plan.ledger
    drafts = [*sorted(plan.drafts, key=lambda draft: draft.span), *_rest(plan, kept)]
    ledger.steps += [
        Step(
            ledger.stage,
            draft.token,
            draft.span,
            draft.kind,
            draft.takes,
            landed if draft.operand else tuple([places[id(dim)] for dim in draft.dims if id(dim) in places]),
            draft.effect,
        )
        for draft in drafts
    ]
    return Indexing(
        shape=shape,
        view=view,
        scalar=scalar,
        accesses=_accesses(plan, kept, places),
        operands=tuple(plan.operands),
        broadcast=broadcast,
        landing=landed,
        why=why,
        steps=tuple(ledger.steps),
        needs=tuple(dict.fromkeys(ledger.needs)),
        rules=frozenset(ledger.rules),
        notes=tuple(dict.fromkeys(ledger.notes)),
    )


def _rest(plan: Plan, kept: Sequence[Dim]) -> list[Draft]:
    named = {axis for draft in plan.drafts for axis in draft.takes}
    dims = tuple(dim for dim in kept if dim.axis is not None and dim.axis not in named)
    return [Draft("", (0, 0), "not indexed", _axes(dims), "kept", dims)] if dims else []


def _accesses(plan: Plan, kept: Sequence[Dim], places: dict[int, int]) -> tuple[Access, ...]:
    accesses: dict[int, Access] = {axis: Fixed(position) for axis, position in plan.fixed.items()}
    for dim in kept:
        if dim.axis is not None:
            accesses[dim.axis] = Along(places[id(dim)], dim.start, dim.step, dim.whole)
    for number, operand in enumerate(plan.operands):
        accesses.update({axis: Gathered(number, column) for column, axis in enumerate(operand.takes)})
    return tuple([accesses[axis] for axis in range(len(plan.source))])


def explain_landing(operands: Sequence[Operand], between: Sequence[str], broadcast: Shape, landing: int) -> str:
    """Say why the advanced axes are where they are.

    Args:
        operands: The advanced indices.
        between: The tokens that separate them; none where they are neighbours.
        broadcast: Their common shape.
        landing: The first axis they fill.
    """
    tokens = tokens_text([operand.item.text for operand in operands])
    shape = format_sizes(broadcast)
    if between:
        verb = "stands" if len(between) == 1 else "stand"
        parting = tokens_text([f"`{token}`" for token in between])
        return f"{shape} moved to the front because {parting} {verb} between {tokens}"
    taken = [axis for operand in operands for axis in operand.takes]
    place = f"takes the place of {axes_text(taken)}" if taken else f"stands at axis {landing}"
    reason = f"{tokens} alone is advanced" if len(operands) == 1 else f"nothing stands between {tokens}"
    return f"{shape} {place}, as {reason}"


def _axes(dims: Sequence[Dim]) -> tuple[int, ...]:
    return tuple(dim.axis for dim in dims if dim.axis is not None)
