"""Moves a checkpoint to another device, into another format, or into another dtype.

Where the format stays and no value changes, device tags are rewritten and all other bytes copied. Values are never
loaded whole, and no device need be there.
"""

import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from segcli.ckpt.conversion.crossing import CROSSINGS, source_classes, to_zip
from segcli.ckpt.conversion.device_objects import retarget
from segcli.ckpt.conversion.prepared import Crossing, Prepared
from segcli.ckpt.conversion.recipe import Recipe
from segcli.ckpt.conversion.request import Request
from segcli.ckpt.conversion.result import CastSummary, Conversion, TagChange
from segcli.ckpt.conversion.retagging import retagging
from segcli.ckpt.conversion.tag_map import TagMap, parse_tag_map
from segcli.ckpt.conversion.target import asked_for, target_of
from segcli.errors import SegcliError
from segcli.files import check_destination, replacing
from segcli.formats.checkpoint import Checkpoint, open_checkpoint
from segcli.formats.copying import Advance
from segcli.formats.sniff import Kind

# What rebuilds a tensor on a device that it is told, and not on its storage's.
_WITH_OWN_DEVICE = (
    "_rebuild_device_tensor_from_numpy",
    "_rebuild_device_tensor_from_cpu_tensor",
    "_rebuild_wrapper_subclass",
)
_AS_IT_IS = Recipe()


def convert(
    source: Path,
    destination: Path,
    to: str | None = None,
    *,
    file_format: str | None = None,
    recipe: Recipe = _AS_IT_IS,
    force: bool = False,
    advance: Advance | None = None,
) -> Conversion:
    """Write ``source`` to ``destination`` with other device tags, in the format and the dtype that are asked for.

    Where the format stays, nothing but the tags changes, and a file whose tags are all ``to`` comes out byte-identical.
    A zip that comes out has torch's own layout, so it loads plain, with ``weights_only``, with ``mmap`` and with
    calculated offsets.

    Args:
        source: A checkpoint: a zip, as ``torch.save`` has written since 1.6, a legacy or tar file from before, a
            safetensors file, or the folder of a distributed checkpoint.
        destination: Where to write; it appears once it is whole.
        to: A device tag, such as ``cpu`` or ``cuda:0``; None leaves the tags as they are.
        file_format: ``zip``, ``legacy``, ``safetensors`` or ``dcp``; None for what the destination's name says, else
            the source's own, or a zip where that is no format of ``torch.load``'s.
        recipe: What else shall change.
        force: Whether to replace a destination that exists.
        advance: Told of bytes as they are written.

    Returns:
        What was done.

    Raises:
        SegcliError: For a source that is no checkpoint or is damaged, an unknown tag, format or dtype, nothing to do,
            values that the format or dtype has no place for, a destination that exists, is the source or cannot be
            written.
    """
    tags = parse_tag_map(to, recipe.map)
    asked = asked_for(destination, file_format)
    _check_files(source, destination)
    # Where a zip stays one, only its tags are needed.
    keep_root = bool(file_format or asked or recipe.dtype or recipe.device_objects)
    with open_checkpoint(source, keep_root=keep_root) as checkpoint:
        job = _job(checkpoint, asked, tags, recipe)
        written = _write(job, destination, advance or _ignore, force=force)
        return _conversion(source, destination, job, written)


@dataclass(frozen=True)
class _Job:
    """A conversion that is ready to be done.

    Attributes:
        request: What shall be written, but for the file.
        target: In which format.
        write: Writes it, unless it is a folder.
        prepared: What is known beforehand.
        retargeted: What named a device apart from storages, and names another now.
        tags: What tags become.
        laid_out: Whether a zip is written anew because that was asked for.
    """

    request: Request
    target: Kind
    write: Crossing
    prepared: Prepared
    retargeted: int
    tags: TagMap
    laid_out: bool


def _job(checkpoint: Checkpoint, asked: Kind | None, tags: TagMap, recipe: Recipe) -> _Job:
    """Prepare a conversion: whatever can be refused without reading values is."""
    target = target_of(checkpoint, asked)
    _refuse_idle(checkpoint, target, asked if target in CROSSINGS else None, tags, recipe)
    prepared = Prepared(checkpoint)
    if checkpoint.kind is Kind.SAFETENSORS or target not in CROSSINGS:
        from segcli.ckpt.conversion.other_formats import prepare

        prepared = prepare(checkpoint, target, recipe)
    checkpoint = prepared.checkpoint
    retargeted = retarget(checkpoint.root, tags) if recipe.device_objects else 0
    casting = None
    if recipe.dtype:
        from segcli.ckpt.casting import cast

        casting = cast(checkpoint, recipe.dtype, keep=recipe.keep_dtype, allow_overflow=recipe.allow_overflow)
    request = Request(checkpoint, tags, -1, _ignore, casting, recipe.dry_run, recipe.allow_overflow)
    stays = target is checkpoint.kind and not retargeted
    in_place = retagging(checkpoint, rewrite=asked is Kind.ZIP) if stays else None
    write = prepared.write or (None if casting else in_place) or CROSSINGS.get(target, to_zip)
    laid_out = in_place is not None and asked is Kind.ZIP
    return _Job(request, target, write, prepared, retargeted, tags, laid_out)


