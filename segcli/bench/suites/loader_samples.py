"""Samples as a segmentation data set has them: PNG files of images and labels, cropped, flipped and normalised."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segcli.bench.kernel import Case, Tensors

if TYPE_CHECKING:
    import numpy as np
    import torch

EPOCH = 64
"""Samples an epoch."""
_FILES = 8
"""Stored images; an epoch takes each several times, with another crop."""
_STORED_TIMES = 2
"""A stored image's sides over those of its crops, as in training on Cityscapes at half its size."""
_CLASSES = 19


def draw_samples(case: Case, generator: "torch.Generator") -> "dict[str, torch.Tensor]":
    """Return the files' bytes, one after the other, and where each ends; which file, and which crop, a sample is of."""
    import torch

    high, wide = (side * _STORED_TIMES for side in case.size)
    images = [_encoded(_picture(high, wide, generator)) for _ in range(_FILES)]
    labels = [_encoded(_regions(high, wide, generator)) for _ in range(_FILES)]
    tops = torch.randint(high - case.size[0] + 1, (EPOCH,), generator=generator)
    lefts = torch.randint(wide - case.size[1] + 1, (EPOCH,), generator=generator)
    flips = torch.randint(2, (EPOCH,), generator=generator)
    return {
        # First, as the dtype of all is told by it: (mean, deviation) of the three colours, of values from 0 to 1.
        "colours": torch.tensor([[0.5, 0.5, 0.5], [0.25, 0.25, 0.25]]),
        "files": torch.cat(images + labels),
        "ends": torch.tensor([len(file) for file in images + labels]).cumsum(0),
        "samples": torch.stack((torch.arange(EPOCH) % _FILES, tops, lefts, flips), 1),
        "crop": torch.tensor(case.size),
        "batch": torch.tensor(case.batch),
    }


def _picture(high: int, wide: int, generator: "torch.Generator") -> "torch.Tensor":
    """Return (H, W, 3) of large soft shapes and a little noise, which a PNG holds in about half, as photographs."""
    import torch
    from torch.nn import functional

    coarse = torch.rand((1, 3, -(-high // 64) + 1, -(-wide // 64) + 1), generator=generator) * 240
    soft = functional.interpolate(coarse, (high, wide), mode="bilinear", align_corners=False)[0]
    noise = torch.randint(16, soft.shape, generator=generator)
    return (soft + noise).to(torch.uint8).permute(1, 2, 0)


def _regions(high: int, wide: int, generator: "torch.Generator") -> "torch.Tensor":
    """Return (H, W) of classes in blocks."""
    import torch

    blocks = torch.randint(_CLASSES, (-(-high // 32), -(-wide // 32)), generator=generator, dtype=torch.uint8)
    return blocks.repeat_interleave(32, 0)[:high].repeat_interleave(32, 1)[:, :wide]


def _encoded(pixels: "torch.Tensor") -> "torch.Tensor":
    import torch
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels.contiguous().numpy()).save(file, "PNG", compress_level=1)
    return torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8)


@dataclass(frozen=True)
class Samples:
    """A data set: what a worker does for each sample, with NumPy and Pillow.

    Attributes:
        images: Their files.
        labels: Theirs.
        samples: (file, top, left, whether flipped) of each.
        crop: (height, width).
        colours: (2, 3): what is taken off, and what is divided by.
        dtype: Of the image that comes out.
    """

    images: Sequence[bytes]
    labels: Sequence[bytes]
    samples: Sequence[tuple[int, int, int, int]]
    crop: tuple[int, int]
    colours: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]"
    dtype: "torch.dtype"

    def __len__(self) -> int:
        """Return the samples of an epoch."""
        return len(self.samples)

    def __getitem__(self, index: int) -> "tuple[torch.Tensor, torch.Tensor]":
        """Return an image (3, H, W) and its labels (H, W)."""
        import numpy as np
        import torch

        file, top, left, flipped = self.samples[index]
        place = slice(top, top + self.crop[0]), slice(left, left + self.crop[1])
        step = -1 if flipped else 1
        image = self._decoded(self.images[file])[place][:, ::step].astype(np.float32)
        labels = self._decoded(self.labels[file])[place][:, ::step].astype(np.int64)
        mean, deviation = self.colours
        normal = (image * np.float32(1 / 255) - mean) / deviation
        chw = np.ascontiguousarray(normal.transpose(2, 0, 1))
        return torch.from_numpy(chw).to(self.dtype), torch.from_numpy(np.ascontiguousarray(labels))

    @staticmethod
    def _decoded(file: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
        import numpy as np
        from PIL import Image

        return np.asarray(Image.open(io.BytesIO(file)))


def samples_of(tensors: Tensors) -> Samples:
    """Return the data set of what was drawn."""
    files = [bytes(file.numpy()) for file in _files(tensors)]
    return Samples(
        images=files[:_FILES],
        labels=files[_FILES:],
        samples=[(file, top, left, flip) for file, top, left, flip in tensors["samples"].tolist()],
        crop=_crop(tensors),
        colours=tensors["colours"].float().cpu().numpy(),
        dtype=tensors["colours"].dtype,
    )


def summed(images: "torch.Tensor", labels: "torch.Tensor") -> "torch.Tensor":
    """Return sums of each sample of a batch: of the left and right halves, so that a flip shows.

    Shape:
        (N, 3, H, W) and (N, H, W) to (N, 4): image left and right, labels left and right.
    """
    import torch

    middle = images.shape[-1] // 2
    halves = [images[..., :middle], images[..., middle:], labels[..., :middle], labels[..., middle:]]
    return torch.stack([half.flatten(1).sum(1).to(torch.float32) for half in halves], 1)


def plainly_summed(tensors: Tensors) -> "torch.Tensor":
    """Return what `summed` has to find for an epoch, sample by sample, in float64."""
    import numpy as np
    import torch
    from PIL import Image

    pictures = [torch.from_numpy(np.array(Image.open(io.BytesIO(bytes(file.numpy()))))) for file in _files(tensors)]
    high, wide = _crop(tensors)
    mean, deviation = tensors["colours"].double().cpu()
    sums: list[float] = []
    for file, top, left, flipped in tensors["samples"].tolist():
        image, labels = (
            pictures[index].narrow(0, top, high).narrow(1, left, wide).double() for index in (file, _FILES + file)
        )
        for part in (((image / 255 - mean) / deviation).sum(2), labels):
            columns = (part.flip(1) if flipped else part).sum(0)
            sums += [float(columns[: wide // 2].sum()), float(columns[wide // 2 :].sum())]
    return torch.tensor(sums, dtype=torch.float64).view(-1, 4)


def _files(tensors: Tensors) -> "Iterator[torch.Tensor]":
    start = 0
    files = tensors["files"].cpu()
    for end in tensors["ends"].tolist():
        yield files[start:end]
        start = end


def _crop(tensors: Tensors) -> tuple[int, int]:
    high, wide = tensors["crop"].tolist()
    return high, wide
