"""Reads a pair of files into what is measured: as views, so that a file larger than memory stays where it is."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from segcli.errors import SegcliError
from segcli.loss.result import Source
from segcli.loss.settings import KnownMode, Mode
from segcli.loss.sources.layout import Axes, Fit, Named, Resize, classes_last, fit
from segcli.loss.sources.resizing import ResizeMode, resize_labels, resize_logits
from segcli.loss.sources.sample import Pair, Sample
from segcli.tensorio import load_tensor

if TYPE_CHECKING:
    from torch import Tensor

# With fewer axes there is no batch.
_BATCH = 4


@dataclass(frozen=True)
class Arrangement:
    """How the axes and sizes of saved tensors are meant.

    Attributes:
        mode: How logits and labels belong together; ``auto`` tells by their shapes.
        layout: ``NCHW``, or ``NHWC`` where classes come last: (H, W, C), (N, H, W, C), (N, D, H, W, C). Where nobody
            said it, they come first, and pairs of which that is doubtful are refused.
        resize: Which of the two is resized where their sizes differ; neither, and that is an error.
        resize_mode: How logits are; labels always take the nearest pixel.
    """

    mode: Mode = "auto"
    layout: Axes = ""
    resize: Resize = ""
    resize_mode: ResizeMode = "bilinear"


_AS_SAVED = Arrangement()


def read_sample(pair: Pair, arrangement: Arrangement = _AS_SAVED) -> Sample:
    """Load a pair's tensors and lay them out.

    What files map stays mapped: no value of the logits is read, and of the labels only where their dtype is none that
    kernels know, or where they are resized.

    Raises:
        SegcliError: For files, dtypes and shapes that will not do.

    Examples:
        >>> import tempfile, torch
        >>> folder = tempfile.mkdtemp()
        >>> torch.save(torch.zeros(64, 96, 19), f"{folder}/logits.pt")
        >>> torch.save(torch.zeros(64, 96, dtype=torch.int16), f"{folder}/labels.pt")
        >>> pair = Pair("a", f"{folder}/logits.pt", f"{folder}/labels.pt")
        >>> sample = read_sample(pair, Arrangement(layout="NHWC"))
        >>> sample.logits.shape, sample.labels.shape, sample.labels.dtype
        (torch.Size([1, 19, 64, 96]), torch.Size([1, 64, 96]), torch.int32)
    """
    return sample_of(pair, load_tensor(pair.logits, "logits"), load_tensor(pair.labels, "labels"), arrangement)


def sample_of(pair: Pair, logits: "Tensor", labels: "Tensor", arrangement: Arrangement = _AS_SAVED) -> Sample:
    """Lay out a pair of tensors that are in memory; the pair's references are what messages call them.

    Raises:
        SegcliError: For dtypes and shapes that will not do.
    """
    sources = _source(pair.logits, logits), _source(pair.labels, labels)
    _check_logits(logits, pair.logits)
    n_bytes = sum(tensor.numel() * tensor.element_size() for tensor in (logits, labels))
    names = [pair.logits, pair.labels]
    if arrangement.layout == "NHWC":
        moved = classes_last(tuple(logits.shape), tuple(labels.shape), arrangement.mode)
        names = [f"{name} with channels first" if turn else name for name, turn in zip(names, moved, strict=True)]
        logits, labels = (
            _first(tensor) if turn else tensor for tensor, turn in zip((logits, labels), moved, strict=True)
        )
    found = fit(
        Named(names[0], tuple(logits.shape)),
        Named(names[1], tuple(labels.shape)),
        arrangement.mode,
        arrangement.resize,
        arrangement.layout,
    )
    labels = _whole(labels, pair.labels, found.layout.mode)
    return Sample(
        pair=pair,
        logits=_viewed_logits(logits, found),
        labels=(resize_labels(labels, found.size) if found.resize == "labels" else labels).reshape(found.layout.labels),
        layout=found.layout,
        sources=sources,
        n_bytes=n_bytes,
        resize_to=found.size if found.resize == "logits" else (),
        resize_mode=arrangement.resize_mode,
    )


def logits_of(sample: Sample, start: int, stop: int) -> "Tensor":
    """Return the logits of some images of a sample in the layout's shape, resized where that was asked for.

    Take few at a time: what is resized is in memory.

    Examples:
        >>> import torch
        >>> logits, labels = torch.zeros(5, 19, 8, 8), torch.zeros(5, 64, 64, dtype=torch.uint8)
        >>> sample = sample_of(Pair("a", "a.pt", "a.npy"), logits, labels, Arrangement(resize="logits"))
        >>> logits_of(sample, 1, 2).shape
        torch.Size([1, 19, 64, 64])
    """
    images = sample.logits[start:stop]
    return resize_logits(images, sample.resize_to, sample.resize_mode) if sample.resize_to else images


def _source(name: str, tensor: "Tensor") -> Source:
    return Source(name, tuple(tensor.shape), _dtype(tensor))


def _dtype(tensor: "Tensor") -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _check_logits(logits: "Tensor", name: str) -> None:
    import torch

    if not logits.is_floating_point():
        message = f"{name} holds {_dtype(logits)}, expected floating logits"
        raise SegcliError(message, hint="are LOGITS and LABELS swapped, or are these classes after an argmax?")
    if logits.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        message = f"{name} holds {_dtype(logits)}, expected float16, bfloat16, float32 or float64"
        raise SegcliError(message, hint="save logits.float()")


def _first(tensor: "Tensor") -> "Tensor":
    """View a tensor whose classes come last with its classes first."""
    return tensor.movedim(-1, 1 if tensor.dim() >= _BATCH else 0)


def _viewed_logits(logits: "Tensor", found: Fit) -> "Tensor":
    if found.resize != "logits":
        return logits.reshape(found.layout.logits)
    axes = len(found.size)
    return logits.reshape(*found.layout.logits[:-axes], *logits.shape[-axes:])


def _whole(labels: "Tensor", name: str, mode: KnownMode) -> "Tensor":
    """Return labels in the dtype that kernels read and that costs least."""
    import torch

    from segcli.nn.kernels.reading import whole_labels

    if labels.is_complex() or (mode == "multiclass" and labels.is_floating_point()):
        message = f"{name} holds {_dtype(labels)}, expected whole numbers"
        raise SegcliError(message, hint="save classes: labels.long() or labels.astype('int64'), without scaling")
    if labels.is_floating_point():
        # Kernels take zeros and ones as floats; converted here, a fraction could not be shown as it was saved.
        return labels
    return labels.view(torch.uint8) if labels.dtype == torch.bool else whole_labels(labels)
