"""Starts a command under torchrun on this machine, and tells how it ended."""

import importlib
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from segcli.errors import ExitCode, SegcliError
from segcli.launch.shards import LAUNCHER, cores, require_distributed

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_LOGGERS = (
    "torch.distributed.elastic",
    "torch.distributed.launcher",
    "torch.distributed.run",
    "torch.multiprocessing.spawn",
)
# As shells count it.
_TERMINATED = 128 + signal.SIGTERM
_INTERRUPT = "interrupt"
_FORKED = str(Path(__file__).with_name("forked.py"))


def relaunch(nproc: int, argv: Sequence[str], *, module: str = "segcli", imports: Sequence[str] = ()) -> int:
    """Run ``python -m module`` with ``argv`` in ``nproc`` processes of this machine under torchrun, and wait for them.

    They share this process's streams. Each uses its share of the cores (``OMP_NUM_THREADS``, where it is not set
    already). One that fails ends all.

    Args:
        nproc: How many.
        argv: The arguments, without the program's name.
        module: What is run.
        imports: Modules that are imported here, once; the processes are forks of this one, which spares each of them
            the second or two that importing torch takes. For a process that has neither computed with torch nor looked
            for GPUs, and will not need one: neither outlives a fork. Without any, and where the system is not Linux,
            processes start anew.

    Returns:
        The exit code of the first that failed, which has said why; 0 where none did; 128 and the signal's number,
        130 for Ctrl-C, where this process was asked to end.

    Raises:
        SegcliError: Where one was ended by a signal, which it could not say itself; and where torch has no
            distributed part (exit code 3).
    """
    with _environment(nproc):
        require_distributed()
        return _run(nproc, argv, module, imports if sys.platform == "linux" else ())


def _run(nproc: int, argv: Sequence[str], module: str, imports: Sequence[str]) -> int:
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import get_args_parser, run

    for name in imports:
        importlib.import_module(name)
    with _launcher() as folder:
        options = ["--standalone", f"--nproc-per-node={nproc}", "--local-addr=localhost", f"--log-dir={folder}"]
        options += ["--start-method=fork", "--run-path", _FORKED] if imports else ["-m", module]
        arguments = get_args_parser().parse_args(options)
        # Assigned, as the parser would take options of the command (--nproc, say) for its own. A dollar is written
        # twice, as torchrun puts its macros in.
        arguments.training_script_args = [word.replace("$", "$$") for word in ((module, *argv) if imports else argv)]
        # Ctrl-C comes as SIGTERM to the ranks, which end without a word: this process has said it.
        arguments.signals_to_handle = "SIGTERM,SIGHUP,SIGQUIT"
        try:
            run(arguments)  # type: ignore[no-untyped-call]
        except ChildFailedError as error:
            return _code_of_first(error, nproc)
        except SignalException as error:
            return 128 + (signal.SIGINT if str(error) == _INTERRUPT else error.sigval)
    return ExitCode.DONE


@contextmanager
def _environment(nproc: int) -> Iterator[None]:
    """Set what ranks inherit, and put back what was there."""
    environment = dict(os.environ)
    os.environ[LAUNCHER] = str(os.getpid())
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // nproc)))
    # Torch would write lines of its own beside the message of a rank that failed. It looks as it is imported.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")
    # All ranks are on this machine, whose own name some cannot resolve.
    if sys.platform == "linux":  # pragma: no branch - by system
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    if not {"", os.getcwd()} & set(sys.path):  # noqa: PTH109 - as text, beside texts
        # Where this process imports nothing from the current folder, the ranks shall not either.
        os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)


@contextmanager
def _launcher() -> Iterator[str]:
    """Give a folder for torchrun's files; put back the signals and the logs, which it changes."""
    from torch.distributed.elastic.multiprocessing import SignalException

    def interrupted(*_: object) -> None:
        raise SignalException(_INTERRUPT, signal.SIGTERM)

    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    signal.signal(signal.SIGINT, interrupted)
    try:
        with _without_logs(), tempfile.TemporaryDirectory(prefix="segcli-ranks-") as folder:
            yield folder
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def _without_logs() -> Iterator[None]:
    """Drop torchrun's log: a failed rank has said what was wrong, in one line."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    propagated = [logger.propagate for logger in loggers]
    nowhere = logging.NullHandler()
    for logger in loggers:
        logger.propagate = False
        logger.addHandler(nowhere)
    try:
        yield
    finally:
        for logger, propagate in zip(loggers, propagated, strict=True):
            logger.propagate = propagate
            logger.removeHandler(nowhere)


def _code_of_first(error: "ChildFailedError", nproc: int) -> int:
    codes = {rank: failure.exitcode for rank, failure in sorted(error.failures.items())}
    # torchrun itself ends the others, by SIGTERM.
    causes = {rank: code for rank, code in codes.items() if code not in (-signal.SIGTERM, _TERMINATED)} or codes
    rank, code = next(iter(causes.items()))
    if code > 0:
        return code
    name = signal.Signals(-code).name
    message = f"rank {rank} of {nproc} was ended by {name}"
    hint = "was memory short? use a smaller --nproc or fewer --workers" if name == "SIGKILL" else ""
    raise SegcliError(message, hint)
