"""What is known of a tensor's positions: which dimensions are axes of the image, and what each position sees.

Plain Python: shapes are tuples, and tensors are not known here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import prod
from typing import NamedTuple

from segcli.counting.fields import Field, joined, nearest


@dataclass(frozen=True)
class Part:
    """An axis of the image as a tensor has it.

    Attributes:
        axis: Which one: 0 for the first behind the channels.
        size: How many positions there are.
        paths: What they see, a field for each stride with which paths arrive.
    """

    axis: int
    size: int
    paths: tuple[Field, ...]


# A dimension of a tensor: the axes that lie in it, one behind the other. Batch and channels have none.
Dim = tuple[Part, ...]


@dataclass(frozen=True)
class State:
    """What is known of a tensor's positions.

    Attributes:
        dims: Of each dimension.
        pooled: What positions saw that were pooled over the whole image, by axis.
        through: The modules that pooled.
        unknown: Why it is not known which position sees what; empty where it is.
    """

    dims: tuple[Dim, ...]
    pooled: Mapping[int, tuple[Field, ...]] = field(default_factory=dict)
    through: tuple[str, ...] = ()
    unknown: str = ""

    @property
    def sees(self) -> bool:
        """Whether the tensor depends on the input at all."""
        return any(self.dims) or bool(self.through) or bool(self.unknown)

    def with_dims(self, dims: Iterable[Dim]) -> "State":
        """Return the same with other dimensions."""
        return replace(self, dims=tuple(dims))

    def lost(self, rank: int, why: str) -> "State":
        """Return what is left where positions cannot be followed; the first reason stays."""
        return replace(self, dims=((),) * rank, unknown=self.unknown or why)

    def pooling(self, parts: Iterable[Part], where: str) -> "State":
        """Return the same after some axes were pooled by a module."""
        pooled = dict(self.pooled)
        through = self.through
        for part in parts:
            pooled[part.axis] = joined(frozenset((*pooled.get(part.axis, ()), *part.paths)))
            through = (*through, where) if where not in through else through
        return replace(self, pooled=pooled, through=through)


def constant(rank: int) -> State:
    """Return the state of what does not depend on the input."""
    return State(((),) * rank)


def image(shape: Sequence[int], pixels: Field) -> State:
    """Return the state of an input: the dimensions behind batch and channels are its axes."""
    dims = [(Part(axis, size, (pixels,)),) for axis, size in enumerate(shape[2:])]
    return State(((),) * min(2, len(shape)) + tuple(dims))


def gathered(states: Iterable[State], rank: int) -> State:
    """Return what several tensors have seen through pooling, and why they are unknown, with dimensions to be filled."""
    result = constant(rank)
    for state in states:
        through = (*result.through, *(where for where in state.through if where not in result.through))
        pooled = dict(result.pooled)
        for axis, paths in state.pooled.items():
            pooled[axis] = joined(frozenset((*pooled.get(axis, ()), *paths)))
        result = State(result.dims, pooled, through, result.unknown or state.unknown)
    return result


def broadcast(operands: Sequence[tuple[State, Sequence[int]]], shape: Sequence[int], where: str) -> State:
    """Return what positions see where several tensors meet element by element.

    Args:
        operands: The state of each tensor and its shape.
        shape: Of the result.
        where: The module that does it.
    """
    rank = len(shape)
    result = gathered((state for state, _ in operands), rank)
    dims: list[Dim] = [()] * rank
    for state, own in operands:
        for back in range(1, min(len(own), rank) + 1):
            parts = state.dims[-back]
            if not parts:
                continue
            if own[-back] != shape[-back]:
                # One position for all.
                result = result.pooling(parts, where)
                continue
            met = meet(dims[-back], parts)
            if met is None:
                return result.lost(rank, f"different axes of the image meet in {where}")
            dims[-back] = met
    return result if result.unknown else result.with_dims(dims)


def meet(left: Dim, right: Dim) -> Dim | None:
    """Return a dimension where two tensors meet in it; None where they have other axes there."""
    if not left or not right:
        return left or right
    if [(part.axis, part.size) for part in left] != [(part.axis, part.size) for part in right]:
        return None
    return tuple(
        Part(one.axis, one.size, joined(frozenset((*one.paths, *two.paths))))
        for one, two in zip(left, right, strict=True)
    )


def reshaped(dims: Sequence[Dim], old: Sequence[int], new: Sequence[int]) -> tuple[Dim, ...] | None:
    """Return the dimensions of a tensor that was given another shape; None where an axis was cut up.

    Axes that are laid together stay in their order in one dimension. An axis with others that are none of the image
    behind it is one whose positions repeat, as in a pixel shuffle that is written by hand.
    """
    atoms: list[_Atom] = []
    for parts, size in zip(dims, old, strict=True):
        if prod(part.size for part in parts) == size:
            atoms += [_Atom(part.size, (part,)) for part in parts]
        else:
            atoms.append(_Atom(size, parts))
    return _dealt(atoms, new)


class _Atom(NamedTuple):
    """What stays together when a tensor is given another shape: an axis; or others, which may be cut."""

    size: int
    parts: Dim


def _dealt(atoms: list[_Atom], new: Sequence[int]) -> tuple[Dim, ...] | None:
    dims: list[Dim] = []
    for place, size in enumerate(new):
        taken: list[_Atom] = []
        left = size
        while atoms and (left > 1 or _is_lone(atoms[0], taken, new[place + 1 :])):
            atom = atoms.pop(0)
            if left % atom.size == 0:
                taken.append(atom)
                left //= atom.size
            elif not atom.parts and atom.size % left == 0:
                atoms.insert(0, _Atom(atom.size // left, ()))
                left = 1
            else:
                return None
        dims.append(_together(taken))
    return tuple(dims)


def _is_lone(atom: _Atom, taken: list[_Atom], rest: Sequence[int]) -> bool:
    """Whether an axis of one position is next, which is this dimension's unless there is another for it."""
    return atom.size == 1 and (not taken or 1 not in rest)


def _together(taken: list[_Atom]) -> Dim:
    parts = tuple(part for atom in taken for part in atom.parts)
    if len(parts) == 1 and taken[0].size == parts[0].size:
        return (_repeated(parts[0], prod(atom.size for atom in taken[1:])),)
    return parts


def _repeated(part: Part, times: int) -> Part:
    paths = part.paths if times == 1 else tuple(nearest(path, Fraction(1, times)) for path in part.paths)
    return Part(part.axis, part.size * times, paths)
