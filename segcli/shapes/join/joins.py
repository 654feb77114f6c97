"""Operations that join tensors: PyTorch 2.13's and NumPy 2.4's."""

from collections.abc import Sequence

from segcli.errors import SegcliError
from segcli.shapes.binding import bind_call
from segcli.shapes.calls import Call, Operation
from segcli.shapes.computed import Computed
from segcli.shapes.dims import wrap
from segcli.shapes.integers import read_int
from segcli.shapes.join.joining import join, stacked
from segcli.shapes.join.members import Member, check_sizes, read_members, widened
from segcli.shapes.join.numpy_joins import concatenate_numpy, stack_numpy, stack_up_numpy
from segcli.shapes.operands import promote_all
from segcli.shapes.request import Given
from segcli.shapes.signatures import Signatures
from segcli.shapes.values import RaisedError, format_sizes

_ALONG = Signatures((), ("Tensors tensors, int dim=, *, Tensor? out=",))
_ALL = Signatures((), ("Tensors tensors, *, Tensor? out=",))
# How many axes the tensors get at least, and along which of them they are joined.
AXES = {"hstack": 1, "vstack": 2, "dstack": 3}


def _members(bound: dict[str, Given]) -> list[Member]:
    out = bound.get("out")
    if out is not None and out.value is not None:
        message = "out= is not supported"
        raise SegcliError(message, hint="leave it out: the shape of the result is the same")
    return read_members(bound["tensors"].item)


def _cat(call: Call) -> Computed:
    bound = bind_call(call, _ALONG)
    members = _members(bound)
    if not members:
        words = "torch.cat(): expected a non-empty list of Tensors"
        raise RaisedError(bound["tensors"].item.span, "ValueError", words)
    given = bound.get("dim")
    return _joined(call, members, read_int(given.item if given else None), given)


def _joined(call: Call, members: Sequence[Member], dim: int, given: Given | None) -> Computed:
    """Join along an axis that is there; what is 1-d and empty takes no part."""
    place = 0
    for member in members:
        if not member.shape:
            words = f"zero-dimensional tensor (at position {place}) cannot be concatenated"
            raise RaisedError(member.item.span, "RuntimeError", words)
        place += member.count if isinstance(member.count, int) else 1
    skipped = [member for member in members if member.shape == (0,)]
    joined = [member for member in members if member.shape != (0,)]
    dtype = promote_all([member.tensor for member in members], "torch")
    if not joined:
        return join(call, members, 0, dtype)
    axis = wrap(dim, len(joined[0].shape), given.item.span if given else call.span)
    needs = _check_shapes(members, joined, axis)
    notes = _skip_notes(joined[0], skipped)
    rules = frozenset({"skips-empty"} if notes else ())
    return join(call, joined, axis, dtype, needs=needs, notes=notes, rules=rules)


def _skip_notes(first: Member, skipped: Sequence[Member]) -> tuple[str, ...]:
    if not skipped or len(first.shape) == 1:
        return ()
    names = ", ".join(dict.fromkeys(member.item.text for member in skipped))
    return (f"cat silently skips {names}: a tensor of shape (0,) fits everywhere in PyTorch, for old code's sake",)


def _check_shapes(members: Sequence[Member], joined: Sequence[Member], axis: int) -> list[str]:
    first = joined[0]
    needs: list[str] = []
    for member in joined[1:]:
        if len(member.shape) != len(first.shape):
            words = f"Tensors must have same number of dimensions: got {len(first.shape)} and {len(member.shape)}"
            raise RaisedError(member.item.span, "RuntimeError", words)
        wrong = check_sizes(first.shape, member.shape, axis, needs)
        if wrong is not None:
            number = sum(int(each.count) for each in members[: members.index(member)] if isinstance(each.count, int))
            words = (
                f"Sizes of tensors must match except in dimension {axis}. Expected size {first.shape[wrong]} but got "
                f"size {member.shape[wrong]} for tensor number {number} in the list."
            )
            raise RaisedError(member.item.span, "RuntimeError", words, wrong)
    return needs


def _stack(call: Call) -> Computed:
    bound = bind_call(call, _ALONG)
    members = _members(bound)
    if not members:
        words = "stack expects a non-empty TensorList"
        raise RaisedError(bound["tensors"].item.span, "RuntimeError", words)
    given = bound.get("dim")
    first = members[0]
    axis = wrap(read_int(given.item if given else None), len(first.shape) + 1, given.item.span if given else call.span)
    needs: list[str] = []
    place = 0
    for member in members:
        fits = len(member.shape) == len(first.shape) and check_sizes(first.shape, member.shape, -1, needs) is None
        if not fits:
            words = (
                f"stack expects each tensor to be equal size, but got {_listed(first)} at entry 0 and "
                f"{_listed(member)} at entry {place}"
            )
            raise RaisedError(member.item.span, "RuntimeError", words)
        place += member.count if isinstance(member.count, int) else 1
    dtype = promote_all([member.tensor for member in members], "torch")
    return stacked(call, members, axis, dtype, needs)


def _listed(member: Member) -> str:
    return format_sizes(member.shape, opening="[", closing="]")


def _stack_up(call: Call) -> Computed:
    """Join after axes of size 1 were put to what has too few."""
    bound = bind_call(call, _ALL)
    members = _members(bound)
    if not members:
        words = f"{call.name} expects a non-empty TensorList"
        raise RaisedError(bound["tensors"].item.span, "RuntimeError", words)
    least = AXES[call.name]
    wide = [widened(member, least) for member in members]
    if call.name == "hstack":
        return _joined(call, wide, 0 if len(wide[0].shape) == 1 else 1, None)
    return _joined(call, wide, least - 2 if call.name == "vstack" else 2, None)


_CONCATENATE = Operation(_cat, concatenate_numpy, read_as="np.concatenate")

OPERATIONS = {
    "cat": _CONCATENATE,
    "concat": _CONCATENATE,
    "concatenate": Operation(_cat, concatenate_numpy),
    "stack": Operation(_stack, stack_numpy),
    **{name: Operation(_stack_up, stack_up_numpy) for name in AXES},
}
