"""Bytes that lie in several places, read as if they lay in one file: a storage in pieces, a tensor in shards."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import accumulate
from math import prod
from operator import and_

from segcli.formats.byte_source import ByteSource, damaged

# Of what is no open file itself.
_NO_FILE = -1
Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Piece:
    """Bytes of a file: the file, the first byte's place in it, and how many there are."""

    source: ByteSource
    start: int
    size: int


@dataclass(frozen=True)
class Joined(ByteSource):
    """Pieces of files, one behind another."""

    pieces: tuple[Piece, ...] = ()

    def at(self, offset: int, count: int) -> bytes:
        """Return ``count`` bytes from ``offset`` on, from as many pieces as it takes.

        Raises:
            SegcliError: Where they end before.
        """
        if offset < 0 or count < 0 or offset + count > self.size:
            what = f"bytes {offset} to {offset + count} are named, but it has {self.size}"
            raise damaged(self.name, what)
        parts: list[bytes] = []
        index = bisect_right(self._starts, offset) - 1
        while count:
            piece, skipped = self.pieces[index], offset - self._starts[index]
            taken = min(count, piece.size - skipped)
            parts.append(piece.source.at(piece.start + skipped, taken))
            offset, count, index = offset + taken, count - taken, index + 1
        return b"".join(parts)

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(piece.size for piece in self.pieces)]

    @property
    def mode(self) -> int:
        """Who may do what with every file that has a piece."""
        return reduce(and_, (source.mode for source in self._files))

    def check_unchanged(self) -> None:
        """Ask every file that has a piece."""
        for source in self._files:
            source.check_unchanged()

    @property
    def _files(self) -> list[ByteSource]:
        return [*{id(piece.source): piece.source for piece in self.pieces}.values()]


def joined(name: str, pieces: Sequence[Piece]) -> Joined:
    """Put pieces together, none of which is empty; ``name`` is how messages call the whole."""
    return Joined(name, _NO_FILE, sum(piece.size for piece in pieces), 0, tuple(pieces))


def window(source: ByteSource, start: int, size: int, name: str) -> Joined:
    """Return a part of a file; ``name`` is how messages call it.

    Raises:
        SegcliError: Where the file ends before.
    """
    if start < 0 or size < 0 or start + size > source.size:
        what = f"{name} should lie at bytes {start:,} to {start + size:,}, and it has {source.size:,}"
        raise damaged(source.name, what)
    return Joined(name, _NO_FILE, size, 0, (Piece(source, start, size),))


@dataclass(frozen=True, slots=True)
class Chunk:
    """A box of a tensor's elements.

    Attributes:
        offsets: Its first element's place in the tensor, an axis.
        sizes: Its shape.
        source: The file that has it.
        start: The first element's place there, in bytes.
        stride: Elements between neighbours there, an axis.
    """

    offsets: Sizes
    sizes: Sizes
    source: ByteSource
    start: int
    stride: Sizes

    def holds(self, place: Sizes) -> bool:
        """Say whether an element of the tensor lies in it."""
        rows = zip(place, self.offsets, self.sizes, strict=True)
        return all(first <= index < first + size for index, first, size in rows)


@dataclass(frozen=True)
class Mosaic(ByteSource):
    """A tensor in chunks, read as its elements in order."""

    shape: Sizes = ()
    item_bytes: int = 1
    chunks: tuple[Chunk, ...] = ()

    def at(self, offset: int, count: int) -> bytes:
        """Return ``count`` bytes from ``offset`` on, from as many chunks as it takes.

        Raises:
            SegcliError: Where no chunk has an element.
        """
        parts: list[bytes] = []
        while count:
            element, inside = divmod(offset, self.item_bytes)
            place = tuple(element // step % size for step, size in zip(self._steps, self.shape, strict=True))
            chunk = next((one for one in self.chunks if one.holds(place)), None)
            if chunk is None:
                raise damaged(self.name, f"no shard has the element {place}")
            local = tuple(index - first for index, first in zip(place, chunk.offsets, strict=True))
            taken = min(count, self._run(chunk, local) * self.item_bytes - inside)
            first = sum(index * step for index, step in zip(local, chunk.stride, strict=True))
            parts.append(chunk.source.at(chunk.start + first * self.item_bytes + inside, taken))
            offset, count = offset + taken, count - taken
        return b"".join(parts)

    @cached_property
    def _steps(self) -> Sizes:
        return dense_stride(self.shape)

    def _run(self, chunk: Chunk, local: Sizes) -> int:
        """Return how many elements from a place on lie one behind another, in the tensor and in the chunk."""
        if chunk.stride != dense_stride(chunk.sizes):
            return chunk.sizes[-1] - local[-1] if chunk.stride[-1] == 1 else 1
        # The last axis along which the tensor goes on in another chunk; along those behind it the chunk is whole.
        cut = max(axis for axis, size in enumerate(chunk.sizes) if axis == 0 or size != self.shape[axis])
        within = sum(local[axis] * self._steps[axis] for axis in range(cut + 1, len(local)))
        return (chunk.sizes[cut] - local[cut]) * self._steps[cut] - within

    def check_unchanged(self) -> None:
        """Ask every file that has a chunk."""
        for source in {id(chunk.source): chunk.source for chunk in self.chunks}.values():
            source.check_unchanged()


def mosaic(name: str, shape: Sizes, item_bytes: int, chunks: Sequence[Chunk]) -> Mosaic:
    """Put chunks of a tensor of one axis and more together; ``name`` is how messages call the whole."""
    return Mosaic(name, _NO_FILE, prod(shape) * item_bytes, 0, shape, item_bytes, tuple(chunks))


def dense_stride(shape: Sizes) -> Sizes:
    """Return the strides of elements that lie one behind another.

    Examples:
        >>> dense_stride((2, 3, 4)), dense_stride(())
        ((12, 4, 1), ())
    """
    steps = [1]
    for size in reversed(shape[1:]):
        steps.append(steps[-1] * max(size, 1))
    return tuple(reversed(steps)) if shape else ()
