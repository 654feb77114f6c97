"""The losses of pixels as colours over the picture that the network saw, with a legend that explains them."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Codes = NDArray[np.uint16]

# Every 15th of the 256 colours of "inferno" (N. Smith, S. van der Walt, E. Firing, CC0; matplotlib 3.11): its lightness
# grows evenly, so that it reads in grey and for colour-blind people too.
_INFERNO = [
    "000004",
    "0a0722",
    "1e0c45",
    "380962",
    "510e6c",
    "69166e",
    "801f6c",
    "982766",
    "b0315b",
    "c63d4d",
    "d94d3d",
    "e9612b",
    "f47918",
    "fa9407",
    "fcb014",
    "f8cd37",
    "f2ea69",
    "fcffa4",
]
N_LEVELS = 256
# One scale for all pictures, so that they compare: even in loss below the first, in its logarithm above, up to the
# second, where the true class has a probability of 0.0003.
_SCALE_LOSS, _TOP_LOSS = 0.25, 8.0
# What a pixel is painted by: its level, that plus 256 where it was kept, or one of these.
IGNORED, _STRIPE, GAP = 2 * N_LEVELS, 2 * N_LEVELS + 1, 2 * N_LEVELS + 2
_N_CODES = GAP + 1
# Easy pixels let the picture through; opacity in 256ths where the loss is 0, and where it is the largest.
_FAINT, _FAINT_TOP = 40, 150
_GREY = ((92, 96, 104), 150), ((140, 144, 152), 150)
# Without a picture; and the darkest and the lightest that a picture gets, so that what is painted on it stands out.
_BACKGROUND = 46
_DARKEST, _LIGHTEST = 20, 208
_PAPER = 250, 250, 250
LEAST_WIDTH = 720
# So many rows are painted together: what stands beside the picture stays small.
_ROWS = 256


def level_of(loss: float) -> float:
    """Return where a loss lies on the scale of colours, from 0 to 255.

    Examples:
        >>> level_of(0.0), round(level_of(0.357)), level_of(8.0), level_of(99.0)
        (0.0, 65, 255.0, 255.0)
    """
    return math.log1p(min(loss, _TOP_LOSS) / _SCALE_LOSS) / math.log1p(_TOP_LOSS / _SCALE_LOSS) * (N_LEVELS - 1)


def pixel_codes(losses: "NDArray[np.float32]", kept: "NDArray[np.bool_]") -> "Codes":
    """Return by which entry of the table of colours each pixel is painted.

    Args:
        losses: Of any shape; below 0 where ignored.
        kept: The same shape.

    Examples:
        >>> import numpy as np
        >>> pixel_codes(np.array([0.0, 99.0, 99.0, -1.0], np.float32), np.array([False, False, True, False])).tolist()
        [0, 255, 511, 512]
    """
    import numpy as np

    # fmin takes the number of a pair with NaN: a loss that is none is as bad as any.
    scaled = np.log1p(np.fmin(np.maximum(losses, 0, where=losses < 0, out=losses.copy()), _TOP_LOSS) / _SCALE_LOSS)
    codes = (scaled * ((N_LEVELS - 1) / math.log1p(_TOP_LOSS / _SCALE_LOSS))).astype(np.uint16)
    codes += kept.astype(np.uint16) * np.uint16(N_LEVELS)
    codes[losses < 0] = IGNORED
    return codes


def paint(codes: "Codes", grey: "Bytes | None", *, stripe: int = 0) -> "Bytes":
    """Return the colours, (H, W, 3), of codes (H, W) over a grey picture (H, W), and hatch what is ignored.

    Args:
        codes: Of `pixel_codes`; what is ignored is marked in it where it is hatched.
        grey: The picture; None for a plain background.
        stripe: How wide the stripes are; by default, as suits the width.
    """
    import numpy as np

    colours, opacities = _colour_table()
    weighted, rest = colours * opacities[:, None], 256 - opacities
    _draw_stripes(codes, stripe or max(2, codes.shape[1] // 200))
    if grey is None:
        flat: Bytes = ((weighted + rest[:, None] * _BACKGROUND) >> 8).astype(np.uint8)
        return flat[codes]
    painted = np.empty((*codes.shape, 3), np.uint8)
    shade = (_DARKEST + np.arange(256) * (_LIGHTEST - _DARKEST) // 255).astype(np.uint16)
    for row in range(0, codes.shape[0], _ROWS):
        part = codes[row : row + _ROWS]
        below = shade[grey[row : row + _ROWS]] * rest[part]
        painted[row : row + _ROWS] = (weighted[part] + below[..., None]) >> 8
    return painted


def _colour_table() -> "tuple[Codes, Codes]":
    """Return the colour of each code, (515, 3), and its opacity in 256ths."""
    import numpy as np

    anchors = np.array([tuple(bytes.fromhex(colour)) for colour in _INFERNO])
    places = np.linspace(0, len(anchors) - 1, N_LEVELS)
    levels = np.stack([np.interp(places, range(len(anchors)), anchors[:, channel]) for channel in range(3)], axis=1)
    colours = np.empty((_N_CODES, 3), np.uint16)
    opacities = np.full(_N_CODES, 256, np.uint16)
    colours[:N_LEVELS] = colours[N_LEVELS : 2 * N_LEVELS] = levels.round()
    opacities[:N_LEVELS] = np.linspace(_FAINT, _FAINT_TOP, N_LEVELS)
    for code, (colour, opacity) in zip((IGNORED, _STRIPE), _GREY, strict=True):
        colours[code], opacities[code] = colour, opacity
    colours[GAP] = _PAPER
    return colours, opacities


def _draw_stripes(codes: "Codes", width: int) -> None:
    """Hatch, in place, what is ignored."""
    import numpy as np

    rows, columns = np.nonzero(codes == IGNORED)
    striped = (rows + columns) // width % 3 == 0
    codes[rows[striped], columns[striped]] = _STRIPE


def magnification(height: int, width: int) -> int:
    """Return how many times larger a small picture is drawn, so that it and its legend can be read.

    Examples:
        >>> magnification(64, 64), magnification(512, 1024)
        (11, 1)
    """
    return max(1, min(LEAST_WIDTH // max(width, 1), LEAST_WIDTH // max(height, 1)))
