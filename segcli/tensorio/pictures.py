"""Loads labels that were saved as PNG, the format in which most datasets have them."""

from pathlib import Path
from typing import TYPE_CHECKING

from segcli.errors import SegcliError
from segcli.tensorio.picking import damaged, no_key
from segcli.units import format_bytes

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

# Pillow stretches grey of less than 8 bits to 0 to 255, in steps of these.
_STEPS = {1: 255, 2: 85, 4: 17}
# A PNG begins with eight bytes, and its first chunk, 8 bytes on, with width, height and this.
_DEPTH_AT = 24
# Pillow's modes of one value a pixel.
_SINGLE = ("1", "L", "P", "I;16")
# More than the pixels that Pillow unpacks can take, at 16 bits: it would read what else there is into memory.
_MAX_BYTES = 2**29


def from_picture(path: Path, key: str, what: str) -> "Tensor":  # noqa: ARG001 - every loader takes the same
    """Unpack a PNG of labels: the values as they are stored, not as they look.

    A palette gives indices, whatever their colours; grey of 1, 2, 4, 8 and 16 bits gives values, 1 bit 0 and 1.
    Colours are refused, even where they are all grey: a picture of a colour-coded set that happens to show black and
    grey alone would be read as classes, the others not.

    Shape:
        (H, W), uint8; uint16 of 16 bits.

    Raises:
        SegcliError: For colours, an alpha channel, an animation, a JPEG; where the file is damaged, or has more
            pixels than Pillow is ready to unpack.

    Source:
        PNG (third edition), sections 11.2.1 and 13.12; Pillow 13.0, ``PngImagePlugin.py``.

    Examples:
        >>> import tempfile, PIL.Image
        >>> name = Path(tempfile.mkdtemp()) / "labels.png"
        >>> PIL.Image.new("L", (3, 2), 7).save(name)
        >>> from_picture(name, "", "labels")
        tensor([[7, 7, 7],
                [7, 7, 7]], dtype=torch.uint8)
    """
    from PIL import Image

    if key:
        raise no_key(path, key, "picture")
    size = path.stat().st_size
    if size > _MAX_BYTES:
        message = f"{path} has {format_bytes(size)}, which is more than the pixels take that are unpacked"
        raise SegcliError(message, hint="save it as .npy, which is read in place")
    try:
        # Pillow itself leaves the checksums of pixels aside.
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            image.verify()
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            _check_kind(image, path)
            return _values(image, path)
    except (SegcliError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        message = f"{path} has more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels, which is more than is unpacked"
        raise SegcliError(message, hint="save it as .npy, which is read in place") from error
    except Exception as error:
        # Damaged PNGs raise what they like: SyntaxError, OSError, ValueError, struct.error, zlib.error ...
        raise damaged(path, str(error) or "it ends too early") from error


def _check_kind(image: "Image.Image", path: Path) -> None:
    if image.format != "PNG":
        message = f"{path} is a {image.format}, which changes labels as it compresses them, expected PNG"
        raise SegcliError(message, hint="save labels as PNG, or as .npy")
    frames = getattr(image, "n_frames", 1)
    if frames != 1:
        message = f"{path} is an animation of {frames} pictures, expected one"
        raise SegcliError(message)


def _values(image: "Image.Image", path: Path) -> "Tensor":
    import numpy as np
    import torch

    if image.mode not in _SINGLE:
        raise _colours(image, path)
    # NumPy would take the bytes of black and white, 0 and 255, for bools.
    values = np.array(image.convert("L") if image.mode == "1" else image)
    if image.mode in ("1", "L"):
        values //= _STEPS.get(_depth(path), 1)
    return torch.from_numpy(values)


def _depth(path: Path) -> int:
    with path.open("rb") as file:
        file.seek(_DEPTH_AT)
        return file.read(1)[0]


def _colours(image: "Image.Image", path: Path) -> SegcliError:
    import numpy as np

    message = f"{path} has {len(image.getbands())} channels ({image.mode}), expected one value a pixel: grey or palette"
    channels = np.asarray(image)
    colours = channels[..., :3] if image.mode.startswith("RGB") else channels[..., :1]
    if (colours == colours[..., :1]).all():
        hint = "its colours are all grey; if these are the classes, save one channel: Image.open(name).getchannel(0)"
        return SegcliError(message, hint)
    return SegcliError(message, hint="colours of classes? map each to its class first, and save that as PNG")
