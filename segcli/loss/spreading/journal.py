"""``--per-file`` and ``--resume``: a line for each file as it is finished, and work that is taken up where it ended."""

import contextlib
import fcntl
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcli.errors import SegcliError
from segcli.files import check_destination
from segcli.launch import Group
from segcli.loss.sources.sample import Pair
from segcli.loss.spreading.journal_parts import (
    Identity,
    Part,
    existing_parts,
    identity_of,
    lines_of,
    merge,
    new_header,
    part_path,
    read_part,
    remove,
    state_path,
    to_line,
)
from segcli.loss.spreading.measured import add_into
from segcli.loss.spreading.tally_state import load_state, save_state

if TYPE_CHECKING:
    from torch import Tensor

_SAVE_EVERY_S = 2.0
# A large state is saved less often: a twentieth of the time at most goes there.
_SAVE_SHARE = 20
# Processes that read for one that was killed end within this time, and hold its file until then.
_LOCK_WITHIN_S = 6.0
_LOCK_AGAIN_S = 0.1


@dataclass(frozen=True)
class PerFile:
    """What was asked for.

    Attributes:
        path: Where each file's line goes.
        settings: Plain JSON data: whatever changes a line or the tally. A journal of other settings is not taken up.
        resume: Whether to take up what is there; where nothing is, the work begins.
        force: Whether to replace what is there.
    """

    path: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    resume: bool = False
    force: bool = False


@dataclass(frozen=True, eq=False)
class Taken:
    """What an earlier run has done.

    Attributes:
        done: The pairs that no rank does again, by index.
        tally: Of the lines that this rank wrote then, and goes on after.
        inherited: Of files that no rank goes on with, as there were more ranks or fewer; the first rank has it.
        parts: The files whose lines this rank speaks for.
        notes: What could not be taken up, and why.
    """

    done: frozenset[int] = frozenset()
    tally: "dict[str, Tensor]" = field(default_factory=dict)
    inherited: "dict[str, Tensor]" = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()

    def lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Go through the lines of ``parts``, with the index of each one's pair."""
        for part in self.parts:
            yield from zip(part.done, lines_of(part.path, part.n_bytes), strict=True)


class Journal:
    """This rank's file: a line for each pair, and every few seconds the tally of these lines beside it."""

    def __init__(self, part: Part, descriptor: int) -> None:
        """Go on after the lines of ``part`` that count."""
        self._part = part
        self._descriptor = descriptor
        self._n_bytes = part.n_bytes
        self._done = list(part.done)
        # The first line is kept at once: what keeps states from being written is told early.
        self._saved_s = -math.inf
        self._pause_s = _SAVE_EVERY_S
        self._drop_the_rest()

    def write(self, index: int, line: Mapping[str, Any]) -> None:
        """Append a pair's line: it is there as a whole, or not at all.

        Raises:
            SegcliError: Where it cannot be written: the disk is full, say.
        """
        content = to_line(line)
        _append(self._descriptor, content, self._part.path)
        self._n_bytes += len(content)
        self._done.append(index)

    def save(self, tally: Mapping[str, "Tensor"], *, at_once: bool = False) -> None:
        """Keep the tally of all lines written so far, unless the last time is only seconds ago.

        Raises:
            SegcliError: Where it cannot be written.
        """
        began_s = time.monotonic()
        if not at_once and began_s - self._saved_s < self._pause_s:
            return
        # The lines first: a state of lines that a power cut took would be good for nothing.
        os.fsync(self._descriptor)
        facts = {"run": self._part.run, "n_lines": str(len(self._done)), "n_bytes": str(self._n_bytes)}
        save_state(state_path(self._part.path), tally, facts)
        self._saved_s = time.monotonic()
        self._pause_s = max(_SAVE_EVERY_S, _SAVE_SHARE * (self._saved_s - began_s))

    def written(self) -> Part:
        """Return what the file holds now, without the tally."""
        return replace(self._part, n_bytes=self._n_bytes, done=tuple(self._done))

    def close(self) -> None:
        """Leave whole lines alone behind."""
        self._drop_the_rest()
        os.close(self._descriptor)

    def _drop_the_rest(self) -> None:
        # A line cut short is not read back anyway.
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, self._n_bytes)


