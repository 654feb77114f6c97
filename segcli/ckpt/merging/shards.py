"""Which files are the shards of one checkpoint, and whether all of them are there.

Source: the names that ``save_pretrained`` of Hugging Face's transformers gives shards, and its index file.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path, PurePath

from segcli.ckpt.tensors import listed
from segcli.errors import SegcliError
from segcli.files import check_source

_INDEX = ".index.json"
_MAX_INDEX_BYTES = 100 * 2**20
_SHARD = re.compile(r"(?P<stem>.*)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})(?P<suffix>\.[^.]*)?", re.DOTALL)


def shards(sources: Sequence[Path]) -> tuple[Path, ...]:
    """Return the files that are joined: those that are given, and for an index those that it names.

    Raises:
        SegcliError: Where a shard is missing, or an index is none or names files elsewhere.
    """
    files: list[Path] = []
    for source in sources:
        files += _indexed(source) if source.name.endswith(_INDEX) else [source]
    _check_complete(files)
    return tuple(dict.fromkeys(files))


def _indexed(index: Path) -> list[Path]:
    """Return the files that an index names, in the order of their names."""
    check_source(index)
    if index.stat().st_size > _MAX_INDEX_BYTES:
        message = f"{index} has {index.stat().st_size:,} bytes, expected at most {_MAX_INDEX_BYTES:,} in an index"
        raise SegcliError(message)
    try:
        places = json.loads(index.read_bytes())["weight_map"].values()
        names = sorted(set(places))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"{index} is no index of shards: it has no weight_map from keys to files"
        raise SegcliError(message, hint="give the shards themselves") from error
    for name in names:
        if not isinstance(name, str) or PurePath(name).name != name or name in ("", "..", "."):
            message = f"{index} names {name!r}, expected a file in its own folder"
            raise SegcliError(message, hint="do not trust this index; give the shards themselves")
    return [index.parent / name for name in names]


def _check_complete(files: Sequence[Path]) -> None:
    """Refuse a part of a set of shards, whose names say how many there are."""
    sets: dict[tuple[Path, str, str, str], set[int]] = {}
    for path in files:
        found = _SHARD.fullmatch(path.name)
        if found:
            name = path.parent, found["stem"], found["count"], found["suffix"] or ""
            sets.setdefault(name, set()).add(int(found["number"]))
    for (folder, stem, count, suffix), numbers in sets.items():
        missing = [number for number in range(1, int(count) + 1) if number not in numbers]
        if missing:
            names = [str(folder / f"{stem}-{number:05}-of-{count}{suffix}") for number in missing]
            message = f"{len(numbers)} of {int(count)} shards are given, {listed(names)} is missing"
            raise SegcliError(message, hint="give all of them, or their index")
