"""Heatmaps: where in a picture the hard pixels are."""

import hashlib
import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.errors import ExitCode, SegcliError
from segcli.files import check_destination, replacing
from segcli.loss.pictures.heatmap_legend import Facts, draw_labels, draw_legend
from segcli.loss.pictures.heatmap_paint import GAP, IGNORED, LEAST_WIDTH, N_LEVELS, magnification, paint, pixel_codes
from segcli.units import format_count, format_shape, format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

    Bytes = NDArray[np.uint8]
    Codes = NDArray[np.uint16]

# Of a volume the slices with the most kept pixels are shown.
_MAX_SLICES = 16
# A part of a path may have 255 bytes; the suffixes take some.
_MAX_NAME_BYTES = 200
_PNG_LEVEL = 3
_MAX_AXES = 3
# A picture of one row could not be seen.
_BAND_HEIGHT = 32


def heatmap_paths(folder: Path, name: str, n_images: int = 1) -> list[Path]:
    """Return where the heatmaps of a pair go: ``NAME.png``, or ``NAME.0.png`` and so on for a batch.

    Slashes in the name make folders. What would lead out of the folder, or is no name on some system, is written as
    ``%`` and two digits a byte, and what is too long for a file's name is cut, and told apart by a digest.

    Args:
        folder: What the paths begin with.
        name: Of the pair.
        n_images: How many the pair's file holds.

    Examples:
        >>> [str(path) for path in heatmap_paths(Path("out"), "frankfurt/0001", 2)]
        ['out/frankfurt/0001.0.png', 'out/frankfurt/0001.1.png']
        >>> str(heatmap_paths(Path("out"), "../../etc/passwd")[0])
        'out/%2E%2E/%2E%2E/etc/passwd.png'
    """
    *parents, last = (_safe(part) for part in name.split("/"))
    inside = folder.joinpath(*parents)
    return [inside / f"{last}{f'.{image}' if n_images > 1 else ''}.png" for image in range(n_images)]


def _safe(part: str) -> str:
    kept = part.replace("%", "%25")
    if part in ("", ".", ".."):
        kept = part.replace(".", "%2E") or "%2F"
    kept = "".join(char if char.isprintable() and char != "\\" else _encoded(char) for char in kept)
    data = kept.encode(errors="surrogateescape")
    if len(data) <= _MAX_NAME_BYTES:
        return kept
    digest = hashlib.sha256(data).hexdigest()[:16]
    return f"{data[:_MAX_NAME_BYTES].decode(errors='ignore')}~{digest}"


def _encoded(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode(errors="surrogatepass"))


def write_heatmaps(
    folder: Path,
    name: str,
    losses: "Tensor",
    *,
    threshold: float,
    kept: "Tensor | None" = None,
    image: str = "",
    force: bool = False,
) -> list[Path]:
    """Write a PNG an image that shows where its hard pixels are.

    Kept pixels have the full colour of their loss, others let the picture through, ignored ones are hatched. The scale
    of colours is the same for all pictures. Of a volume the 16 slices with the most kept pixels stand side by side.

    Args:
        folder: Created where it is missing.
        name: Of the pair; see `heatmap_paths`.
        losses: (N, *S) with one to three spatial axes; below 0 where ignored. Any floating dtype, any device.
        threshold: The loss above which a pixel is hard.
        kept: (N, *S), which pixels OHEM kept: above 0; None for those above the threshold.
        image: The picture that the network saw, drawn in grey; of another size, it is resized, and the legend says so.
        force: Whether to replace pictures that exist.

    Returns:
        The files.

    Raises:
        SegcliError: Where a file exists or cannot be written, the picture cannot be read, or Pillow is not installed.
        ValueError: Where the shapes do not fit.

    Examples:
        >>> import tempfile, torch
        >>> losses = torch.rand(1, 32, 64)
        >>> write_heatmaps(Path(tempfile.mkdtemp()), "val/0001", losses, threshold=0.357)
        [PosixPath('/.../val/0001.png')]
    """
    check_pillow()
    paths = heatmap_paths(folder, name, len(losses))
    for path in paths:
        _make_folder(path.parent)
        check_destination(path, force=force)
    drawings = draw_heatmaps(name, losses, threshold=threshold, kept=kept, image=image)
    for path, drawing in zip(paths, drawings, strict=True):
        with replacing(path, force=force) as file:
            # Colours of losses hardly shrink further at the slower levels.
            drawing.save(file, format="png", compress_level=_PNG_LEVEL)
    return paths


def draw_heatmaps(
    name: str, losses: "Tensor", *, threshold: float, kept: "Tensor | None" = None, image: str = ""
) -> "Iterator[Image]":
    """Draw what `write_heatmaps` writes.

    Examples:
        >>> import torch
        >>> [drawing.size for drawing in draw_heatmaps("0001", torch.rand(2, 512, 1024), threshold=0.357)]
        [(1024, 660), (1024, 660)]
    """
    n_images, *spatial = losses.shape
    if not 1 <= len(spatial) <= _MAX_AXES or not losses.numel():
        message = f"losses have shape {format_shape(tuple(losses.shape))}, expected (N, *S) with 1 to 3 spatial axes"
        raise ValueError(message)
    if kept is not None and kept.shape != losses.shape:
        shapes = f"{format_shape(tuple(kept.shape))}, expected {format_shape(tuple(losses.shape))}"
        message = f"kept has shape {shapes} as the losses"
        raise ValueError(message)
    picture, remark = (None, "") if not image else _picture(image, n_images, tuple(spatial))
    for index in range(n_images):
        pixels = losses[index].detach().float().cpu().numpy()
        chosen = pixels > threshold if kept is None else (kept[index].detach() > 0).cpu().numpy()
        title = f"{name} [{index}]" if n_images > 1 else name
        facts = _facts(title, remark, pixels, chosen & (pixels >= 0), threshold)
        yield _drawing(facts, pixel_codes(pixels, chosen), picture)


