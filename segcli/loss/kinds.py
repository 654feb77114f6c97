"""What files that are evaluated together have in common: how logits and labels belong together, and the classes."""

from collections.abc import Sequence
from dataclasses import dataclass

from segcli.errors import SegcliError
from segcli.loss.settings import KnownMode, LossSettings
from segcli.loss.sources.reading import Arrangement, read_sample
from segcli.loss.sources.sample import Pair, Sample

# Where so many pairs cannot be read, nothing is known of the rest.
_LOOKED_AT = 8


@dataclass(frozen=True)
class Kind:
    """What all files must share.

    Attributes:
        name: The logits that it was told by.
        mode: How logits and labels belong together.
        n_classes: How many classes they have, 2 for binary.
    """

    name: str
    mode: KnownMode
    n_classes: int


def kind_of(sample: Sample) -> Kind:
    """Return what a pair is."""
    return Kind(sample.pair.logits, sample.layout.mode, sample.layout.n_classes)


def kind_of_many(pairs: Sequence[Pair], arrangement: Arrangement) -> Kind | None:
    """Return what the first of many pairs is that can be read; None where the first few cannot.

    One alone is what it is, and may be standard input, which is read once: None, too.
    """
    for pair in pairs[:_LOOKED_AT] if len(pairs) > 1 else ():
        try:
            return kind_of(read_sample(pair, arrangement))
        except (SegcliError, OSError):
            # It is told when its turn comes.
            continue
    return None


def check_kind(kind: Kind, first: Kind) -> None:
    """Refuse files of several kinds.

    Raises:
        SegcliError: Where they differ.
    """
    if kind.mode != first.mode:
        message = f"{kind.name} is {kind.mode}, expected {first.mode} as {first.name}"
        raise SegcliError(message, hint="say what all of them are: --mode multiclass, multilabel or binary")
    if kind.n_classes != first.n_classes:
        message = f"{kind.name} has {kind.n_classes} classes, expected {first.n_classes} as {first.name}"
        raise SegcliError(message, hint="evaluate files of one network together")


def names_of_classes(settings: LossSettings, kind: Kind) -> Sequence[str]:
    """Return what the classes are called.

    Raises:
        SegcliError: Where there are more or fewer names than classes.

    Examples:
        >>> names_of_classes(LossSettings(), Kind("mask.pt", "binary", 2))
        ('background', 'foreground')
    """
    if not settings.class_names:
        return ("background", "foreground") if kind.mode == "binary" else [str(i) for i in range(kind.n_classes)]
    if len(settings.class_names) != kind.n_classes:
        message = f"{len(settings.class_names)} class names were given, {kind.name} has {kind.n_classes} classes"
        raise SegcliError(message, hint="names are separated by commas: --class-names road,sidewalk,building")
    return settings.class_names
