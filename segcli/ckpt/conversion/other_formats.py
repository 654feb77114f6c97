"""Prepares what is written in, or read from, formats that are not torch.load's: these look at values, with NumPy."""

from collections.abc import Iterable
from functools import partial

from segcli.ckpt.conversion.plain_state import plain_state
from segcli.ckpt.conversion.prepared import Prepared
from segcli.ckpt.conversion.recipe import Recipe
from segcli.ckpt.conversion.state_tensors import (
    StateTensor,
    StateTensors,
    refuse_other,
    state_tensors,
    used_twice,
)
from segcli.ckpt.conversion.ties import tied
from segcli.ckpt.conversion.to_dcp import write_dcp
from segcli.ckpt.conversion.to_safetensors import to_safetensors
from segcli.ckpt.extents import extents
from segcli.formats.checkpoint import Checkpoint
from segcli.formats.sniff import Kind


def prepare(checkpoint: Checkpoint, target: Kind, recipe: Recipe) -> Prepared:
    """Return how a checkpoint is written in a format that is not torch.load's, or made of one that was.

    Args:
        checkpoint: The open checkpoint.
        target: The format to write.
        recipe: What else is asked for.

    Raises:
        SegcliError: For what the format has no place for.
    """
    ties: tuple[str, ...] = ()
    untied: tuple[str, ...] = ()
    if checkpoint.kind is Kind.SAFETENSORS:
        checkpoint, ties, untied = tied(checkpoint)
    if target is Kind.SAFETENSORS:
        return _safetensors(checkpoint, recipe)
    if target is Kind.DCP:
        return _dcp(checkpoint, recipe)
    return Prepared(checkpoint, ties=ties, untied=untied)


def _safetensors(checkpoint: Checkpoint, recipe: Recipe) -> Prepared:
    state = state_tensors(checkpoint, Kind.SAFETENSORS)
    refuse_other(checkpoint.source.name, [] if recipe.tensors_only else state.other, Kind.SAFETENSORS)
    used = _used_bytes(checkpoint, state)
    stored = sum(checkpoint.storages[key].bytes for key in {one.placed.storage.key for one in state.tensors})
    written = sum(tensor.view.count * tensor.view.item_bytes for tensor in state.tensors)
    return Prepared(
        checkpoint=checkpoint,
        write=partial(to_safetensors, state=state),
        left_out=(*state.other, *state.versions),
        made_contiguous=tuple(tensor.key for tensor in state.tensors if not tensor.view.is_dense),
        slack_bytes=stored - used,
        ties=tuple(tensor.key for found in used_twice(state.tensors).values() for tensor in found),
        repeated_bytes=max(0, written - used),
        expanded=_expanded(state.tensors),
    )


def _expanded(tensors: Iterable[StateTensor]) -> tuple[str, ...]:
    """Return the keys of tensors of which one element stands for many: files of a few bytes become large ones."""
    return tuple(
        tensor.key
        for tensor in tensors
        if any(side > 1 and not step for side, step in zip(tensor.view.shape, tensor.view.stride, strict=True))
    )


def _used_bytes(checkpoint: Checkpoint, state: StateTensors) -> int:
    stored = {tensor.placed.storage.key for tensor in state.tensors}
    return sum(extent.end - extent.start for key, extent in extents(checkpoint.root).items() if key in stored)


def _dcp(checkpoint: Checkpoint, recipe: Recipe) -> Prepared:
    state = plain_state(checkpoint, tensors_only=recipe.tensors_only)
    refuse_other(checkpoint.source.name, [] if recipe.tensors_only else state.other, Kind.DCP)
    return Prepared(
        checkpoint=checkpoint,
        write_folder=partial(write_dcp, state=state),
        left_out=(*state.other, *state.versions),
        ties=tuple(state.ties),
        expanded=_expanded(state.tensors.values()),
        # Shared memory that is more than one tensor under two names has no place there.
        untied=tuple(tensor.key for found in used_twice([*state.tensors.values()]).values() for tensor in found),
    )
