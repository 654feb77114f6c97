"""What a look at a checkpoint suggests to do with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote

from segcli.ckpt.dicts import state_dicts
from segcli.ckpt.tensors import listed
from segcli.formats.pickle_nodes import Node, Text
from segcli.units import format_bytes

# What wrappers put into keys, and who they are.
_WRAPPERS = {
    "module.": "DataParallel or DistributedDataParallel",
    "_orig_mod.": "torch.compile",
    "_fsdp_wrapped_module.": "FSDP",
    "_checkpoint_wrapped_module.": "activation checkpointing",
}
_SLACK_WORTH = 0.05


@dataclass(frozen=True)
class Hint:
    """What could be done with a file: why, and the command."""

    why: str
    command: str


@dataclass(frozen=True)
class Memory:
    """What a checkpoint's storages take.

    Attributes:
        stored: Bytes of all storages.
        slack: Bytes of them before the first and behind the last element that a tensor uses.
        gaps: Bytes between the elements of tensors that none uses.
        sparsest: The tensors where most of these lie.
    """

    stored: int
    slack: int
    gaps: int
    sparsest: Sequence[str]


def hints(root: Node, name: str, memory: Memory) -> tuple[Hint, ...]:
    """Return what to do about prefixes that wrappers left in keys, and about memory that nobody uses.

    Args:
        root: The outermost object.
        name: The file, as a user would write it.
        memory: What its storages take.
    """
    said: list[Hint] = []
    found: dict[str, list[str]] = {}
    for one in state_dicts(root):
        keys = [key.decoded() for key, _ in one.pairs if isinstance(key, Text)]
        for prefix in _prefixes(keys):
            found.setdefault(prefix, []).append(one.key or "the file")
    if found:
        options = " ".join(f"--prefix {prefix}" for prefix in found)
        whose = " and ".join(f"{prefix} ({_WRAPPERS[prefix]})" for prefix in found)
        where = ", ".join(dict.fromkeys(place for places in found.values() for place in places))
        said.append(Hint(f"keys in {where} have {whose}", f"segcli ckpt strip {quote(name)} DST {options}"))
    if memory.slack > _SLACK_WORTH * memory.stored:
        why = f"{format_bytes(memory.slack)} of {format_bytes(memory.stored)} are memory that no tensor uses"
        said.append(Hint(why, f"segcli ckpt strip {quote(name)} DST --compact"))
    if memory.gaps > _SLACK_WORTH * memory.stored:
        why = f"{format_bytes(memory.gaps)} of {format_bytes(memory.stored)} lie between the elements of "
        why += f"{listed([*memory.sparsest])}, where strip --compact does not cut; safetensors holds elements alone"
        said.append(Hint(why, f"segcli ckpt convert {quote(name)} DST.safetensors"))
    return tuple(said)


def _prefixes(keys: Sequence[str]) -> list[str]:
    """Return the wrappers' names that all keys start with, and those that no other module has, wherever they stand."""
    found: list[str] = []
    left = list(keys)
    while prefix := next((one for one in _WRAPPERS if all(key.startswith(one) for key in left)), None):
        found.append(prefix)
        left = [key.removeprefix(prefix) for key in left]
    inside = [one for one in _WRAPPERS if one.startswith("_") and any(f".{one}" in f".{key}" for key in left)]
    return list(dict.fromkeys([*found, *inside]))
