"""Tables for loss.md that are checked against what segcli writes: the document's keys, and TensorBoard's tags."""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import terminal

# A star stands for names: of losses, of parameters.
KEYS = {
    "schema": "`segcli.loss/1`",
    "losses.*.value": "the loss; of several files as `settings.over` says",
    "losses.*.per_class": "its part of each class, null where the class has none",
    "losses.*.parameters.*": "what it was computed with; what is not there is the library's default",
    "losses.*.n_averaged": "how many values `value` is the mean of: the files with valid pixels; "
    "with `--over all` the images of a region loss, 1 with `--reduce batch`, null for means over pixels",
    "losses.ohem.n_valid": "pixels that are not ignored",
    "losses.ohem.n_hard": "those whose true class has a probability below `thresh`",
    "losses.ohem.n_min": "how many are kept at least; a share is a count here",
    "losses.ohem.n_kept": "how many were kept",
    "losses.ohem.threshold": "the effective `thresh`; the mean over files",
    "losses.ohem.loss_threshold": "the same as a loss, -log of it; the mean over files",
    "losses.ohem.branch": "`hard`, `top-k`, `all`, `none`; `mixed` where files differ",
    "losses.ohem.n_kept_per_class": "kept pixels by class; parts of pixels where some tie for the last places",
    "losses.ohem.n_files_by_branch.*": "how many files went which way; null for one batch",
    "total": "the sum that `--loss 'ce + 0.5*dice'` asked for, else null",
    "metrics": "null without `--metrics`",
    "metrics.pixel_accuracy": "the share of valid pixels that are predicted right",
    "metrics.mean_iou": "the mean of the classes' IoU",
    "metrics.iou_per_class": "null where a class is neither labelled nor predicted",
    "metrics.accuracy_per_class": "recall",
    "metrics.confusion": "pixels by label (rows) and prediction; for multilabel such a matrix a class",
    "per_image": "the worst `--top` by the first loss, the worst first; empty for one image",
    "per_image.name": "`NAME`, or `NAME[3]` in a file of several images",
    "per_image.n_valid": "its pixels that are not ignored",
    "per_image.losses.*": "of the image by itself, whatever `--over` says",
    "per_image.accuracy": "with `--metrics`",
    "per_image.heatmap": "its picture, with `--heatmap`",
    "sweep": "one a loss and point",
    "sweep.loss": "which",
    "sweep.point.*": "the swept parameters here",
    "sweep.value": "the loss",
    "sweep.kept": "OHEM's share of valid pixels that were kept",
    "sweep.branch": "OHEM's",
    "projects": "with `--as`",
    "projects.project": "which",
    "projects.loss": "which",
    "projects.call": "how its users call it",
    "projects.value": "theirs, null where they have no number",
    "projects.ours": "ours, with the same parameters",
    "projects.reasons": "why they differ on this data",
    "projects.error": "what it raises or returns in place of a number",
    "projects.remark": "what is worth knowing, and changes nothing here",
    "gradient": "null without `--grad`",
    "gradient.*": "the norm by class",
    "histogram": "null unless OHEM was evaluated",
    "histogram.bins.low": "the least loss of the bin; its bins are those of the table",
    "histogram.bins.high": "the least loss beyond it; null for infinity",
    "histogram.bins.p_low": "the probability of the true class at `high`",
    "histogram.bins.p_high": "the one at `low`",
    "histogram.bins.count": "how many pixels",
    "histogram.bins.share": "of the valid ones",
    "histogram.bins.share_above": "these and all harder ones",
    "histogram.bins.kind": "`hard`, `easy`, or `both` where `thresh` lies within",
    "histogram.n_valid": "how many pixels all bins hold",
    "histogram.threshold": "`thresh` as a loss",
    "histogram.n_hard": "how many pixels are above it",
    "inputs.logits.file": "the file or folder",
    "inputs.logits.shape": "as saved; null where files differ",
    "inputs.logits.dtype": "as saved; null where files differ",
    "inputs.labels.file": "the same of the labels",
    "inputs.labels.shape": "",
    "inputs.labels.dtype": "",
    "inputs.mode": "`multiclass`, `multilabel` or `binary`",
    "inputs.device": "where it was computed",
    "inputs.n_files": "how many pairs",
    "inputs.n_images": "how many images they hold",
    "inputs.n_labels": "pixels; for multilabel pixels times classes",
    "inputs.n_valid": "those that count",
    "inputs.n_ignored": "those that do not",
    "inputs.n_bytes": "how many bytes were read",
    "inputs.classes.index": "from 0",
    "inputs.classes.name": "of `--class-names`",
    "inputs.classes.n_pixels": "valid pixels with that label",
    "settings.*": "every parameter, as the options name them",
    "backend": "what computed: `eager`, `compiled`, `triton`",
    "errors": "pairs that `--on-error skip` left out",
    "errors.name": "which",
    "errors.message": "why",
    "notes": "what was noticed, in words",
}
_NAMED = ("losses", "parameters", "n_files_by_branch", "point", "gradient", "settings")


def keys(command: str) -> None:
    """Print a table of the document's keys, and fail where the command's document has others.

    Raises:
        RuntimeError: Naming the keys.
    """
    found = set(_paths(json.loads(terminal.output(command))))
    containers = {path for path in KEYS if any(other.startswith(f"{path}.") for other in KEYS)}
    wrong = found ^ (set(KEYS) - containers - {"errors.name", "errors.message"} | ({"errors"} & found))
    if wrong:
        message = f"the table of keys is not what {command} writes: {', '.join(sorted(wrong))}"
        raise RuntimeError(message)
    print("\n| key | |\n| --- | --- |")
    for path, words in KEYS.items():
        print(f"| `{path}` | {words} |")
    print()


def _paths(content: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401 - whatever JSON holds
    if isinstance(content, list) and content and isinstance(content[0], dict):
        content = content[0]
    named = path.rpartition(".")[2] in _NAMED
    if not isinstance(content, dict):
        yield path
        return
    for key, value in content.items():
        step = key if not named or (path == "losses" and key == "ohem") else "*"
        for found in _paths(value, f"{path}.{step}" if path else step):
            # OHEM has what every loss has, and more.
            shared = found.replace("losses.ohem.", "losses.*.", 1)
            yield shared if shared in KEYS else found


def tags(folder: str) -> None:
    """Print TensorBoard's tags below a folder, as TensorBoard's own reader finds them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    root = terminal.folder() / folder
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for run in sorted({path.parent for path in root.rglob("events.*")}):
        read = EventAccumulator(str(run)).Reload()
        of_sweep = run != root
        for tab in ("scalars", "histograms", "images"):
            for tag in read.Tags()[tab]:
                group, _, name = tag.partition("/")
                known = groups["a run a point" if of_sweep else "the run itself", tab, f"{group}/"]
                known += [name] if name not in known else []
    print("\n| | tab | tags | |\n| --- | --- | --- | --- |")
    for (run_name, tab, group), names in groups.items():
        print(f"| {run_name} | {tab} | `{group}` | {', '.join(sorted(names))} |")
    print()
