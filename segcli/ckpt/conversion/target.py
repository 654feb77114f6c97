"""Which format a conversion writes: the one that is asked for, else what the destination's name says."""

from pathlib import Path

from segcli.errors import SegcliError, nearest
from segcli.formats.checkpoint import Checkpoint
from segcli.formats.sniff import Kind, refusal

# The formats that are written.
FORMATS = (Kind.ZIP, Kind.LEGACY, Kind.SAFETENSORS, Kind.DCP)
_SOURCES = (Kind.ZIP, Kind.LEGACY, Kind.TAR, Kind.SAFETENSORS, Kind.DCP)
# What names say; other endings say that it is one of torch's.
SUFFIXES = {".safetensors": Kind.SAFETENSORS, ".dcp": Kind.DCP}
_TORCHS = (Kind.ZIP, Kind.LEGACY)


def asked_for(destination: Path, file_format: str | None) -> Kind | None:
    """Return the format that is asked for by name or by the destination's; None for the source's own.

    Raises:
        SegcliError: For an unknown format.

    Examples:
        >>> asked_for(Path("model.safetensors"), None), asked_for(Path("model.pth"), None)
        (<Kind.SAFETENSORS: 'safetensors'>, None)
    """
    if file_format is None:
        return SUFFIXES.get(destination.suffix.lower())
    known = [kind.value for kind in FORMATS]
    if file_format not in known:
        message = f"unknown format {file_format!r}, expected {', '.join(known[:-1])} or {known[-1]}"
        raise SegcliError(message, hint=nearest(file_format, known))
    return Kind(file_format)


def target_of(checkpoint: Checkpoint, asked: Kind | None) -> Kind:
    """Return the format to write: a tar file's own is one that nothing has written since 2017.

    Raises:
        SegcliError: For a source that cannot be converted.
    """
    if checkpoint.kind not in _SOURCES:
        raise refusal(checkpoint.source, checkpoint.kind)
    if asked is not None:
        return asked
    return checkpoint.kind if checkpoint.kind in _TORCHS else Kind.ZIP


def name_for(name: str, kind: Kind) -> str:
    """Return a file's name with the ending of a format; one of torch's endings says as little as another and stays.

    Examples:
        >>> name_for("last.ckpt", Kind.SAFETENSORS), name_for("last.ckpt", Kind.LEGACY)
        ('last.safetensors', 'last.ckpt')
        >>> name_for("model.safetensors", Kind.ZIP), name_for("v1.5", Kind.DCP)
        ('model.pth', 'v1.5.dcp')
    """
    ending = next((ending for ending, known in SUFFIXES.items() if known is kind), "")
    path = Path(name)
    if not ending:
        return f"{path.stem}.pth" if path.suffix.lower() in SUFFIXES else name
    known = (".pth", ".pt", ".ckpt", ".bin", ".tar", *SUFFIXES)
    return f"{path.stem if path.suffix.lower() in known else name}{ending}"
