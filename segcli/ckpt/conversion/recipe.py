"""What a conversion is asked for, apart from the files and the device."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """What shall become of a checkpoint; left out, all stays as it is.

    Attributes:
        map: Rules ``OLD=NEW`` about device tags, or types of devices, which win over the tag that all others become.
        device_objects: Whether ``torch.device`` objects among the user's values change like tags.
        dtype: The dtype that floating tensors shall have.
        keep_dtype: Globs of keys whose tensors keep theirs.
        allow_overflow: Whether numbers may become infinite in it.
        tensors_only: Whether what a format has no place for is left out, and not refused.
        dry_run: Whether nothing is written.
    """

    map: tuple[str, ...] = ()
    device_objects: bool = False
    dtype: str | None = None
    keep_dtype: tuple[str, ...] = ()
    allow_overflow: bool = False
    tensors_only: bool = False
    dry_run: bool = False
