"""How a person names a tensor: a file, or a key in it."""

import re
from pathlib import Path

STANDARD_INPUT = "-"
SUFFIXES = (".pt", ".pth", ".npy", ".npz", ".safetensors")
# Of labels alone: logits are no picture.
PICTURE_SUFFIXES = (".png",)


def split_reference(reference: str) -> tuple[Path, str]:
    """Split ``file:key``; the key is empty where none is given. A file that is there by the whole name wins.

    Examples:
        >>> split_reference("out.pt:outputs.0.logits")
        (PosixPath('out.pt'), 'outputs.0.logits')
    """
    colons = [place.start() for place in re.finditer(":", reference)]
    if not colons or Path(reference).exists():
        return Path(reference), ""
    for place in colons:
        name = reference[:place]
        if name == STANDARD_INPUT or name.lower().endswith(SUFFIXES + PICTURE_SUFFIXES) or Path(name).is_file():
            return Path(name), reference[place + 1 :]
    return Path(reference), ""
