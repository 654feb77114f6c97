"""How torch laid a checkpoint out, whatever it holds."""

from dataclasses import dataclass

from segcli.formats.checkpoint import Checkpoint
from segcli.formats.globals_verdict import WEIGHTS_ONLY_OPCODES
from segcli.formats.torch_legacy import TorchLegacy
from segcli.formats.torch_zip import TorchZip


@dataclass(frozen=True)
class Layout:
    """How torch laid a zip checkpoint out.

    Attributes:
        prefix: What its records' names start with.
        version: The archive's version, which torch has kept at 3 since 1.6.
        format_version: The number in ``.format_version``; None before torch 2.1.
        alignment: Of what the offsets of records are multiples, in bytes.
        byteorder: ``little`` or ``big``; None before torch 2.1.
        protocol: The pickle's protocol.
        refused_opcodes: Opcodes of the pickle that ``torch.load(..., weights_only=True)`` does not read.
        records: How many records there are.
        pickle_bytes: The size of the pickle.
    """

    prefix: str
    version: int
    format_version: int | None
    alignment: int
    byteorder: str | None
    protocol: int
    refused_opcodes: tuple[str, ...]
    records: int
    pickle_bytes: int


@dataclass(frozen=True)
class OldLayout:
    """How torch laid a legacy or a tar checkpoint out.

    Attributes:
        version: The version of the legacy format, which torch has kept at 1001; None for a tar file.
        little_endian: Whether the machine that wrote it was; values are in any case. None where the file does not say.
        type_sizes: The bytes of C's ``short``, ``int`` and ``long`` there.
        protocol: The pickle's protocol.
        refused_opcodes: Opcodes of the pickle that ``torch.load(..., weights_only=True)`` does not read.
        sources: The classes of modules whose source code it holds.
    """

    version: int | None
    little_endian: bool | None
    type_sizes: dict[str, int]
    protocol: int
    refused_opcodes: tuple[str, ...]
    sources: tuple[str, ...]


def layout_of(checkpoint: Checkpoint) -> Layout | OldLayout | None:
    """Return how a checkpoint is laid out; None for one that torch did not write."""
    found = checkpoint.layout
    if found is None:
        return None
    refused = tuple(sorted(found.walk.opcodes - WEIGHTS_ONLY_OPCODES))
    if isinstance(found, TorchZip):
        return Layout(
            prefix=found.prefix,
            version=found.version,
            format_version=found.format_version,
            alignment=found.alignment,
            byteorder=found.byteorder,
            protocol=checkpoint.protocol,
            refused_opcodes=refused,
            records=len(found.records),
            pickle_bytes=len(found.pickle),
        )
    legacy = found if isinstance(found, TorchLegacy) else None
    return OldLayout(
        version=legacy.version if legacy else None,
        little_endian=legacy.system.little_endian if legacy else None,
        type_sizes=legacy.system.type_sizes if legacy else {},
        protocol=checkpoint.protocol,
        refused_opcodes=refused,
        sources=found.sources,
    )