def _write(job: _Job, destination: Path, advance: Advance, *, force: bool) -> int:
    """Write a file or folder, or learn how many bytes it would have."""
    if job.prepared.write_folder:
        return job.prepared.write_folder(job.request, destination, advance, force=force)
    if job.request.hollow:
        check_destination(destination, force=force)
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - no path, but the name of a device
            return job.write(replace(job.request, file=nothing.fileno()))
    with replacing(destination, force=force, mode=job.request.checkpoint.source.mode) as file:
        written = job.write(replace(job.request, file=file.fileno(), advance=advance))
        job.request.checkpoint.source.check_unchanged()
    return written


def _ignore(_count: int) -> None:
    """Let progress pass."""


def _check_files(source: Path, destination: Path) -> None:
    if str(destination) == "-":
        message = "- is no destination: a checkpoint is written to a file, which appears once it is whole"
        raise SegcliError(message)
    if destination.exists() and source.exists() and source.samefile(destination):
        message = f"{source} and {destination} are the same file"
        raise SegcliError(message, hint="choose another name for the result; rename it over the source afterwards")


def _refuse_idle(checkpoint: Checkpoint, target: Kind, asked: Kind | None, tags: TagMap, recipe: Recipe) -> None:
    """Refuse a conversion in which there is nothing to do, or a part of it would do nothing."""
    name = checkpoint.source.name
    if target in (Kind.SAFETENSORS, Kind.DCP) and not (tags.is_idle and not recipe.device_objects):
        message = f"{target} names no devices, so that --to and --map would change nothing"
        raise SegcliError(message, hint="leave them out; who loads it says the device: load_file(..., device='cpu')")
    if recipe.tensors_only and target in CROSSINGS:
        message = f"--tensors-only is for safetensors and DCP, and a {target} checkpoint holds everything"
        raise SegcliError(message, hint="to leave the state dict alone: segcli ckpt strip --weights-only")
    if recipe.device_objects and tags.is_idle:
        message = "--also-device-objects is given, but no device"
        raise SegcliError(message, hint="name the device: --to cpu")
    if recipe.keep_dtype and not recipe.dtype:
        message = "--keep-dtype is given, but no dtype"
        raise SegcliError(message, hint="name the dtype: --dtype bfloat16")
    # Asked for by name, a format of torch's is written though it is the source's: many files may be in several.
    if checkpoint.kind is target and tags.is_idle and not recipe.dtype and asked is not target:
        message = f"{name} is a {target} checkpoint already, and no device is given, so there is nothing to convert"
        names_devices = target in CROSSINGS
        raise SegcliError(message, hint="name the device: --to cpu" if names_devices else "to copy it: cp -r SRC DST")


def _conversion(source: Path, destination: Path, job: _Job, written: int) -> Conversion:
    request = job.request
    checkpoint = request.checkpoint
    tags = _changes(request) if job.target in CROSSINGS else ()
    calls = checkpoint.layout.walk.calls if checkpoint.layout else {}
    return Conversion(
        source=source,
        destination=destination,
        tags=tags,
        changed=sum(tag.storages for tag in tags if tag.before != tag.after),
        bytes=written,
        device_values=calls.get("torch.device", 0),
        device_objects_changed=job.retargeted,
        tensors_left=sum(calls.get(f"torch._utils.{name}", 0) for name in _WITH_OWN_DEVICE),
        source_format=checkpoint.kind.value,
        format=job.target.value,
        sources_dropped=() if job.target is checkpoint.kind else source_classes(checkpoint),
        left_out=job.prepared.left_out,
        made_contiguous=job.prepared.made_contiguous,
        slack_bytes=job.prepared.slack_bytes,
        ties=job.prepared.ties,
        repeated_bytes=job.prepared.repeated_bytes,
        untied=job.prepared.untied,
        cast=_cast_summary(request),
        dry_run=request.hollow,
        laid_out=job.laid_out,
        rules_unused=job.tags.unused(tag.before for tag in tags) if job.target in CROSSINGS else (),
        expanded=job.prepared.expanded,
        abandoned=_abandoned(job, destination),
    )


def _abandoned(job: _Job, destination: Path) -> tuple[Path, ...]:
    if job.target is not Kind.DCP:
        return ()
    from segcli.ckpt.conversion.to_dcp import abandoned

    return abandoned(destination)


def _changes(request: Request) -> tuple[TagChange, ...]:
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for storage in request.checkpoint.storages.values():
        counts[storage.location] += 1
        sizes[storage.location] += storage.bytes
    return tuple(TagChange(tag, request.new_tag(tag), count, sizes[tag]) for tag, count in counts.items())


def _cast_summary(request: Request) -> CastSummary | None:
    casting = request.casting
    if casting is None:
        return None
    return CastSummary(
        dtype=casting.dtype,
        cast=casting.cast,
        left=casting.left,
        bytes_before=casting.bytes_before,
        bytes_after=casting.bytes_after,
        overflows=(*casting.overflows, *request.overflows),
    )
