"""``python -m segcli``, and the console script ``segcli``."""

import sys


def main() -> int:
    """Run segcli on the process's arguments and return its exit code."""
    try:
        # Inside the try: an interrupt while the first modules load is no traceback either.
        from segcli.cli import run
    except KeyboardInterrupt:
        return 130
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
