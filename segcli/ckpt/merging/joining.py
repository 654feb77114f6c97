"""Shards joined into one checkpoint: the keys of all of them in one dict, and nothing computed."""

import contextlib
from collections.abc import Collection, Sequence
from collections.abc import Mapping as ReadOnly
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeGuard

from segcli.ckpt.difference.values import Values, atom
from segcli.ckpt.merging.merge import Advance, Content, Merge, check_files, write
from segcli.ckpt.tensors import holdings, listed, parts_of
from segcli.ckpt.views import view_of
from segcli.elements.comparing import compare
from segcli.errors import SegcliError
from segcli.formats.checkpoint import Checkpoint, open_checkpoint
from segcli.formats.checkpoint_tree import list_entries
from segcli.formats.node_preview import preview, type_name
from segcli.formats.node_walk import storages_in
from segcli.formats.pickle_nodes import Call, Mapping, Node, Text
from segcli.formats.rebuilt_tensor import rebuilt_tensor

if TYPE_CHECKING:
    from segcli.formats.payload import Payload
    from segcli.formats.stored_storage import StoredStorage

# What dicts are in a pickle: plain ones, and calls that would make an ordered one.
Dict = Mapping | Call
# A path, the dict that takes up, and the one that is taken up.
Step = tuple[str, Dict, Dict]


def join(
    sources: Sequence[Path],
    destination: Path,
    *,
    promised: ReadOnly[Path, Collection[str]] = MappingProxyType({}),
    force: bool = False,
    dry_run: bool = False,
    advance: Advance | None = None,
) -> Merge:
    """Write a checkpoint that has the keys of all sources, dicts within dicts joined alike.

    A key that several sources have must stand for the same in each; it is written once.

    Args:
        sources: The shards.
        destination: Where to write.
        promised: The keys that an index says each of some sources has.
        force: Whether to replace a destination that exists.
        dry_run: Whether nothing is written.
        advance: Told of bytes as they are written.

    Raises:
        SegcliError: Where a source is no dict or has not the keys that an index says, a key stands for different
            things, or byte orders differ.
    """
    check_files(sources, destination)
    with contextlib.ExitStack() as opened:
        files = [opened.enter_context(open_checkpoint(path)) for path in sources]
        _check_byteorders(files)
        for path, file in zip(sources, files, strict=True):
            _check_promised(file, promised.get(path, ()))
        joiner = _Joiner(files)
        for file in files[1:]:
            joiner.add(file)
        whole = joiner.whole
        # Before anything is written, since it may be refused.
        tensors = len(holdings(whole).tensors)
        storages: dict[str, Payload] = {key: stored.elements for key, stored in whole.storages.items()}
        protocol = max(file.protocol for file in files)
        content = Content(whole.root, protocol, storages, whole.byteorder, [file.source for file in files])
        written = write(content, destination, force=force, dry_run=dry_run, advance=advance or (lambda _: None))
    return Merge(
        sources=tuple(sources),
        destination=destination,
        how="join",
        weights=(),
        tensors=tensors,
        averaged=(),
        kept=(),
        repeated=tuple(joiner.repeated),
        bytes=written,
        dry_run=dry_run,
    )


def _check_byteorders(files: Sequence[Checkpoint]) -> None:
    for file in files:
        if file.byteorder != files[0].byteorder:
            expected = f"{files[0].byteorder}-endian as {files[0].source.name}"
            message = f"{file.source.name} is {file.byteorder}-endian, expected {expected}"
            raise SegcliError(message, hint="load it with torch, and save it again")


def _check_promised(file: Checkpoint, keys: Collection[str]) -> None:
    """Refuse a shard that has not what the index says."""
    missing = set(keys).difference(entry.key for entry in list_entries(file.root, file.name)) if keys else set()
    if missing:
        message = f"{file.source.name} has no {listed(sorted(missing))}, which the index says is in it"
        raise SegcliError(message, hint="fetch the shard and its index again; both must be of one version")


