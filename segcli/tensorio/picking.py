"""Which of a file's tensors is meant; and the errors that the formats share."""

from collections.abc import Callable, Collection
from pathlib import Path

from segcli.errors import SegcliError, nearest

_SHOWN_KEYS = 8


def pick(names: Collection[str], shape: Callable[[str], str], key: str, path: Path, what: str) -> str:
    """Return the key that is meant.

    Args:
        names: Those that the file has.
        shape: Gives a tensor's shape, for messages alone: a file of many tensors is not walked without need.
        key: What was asked for, or nothing.
        path: The file.
        what: What the tensor is for.

    Raises:
        SegcliError: Where there is none, or no such one, or several and no key.

    Examples:
        >>> pick(["logits"], str, "", Path("out.npz"), "logits")
        'logits'
    """
    if not names:
        message = f"{path} holds no tensor"
        raise SegcliError(message)
    if key in names:
        return key
    if key:
        message = f"{path} has no tensor {key!r}"
        close = nearest(key, list(names))
        raise SegcliError(message, hint=close if close.startswith("did") else f"it holds {_listed(names, shape)}")
    if len(names) == 1:
        return next(iter(names))
    message = f"{path} holds {len(names)} tensors, expected one or a key: {_listed(names, shape)}"
    raise SegcliError(message, hint=f"name the {what}: {path}:{next(iter(names))}")


def _listed(names: Collection[str], shape: Callable[[str], str]) -> str:
    shown = [f"{name} {shape(name)}".strip() for name in list(names)[:_SHOWN_KEYS]]
    more = [f"{len(names) - _SHOWN_KEYS} more"] if len(names) > _SHOWN_KEYS else []
    return ", ".join([*shown, *more])


def no_key(path: Path, key: str, what: str) -> SegcliError:
    """Return the error for a key into a file that is one tensor.

    Examples:
        >>> no_key(Path("a.npy"), "x", "array").message
        "a.npy holds one array, so it has no key 'x'"
    """
    return SegcliError(f"{path} holds one {what}, so it has no key {key!r}", hint=f"leave the key out: {path}")


def damaged(path: Path, why: str) -> SegcliError:
    """Return the error for a file that is not what its first bytes say.

    Examples:
        >>> damaged(Path("a.npy"), "it ends too early").message
        'a.npy is damaged or incomplete: it ends too early'
    """
    return SegcliError(
        f"{path} is damaged or incomplete: {' '.join(why.split()).rstrip('.')}", hint="save or copy it again"
    )
