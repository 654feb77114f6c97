"""How the shapes of logits and labels belong together. Knows shapes alone, no tensors."""

from dataclasses import dataclass
from typing import Literal

from segcli.errors import SegcliError
from segcli.loss.settings import KnownMode, Mode

Shape = tuple[int, ...]
Resize = Literal["", "logits", "labels"]
# Where the classes are: before heights and widths, after them, or, where nobody said it, before them.
Axes = Literal["", "NCHW", "NHWC"]

_KNOWN = "(C, H, W), (N, C, H, W), (N, C, D, H, W), or binary (H, W), (N, H, W)"
# Height and width; with them a class axis; with them a batch axis; volumes have a depth besides.
_PLANE, _IMAGE, _BATCH, _VOLUMES = 2, 3, 4, 5
# The hint where nothing but sizes differs.
_RESIZE = "say which is resized: --resize logits, to the labels' size (bilinear), or --resize labels (nearest)"


@dataclass(frozen=True)
class Layout:
    """What the shapes are, and as what the tensors are to be viewed.

    Attributes:
        mode: ``multiclass``, ``multilabel`` or ``binary``.
        logits: (N, C, *S), or (N, *S) for binary.
        labels: (N, *S), or the logits' for multilabel.
    """

    mode: KnownMode
    logits: Shape
    labels: Shape

    @property
    def n_classes(self) -> int:
        """How many classes a pixel can have; 2 for binary."""
        return 2 if self.mode == "binary" else self.logits[1]


@dataclass(frozen=True)
class Named:
    """A tensor's name, for messages, and its shape."""

    name: str
    shape: Shape


def arrange(logits: Named, labels: Named, mode: Mode = "auto") -> Layout:
    """Tell the layout of a pair of tensors.

    Under ``auto``, equal shapes of two or three sides, and a class axis of one, mean binary; else labels must have the
    shape of the logits without the class axis, and the pair is multiclass. Where there is one image, its
    batch axis may be missing on either side. Multilabel is never guessed: it looks like one-hot labels.

    Raises:
        SegcliError: Where the shapes do not fit, with the nearest reason as its hint.

    Examples:
        >>> arrange(Named("logits.pt", (2, 19, 64, 64)), Named("labels.npy", (2, 64, 64)))
        Layout(mode='multiclass', logits=(2, 19, 64, 64), labels=(2, 64, 64))
    """
    if not _PLANE <= len(logits.shape) <= _VOLUMES:
        message = f"{logits.name} has shape {logits.shape}, expected {_KNOWN}"
        raise SegcliError(message)
    layout = None
    if mode in ("auto", "binary"):
        layout = _binary(logits.shape, labels.shape, asked_for=mode == "binary")
    if mode in ("auto", "multiclass"):
        layout = layout or _multiclass(logits.shape, labels.shape)
    if mode == "multilabel":
        layout = _multilabel(logits.shape, labels.shape)
    if layout is None:
        raise _misfit(logits, labels, mode)
    return layout


@dataclass(frozen=True)
class Fit:
    """A layout, and what is resized for it.

    Attributes:
        layout: Of the pair, once resized.
        resize: Which of the two is; neither where their sizes are the same.
        size: To which size, height and width, for volumes depth before.
    """

    layout: Layout
    resize: Resize = ""
    size: Shape = ()


def fit(logits: Named, labels: Named, mode: Mode = "auto", resize: Resize = "", axes: Axes = "") -> Fit:
    """Tell the layout of a pair of tensors whose sizes may differ, where it was said which of the two is resized.

    Nothing is resized that fits, and nothing that does not fit in other ways too: heights and widths that are swapped,
    channels that come last. Of channels that come last sizes that differ tell less: (64, 96, 19) could be 64 classes of
    (96, 19). Where nobody said where the classes are, it is refused if the labels' proportions are nearer to (64, 96).

    Raises:
        SegcliError: As `arrange`; for sizes that differ without ``resize``, with the option as its hint; for classes
            that may come last.

    Examples:
        >>> fit(Named("logits.pt", (19, 64, 64)), Named("labels.png", (512, 512)), resize="logits")
        Fit(layout=Layout(mode='multiclass', logits=(1, 19, 512, 512), labels=(1, 512, 512)), resize='logits', \
size=(512, 512))
    """
    try:
        return Fit(arrange(logits, labels, mode))
    except SegcliError as error:
        if not resize or error.hint != _RESIZE or 0 in logits.shape + labels.shape:
            raise
    n_sizes = _n_sizes(logits.shape)
    size = (labels if resize == "logits" else logits).shape[-n_sizes:]
    if resize == "logits":
        resized = Named(f"{logits.name} resized", (*logits.shape[:-n_sizes], *size)), labels
    else:
        resized = logits, Named(f"{labels.name} resized", (*labels.shape[:-n_sizes], *size))
    found = Fit(arrange(*resized, mode), resize, size)
    if not axes and found.layout.mode != "binary":
        _check_classes_first(logits, labels)
    return found


def _check_classes_first(logits: Named, labels: Named) -> None:
    n_sizes = _n_sizes(logits.shape)
    size = labels.shape[-n_sizes:]
    first, last = logits.shape[-n_sizes:], logits.shape[-n_sizes - 1 : -1]
    if _distortion(last, size) >= _distortion(first, size):
        return
    message = (
        f"{logits.name} {logits.shape} is {logits.shape[-n_sizes - 1]} classes of {first}, or {logits.shape[-1]} of"
        f" {last}, which is nearer to the proportions of {labels.name} {labels.shape}"
    )
    raise SegcliError(message, hint="say where the classes are: --layout NHWC, last; --layout NCHW, first")


