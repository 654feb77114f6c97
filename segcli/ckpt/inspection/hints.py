"""What a look at a checkpoint suggests to do with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote

from segcli.ckpt.dicts import state_dicts
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


def hints(root: Node, name: str, slack_bytes: int, stored_bytes: int) -> tuple[Hint, ...]:
    """Return what to do about prefixes that wrappers left in keys, and about memory that nobody uses.

    Args:
        root: The outermost object.
        name: The file, as a user would write it.
        slack_bytes: Bytes of storages that no tensor uses.
        stored_bytes: Bytes of all storages.
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
    if slack_bytes > _SLACK_WORTH * stored_bytes:
        why = f"{format_bytes(slack_bytes)} of {format_bytes(stored_bytes)} are memory that no tensor uses"
        said.append(Hint(why, f"segcli ckpt strip {quote(name)} DST --compact"))
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
