"""The ranks of collectives: started where they are asked for, joined, and refused where they make no sense."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from segcli.bench.suites.collectives import NAME, no_group
from segcli.errors import ExitCode, SegcliError
from segcli.launch import joined, needs_launch, ranks, relaunch

if TYPE_CHECKING:
    from segcli.bench.plan import Request
    from segcli.launch import Group

_USED_BY_ALL = ("torch.distributed", "segcli.emit", "segcli.progress", "segcli.bench.report", "segcli.bench.runs")
"""What every rank needs; imported once, where ranks are forks."""


def launched(nproc: int, argv: Sequence[str], request: "Request") -> int | None:
    """Run the command in ``nproc`` processes, where this is not one of them already.

    Args:
        nproc: How many.
        argv: The arguments of the command, without the program's name.
        request: What they mean.

    Returns:
        The exit code of the ranks, which have said all; None where this process has to do the work itself.

    Raises:
        SegcliError: For several processes and any suite but collectives, whose times would be those of the others;
            for collectives and one process; for more ranks than GPUs.
    """
    if not needs_launch(nproc):
        return None
    check(request, nproc)
    if request.device == "cpu":
        return relaunch(nproc, argv, imports=_USED_BY_ALL)
    _checked_device(request.device, nproc)
    # What looks for GPUs cannot be forked.
    return relaunch(nproc, argv)


@contextmanager
def together(request: "Request") -> "Iterator[Group]":
    """Join the other ranks for the length of a run; one process alone is a group of one.

    Only the first of them (``group.ranks.is_first``) is to speak.

    Raises:
        SegcliError: As `launched`; where the ranks do not find each other.
    """
    here = ranks()
    try:
        check(request, here.world)
        device = _checked_device(request.device, here.local_world)
    except SegcliError as error:
        if here.is_first:
            raise
        # The first one says it.
        raise SystemExit(error.code) from error
    with joined(here, device) as group:
        yield group


def check(request: "Request", world: int) -> None:
    """Refuse collectives without a group, and a group for anything else.

    Raises:
        SegcliError: Saying which.
    """
    has_collectives = NAME in request.suites
    if world == 1 and has_collectives:
        raise no_group()
    if world > 1 and (set(request.suites) != {NAME} or request.imported):
        asked = ", ".join([*request.suites, *(suite.name for suite in request.imported)]) or "all suites"
        message = f"{world} processes time suite {NAME} alone, asked for is {asked}"
        raise SegcliError(message, hint=f"give --suite {NAME}, or leave --nproc and torchrun out")


def _checked_device(name: str, nproc: int) -> str:
    """Return the device's own name; refuse two ranks on one GPU, where NCCL would fail in words of its own."""
    from segcli.device import resolve_device

    device = resolve_device(name)
    if nproc > 1 and device.type == "cuda":
        import torch

        count = 1 if ":" in name else torch.cuda.device_count()
        if nproc > count:
            message = f"{nproc} ranks need a GPU each, there {'is' if count == 1 else 'are'} {count} for device {name}"
            hint = "use --device cpu or a smaller --nproc"
            raise SegcliError(message, hint=hint, code=ExitCode.UNAVAILABLE)
    return str(device)
