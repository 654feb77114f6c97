"""Follows what positions see through a network's operations, as they are dispatched."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

from segcli.counting.fields import PIXELS, PeriodError
from segcli.counting.result import Seen
from segcli.counting.states import State, broadcast, constant, image


@dataclass(frozen=True)
class Call:
    """An operation that ran.

    Attributes:
        name: Of the operation, without overload.
        bound: Its arguments by name.
        results: The tensors that it returned.
        where: The module that ran it.
        state: What is known of a tensor.
    """

    name: str
    bound: Mapping[str, Any]
    results: Sequence[Tensor]
    where: str
    state: Callable[[Tensor], State]

    @property
    def source(self) -> Tensor:
        """The tensor that it mainly works on: its first argument."""
        tensor: Tensor = next(iter(self.bound.values()))
        return tensor


Rule = Callable[[Call], State | Sequence[State]]


@dataclass
class Follower:
    """Keeps what is known of every tensor of a pass.

    Attributes:
        rules: By the names of operations.
        known: By the identity of a tensor: it, which keeps that identity its own, and its state.
        stored: The identities of tensors that share a storage.
    """

    rules: Mapping[str, Rule]
    known: dict[int, tuple[Tensor, State]] = field(default_factory=dict)
    stored: dict[int, list[int]] = field(default_factory=dict)

    def begin(self, inputs: Iterable[Tensor]) -> None:
        """Take these for the network's inputs."""
        for tensor in inputs:
            self._keep(tensor, image(tensor.shape, PIXELS))

    def state(self, tensor: Tensor) -> State:
        """Return what is known of a tensor; parameters and the like do not depend on the input."""
        held = self.known.get(id(tensor))
        return held[1] if held else constant(tensor.dim())

    def follow(
        self, func: OpOverload, name: str, bound: Mapping[str, Any], results: Sequence[Tensor], where: str
    ) -> None:
        """Take note of an operation that ran."""
        operands = list(tensors_in(bound.values()))
        seeing = [tensor for tensor in operands if self.state(tensor).sees]
        if not seeing:
            return
        call = Call(name, bound, results, where, self.state)
        try:
            states = self._states(func, call, operands)
        except PeriodError:
            why = f"sizes in {where} hardly divide one another"
            states = [self._mixed(call, operands, tensor.dim(), why) for tensor in results]
        self._note_writing(func, call, operands)
        for tensor, state in zip(results, states, strict=False):
            self._keep(tensor, state if len(state.dims) == tensor.dim() else constant(tensor.dim()))

    def _states(self, func: OpOverload, call: Call, operands: list[Tensor]) -> Sequence[State]:
        rule = self.rules.get(call.name) or self.rules.get(call.name.removesuffix("_"))
        if rule is not None:
            made = rule(call)
        elif torch.Tag.pointwise in func.tags:
            made = broadcast([(self.state(one), one.shape) for one in operands], call.results[0].shape, call.where)
        else:
            why = f"it is not known what {call.name} in {call.where} reads"
            return [self._mixed(call, operands, tensor.dim(), why) for tensor in call.results]
        return [made] * len(call.results) if isinstance(made, State) else made

    def _mixed(self, call: Call, operands: list[Tensor], rank: int, why: str) -> State:
        from segcli.counting.states import gathered

        return gathered((call.state(one) for one in operands), rank).lost(rank, why)

    def _note_writing(self, func: OpOverload, call: Call, operands: list[Tensor]) -> None:
        """Forget what was known of tensors that share the storage that was written to with something new."""
        others = [one for one in operands if one is not call.source and self.state(one).sees]
        if not others or not is_in_place(func):
            return
        why = f"{call.where} writes into a part of a tensor"
        for identity in self.stored.get(_storage(call.source), ()):
            tensor, state = self.known[identity]
            if tensor is not call.source:
                self.known[identity] = tensor, state.lost(tensor.dim(), why)

    def _keep(self, tensor: Tensor, state: State) -> None:
        if id(tensor) not in self.known:
            self.stored.setdefault(_storage(tensor), []).append(id(tensor))
        self.known[id(tensor)] = tensor, state

    def seen(self, tensor: Tensor, name: str, n_axes: int) -> Seen:
        """Return what an output sees."""
        state = self.state(tensor)
        shape = tuple(tensor.shape)
        if state.unknown:
            return Seen(name, shape, None, None, state.through, (), state.unknown)
        if not n_axes:
            return Seen(name, shape, None, None, (), (), "the input has no axes behind batch and channels")
        axes = [_paths(state, axis) for axis in range(n_axes)]
        if not all(axes):
            return Seen(
                name, shape, None, None, state.through, (), "the output does not depend on the input's positions"
            )
        strides = tuple(tuple(path.stride for path in paths) for paths in axes)
        return Seen(
            name,
            shape,
            tuple(max(path.size for path in paths) for paths in axes),
            tuple(max(own) for own in strides),
            state.through,
            strides if any(len(own) > 1 for own in strides) else (),
        )


def _paths(state: State, axis: int) -> tuple[Any, ...]:
    local = tuple(path for parts in state.dims for part in parts if part.axis == axis for path in part.paths)
    return local or state.pooled.get(axis, ())


def tensors_in(value: object) -> Iterable[Tensor]:
    """Yield the tensors in arguments or results, wherever they stand in lists."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, Iterable) and not isinstance(value, str):
        for item in value:
            yield from tensors_in(item)


def is_in_place(func: OpOverload) -> bool:
    """Tell whether an operation writes to what it returns."""
    return any(one.alias_info is not None and one.alias_info.is_write for one in func._schema.returns)  # noqa: SLF001 - torch has no public name for it


def _storage(tensor: Tensor) -> int:
    identity: int = tensor.untyped_storage()._cdata  # noqa: SLF001 - torch has no public one
    return identity
