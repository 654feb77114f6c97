"""The files of a journal: one a rank while the work lasts, one in all when it is done.

A part's first line says of which settings and pairs it is; each other line is of one pair. Beside it lies its state:
the tally of its first lines, and how many those are. Lines beyond are of pairs whose tally was lost, and do not count.
"""

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcli.errors import SegcliError
from segcli.files import replacing
from segcli.launch import Ranks
from segcli.loss.sources.sample import Pair
from segcli.loss.spreading.tally_state import save_state, state_facts
from segcli.tensorio import split_reference

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA = "segcli.loss.files/1"
_START_OVER = "start over with --force, or write to another file"


@dataclass(frozen=True)
class Identity:
    """What a journal is of; one of another is not taken up.

    Attributes:
        settings: Plain JSON data: whatever changes a line or the tally.
        n_pairs: How many pairs there are.
        pairs: A hash of their names and files, in order.
    """

    settings: dict[str, Any]
    n_pairs: int
    pairs: str


@dataclass(frozen=True, eq=False)
class Part:
    """What counts of a file of the journal.

    Attributes:
        path: The file.
        run: Told to the state, so that neither is taken for another's.
        n_bytes: Of the header and the lines that count.
        done: The pairs of these lines, by index.
        note: Why lines do not count, where all are lost.
    """

    path: Path
    run: str = ""
    n_bytes: int = 0
    done: tuple[int, ...] = ()
    note: str = ""


def identity_of(settings: Mapping[str, Any], pairs: Sequence[Pair]) -> Identity:
    """Return what a journal of these pairs under these settings is of."""
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(json.dumps([pair.name, pair.logits, pair.labels]).encode() + b"\n")
    # As it will be read back: tuples are lists, keys are text.
    return Identity(json.loads(json.dumps(dict(settings))), len(pairs), digest.hexdigest())


def part_path(path: Path, ranks: Ranks) -> Path:
    """Return where a rank writes: ``out.rank3.jsonl`` for ``out.jsonl``, that itself where there is one process."""
    return path if ranks.world == 1 else path.with_name(f"{path.stem}.rank{ranks.rank}{path.suffix}")


def state_path(part: Path) -> Path:
    """Return where a part's state is."""
    return part.with_name(part.name + ".state")


def existing_parts(path: Path) -> list[Path]:
    """Return the journal's files that exist: the one in all first, then those of ranks, in order."""
    pattern = re.compile(re.escape(path.stem) + r"\.rank(\d{1,9})" + re.escape(path.suffix))
    names = os.listdir(path.parent) if path.parent.is_dir() else []  # noqa: PTH208 - names alone
    by_rank = sorted((int(match[1]), name) for name in names if (match := pattern.fullmatch(name)))
    return [*([path] if path.exists() else []), *(path.with_name(name) for _, name in by_rank)]


def remove(part: Path) -> None:
    """Remove a part; its state first, which is nothing without it."""
    state_path(part).unlink(missing_ok=True)
    part.unlink(missing_ok=True)


def new_header(identity: Identity) -> tuple[str, bytes]:
    """Return the name of a new run, and the first line of its part."""
    run = secrets.token_hex(8)
    content = {"schema": SCHEMA, "run": run, **vars(identity)}
    return run, to_line(content)


def to_line(content: Mapping[str, Any]) -> bytes:
    """Return plain, finite JSON data as one line."""
    return json.dumps(content, allow_nan=False, check_circular=False).encode() + b"\n"


def read_part(path: Path, identity: Identity, index_of: Mapping[str, int], pairs: Sequence[Pair]) -> Part:
    """Return what counts of a part.

    Raises:
        SegcliError: Where it is no part of a journal, or one of other settings or pairs, or where a pair's file changed
            after it was measured.
    """
    with path.open("rb") as file:
        first = file.readline()
    if not first.endswith(b"\n"):
        # Ended before the first line was whole: nothing is lost.
        return Part(path)
    header = _header(path, first)
    _check_identity(path, header, identity)
    empty = Part(path, header["run"], len(first))
    facts = state_facts(state_path(path))
    if facts is None or facts.get("run") != header["run"]:
        return _lost(empty, "has no state of its own beside it") if path.stat().st_size > len(first) else empty
    n_bytes = int(facts["n_bytes"])
    done = tuple(index_of.get(line.get("name", ""), -1) for line in lines_of(path, n_bytes))
    if len(done) != int(facts["n_lines"]) or path.stat().st_size < n_bytes or -1 in done:
        return _lost(empty, "and its state do not fit together")
    _check_unchanged((pairs[index] for index in done), state_path(path))
    return replace(empty, n_bytes=n_bytes, done=done)


