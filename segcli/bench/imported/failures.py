"""What went wrong in a user's function, in one line: whose, what, and where in their file."""

import traceback
from collections.abc import Callable
from pathlib import Path

from segcli.errors import ExitCode, SegcliError


class KernelError(SegcliError, RuntimeError):
    """A user's kernel did not do what a kernel must; a RuntimeError, as torch's own are."""

    def __init__(self, message: str) -> None:
        """Keep the message; the answer is no, and the command line was right."""
        super().__init__(message, code=ExitCode.NO)


def told(spec: str, function: Callable[..., object], error: BaseException) -> str:
    """Return what a function raised, with the innermost line of the user's own file.

    Args:
        spec: As the user named the function.
        function: The function.
        error: What it raised.
    """
    from segcli.counting.building import first_line

    words = first_line(error)
    what = type(error).__name__ + (f": {words}" if words else "")
    return f"{spec} raised {what}{_place(function, error)}"


def _place(function: Callable[..., object], error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    code = getattr(getattr(function, "forward", function), "__code__", None)
    own = [frame for frame in frames if code is not None and frame.filename == code.co_filename]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
