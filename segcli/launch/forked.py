"""What a rank begins with that torchrun forked: it becomes what a process of its own would have been.

Torchrun runs this file by its path, with the module and its arguments: ``forked.py segcli loss ...``.
"""

import os
import runpy
import signal
import sys
import warnings

_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def begin() -> None:  # pragma: no cover - in a process that torchrun forked, where nobody counts lines
    """Take nothing over from the process that forked this one but what it has imported."""
    # Its terminal's Ctrl-C is told by that process alone.
    os.setsid()
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _use_threads(os.environ["OMP_NUM_THREADS"])


def _use_threads(count: str) -> None:  # pragma: no cover - as above
    """Heed ``OMP_NUM_THREADS``, which OpenMP looked at when torch was imported; a list of counts is of nestings."""
    import torch

    first = count.partition(",")[0]
    if first.isdecimal() and int(first) > 0:
        torch.set_num_threads(int(first))


if __name__ == "__main__":  # pragma: no cover - as above
    sys.argv = sys.argv[1:]
    begin()
    with warnings.catch_warnings():
        # That the module is imported already is what this is for.
        warnings.filterwarnings("ignore", "'.*' found in sys.modules after import of package", RuntimeWarning)
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