def _lost(empty: Part, why: str) -> Part:
    return replace(empty, note=f"{empty.path} {why}: its files are measured again")


def _header(path: Path, line: bytes) -> dict[str, Any]:
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("schema") != SCHEMA or "run" not in header:
        message = f"{path} is no file of segcli loss --per-file: its first line is not of schema {SCHEMA}"
        raise SegcliError(message, hint="write to another file")
    return header


def _check_identity(path: Path, header: Mapping[str, Any], identity: Identity) -> None:
    then, now = dict(header.get("settings", {})), identity.settings
    changed = [
        f"{name} was {json.dumps(then.get(name))}, is {json.dumps(now.get(name))}"
        for name in dict.fromkeys([*then, *now])
        if then.get(name) != now.get(name)
    ]
    if header.get("n_pairs") != identity.n_pairs:
        changed.append(f"there were {header.get('n_pairs')} pairs of files, there are {identity.n_pairs}")
    elif header.get("pairs") != identity.pairs:
        changed.append("the pairs of files are others, or in another order")
    if changed:
        message = f"{path} cannot be taken up: {'; '.join(changed)}"
        raise SegcliError(message, hint=f"take it up with the same settings and files, or {_START_OVER}")


def _check_unchanged(pairs: Iterator[Pair], state: Path) -> None:
    saved_ns = state.stat().st_mtime_ns
    for pair in pairs:
        for reference in (pair.logits, pair.labels):
            file = split_reference(reference)[0]
            if file.exists() and file.stat().st_mtime_ns > saved_ns:
                message = f"{file} changed after it was measured"
                raise SegcliError(message, hint=_START_OVER)


def lines_of(path: Path, n_bytes: int) -> Iterator[dict[str, Any]]:
    """Go through the first ``n_bytes`` of a part without its header; what is no whole JSON line is an empty dict."""
    for line, _ in _raw_lines(path, n_bytes):
        try:
            yield json.loads(line)
        except ValueError:
            yield {}


def _raw_lines(path: Path, n_bytes: int) -> Iterator[tuple[bytes, int]]:
    with path.open("rb") as file:
        place = len(file.readline())
        while place < n_bytes and (line := file.readline()):
            yield line, place
            place += len(line)


def merge(path: Path, parts: Sequence[Part], identity: Identity, tally: Mapping[str, "Tensor"]) -> None:
    """Put the lines of all parts into ``path``, in the order of pairs, with their state; then remove the parts.

    Raises:
        SegcliError: Where a pair has no line, or two, or where ``path`` cannot be written.
    """
    places = {index: (part, place) for part in parts for index, place in _places(part)}
    _check_complete(path, places, parts, identity)
    run, header = new_header(identity)
    size = len(header)
    with replacing(path, force=True) as destination:
        destination.write(header)
        sources = {part.path: part.path.open("rb") for part in parts}
        try:
            for index in range(identity.n_pairs):
                part, place = places[index]
                sources[part.path].seek(place)
                size += destination.write(sources[part.path].readline())
        finally:
            for source in sources.values():
                source.close()
    save_state(state_path(path), tally, {"run": run, "n_lines": str(identity.n_pairs), "n_bytes": str(size)})
    for part in parts:
        if part.path != path:
            remove(part.path)


def _places(part: Part) -> Iterator[tuple[int, int]]:
    return zip(part.done, (place for _, place in _raw_lines(part.path, part.n_bytes)), strict=True)


def _check_complete(path: Path, places: Mapping[int, Any], parts: Sequence[Part], identity: Identity) -> None:
    n_lines = sum(len(part.done) for part in parts)
    if len(places) == n_lines == identity.n_pairs:
        return
    message = (
        f"the parts of {path} have {n_lines} lines of {len(places)} pairs, expected one of each of {identity.n_pairs}"
    )
    raise SegcliError(message, hint="ranks on several machines must write to a folder that all of them share")
