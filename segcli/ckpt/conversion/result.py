"""What a conversion did."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segcli.ckpt.casting import Overflow


@dataclass(frozen=True)
class TagChange:
    """What one tag became.

    Attributes:
        before: The tag in the source.
        after: The tag in the destination.
        storages: How many storages had it.
        bytes: What their elements take.
    """

    before: str
    after: str
    storages: int
    bytes: int


@dataclass(frozen=True)
class CastSummary:
    """What became of floating tensors.

    Attributes:
        dtype: The dtype that they have.
        cast: The keys of those that were cast.
        left: The keys of those that had it already, or were kept as they are.
        bytes_before: What the storages took that were cast.
        bytes_after: What they take.
        overflows: What became infinite, where that was allowed.
    """

    dtype: str
    cast: tuple[str, ...]
    left: tuple[str, ...]
    bytes_before: int
    bytes_after: int
    overflows: "tuple[Overflow, ...]"


@dataclass(frozen=True)
class Conversion:
    """What was done.

    Attributes:
        source: The file or folder that was read.
        destination: The file or folder that was written.
        tags: The tags, in the order in which the source names them; none where the destination names no devices.
        changed: Storages whose tag is another now.
        bytes: The size of the destination.
        device_values: ``torch.device`` objects among the user's values.
        device_objects_changed: What named a device apart from storages, and names another now.
        tensors_left: Tensors that name their device outside of any storage, and so stay there: XLA's, and subclasses
            that only wrap others.
        source_format: The format of the source: ``zip``, ``legacy``, ``tar``, ``safetensors`` or ``dcp``.
        format: The format of the destination.
        sources_dropped: The classes of modules whose source code the destination's format has no place for; torch only
            compares it with the code that it finds.
        left_out: What the destination's format has no place for, with its types.
        made_contiguous: The keys of tensors that were not contiguous, and are in the destination.
        slack_bytes: Bytes of storages that no tensor used, and that are left out.
        ties: The keys of tensors that share memory with others.
        repeated_bytes: What a format that has no shared memory takes for elements that several tensors have.
        untied: The keys of tensors that shared memory once, and have values of their own now.
        cast: What became of floating tensors; None where their dtype was not asked for.
        dry_run: Whether nothing was written.
        laid_out: Whether a zip came out as torch lays one out because that was asked for, though nothing else changed.
        rules_unused: The rules of ``--map`` that no tag of the source is meant by.
        expanded: The keys of tensors that show one element many times, and are written in full.
        abandoned: What runs left beside the destination that were killed while they wrote it.
    """

    source: Path
    destination: Path
    tags: tuple[TagChange, ...]
    changed: int
    bytes: int
    device_values: int
    device_objects_changed: int
    tensors_left: int
    source_format: str
    format: str
    sources_dropped: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    made_contiguous: tuple[str, ...] = ()
    slack_bytes: int = 0
    ties: tuple[str, ...] = ()
    repeated_bytes: int = 0
    untied: tuple[str, ...] = ()
    cast: CastSummary | None = None
    dry_run: bool = False
    laid_out: bool = False
    rules_unused: tuple[str, ...] = ()
    expanded: tuple[str, ...] = ()
    abandoned: tuple[Path, ...] = ()
