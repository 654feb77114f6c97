"""Writes a checkpoint without what nobody needs: other dicts, wrappers' prefixes, memory that no tensor uses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segcli.ckpt.dicts import joined
from segcli.ckpt.stripping.compaction import compact
from segcli.ckpt.stripping.pruning import Removed, drop, keep_only
from segcli.ckpt.stripping.renaming import KeyChange, Rule, parse_rule, remove_prefixes, rename_keys
from segcli.ckpt.stripping.rewriting import Rewriting, rewriting
from segcli.ckpt.stripping.weights import weights_of
from segcli.errors import SegcliError
from segcli.files import check_destination, replacing
from segcli.formats.checkpoint import Checkpoint, open_checkpoint
from segcli.formats.checkpoint_tree import list_entries
from segcli.formats.copying import copy_range
from segcli.formats.sniff import Kind
from segcli.formats.stored_storage import StoredStorage
from segcli.formats.tensor_header import TensorHeader

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Wish:
    """What shall be stripped, in the order in which it is done.

    Attributes:
        keep: Globs of keys; all else goes.
        drop: Globs of keys that go.
        weights_only: Whether the one state dict alone stays.
        prefixes: What is taken off the keys of state dicts.
        renames: ``OLD=NEW``.
        compact: Whether what no tensor uses of its storage goes.
    """

    keep: Sequence[str] = ()
    drop: Sequence[str] = ()
    weights_only: bool = False
    prefixes: Sequence[str] = ()
    renames: Sequence[str] = ()
    compact: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing is wished for."""
        return not any((self.keep, self.drop, self.weights_only, self.prefixes, self.renames, self.compact))


@dataclass(frozen=True)
class Dropped:
    """What went.

    Attributes:
        key: Its dotted path in the source.
        tensors: The tensors in it.
        bytes: What their elements take.
    """

    key: str
    tensors: int
    bytes: int


@dataclass(frozen=True)
class Strip:
    """What was done, or would be.

    Attributes:
        source: The file that was read.
        destination: The file that was written.
        format: ``zip``, ``legacy`` or ``safetensors``.
        dry_run: Whether nothing was written.
        changed: Whether anything is another than in the source; else the destination is a copy of it.
        weights: The dotted path of the state dict that alone stayed; None where that was not asked for.
        dropped: What went, each with what lay in it.
        renamed: The keys that are others now.
        tensors: The tensors that are left.
        bytes_before: The size of the source.
        bytes_after: The size of the destination.
        dropped_bytes: Of storages that no tensor is left in.
        slack_bytes: Of storages that were cut, what no tensor used.
        cut: How many storages were cut.
        prefixes_unused: The prefixes to take off that no key had.
    """

    source: Path
    destination: Path
    format: str
    dry_run: bool
    changed: bool
    weights: str | None
    dropped: tuple[Dropped, ...]
    renamed: tuple[KeyChange, ...]
    tensors: int
    bytes_before: int
    bytes_after: int
    dropped_bytes: int
    slack_bytes: int
    cut: int
    prefixes_unused: tuple[str, ...]


def strip(
    source: Path,
    destination: Path,
    wish: Wish,
    *,
    dry_run: bool = False,
    force: bool = False,
    advance: Advance | None = None,
) -> Strip:
    """Write ``source`` to ``destination`` without what is wished away; values, strides and ties stay.

    The format stays; a tar file and a distributed checkpoint come out as a zip. A file that has nothing of it is
    copied byte for byte.

    Args:
        source: A zip, legacy, tar or safetensors file, or the folder of a distributed checkpoint.
        destination: Where to write; it appears once it is whole.
        wish: What shall go.
        dry_run: Whether nothing is written.
        force: Whether to replace a destination that exists.
        advance: Told of bytes as they are written.

    Raises:
        SegcliError: For a source that is no checkpoint, a wish that is empty or means nothing in it, keys that would
            become one, a destination that exists, is the source or cannot be written.

    Examples:
        >>> import tempfile, torch
        >>> path = Path(tempfile.mkdtemp()) / "trained.pth"
        >>> torch.save({"state_dict": {"module.weight": torch.ones(3)}, "epoch": 7}, path)
        >>> done = strip(path, path.with_name("weights.pth"), Wish(weights_only=True, prefixes=["module."]))
        >>> torch.load(done.destination)
        {'weight': tensor([1., 1., 1.])}
    """
    rules = check_wish(wish)
    _check_files(source, destination)
    if not dry_run:
        check_destination(destination, force=force)
    with open_checkpoint(source) as checkpoint:
        plan = _planned(checkpoint, wish, rules)
        if not dry_run:
            with replacing(destination, force=force, mode=checkpoint.source.mode) as file:
                if plan.is_changed:
                    plan.rewriting.write(file.fileno(), advance or _ignore)
                else:
                    copy_range(checkpoint.source.fd, file.fileno(), checkpoint.source.size, 0, 0, advance or _ignore)
                checkpoint.source.check_unchanged()
        return _result(source, destination, checkpoint, plan, dry_run=dry_run)


