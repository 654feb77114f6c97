"""Which keys of two checkpoints belong together, and which tensors share memory in one and not in the other."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from segcli.ckpt.tensors import StoredTensor


@dataclass(frozen=True)
class TieDifference:
    """Tensors that share their memory in one file, and in the other do not, or not these alone.

    Attributes:
        keys: The tensors.
        tied_in: ``first`` or ``second``.
    """

    keys: tuple[str, ...]
    tied_in: str


@dataclass(frozen=True)
class Prefix:
    """What stands before the keys of one file, and not before the same keys in the other.

    Attributes:
        text: The prefix, with its dot.
        file: Which file has it: ``first`` or ``second``.
        keys: How many keys of this file have it, and are in the other one without it.
        inside: The dotted path of the dict that has them, with which the prefix starts; empty where it is all theirs.
    """

    text: str
    file: str
    keys: int
    inside: str = ""


def common_prefix(only_first: Collection[str], only_second: Collection[str]) -> Prefix | None:
    """Return the prefix that most keys of one file have, which without it are the other's.

    Examples:
        >>> common_prefix(["module.conv.weight", "module.conv.bias"], ["conv.weight", "conv.bias"])
        Prefix(text='module.', file='first', keys=2, inside='')
    """
    for file, longer, shorter in (("first", only_first, only_second), ("second", only_second, only_first)):
        counts: dict[str, int] = {}
        for key in longer:
            for start in _behind_dots(key):
                if key[start:] in shorter:
                    counts[key[:start]] = counts.get(key[:start], 0) + 1
        if counts:
            text = max(counts, key=lambda prefix: counts[prefix])
            if 2 * counts[text] >= len(longer):
                return Prefix(text, file, counts[text])
    return None


def _behind_dots(key: str) -> Iterator[int]:
    at = key.find(".")
    while at != -1:
        yield at + 1
        at = key.find(".", at + 1)


def tie_differences(
    first: dict[str, StoredTensor], second: dict[str, StoredTensor], keys: Collection[str]
) -> Iterator[TieDifference]:
    """Yield the groups of tensors that share a storage in one checkpoint alone.

    Args:
        first: The first checkpoint's tensors.
        second: The second's.
        keys: Those that both have.
    """
    one, two = _ties(first, keys), _ties(second, keys)
    yield from (TieDifference(group, "first") for group in one if group not in set(two))
    yield from (TieDifference(group, "second") for group in two if group not in set(one))


def _ties(tensors: dict[str, StoredTensor], keys: Collection[str]) -> list[tuple[str, ...]]:
    groups: dict[str, list[str]] = {}
    for key in sorted(keys):
        for storage in dict.fromkeys(part.storage for part in tensors[key].parts if part.storage is not None):
            groups.setdefault(storage, []).append(key)
    return [tuple(group) for group in groups.values() if len(group) > 1]