@contextlib.contextmanager
def opened(asked: PerFile, pairs: Sequence[Pair], group: Group) -> Iterator[tuple[Journal, Taken]]:
    """Begin a journal, or take one up, on all ranks at once.

    Raises:
        SegcliError: Where there is one and neither ``resume`` nor ``force`` was given; where it is of other settings or
            pairs; where another process writes to it; where it cannot be written.
    """
    identity = identity_of(asked.settings, pairs)
    # One looks, before anyone writes.
    parts = group.gather(_found(asked, pairs, identity) if group.ranks.is_first else ())[0]
    path = part_path(asked.path, group.ranks)
    own = next((part for part in parts if part.path == path), Part(path))
    taken = _taken(own, parts, asked, group)
    descriptor = _open(path)
    try:
        journal = Journal(_with_header(own, descriptor, identity), descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    with contextlib.closing(journal):
        yield journal, taken


def finish(
    journal: Journal, taken: Taken, asked: PerFile, pairs: Sequence[Pair], group: Group, total: Mapping[str, "Tensor"]
) -> None:
    """Make one file of the ranks' files, in the order of pairs, when all is done.

    Args:
        journal: This rank's file.
        taken: What it went on with.
        asked: What was asked for.
        pairs: All pairs.
        group: The ranks.
        total: The tally of all ranks.

    Raises:
        SegcliError: Where a pair has no line, or the file cannot be written.
    """
    written = group.gather(journal.written())
    if not group.ranks.is_first:
        return
    paths = {part.path for part in written}
    parts = [*written, *(part for part in taken.parts if part.path not in paths)]
    if [part.path for part in parts] != [asked.path]:
        merge(asked.path, parts, identity_of(asked.settings, pairs), total)


def _found(asked: PerFile, pairs: Sequence[Pair], identity: Identity) -> tuple[Part, ...]:
    """Return the parts to be taken up; they hold no pair twice."""
    check_destination(asked.path, force=True)
    files = existing_parts(asked.path)
    if not asked.resume:
        _clear(files, force=asked.force)
        return ()
    index_of = {pair.name: index for index, pair in enumerate(pairs)}
    parts: list[Part] = []
    done: set[int] = set()
    for file in files:
        _wait_for_writer(file)
        part = read_part(file, identity, index_of, pairs)
        if done.isdisjoint(part.done):
            parts.append(part)
            done.update(part.done)
        else:
            # What an end in the midst of putting parts together left.
            remove(file)
    return tuple(parts)


def _clear(files: Sequence[Path], *, force: bool) -> None:
    if files and not force:
        message = f"{files[0]} exists already"
        raise SegcliError(message, hint="go on with it: --resume; replace it: --force; or choose another name")
    for file in files:
        remove(file)


def _open(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o666)
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}"
        raise SegcliError(message) from error
    return descriptor


def _with_header(part: Part, descriptor: int, identity: Identity) -> Part:
    _lock(descriptor, part.path)
    if part.run:
        return part
    run, header = new_header(identity)
    os.ftruncate(descriptor, 0)
    _append(descriptor, header, part.path)
    return replace(part, run=run, n_bytes=len(header))


def _append(descriptor: int, content: bytes, path: Path) -> None:
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}"
        hint = "what is done so far is kept: make room, and go on with --resume"
        raise SegcliError(message, hint) from error


def _wait_for_writer(file: Path) -> None:
    """Let a process that is about to end write its last: a state that changes while it is read would be no state."""
    with file.open("rb") as part:
        _lock(part.fileno(), file)


def _lock(descriptor: int, path: Path) -> None:
    until_s = time.monotonic() + _LOCK_WITHIN_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > until_s:
                message = f"another process writes to {path}"
                raise SegcliError(message, hint="wait until it is done, or end it first") from error
            time.sleep(_LOCK_AGAIN_S)
        except OSError:
            # Some network mounts have no locks.
            return
        else:
            return


def _taken(own: Part, parts: Sequence[Part], asked: PerFile, group: Group) -> Taken:
    ranks = group.ranks
    owned = {part_path(asked.path, replace(ranks, rank=rank)) for rank in range(ranks.world)}
    rest = [part for part in parts if part.path not in owned] if ranks.is_first else []
    inherited: dict[str, Tensor] = {}
    for part in rest:
        add_into(inherited, load_state(state_path(part.path)) if part.done else {})
    return Taken(
        done=frozenset(index for part in parts for index in part.done),
        tally=load_state(state_path(own.path)) if own.done else {},
        inherited=inherited,
        parts=(own, *rest),
        notes=tuple(part.note for part in parts if part.note and ranks.is_first),
    )
