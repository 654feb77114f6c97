"""Cuts storages down to what tensors use of them: ``torch.save`` writes the whole of a storage for a view of it."""

from collections.abc import Mapping
from dataclasses import replace
from math import prod

from segcli.ckpt.extents import Extent, extents
from segcli.formats.dtypes import ITEM_BYTES
from segcli.formats.payload import Stretch
from segcli.formats.pickle_nodes import Node
from segcli.formats.stored_storage import StoredStorage


def compact(root: Node, storages: Mapping[str, StoredStorage]) -> dict[str, StoredStorage]:
    """Return storages without what stands before the first and behind the last element that a tensor uses.

    The offsets of the tensors below ``root`` are changed in place to what they are then. Tensors that share a storage
    go on sharing it, and what lies between them stays.

    Args:
        root: The outermost object.
        storages: What it names, by key.
    """
    cut = dict(storages)
    for key, extent in extents(root).items():
        stored = storages[key]
        if extent.slack and stored.bytes == extent.size:
            cut[key] = _cut(stored, extent)
    return cut


def _cut(stored: StoredStorage, extent: Extent) -> StoredStorage:
    size = extent.end - extent.start
    for mention in extent.mentions:
        mention.numel = size // (extent.size // mention.numel)
        mention.id.items[4] = mention.numel
    for view in extent.views:
        item_bytes = ITEM_BYTES[view.dtype]
        offset = max(0, view.offset - extent.start // item_bytes)
        # An empty tensor lies nowhere; torch refuses an offset beyond the storage all the same.
        view.arguments.items[1] = offset if prod(view.shape) else min(offset, size // item_bytes)
    data = Stretch(stored.data.source, stored.data.start + extent.start, size)
    return replace(stored, bytes=size, data=data)
