"""An evaluation as tagged numbers, for TensorBoard."""

from segcli.loss.result import LossResult, OhemValue


def scalars(result: LossResult) -> dict[str, float]:
    """Return the losses as ``loss/NAME``, OHEM's counts as ``ohem/...``, metrics as ``metrics/...``.

    Parts of classes are ``NAME_by_class/CLASS``, those of the gradient's norm ``gradient_NAME_by_class/CLASS``.
    """
    tagged = {f"loss/{name}": loss.value for name, loss in result.losses.items()}
    if result.total is not None:
        tagged["loss/total"] = result.total
    for loss in result.losses.values():
        if isinstance(loss, OhemValue):
            tagged |= {f"ohem/{field}": getattr(loss, field) for field in ("n_valid", "n_hard", "n_kept", "threshold")}
    by_class = {name: loss.per_class for name, loss in result.losses.items()}
    by_class |= {f"gradient_{name}": norms for name, norms in (result.gradient or {}).items()}
    if result.metrics is not None:
        known = {"pixel_accuracy": result.metrics.pixel_accuracy, "mean_iou": result.metrics.mean_iou}
        tagged |= {f"metrics/{name}": value for name, value in known.items() if value is not None}
        by_class["iou"] = result.metrics.iou_per_class
    for name, parts in by_class.items():
        for entry, value in zip(result.inputs.classes, parts, strict=True):
            if value is not None:
                tagged[f"{name}_by_class/{entry.name}"] = value
    return tagged
