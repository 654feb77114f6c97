"""Which files are the shards of one checkpoint, and whether all of them are there.

Source: the names that ``save_pretrained`` of Hugging Face's transformers gives shards, and its index file.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from segcli.ckpt.tensors import listed
from segcli.errors import SegcliError
from segcli.files import check_source

_INDEX = ".index.json"
_MAX_INDEX_BYTES = 100 * 2**20
_SHARD = re.compile(r"(?P<stem>.*)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})(?P<suffix>\.[^.]*)?", re.DOTALL)


@dataclass(frozen=True)
class Shards:
    """The files that are joined.

    Attributes:
        files: They, each once.
        promised: The keys that an index says each of some files has.
    """

    files: tuple[Path, ...]
    promised: dict[Path, frozenset[str]] = field(default_factory=dict)


def shards(sources: Sequence[Path]) -> Shards:
    """Return the files that are joined: those that are given, and for an index those that it names.

    Raises:
        SegcliError: Where a shard is missing, or an index is none or names files elsewhere.
    """
    files: list[Path] = []
    given: list[Path] = []
    promised: dict[Path, frozenset[str]] = {}
    for source in sources:
        if source.name.endswith(_INDEX):
            found = _indexed(source)
            promised |= {path: keys | promised.get(path, frozenset()) for path, keys in found.items()}
            files += found
        else:
            files.append(source)
            given.append(source)
    # An index says itself which files there are.
    _check_complete([path for path in given if path not in promised])
    return Shards(tuple(dict.fromkeys(files)), promised)


def _indexed(index: Path) -> dict[Path, frozenset[str]]:
    """Return the files that an index names, in the order of their names, and the keys that each has."""
    check_source(index)
    if index.stat().st_size > _MAX_INDEX_BYTES:
        message = f"{index} has {index.stat().st_size:,} bytes, expected at most {_MAX_INDEX_BYTES:,} in an index"
        raise SegcliError(message)
    try:
        places = {**json.loads(index.read_bytes())["weight_map"]}
        names = sorted(set(places.values()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"{index} is no index of shards: it has no weight_map from keys to files"
        raise SegcliError(message, hint="give the shards themselves") from error
    for name in names:
        if not isinstance(name, str) or PurePath(name).name != name or name in ("", "..", "."):
            message = f"{index} names {name!r}, expected a file in its own folder"
            raise SegcliError(message, hint="do not trust this index; give the shards themselves")
    keys: dict[str, set[str]] = {name: set() for name in names}
    for key, name in places.items():
        keys[name].add(key)
    return {index.parent / name: frozenset(keys[name]) for name in names}


def _check_complete(files: Sequence[Path]) -> None:
    """Refuse a part of a set of shards, whose names say how many there are."""
    sets: dict[tuple[Path, str, str, str], set[int]] = {}
    for path in files:
        found = _SHARD.fullmatch(path.name)
        if found:
            name = path.parent, found["stem"], found["count"], found["suffix"] or ""
            sets.setdefault(name, set()).add(int(found["number"]))
    for (folder, stem, count, suffix), numbers in sets.items():
        # Most count from 1, some from 0.
        first = 0 if 0 in numbers else 1
        missing = [number for number in range(first, first + int(count)) if number not in numbers]
        if missing:
            names = [str(folder / f"{stem}-{number:05}-of-{count}{suffix}") for number in missing]
            message = f"{len(numbers)} of {int(count)} shards {'is' if len(numbers) == 1 else 'are'} given"
            message += f", {listed(names)} {'is' if len(names) == 1 else 'are'} missing"
            raise SegcliError(message, hint="give all of them, or their index")
