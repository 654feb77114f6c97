"""Makes predictions of the five photographs, on every machine the same: ``python docs/examples/predictions.py FOLDER``.

It writes what a network would leave, as folders whose files belong together by their names:

- ``predictions/``: logits (5, 192, 240) a photograph, as ``.npy``;
- ``labels/``: the truth as PNG, 255 where ignored;
- ``pictures/``: the photographs;
- ``loss.yaml``: the names of the classes, for ``segcli loss --config``.

What stands in for the network looks at each pixel by itself: a multinomial logistic regression on random Fourier
features (Rahimi and Recht 2007, "Random Features for Large-Scale Kernel Machines") of the colours around it. Such a fit
has one optimum. Newton's method finds it in a few steps, and float64 leaves no digit of it to chance.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from photographs import CLASSES, IGNORED, PHOTOGRAPHS, load
from PIL import Image
from scipy import ndimage

NAMES = (*(photograph.name for photograph in PHOTOGRAPHS), "coins")
# How far around a pixel colours are averaged, as standard deviations in pixels.
_WIDTHS = (0, 2, 6, 16)
_N_FREQUENCIES = 32
# One pixel in so many is learnt from.
_EVERY = 32
_PENALTY = 1e-4
_STEPS = 14

Array = NDArray[np.float64]


def save(folder: Path, logits: NDArray[np.floating]) -> None:
    """Write logits (5, C, 192, 240), the labels and the photographs as folders of five files each, and the classes."""
    images, labels = load()
    for kind in ("predictions", "labels", "pictures"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for name, image, truth, answer in zip(NAMES, images, labels, logits, strict=True):
        np.save(folder / "predictions" / f"{name}.npy", answer)
        Image.fromarray(truth).save(folder / "labels" / f"{name}.png")
        colours = (255 * image.transpose(1, 2, 0)).round().astype(np.uint8)
        Image.fromarray(colours).save(folder / "pictures" / f"{name}.png")
    (folder / "loss.yaml").write_text(f"loss:\n  class-names: {','.join(CLASSES)}\n")


def predict() -> Array:
    """Return logits (5, C, 192, 240)."""
    images, labels = load()
    features = _features(images.astype(np.float64))
    n_images, *size, n_features = features.shape
    flat, truth = features.reshape(-1, n_features), labels.reshape(-1)
    learnt = np.flatnonzero(truth != IGNORED)[::_EVERY]
    weights = _fit(flat[learnt], np.eye(len(CLASSES))[truth[learnt]])
    return np.ascontiguousarray((flat @ weights).reshape(n_images, *size, -1).transpose(0, 3, 1, 2))


def _features(images: Array) -> Array:
    """Return what is known of each pixel, (N, H, W, features)."""
    around = [ndimage.gaussian_filter(images, (0, 0, width, width)) for width in _WIDTHS]
    known = np.concatenate(around, axis=1).transpose(0, 2, 3, 1)
    known = (known - known.mean((0, 1, 2))) / known.std((0, 1, 2))
    draw = np.random.default_rng(0)
    frequencies = draw.normal(size=(known.shape[-1], _N_FREQUENCIES)) / 2
    waves = np.cos(known @ frequencies + draw.uniform(0, 2 * np.pi, _N_FREQUENCIES))
    return np.concatenate([known, waves, np.ones_like(known[..., :1])], axis=-1)


def _fit(features: Array, truth: Array) -> Array:
    """Return the weights (features, C) of the least penalised cross-entropy, by Newton's method."""
    (n, n_features), n_classes = features.shape, truth.shape[1]
    weights = np.zeros((n_features, n_classes))
    for _ in range(_STEPS):
        p = _softmax(features @ weights)
        slope = features.T @ (p - truth) / n + _PENALTY * weights
        # Index a feature and a class, and another of both.
        each = (features[:, :, None] * p[:, None]).reshape(n, -1)
        curvature = (-each.T @ each).reshape(n_features, n_classes, n_features, n_classes)
        for a in range(n_classes):
            curvature[:, a, :, a] += features.T @ (features * p[:, [a]])
        square = curvature.reshape(weights.size, -1) / n + _PENALTY * np.eye(weights.size)
        weights = weights - np.linalg.solve(square, slope.ravel()).reshape(weights.shape)
    return weights


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


if __name__ == "__main__":
    save(Path(sys.argv[1]), predict())
