"""An evaluation as tagged numbers, for TensorBoard."""

from segcli.loss.result import LossResult, OhemValue


def scalars(result: LossResult) -> dict[str, float]:
    """Return the losses as ``loss/NAME``, OHEM's counts as ``ohem/...``, and classes as ``NAME_by_class/CLASS``."""
    tagged = {f"loss/{name}": loss.value for name, loss in result.losses.items()}
    for loss in result.losses.values():
        if isinstance(loss, OhemValue):
            tagged |= {f"ohem/{field}": getattr(loss, field) for field in ("n_valid", "n_hard", "n_kept", "threshold")}
    for name, loss in result.losses.items():
        for entry, value in zip(result.inputs.classes, loss.per_class, strict=True):
            if value is not None:
                tagged[f"{name}_by_class/{entry.name}"] = value
    return tagged