class _Joiner:
    """The first file, which takes up what the others hold.

    Attributes:
        whole: The first file's object, and the storages of all files, whose keys begin with the file's number.
        repeated: Keys that several files have.
    """

    def __init__(self, files: Sequence[Checkpoint]) -> None:
        self._files = files
        self.repeated: list[str] = []
        storages: dict[str, StoredStorage] = {}
        for number, file in enumerate(files):
            for storage in storages_in(file.root):
                storage.key = f"{number}/{storage.key}"
            storages |= {f"{number}/{key}": stored for key, stored in file.storages.items()}
        self.whole = replace(files[0], storages=storages)

    def add(self, file: Checkpoint) -> None:
        """Take up what a further file holds."""
        seen: set[tuple[int, int]] = set()
        dicts: list[Step] = [("", _root(self._files[0]), _root(file))]
        while dicts:
            path, into, new = dicts.pop()
            if (id(into), id(new)) in seen:
                continue
            seen.add((id(into), id(new)))
            if isinstance(into, Call) and isinstance(new, Call):
                dicts += self._both_states(path, into, new)
            for one, two, key in self._both(path, into, new, file):
                step = _step(key, one, two)
                if step:
                    dicts.append(step)
                else:
                    self._check_alike(key, one, two, file)

    def _both(self, path: str, into: Dict, new: Dict, file: Checkpoint) -> list[tuple[Node, Node, str]]:
        """Add what only the new dict has, and return what stands under one key in both."""
        known = {atom(key): value for key, value in into.pairs}
        both = []
        for key, value in new.pairs:
            name = key.decoded() if isinstance(key, Text) else preview(key)
            if atom(key) is None:
                message = f"{file.source.name} has {name} as a key, expected a text or a number"
                raise SegcliError(message, hint="load the shards with torch, and join them there")
            if atom(key) in known:
                both.append((known[atom(key)], value, f"{path}.{name}" if path else name))
            else:
                into.pairs.append((key, value))
        return both

    def _both_states(self, path: str, into: Call, new: Call) -> list[Step]:
        """Join what was saved along with dicts: the versions of modules (``_metadata``)."""
        if not into.state:
            into.state = new.state
            return []
        steps = (_step(path, one, two) for one, two in zip(into.state, new.state, strict=False))
        return [step for step in steps if step]

    def _check_alike(self, key: str, one: Node, two: Node, file: Checkpoint) -> None:
        """Refuse a key under which two files have different things."""
        if rebuilt_tensor(one) and rebuilt_tensor(two):
            what = self._tensor_difference(key, one, two)
        else:
            found = next(Values().differences(key, one, two), None)
            what = f": {found.first} and {found.second}" if found else ""
        if what:
            message = f"{key} in {file.source.name} is not what it is in a file before{what}"
            raise SegcliError(message, hint="shards of one checkpoint share no keys; --average joins values")
        self.repeated.append(key)

    def _tensor_difference(self, key: str, one: Node, two: Node) -> str:
        parts = parts_of(one), parts_of(two)
        described = [[(part.dtype, part.shape, part.layout) for part in half] for half in parts]
        if described[0] != described[1]:
            return ": another shape, dtype or layout"
        for first, second in zip(*parts, strict=True):
            gap = compare(view_of(self.whole, key, first), view_of(self.whole, key, second), advance=lambda _: None)
            if gap:
                return f": {gap.unequal:,} of {gap.elements:,} elements differ"
        return ""


def _root(file: Checkpoint) -> Dict:
    if not _is_dict(file.root):
        message = f"{file.source.name} holds a {type_name(file.root)}, expected a dict to join with others"
        raise SegcliError(message)
    return file.root


def _step(path: str, into: Node, new: Node) -> Step | None:
    """Return two dicts that are to be joined; None where they are not both dicts."""
    return (path, into, new) if _is_dict(into) and _is_dict(new) else None


def _is_dict(node: Node) -> TypeGuard[Dict]:
    return isinstance(node, Mapping) or (isinstance(node, Call) and node.path == "collections.OrderedDict")
