"""Ctrl-C and SIGTERM while kernels are timed, and while what was found is written."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_interrupt() -> Iterator[None]:
    """Let the first Ctrl-C, or the SIGTERM of a time limit, end a run: what is finished is then written.

    A second Ctrl-C would lose it, and is not heard; a second SIGTERM ends the process as ever.
    """
    asked = [signum for signum in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(signum) is not signal.SIG_IGN]
    # Ranks are ended by their launcher, which does not wait for what they would write.
    asked = asked if "LOCAL_RANK" not in os.environ else asked[:1]
    before = {signum: signal.getsignal(signum) for signum in asked}

    def first(*_: object) -> None:
        for signum in asked:
            signal.signal(signum, signal.SIG_IGN if signum == signal.SIGINT else before[signum])
        raise KeyboardInterrupt

    for signum in asked:
        signal.signal(signum, first)
    try:
        yield
    finally:
        for signum, handler in before.items():
            # Once it was heard it stays unheard, also while the process ends.
            if signal.getsignal(signum) is first:
                signal.signal(signum, handler)


@contextmanager
def unheard() -> Iterator[None]:
    """Let no Ctrl-C lose what only has to be written any more."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
