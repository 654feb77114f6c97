"""How threads of torch wait for one another."""

import os


def wait_asleep() -> None:
    """Let the threads of OpenMP sleep where they wait, unless the environment says how they are to.

    Left to itself, GNU's OpenMP turns in a loop for milliseconds before a thread goes to sleep. Where others compute on
    the same cores, what is waited for is then not done either: 300 files of (19, 128, 128) took 44 to 67 s on two busy
    cores, and 7 to 9 s asleep. Call it before torch is imported, which is when OpenMP looks.

    Source:
        libgomp of GCC 14, ``GOMP_SPINCOUNT`` and ``OMP_WAIT_POLICY``: 300,000 turns where neither is set.
    """
    if "GOMP_SPINCOUNT" not in os.environ:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
