"""A block as plain data: layers one behind another, and paths beside one another that meet again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from segcli.errors import SegcliError
from segcli.params.operation import Join, Operation, Shape
from segcli.units import format_shape


@dataclass(frozen=True)
class Path:
    """One way through a block.

    Attributes:
        name: What the paper calls it.
        layers: What lies on it; nothing for an identity.
        channels: How many of the input's channels go this way; None for all of them.
    """

    name: str
    layers: "Block" = ()
    channels: int | None = None


@dataclass(frozen=True)
class Parallel:
    """Paths from one input, met again.

    Attributes:
        paths: The paths. Where they take parts of the channels, these come in order.
        join: How they meet.
    """

    paths: tuple[Path, ...]
    join: Literal["add", "concatenate"]


Block = tuple[Operation | Parallel, ...]


@dataclass(frozen=True)
class Step:
    """One layer where it stands in a block: on which path, and between which shapes."""

    operation: Operation
    path: str
    input_shape: Shape
    output_shape: Shape


def walk(block: Block, shape: Shape, path: str = "") -> list[Step]:
    """Return the layers of ``block`` in order, with the shapes they take and give for an input of ``shape``.

    Raises:
        SegcliError: Where a layer cannot take its input, or paths do not meet.

    Examples:
        >>> from segcli.params.conv import Conv
        >>> branch = (Conv(8, 8, (3, 3), padding=(1, 1)),)
        >>> residual = (Parallel((Path("branch", branch), Path("shortcut")), "add"),)
        >>> [(step.path, step.operation.label) for step in walk(residual, (8, 16, 16))]
        [('branch', 'conv 3x3'), ('', 'add')]
    """
    steps: list[Step] = []
    for part in block:
        if isinstance(part, Parallel):
            steps += _walk_paths(part, shape, path)
        else:
            steps.append(Step(part, path, shape, part.output_shape(shape)))
        shape = steps[-1].output_shape
    return steps


def _walk_paths(parallel: Parallel, shape: Shape, path: str) -> list[Step]:
    steps: list[Step] = []
    ends: list[Shape] = []
    for way in parallel.paths:
        start = shape if way.channels is None else (int(way.channels), *shape[1:])
        taken = walk(way.layers, start, way.name)
        ends.append(taken[-1].output_shape if taken else start)
        steps += taken
    joined = _meet(parallel, ends)
    return [*steps, Step(Join(parallel.join, len(ends)), path, joined, joined)]


def _meet(parallel: Parallel, ends: Sequence[Shape]) -> Shape:
    """Return the shape where paths meet, or refuse those that cannot."""
    adding = parallel.join == "add"
    first = ends[0]
    for way, end in zip(parallel.paths, ends, strict=True):
        if (end if adding else end[1:]) != (first if adding else first[1:]):
            joined = f"{format_shape(first)} of the {parallel.paths[0].name} and {format_shape(end)} of the {way.name}"
            message = f"cannot {parallel.join} {joined}: their {'shapes' if adding else 'sizes'} differ"
            raise SegcliError(
                message, hint="give a kernel with odd sides, which (kernel - 1) / 2 zeros keep the size of"
            )
    return first if adding else (sum(end[0] for end in ends), *first[1:])
