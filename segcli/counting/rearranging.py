"""Operations that lay a tensor's dimensions out anew: views, permutations, slices, joins."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from torch import Tensor

from segcli.counting.fields import joined, sliced
from segcli.counting.following import Call, Rule
from segcli.counting.states import Dim, Part, State, broadcast, gathered, meet, reshaped


def _view(call: Call) -> State:
    state, result = call.state(call.source), call.results[0]
    if state.unknown:
        return state.with_dims(((),) * result.dim())
    dims = reshaped(state.dims, call.source.shape, result.shape)
    if dims is None:
        return state.lost(result.dim(), f"{call.name} in {call.where} cuts an axis of the image up")
    return state.with_dims(dims)


def _permute(call: Call) -> State:
    state = call.state(call.source)
    return state.with_dims(state.dims[place] for place in call.bound["dims"])


def _transpose(call: Call) -> State:
    state = call.state(call.source)
    dims = list(state.dims)
    one, two = call.bound.get("dim0", 0), call.bound.get("dim1", len(dims) - 1)
    if dims:
        dims[one], dims[two] = dims[two], dims[one]
    return state.with_dims(dims)


def _unsqueeze(call: Call) -> State:
    state = call.state(call.source)
    place = call.bound["dim"] % (len(state.dims) + 1)
    return state.with_dims((*state.dims[:place], (), *state.dims[place:]))


def _squeeze(call: Call) -> State:
    state, shape = call.state(call.source), call.source.shape
    dim = call.bound.get("dim")
    asked = range(len(shape)) if dim is None else [dim] if isinstance(dim, int) else dim
    gone = {place % len(shape) for place in asked if shape[place] == 1} if shape else set()
    parts = [part for place in gone for part in state.dims[place]]
    kept = [dims for place, dims in enumerate(state.dims) if place not in gone]
    return state.with_dims(kept).pooling(parts, call.where)


def _expand(call: Call) -> State:
    return broadcast([(call.state(call.source), call.source.shape)], call.results[0].shape, call.where)


def _repeat(call: Call) -> State:
    state, result = call.state(call.source), call.results[0]
    added = result.dim() - len(state.dims)
    dims = [*[()] * added, *state.dims]
    for parts, old, new in zip(dims[added:], call.source.shape, result.shape[added:], strict=True):
        if parts and old != new:
            return state.lost(result.dim(), f"{call.name} in {call.where} repeats an axis of the image")
    return state.with_dims(dims)


def _slice(call: Call) -> State:
    bound, size = call.bound, call.source.shape[call.bound["dim"]]
    start = bound["start"] or 0
    start = max(0, start + size) if start < 0 else min(start, size)
    return _part_of(call, call.results[0], start, bound["step"])


def _part_of(call: Call, result: Tensor, start: int, step: int = 1) -> State:
    state, place = call.state(call.source), call.bound["dim"]
    parts = state.dims[place]
    if not parts or result.shape[place] == call.source.shape[place]:
        return state
    if len(parts) > 1 or parts[0].size != call.source.shape[place]:
        return state.lost(result.dim(), f"{call.name} in {call.where} cuts axes that were laid together")
    paths = joined(frozenset(sliced(path, start, step) for path in parts[0].paths))
    dims = list(state.dims)
    dims[place] = (Part(parts[0].axis, result.shape[place], paths),)
    return state.with_dims(dims)


def _split(call: Call) -> Sequence[State]:
    place = call.bound["dim"]
    starts = accumulate((result.shape[place] for result in call.results), initial=0)
    return [_part_of(call, result, start) for result, start in zip(call.results, starts, strict=False)]


def _select(call: Call) -> State | Sequence[State]:
    """One position of a dimension, or each on its own."""
    state = call.state(call.source)
    place = call.bound["dim"] % len(state.dims)
    kept = (*state.dims[:place], *state.dims[place + 1 :])
    if state.dims[place]:
        return state.lost(len(kept), f"{call.name} in {call.where} takes single positions of the image")
    return state.with_dims(kept)


def _cat(call: Call) -> State:
    tensors: Sequence[Tensor] = call.bound["tensors"]
    # An old exception of torch's: empty vectors are left out.
    operands = [(call.state(one), one) for one in tensors if one.shape != (0,)]
    rank = call.results[0].dim()
    place = call.bound["dim"] % rank
    result = gathered((state for state, _ in operands), rank)
    dims: list[Dim] = [()] * rank
    for state, _ in operands:
        for at, parts in enumerate(state.dims):
            met = meet(dims[at], parts)
            if met is None or (at == place and parts and len(operands) > 1):
                return _laid_end_to_end(call, result, [state for state, _ in operands])
            dims[at] = met
    return result if result.unknown else result.with_dims(dims)


def _laid_end_to_end(call: Call, result: State, states: Sequence[State]) -> State:
    """Positions of the image beside others, such as a token for the class: in order, but no longer at equal distances.

    What follows may still look at all of them.
    """
    rank, place = call.results[0].dim(), call.bound["dim"] % call.results[0].dim()
    others = [state for state in states if state.dims[place]]
    if len(others) != 1 or result.unknown:
        return result.lost(rank, f"{call.name} in {call.where} lays positions of the image end to end")
    return result.with_dims(others[0].dims)


def _stack(call: Call) -> State:
    tensors: Sequence[Tensor] = call.bound["tensors"]
    shape = tensors[0].shape
    state = broadcast([(call.state(one), shape) for one in tensors], shape, call.where)
    place = call.bound["dim"] % (len(shape) + 1)
    return replace(state, dims=(*state.dims[:place], (), *state.dims[place:]))


REARRANGING: dict[str, Rule] = {
    **dict.fromkeys(("view", "_unsafe_view", "reshape", "_reshape_alias"), _view),
    "permute": _permute,
    **dict.fromkeys(("transpose", "t"), _transpose),
    "unsqueeze": _unsqueeze,
    "squeeze": _squeeze,
    "expand": _expand,
    "repeat": _repeat,
    "slice": _slice,
    **dict.fromkeys(("split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes", "chunk"), _split),
    **dict.fromkeys(("select", "unbind"), _select),
    "cat": _cat,
    "stack": _stack,
}
