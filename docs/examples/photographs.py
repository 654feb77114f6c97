"""Five photographs that ship inside scikit-image, with labels from classical segmentation.

Four are labelled by random walks from a few boxes drawn by hand (Grady 2006, "Random Walks for Image Segmentation"),
the coins by a watershed of their edges. Pixels that the random walker is unsure of get the label 255: ignored.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import data
from skimage.filters import sobel
from skimage.segmentation import random_walker, watershed
from skimage.transform import resize

CLASSES = ("background", "person", "cat", "cup", "coin")
IGNORED = 255
SIZE = (192, 240)

Box = tuple[float, float, float, float]
"""Top, bottom, left, right, as fractions of the picture's height and width."""


@dataclass(frozen=True)
class Photograph:
    """A picture in scikit-image, and boxes that surely lie on its object or on its background."""

    name: str
    label: int
    inside: tuple[Box, ...]
    outside: tuple[Box, ...]


PHOTOGRAPHS = (
    Photograph(
        "astronaut",
        CLASSES.index("person"),
        inside=((0.08, 0.26, 0.36, 0.52), (0.45, 0.92, 0.2, 0.5), (0.6, 0.92, 0.08, 0.18), (0.68, 0.76, 0.5, 0.64)),
        outside=(
            (0.0, 0.2, 0.0, 0.12),
            (0.05, 0.25, 0.2, 0.27),
            (0.02, 0.5, 0.62, 0.7),
            (0.02, 0.5, 0.75, 0.95),
            (0.78, 0.96, 0.62, 0.94),
            (0.6, 0.9, 0.0, 0.03),
            (0.58, 0.64, 0.76, 0.96),
        ),
    ),
    Photograph(
        "cat",
        CLASSES.index("cat"),
        inside=((0.12, 0.75, 0.2, 0.6), (0.3, 0.6, 0.6, 0.76), (0.85, 0.98, 0.12, 0.5), (0.0, 0.1, 0.3, 0.7)),
        outside=((0.05, 0.45, 0.9, 1.0), (0.6, 1.0, 0.86, 1.0), (0.0, 0.3, 0.0, 0.04)),
    ),
    Photograph(
        "coffee",
        CLASSES.index("cup"),
        inside=((0.08, 0.45, 0.33, 0.66), (0.6, 0.9, 0.3, 0.7), (0.4, 0.75, 0.18, 0.28), (0.45, 0.7, 0.7, 0.74)),
        outside=(
            (0.0, 0.03, 0.2, 0.9),
            (0.02, 0.3, 0.02, 0.12),
            (0.02, 0.8, 0.86, 1.0),
            (0.4, 0.7, 0.0, 0.1),
            (0.8, 1.0, 0.0, 0.15),
        ),
    ),
    Photograph(
        "camera",
        CLASSES.index("person"),
        inside=((0.3, 0.55, 0.1, 0.34), (0.6, 0.95, 0.06, 0.18), (0.14, 0.24, 0.35, 0.5), (0.5, 0.58, 0.42, 0.5)),
        outside=(
            (0.02, 0.12, 0.0, 1.0),
            (0.12, 0.2, 0.0, 0.2),
            (0.12, 0.3, 0.68, 1.0),
            (0.28, 0.33, 0.52, 0.62),
            (0.62, 0.98, 0.7, 1.0),
            (0.75, 0.98, 0.36, 0.48),
            (0.4, 0.85, 0.56, 0.58),
            (0.4, 0.6, 0.62, 1.0),
        ),
    ),
)


def load() -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return all pictures, shape (5, 3, 192, 240) in 0 to 1, and their labels, shape (5, 192, 240)."""
    pictures, labels = [], []
    for photograph in PHOTOGRAPHS:
        picture = _picture(photograph.name)
        pictures.append(picture)
        labels.append(_walk(picture, photograph))
    coins = _picture("coins")
    images = np.stack([*pictures, coins]).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(images), np.stack([*labels, _coins(coins)])


def _picture(name: str) -> NDArray[np.float32]:
    picture = getattr(data, name)()
    if picture.ndim == 2:  # noqa: PLR2004 - a grey picture
        picture = np.stack([picture] * 3, axis=-1)
    resized: NDArray[np.float32] = resize(picture, SIZE, anti_aliasing=True).astype(np.float32)
    return resized


def _walk(picture: NDArray[np.float32], photograph: Photograph) -> NDArray[np.uint8]:
    seeds = np.zeros(SIZE, np.uint8)
    for mark, boxes in ((1, photograph.outside), (2, photograph.inside)):
        for top, bottom, left, right in boxes:
            rows = slice(int(top * SIZE[0]), int(bottom * SIZE[0]))
            seeds[rows, int(left * SIZE[1]) : int(right * SIZE[1])] = mark
    outside, inside = random_walker(picture, seeds, beta=300, mode="bf", return_full_prob=True, channel_axis=-1)
    labels = np.where(inside > outside, photograph.label, 0).astype(np.uint8)
    sure = 0.75
    labels[np.maximum(inside, outside) < sure] = IGNORED
    return labels


def _coins(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    grey = picture[..., 0]
    dark, bright = 30 / 255, 150 / 255
    seeds = np.where(grey < dark, 1, np.where(grey > bright, 2, 0))
    filled = ndimage.binary_fill_holes(watershed(sobel(grey), seeds) == 2)  # noqa: PLR2004 - the second seed
    coins = ndimage.binary_opening(filled, iterations=2)
    return np.where(coins, CLASSES.index("coin"), 0).astype(np.uint8)
