"""Text that comes from outside, made fit for a terminal."""


def printable(text: str) -> str:
    r"""Return ``text`` with control characters spelled out, so that a file's content cannot drive the terminal.

    Examples:
        >>> printable("weight" + chr(27) + "[2J")
        'weight\\x1b[2J'
    """
    return "".join(char if char.isprintable() or char == "\n" else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
