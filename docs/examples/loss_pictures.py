"""Draws the pictures of loss.md: the chart of a sweep and a heatmap, by the commands that the page shows."""

import io
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import predictions
from PIL import Image

SWEEP = (
    "loss predictions labels --config loss.yaml --loss ohem --over all "
    "--sweep thresh=0.1:0.9:0.2 --sweep n_min=1/64,1/16,1/4 --plot sweep.svg -q"
)
HEATMAP = "loss predictions labels --config loss.yaml --loss ohem --images pictures --heatmap heatmaps -q"
# So many are seen as well as all thousands of them, in half the bytes.
_N_COLOURS = 256
# Shades, in the mean over pixels: what another version of the font may change.
_TOLERANCE = 1.0


def draw() -> dict[str, bytes]:
    """Return the files' contents by name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        predictions.save(folder, predictions.predict())
        for command in (SWEEP, HEATMAP):
            argv = [sys.executable, "-m", "segcli", *command.split()]
            subprocess.run(argv, cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
        return {
            "sweep.svg": (folder / "sweep.svg").read_bytes(),
            "heatmap.png": _smaller(folder / "heatmaps" / "camera.png"),
        }


def same(one: bytes, other: bytes, name: str) -> bool:
    """Tell whether two files show the same."""
    if not name.endswith(".png"):
        return one == other
    pixels = [np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), np.float64) for content in (one, other)]
    return pixels[0].shape == pixels[1].shape and bool(np.abs(pixels[0] - pixels[1]).mean() < _TOLERANCE)


def _smaller(path: Path) -> bytes:
    content = io.BytesIO()
    with Image.open(path) as picture:
        picture.quantize(_N_COLOURS, dither=Image.Dither.NONE).save(content, "png", optimize=True)
    return content.getvalue()
