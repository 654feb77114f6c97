"""Globs over keys: which tensors and other values of a checkpoint a user means."""

from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase

from segcli.errors import SegcliError

# Keys that are searched for similar ones, and their longest part that is looked at.
_SEARCHED = 2_000
_LONGEST = 100


def selects(glob: str, key: str) -> bool:
    """Say whether a glob means a key: the key itself, or what it lies in up to a dot.

    ``*`` stands for any characters, dots too; ``?`` for one; ``[ab]`` for one of those.

    Examples:
        >>> selects("optimizer", "optimizer.state.0.exp_avg"), selects("head", "heads.weight")
        (True, False)
        >>> selects("*.num_batches_tracked", "model.bn.num_batches_tracked")
        True
    """
    return key == glob or fnmatchcase(key, glob) or fnmatchcase(key, f"{glob}.*")


def selects_any(globs: Iterable[str], key: str) -> bool:
    """Say whether one of some globs means a key.

    Examples:
        >>> selects_any(("optimizer", "ema"), "ema.head.weight")
        True
    """
    return any(selects(glob, key) for glob in globs)


def refuse_idle(option: str, globs: Iterable[str], keys: Iterable[str], name: str) -> None:
    """Refuse a glob that means nothing in a file, which is nearly always a mistake in writing.

    Args:
        option: The option that has the globs.
        globs: They.
        keys: The keys of all that the file holds.
        name: How messages call it.

    Raises:
        SegcliError: For the first glob that means none of the keys, with those that are like it.
    """
    known = list(keys)
    for glob in globs:
        if not any(selects(glob, key) for key in known):
            message = f"{option} {glob!r} means nothing in {name}"
            raise SegcliError(message, hint=_similar(glob, known))


def _similar(glob: str, keys: list[str]) -> str:
    ends = sorted({key[: key.index(f".{glob}.") + len(glob) + 1] for key in keys if f".{glob}." in key})
    ends += [key for key in keys if key.endswith(f".{glob}")]
    tops = dict.fromkeys(key.partition(".")[0] for key in keys)
    near = [key[:_LONGEST] for key in (*tops, *keys[:_SEARCHED])]
    close = ends or get_close_matches(glob[:_LONGEST], near, n=3)
    if close:
        return f"did you mean {' or '.join(dict.fromkeys(close[:3]))}?"
    return f"globs are of the keys that segcli ckpt inspect lists, such as {', '.join(keys[:3]) or 'none here'}"
