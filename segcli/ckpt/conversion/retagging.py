"""Writes a checkpoint in its own format with other device tags, and copies all other bytes as they are.

A checkpoint keeps values apart from its pickle, which only names a device for each. So the tags are rewritten and all
else is copied: no value is looked at, and no memory is needed that grows with the file.
"""

from functools import partial

from segcli.ckpt.conversion.prepared import Crossing
from segcli.ckpt.conversion.request import Request
from segcli.formats.checkpoint import Checkpoint
from segcli.formats.copying import copy_file, copy_range
from segcli.formats.payload import put_pieces
from segcli.formats.pickle_retag import retag
from segcli.formats.torch_legacy import TorchLegacy
from segcli.formats.torch_zip import PICKLE_NAME, TorchZip
from segcli.formats.zip_write import write_zip


def retagging(checkpoint: Checkpoint, *, rewrite: bool = False) -> Crossing | None:
    """Return what writes a checkpoint in its own format; None for those that have no tags, or are not written.

    Args:
        checkpoint: The open checkpoint.
        rewrite: Whether a zip that needs no change is laid out as torch lays one out, and not copied as it is.
    """
    match checkpoint.layout:
        case TorchZip() as layout:
            return partial(_retag_zip, layout=layout, rewrite=rewrite)
        case TorchLegacy() as layout:
            return partial(_retag_legacy, layout=layout)
    return None


def _retag_zip(request: Request, layout: TorchZip, *, rewrite: bool) -> int:
    source = request.checkpoint.source
    pickle = retag(layout.pickle, layout.walk, request.new_tag, request.checkpoint.name)
    if pickle is None and not rewrite:
        return _copy(request)
    contents = layout.contents(source)
    records = ((name, request.data(pickle if pickle and name == PICKLE_NAME else data)) for name, data in contents)
    return write_zip(request.file, layout.prefix, records, layout.alignment, request.advance)


def _retag_legacy(request: Request, layout: TorchLegacy) -> int:
    """Write the object's pickle anew, between copies of what stands before and behind it."""
    source = request.checkpoint.source
    pickle = retag(layout.pickle, layout.walk, request.new_tag, request.checkpoint.name)
    if pickle is None:
        return _copy(request)
    end, at = layout.start + len(layout.pickle), layout.start + pickle.size
    if not request.hollow:
        copy_range(source.fd, request.file, layout.start, 0, 0, request.advance)
        put_pieces(pickle.pieces(), request.file, layout.start, request.advance)
        copy_range(source.fd, request.file, source.size - end, end, at, request.advance)
    return at + source.size - end


def _copy(request: Request) -> int:
    source = request.checkpoint.source
    if not request.hollow:
        copy_file(source.fd, request.file, request.advance)
    return source.size
