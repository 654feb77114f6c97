"""Evaluates losses on saved predictions."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.device import resolve_device
from segcli.errors import SegcliError
from segcli.files import check_source
from segcli.loss.layout import Layout, Named, arrange
from segcli.loss.result import ClassCount, LossInputs, LossResult, Source
from segcli.loss.settings import LOSSES_OF_MODE, KnownMode, LossSettings
from segcli.loss.values import check_labels, check_logits, observations
from segcli.tensorio import STANDARD_INPUT, load_tensor, split_reference

if TYPE_CHECKING:
    from torch import Tensor

    from segcli.nn.kernels.reading import Statistics

Advance = Callable[[int], None]


def evaluate_files(
    logits: str, labels: str, settings: LossSettings, device: str = "cpu", advance: Advance = lambda _: None
) -> LossResult:
    """Evaluate the losses on two files, such as ``out.pt:logits`` and ``labels.npy``.

    Args:
        logits: A reference of `segcli.tensorio.load_tensor`.
        labels: Another.
        settings: Which losses, with which parameters.
        device: ``cpu``, ``cuda``, ``auto`` ...
        advance: Called with 1 after each loss.

    Raises:
        SegcliError: For files, shapes, values, settings or a device that will not do.
    """
    # Before torch is imported: a mistyped name is answered at once.
    paths = [split_reference(reference)[0] for reference in (logits, labels)]
    for path in paths:
        if str(path) != STANDARD_INPUT:
            check_source(path)
    if paths[0] == paths[1] == Path(STANDARD_INPUT):
        message = "LOGITS and LABELS are both standard input, which is read once"
        raise SegcliError(message, hint="name a file for one of them")
    where = resolve_device(device)
    return evaluate(
        load_tensor(logits, "logits"),
        load_tensor(labels, "labels"),
        settings,
        names=(logits, labels),
        device=str(where),
        advance=advance,
    )


def evaluate(
    logits: "Tensor",
    labels: "Tensor",
    settings: LossSettings,
    *,
    names: tuple[str, str] = ("logits", "labels"),
    device: str = "cpu",
    advance: Advance = lambda _: None,
) -> LossResult:
    """Evaluate the losses on two tensors.

    Args:
        logits: (C, H, W), (N, C, H, W), (N, C, D, H, W), or binary (H, W), (N, H, W).
        labels: The same without C.
        settings: Which losses, with which parameters.
        names: What messages call the two.
        device: Where to compute.
        advance: Called with 1 after each loss.

    Raises:
        SegcliError: For shapes, values or settings that will not do.

    Examples:
        >>> import torch
        >>> logits, labels = torch.zeros(4, 2, 2), torch.tensor([[0, 1], [2, 255]])
        >>> round(evaluate(logits, labels, LossSettings()).losses["ce"].value, 4)
        1.3863
    """
    import torch

    from segcli.loss.compute import LOSS_FUNCTIONS, read_batch

    sources = _source(names[0], logits), _source(names[1], labels)
    check_logits(logits, names[0])
    layout = arrange(Named(names[0], sources[0].shape), Named(names[1], sources[1].shape), settings.mode)
    # Unsigned 16-bit labels and wider can do little in torch.
    labels = labels if labels.is_floating_point() or labels.is_complex() else labels.to(torch.int64)
    check_labels(labels, names[1], layout, settings.ignore_index, guessed=settings.mode == "auto")
    wanted = _wanted(settings, layout.mode, names[0])
    notes = observations(logits, labels, layout, settings.ignore_index)
    class_names = _class_names(settings, layout, names[0])
    losses = {}
    with torch.inference_mode(), _parameter_errors():
        batch = read_batch(logits.to(device), labels.to(device), layout, settings, wanted)
        for name in wanted:
            losses[name] = LOSS_FUNCTIONS[name](batch)
            advance(1)
        inputs = _describe(batch.found, layout, sources, class_names)
    return LossResult(losses, inputs, settings.as_json(wanted), tuple(notes))


def _describe(
    found: "Statistics", layout: Layout, sources: tuple[Source, Source], class_names: Sequence[str]
) -> LossInputs:
    from segcli.loss.compute import count_classes

    counts = [int(count) for count in count_classes(found).tolist()]
    n_labels, n_valid = found.labels.numel(), int(found.count.sum())
    return LossInputs(
        logits=sources[0],
        labels=sources[1],
        mode=layout.mode,
        device=str(found.labels.device),
        n_images=layout.labels[0],
        n_labels=n_labels,
        n_valid=n_valid,
        n_ignored=n_labels - n_valid,
        classes=tuple(map(ClassCount, range(len(counts)), class_names, counts)),
    )


def _source(name: str, tensor: "Tensor") -> Source:
    return Source(name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


def _wanted(settings: LossSettings, mode: KnownMode, name: str) -> tuple[str, ...]:
    applicable = LOSSES_OF_MODE[mode]
    for loss in settings.losses:
        if loss not in applicable and not settings.all_that_apply:
            message = f"{loss} does not apply to {name}, whose logits are {mode}"
            raise SegcliError(message, hint=f"these do: {', '.join(applicable)}")
    return tuple(loss for loss in settings.losses if loss in applicable)


def _class_names(settings: LossSettings, layout: Layout, name: str) -> Sequence[str]:
    if not settings.class_names:
        return ("background", "foreground") if layout.mode == "binary" else [str(i) for i in range(layout.n_classes)]
    if len(settings.class_names) != layout.n_classes:
        message = f"{len(settings.class_names)} class names were given, {name} has {layout.n_classes} classes"
        raise SegcliError(message, hint="names are separated by commas: --class-names road,sidewalk,building")
    return settings.class_names


@contextmanager
def _parameter_errors() -> Iterator[None]:
    """The library's words for a parameter out of range, as an error of the command line."""
    try:
        yield
    except ValueError as error:
        raise SegcliError(str(error)) from error