def _distortion(size: Shape, other: Shape) -> float:
    """Return how much more one side must grow than another to bring a size to the other; 1 for like proportions.

    Examples:
        >>> _distortion((64, 96), (512, 768)), _distortion((96, 19), (512, 768))
        (1.0, 7.578947368421052)
    """
    factors = [after / before for before, after in zip(size, other, strict=True)]
    return max(factors) / min(factors)


def classes_last(logits: Shape, labels: Shape, mode: Mode = "auto") -> tuple[bool, bool]:
    """Say which of a pair have a class axis to move, where it is known that this axis comes last.

    Logits have one; they have none where they are binary and have as many axes as the labels. Labels have one for
    multilabel, and where it is of one on both sides.

    Examples:
        >>> classes_last((512, 1024, 19), (512, 1024)), classes_last((8, 512, 1024), (8, 512, 1024))
        ((True, False), (False, False))
    """
    if len(logits) < _IMAGE:
        return False, False
    if len(logits) != len(labels):
        return True, False
    if mode == "multilabel" or logits[-1] == labels[-1] == 1:
        return True, True
    # One image of labels with its batch axis, (1, H, W), beside logits (H, W, C) without.
    one_image = len(logits) == _IMAGE and labels[0] == 1 != logits[0]
    is_binary = mode == "binary" or (mode == "auto" and len(logits) == _IMAGE and not one_image)
    return not is_binary or logits[-1] == 1, False


def _n_sizes(logits: Shape) -> int:
    """Count the axes that are no batch and no classes: height and width, in volumes a depth."""
    return 3 if len(logits) == _VOLUMES else _PLANE


def _binary(logits: Shape, labels: Shape, *, asked_for: bool) -> Layout | None:
    axis = _class_axis(logits)
    if len(logits) > _PLANE and logits[axis] == 1 and labels in (logits, _without(logits, axis)):
        view = _with_batch(_without(logits, axis), _IMAGE)
        return Layout("binary", view, view)
    if logits == labels and (asked_for or len(logits) <= _IMAGE):
        view = _with_batch(logits, _IMAGE)
        return Layout("binary", view, view)
    return None


def _multiclass(logits: Shape, labels: Shape) -> Layout | None:
    if len(logits) < _IMAGE:
        return None
    view = _with_batch(logits, _BATCH)
    expected = _without(view, 1)
    one_image = expected[0] == 1 and labels == expected[1:]
    return Layout("multiclass", view, expected) if view[1] > 1 and (labels == expected or one_image) else None


def _multilabel(logits: Shape, labels: Shape) -> Layout | None:
    if logits != labels or len(logits) < _IMAGE:
        return None
    view = _with_batch(logits, _BATCH)
    return Layout("multilabel", view, view)


def _class_axis(logits: Shape) -> int:
    return 1 if len(logits) >= _BATCH else 0


def _without(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])


def _with_batch(shape: Shape, full: int) -> Shape:
    return (1, *shape) if len(shape) < full else shape


def _misfit(logits: Named, labels: Named, mode: Mode) -> SegcliError:
    same = mode in ("binary", "multilabel") or len(logits.shape) < _IMAGE
    expected = logits.shape if same else _without(logits.shape, _class_axis(logits.shape))
    # The shape is right and the mode is not: two sides under multiclass, say.
    wanted = _KNOWN.partition(", or")[0] if labels.shape == expected else ""
    if wanted:
        message = f"{logits.name} has shape {logits.shape}, expected {wanted} for --mode {mode}"
        return SegcliError(message)
    message = f"{labels.name} has shape {labels.shape}, expected {expected} to match {logits.name} {logits.shape}"
    return SegcliError(message, hint=_reason(logits.shape, labels.shape, expected, mode))


def _without_batch(shape: Shape) -> Shape:
    return shape[1:] if shape[:1] == (1,) else shape


def _reason(logits: Shape, labels: Shape, expected: Shape, mode: Mode) -> str:
    axis = _class_axis(logits)
    if mode in ("auto", "multiclass"):
        if labels == logits:
            return f"one-hot labels? save labels.argmax({axis}); classes that may overlap: --mode multilabel"
        if labels[:-1] == expected and labels[-1] == logits[axis]:
            return "one-hot labels, classes last? save labels.argmax(-1)"
        if labels == logits[:-1] or labels == (1, *logits[:-1]):
            order = (*range(axis), len(logits) - 1, *range(axis, len(logits) - 1))
            return f"logits with channels last? --layout NHWC, or save logits.permute{order}"
        if labels == (*expected[:axis], 1, *expected[axis:]):
            return f"labels with a class axis of one? save labels.squeeze({axis})"
        if labels == logits[1:]:
            return "a volume without its batch axis? save logits[None] and labels[None]"
    return _sizes_reason(logits, labels, expected)


def _sizes_reason(logits: Shape, labels: Shape, expected: Shape) -> str:
    if labels[-2:] == expected[:-3:-1] and len(labels) == len(expected) and labels[:-2] == expected[:-2]:
        return "height and width are swapped: save labels.transpose(-2, -1)"
    axes = _n_sizes(logits)
    if len(labels) >= axes and _without_batch(labels[:-axes]) == _without_batch(expected[:-axes]):
        return _RESIZE
    if labels[:-2] == logits[:-2]:
        return "binary logits, of another size? --mode binary, and --resize logits or --resize labels"
    if len(labels) != len(expected):
        return f"logits are {_KNOWN}; labels are the same without C"
    if len(labels) > _PLANE and labels[0] != expected[0] and labels[1:] == expected[1:]:
        return f"the labels hold {labels[0]} images, the logits {expected[0]}"
    return "do the two files belong together?"
