"""The one exception that reaches the user as a message, and the exit codes. Imports nothing of segcli."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the exit status of ``segcli`` means."""

    DONE = 0
    """The command did its work."""
    NO = 1
    """The answer is no: the expression would raise, the file is damaged, the runs differ."""
    USAGE = 2
    """Bad usage, unreadable input or an unwritable destination."""
    UNAVAILABLE = 3
    """A device, backend or optional package is not available."""
    BUG = 70
    """A bug in segcli (``EX_SOFTWARE`` of sysexits.h); the traceback is printed."""
    INTERRUPTED = 130
    """Ctrl-C: 128 + SIGINT, as shells count it."""
    BROKEN_PIPE = 141
    """The reader of stdout went away: 128 + SIGPIPE, as shells count it."""


class SegcliError(Exception):
    """A mistake or a shortage that the user can mend.

    Args:
        message: The thing, what was expected, what was got; one sentence without a full stop.
        hint: The way out, or an empty string.
        code: The exit status of a command that ends with this error.

    Examples:
        >>> raise SegcliError("labels.npy is empty", hint="save it again")
        Traceback (most recent call last):
        segcli.errors.SegcliError: labels.npy is empty
    """

    def __init__(self, message: str, hint: str = "", code: ExitCode = ExitCode.USAGE) -> None:
        """Keep the message for people and the exit code for the shell."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


def nearest(word: str, known: list[str]) -> str:
    """Return a hint that names the known words nearest to ``word``.

    Examples:
        >>> nearest("depthwize", ["standard", "depthwise"])
        'did you mean depthwise?'
        >>> nearest("zzz", ["standard", "depthwise"])
        'known: standard, depthwise'
    """
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=3)
    return f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known)}"
