"""A weighted sum of losses, made of one read of the logits."""

from collections.abc import Mapping
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from segcli.nn.kernels.backends import Backend
from segcli.nn.kernels.checks import Mode
from segcli.nn.kernels.precision import accumulator, compute_dtype
from segcli.nn.losses.expression import NAMES, known_name, parse
from segcli.nn.losses.inputs import as_logits, read

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

# These sort pixels, which no sums of a read replace.
_OF_PIXELS = ("lovasz-softmax", "lovasz-hinge")


def combined_loss(logits: Tensor, labels: Tensor, expression: str, **settings: Any) -> Tensor:  # noqa: ANN401 - as the module
    """Return the loss that `CombinedLoss` makes of an expression and settings.

    Shape:
        As there.

    Raises:
        ValueError: As there.

    Examples:
        >>> combined_loss(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 1, 1]]), "ce + 2 * dice", dice={"smooth": 0})
        tensor(1.6931)
    """
    return cast("Tensor", CombinedLoss(expression, **settings)(logits, labels))


class CombinedLoss(nn.Module):
    """A weighted sum of losses, such as ``CombinedLoss("ce + 0.5 * dice")``, made of one read of the logits.

    Each loss may stand in it once, by its short name: ``ce``, ``ohem``, ``bce``, ``focal``, ``dice``,
    ``generalized-dice``, ``jaccard``, ``tversky``, ``focal-tversky``, ``lovasz-softmax``, ``lovasz-hinge``. Forward and
    backward read the logits once for all of them, but for Lovász's, which have to sort and so read for themselves.

    Shape:
        logits (N, C, *S) and labels (N, *S) for multiclass, labels like logits (N, C, *S) for multilabel and (N, *S)
        for binary; result ().

    Examples:
        >>> logits, labels = torch.zeros(1, 2, 4), torch.tensor([[0, 0, 1, 1]])
        >>> criterion = CombinedLoss("ce + 0.5 * dice", dice={"smooth": 0})
        >>> criterion(logits, labels)
        tensor(0.9431)
        >>> criterion.parts(logits, labels)
        {'ce': tensor(0.6931), 'dice': tensor(0.5000)}
    """

    def __init__(
        self,
        expression: str,
        *,
        mode: Mode = "multiclass",
        ignore_index: int | None = 255,
        from_logits: bool = True,
        process_group: "ProcessGroup | None" = None,
        backend: Backend = "auto",
        validate: bool = True,
        **settings: Mapping[str, Any],
    ) -> None:
        """Keep the settings.

        Args:
            expression: Names and numbers with +, - and *.
            mode: ``multiclass``, ``multilabel`` or ``binary``, of all parts.
            ignore_index: The label of pixels that do not count; None where all do.
            from_logits: Whether logits are given, or the probabilities themselves.
            process_group: Whose ranks' images are one batch.
            backend: As in `segcli.nn.kernels.statistics`.
            validate: Refuse what is not finite, and labels that are none; on CUDA this waits for the device.
            settings: Those of a loss by its name, with underscores: ``focal_tversky={"alpha": 0.5}``.

        Raises:
            ValueError: For an expression that is none, an unknown loss, and settings that do not belong to one.
        """
        super().__init__()
        self.expression = expression
        self.terms = parse(expression)
        self.mode: Mode = mode
        self.ignore_index = ignore_index
        self.from_logits = from_logits
        self.backend: Backend = backend
        self.validate = validate
        shared = {"mode": mode, "ignore_index": ignore_index, "process_group": process_group, "backend": backend}
        of_losses = {known_name(name): own for name, own in settings.items()}
        names = [term.name for term in self.terms]
        for name in of_losses:
            if name not in names:
                message = f"settings are given for {name}, expected those of {', '.join(names)}: {expression!r}"
                raise ValueError(message)
        # What one read has looked at need not be looked at again.
        self._reads = any(name not in _OF_PIXELS for name in names)
        shared["validate"] = validate and not self._reads
        self.losses = nn.ModuleDict({name: _make(name, of_losses.get(name, {}), shared) for name in names})

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a batch."""
        parts = self._parts(logits, labels)
        total = torch.stack([term.factor * parts[term.name] for term in self.terms]).sum()
        return total.to(compute_dtype(logits.dtype))

    def parts(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return the losses of a batch by name, without their factors; each with its graph."""
        parts = self._parts(logits, labels)
        return {name: loss.to(compute_dtype(logits.dtype)) for name, loss in parts.items()}

    def _parts(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        known = logits if self.from_logits else as_logits(logits, self.mode, validate=self.validate)
        losses: dict[str, Any] = dict(self.losses.items())
        found = None
        if self._reads:
            found = read(
                known,
                labels,
                mode=self.mode,
                ignore_index=self.ignore_index,
                backend=self.backend,
                validate=self.validate,
                thresh=losses["ohem"].thresh if "ohem" in losses else 0.7,
                gamma=losses["focal"].gamma if "focal" in losses else 0.0,
                pixels="ohem" in losses,
                squares=any(getattr(loss, "squared", False) for loss in losses.values()),
            )
        parts = {}
        for name, loss in losses.items():
            part = loss(known, labels) if name in _OF_PIXELS else loss.of(found)
            parts[name] = (part if isinstance(part, Tensor) else part.loss).to(accumulator(logits))
        return parts

    def extra_repr(self) -> str:
        """Say the settings."""
        return f"{self.expression!r}, mode={self.mode!r}, ignore_index={self.ignore_index}"


def _make(name: str, own: Mapping[str, Any], shared: dict[str, Any]) -> nn.Module:
    """Make the module of a loss with its own settings, and those of the shared ones that it takes."""
    file, kind = NAMES[name]
    if name == "lovasz-softmax" and shared["mode"] != "multiclass":
        message = f"mode is {shared['mode']!r}, expected multiclass for {name}: lovasz-hinge is that of 0 and 1"
        raise ValueError(message)
    make = getattr(import_module(f"segcli.nn.losses.{file}"), kind)
    takes = signature(make).parameters
    # Probabilities have become logits before a part sees them.
    known = [setting for setting in takes if setting not in (*shared, "from_logits")]
    for setting in own:
        if setting not in known:
            what = "is one for all parts" if setting in (*shared, "from_logits") else "is none of its settings"
            message = f"{name} is given {setting!r}, which {what}, expected {', '.join(known)}"
            raise ValueError(message)
    return cast("nn.Module", make(**own, **{setting: value for setting, value in shared.items() if setting in takes}))
