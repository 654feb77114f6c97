"""Starts a command under torchrun, tells a process which shard of the work is its own, and lets the ranks meet.

Nothing is imported of torch before ranks are started or meet: one process alone never needs its distributed part.
"""

from segcli.launch.group import Group, LostRanksError, joined
from segcli.launch.shards import Ranks, cores, end_with_parent, is_launched, needs_launch, ranks, shard
from segcli.launch.torchrun import relaunch
from segcli.launch.waiting import wait_asleep

__all__ = [
    "Group",
    "LostRanksError",
    "Ranks",
    "cores",
    "end_with_parent",
    "is_launched",
    "joined",
    "needs_launch",
    "ranks",
    "relaunch",
    "shard",
    "wait_asleep",
]