def _facts(name: str, remark: str, pixels: "NDArray[np.float32]", kept: "NDArray[np.bool_]", threshold: float) -> Facts:
    valid = pixels[pixels >= 0]
    return Facts(
        name,
        remark,
        pixels.shape,
        threshold,
        n_valid=valid.size,
        n_kept=int(kept.sum()),
        n_ignored=pixels.size - valid.size,
        mean=float(valid.mean(dtype="float64")) if valid.size else 0.0,
        largest=float(valid.max()) if valid.size else 0.0,
    )


def _drawing(facts: Facts, codes: "Codes", picture: "Image | None") -> "Image":
    """Put the picture and its legend together."""
    import numpy as np
    from PIL import Image

    labels: list[tuple[str, tuple[int, int]]] = []
    if codes.ndim == 1:
        codes = codes[None].repeat(_BAND_HEIGHT, axis=0)
    elif codes.ndim == _MAX_AXES:
        codes, labels, remark = _mosaic(codes)
        facts = replace(facts, remark=". ".join(filter(None, (remark, facts.remark))))
    zoom = magnification(*codes.shape)
    codes = codes.repeat(zoom, axis=0).repeat(zoom, axis=1) if zoom > 1 else codes
    height, width = codes.shape
    grey = None if picture is None else np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))
    painted = Image.fromarray(paint(codes, grey))
    draw_labels(painted, [(word, (row * zoom, column * zoom)) for word, (row, column) in labels])
    legend = draw_legend(facts, max(width, LEAST_WIDTH), over_picture=grey is not None)
    whole = Image.new("RGB", (legend.width, height + legend.height), legend.getpixel((0, 0)))
    whole.paste(painted, ((legend.width - width) // 2, 0))
    whole.paste(legend, (0, height))
    return whole


def _mosaic(codes: "Codes") -> "tuple[Codes, list[tuple[str, tuple[int, int]]], str]":
    """Put the slices of a volume with the most kept pixels side by side, in order; return labels and a remark, too."""
    import numpy as np

    depth, height, width = codes.shape
    n_kept = ((codes >= N_LEVELS) & (codes < IGNORED)).sum(axis=(1, 2))
    shown = sorted(np.argsort(-n_kept, kind="stable")[:_MAX_SLICES].tolist())
    n_columns = min(len(shown), math.ceil(math.sqrt(len(shown) * height / width)))
    n_rows = -(-len(shown) // n_columns)
    gap = max(2, width // 100)
    tiled = np.full((n_rows * (height + gap) - gap, n_columns * (width + gap) - gap), GAP, np.uint16)
    labels = []
    for place, slice_ in enumerate(shown):
        row, column = place // n_columns * (height + gap), place % n_columns * (width + gap)
        tiled[row : row + height, column : column + width] = codes[slice_]
        labels.append((str(slice_), (row, column)))
    remark = f"the {len(shown)} of {depth} slices with the most kept pixels" if len(shown) < depth else ""
    return tiled, labels, remark


def _picture(image: str, n_images: int, spatial: tuple[int, ...]) -> "tuple[Image | None, str]":
    """Return the picture in grey where one can lie below the losses, and what is to be said of it."""
    if n_images > 1 or len(spatial) != 2:  # noqa: PLR2004 - height and width
        what = f"{format_count(n_images)} images" if n_images > 1 else f"losses of {format_size(spatial)}"
        return None, f"the picture is not shown: it is one, and here are {what}"
    picture = _read_grey(image)
    size = (picture.height, picture.width)
    return picture, "" if size == spatial else f"the picture has {format_size(size)} pixels and was resized"


def _read_grey(image: str) -> "Image":
    from PIL import Image, UnidentifiedImageError

    try:
        # Pillow warns of 90 megapixels, which some cameras have, and refuses 180.
        with (
            warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning),
            Image.open(image) as opened,
        ):
            if opened.mode.startswith(("I", "F")):
                return _stretched(opened)
            return opened.convert("L")
    except UnidentifiedImageError as error:
        message = f"{image} is no picture that Pillow can read"
        raise SegcliError(message, hint="save it as PNG or JPEG") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # Pillow raises SyntaxError for broken PNG files.
        message = f"cannot read the picture {image}: {getattr(error, 'strerror', None) or error}"
        raise SegcliError(message) from error


def _stretched(opened: "Image") -> "Image":
    """Return a picture of more than 8 bits, whose conversion by Pillow would cut off what is bright."""
    import numpy as np
    from PIL import Image

    values = np.asarray(opened, np.float64)
    low, high = float(values.min()), float(values.max())
    return Image.fromarray(((values - low) * (255 / (high - low or 1.0))).astype(np.uint8))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot make the folder {folder}: {error.strerror or error}"
        raise SegcliError(message, hint="choose another folder for the heatmaps") from error


def check_pillow() -> None:
    """Refuse, before any work is done, to draw without Pillow.

    Raises:
        SegcliError: Where it is not installed.
    """
    try:
        import PIL.Image  # noqa: F401 - whether it is there is what matters
    except ImportError as error:
        message = f"heatmaps need Pillow: {error}"
        raise SegcliError(message, hint="pip install pillow", code=ExitCode.UNAVAILABLE) from error