def _ignore(_count: int) -> None:
    """Let progress pass."""


def check_wish(wish: Wish) -> list[Rule]:
    """Return the rules that a wish has for keys.

    Raises:
        SegcliError: For one that is empty, or has a text in it that is, or no rule.
    """
    if wish.is_empty:
        message = "nothing is named that shall be stripped"
        raise SegcliError(message, hint="name it: --weights-only, --prefix, --rename, --keep, --drop, --compact")
    if "" in (*wish.prefixes, *wish.keep, *wish.drop):
        message = "an empty text is no prefix and no glob"
        raise SegcliError(message, hint="leave the option out, or quote what stands behind it: --drop '*.bias'")
    return [parse_rule(written) for written in wish.renames]


def _check_files(source: Path, destination: Path) -> None:
    if str(destination) == "-":
        message = "- is no destination: a checkpoint is written to a file, which appears once it is whole"
        raise SegcliError(message)
    if destination.exists() and source.exists() and source.samefile(destination):
        message = f"{source} and {destination} are the same file"
        raise SegcliError(message, hint="choose another name for the result; rename it over the source afterwards")


@dataclass(frozen=True)
class _Plan:
    """What will be written, and what became of what was there."""

    rewriting: Rewriting
    storages: Mapping[str, StoredStorage]
    is_changed: bool
    weights: str | None
    dropped: list[Dropped]
    renamed: list[KeyChange]
    tensors: int
    prefixes_unused: tuple[str, ...]


def _planned(checkpoint: Checkpoint, wish: Wish, rules: list[Rule]) -> _Plan:
    name = checkpoint.source.name
    entries = [entry.tensor for entry in list_entries(checkpoint.root, checkpoint.name) if entry.tensor]
    root, weights = checkpoint.root, None
    removed: Removed = []
    if wish.keep:
        root = keep_only(root, wish.keep, checkpoint, removed)
    if wish.drop:
        root = drop(root, wish.drop, checkpoint, removed)
    was = root
    if wish.weights_only:
        root, weights = weights_of(root, name, removed)
    renamed, unused = remove_prefixes(root, wish.prefixes, name) if wish.prefixes else ([], ())
    renamed += rename_keys(root, rules, name) if rules else []
    storages = compact(root, checkpoint.storages) if wish.compact else checkpoint.storages
    tensors = sum(entry.tensor is not None for entry in list_entries(root, checkpoint.name))
    if not tensors:
        message = f"no tensor of {name} would be left"
        raise SegcliError(message, hint=f"segcli ckpt inspect '{name}' lists its keys")
    made = rewriting(checkpoint, root, storages)
    is_cut = any(storages[key] != checkpoint.storages[key] for key in made.keys)
    # A folder is no file to copy.
    is_changed = bool(removed or renamed or is_cut or root is not was or checkpoint.kind is Kind.DCP)
    dropped = _dropped([key for key, _ in removed], entries)
    before = [replace(change, before=joined(weights or "", change.before)) for change in renamed]
    return _Plan(made, storages, is_changed, weights, dropped, before, tensors, unused)


def _dropped(keys: Sequence[str], tensors: Sequence[TensorHeader]) -> list[Dropped]:
    """Return what lay below each key that went."""
    sizes: dict[str, list[int]] = {key: [] for key in keys}
    for tensor in tensors:
        key = tensor.key
        ends = [index for index, character in enumerate(key) if character == "."]
        place = next((key[:end] for end in (*ends, len(key)) if key[:end] in sizes), None)
        if place is not None:
            sizes[place].append(tensor.bytes or 0)
    return [Dropped(key, len(found), sum(found)) for key, found in sizes.items()]


def _result(source: Path, destination: Path, checkpoint: Checkpoint, plan: _Plan, *, dry_run: bool) -> Strip:
    stored = checkpoint.storages
    kept = plan.rewriting.keys
    cut = [key for key in kept if plan.storages[key].bytes < stored[key].bytes]
    is_changed = plan.is_changed
    kind = Kind.ZIP if checkpoint.kind in (Kind.TAR, Kind.DCP) and is_changed else checkpoint.kind
    return Strip(
        source=source,
        destination=destination,
        format=kind.value,
        dry_run=dry_run,
        changed=is_changed,
        weights=plan.weights,
        dropped=tuple(plan.dropped),
        renamed=tuple(plan.renamed),
        tensors=plan.tensors,
        bytes_before=checkpoint.source.size,
        bytes_after=plan.rewriting.size if is_changed else checkpoint.source.size,
        dropped_bytes=sum(one.bytes for key, one in stored.items() if key not in kept) if is_changed else 0,
        slack_bytes=sum(stored[key].bytes - plan.storages[key].bytes for key in cut),
        cut=len(cut),
        prefixes_unused=plan.prefixes_unused,
    )
