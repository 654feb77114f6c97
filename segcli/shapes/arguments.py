"""Tells expressions that begin with ``-`` from options, so that nobody has to write ``--`` before ``-x[0]``."""

import re
from collections.abc import Collection, Sequence
from typing import Any

from typer.core import TyperCommand

_LONG_OPTION = re.compile(r"--[A-Za-z][\w-]*(=.*)?", re.DOTALL)
# What no name of a file begins with behind -o, but expressions hold.
_INDEXED_OR_SPACED = re.compile(r"-\w+(?:\.\w+)*\s*[\[(]|-\w+\s+[-+*/%@<>=!&|^]")


class ExpressionCommand(TyperCommand):
    """A command whose arguments may begin with ``-``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Typer's own context, which it does not export
        """Parse the command line; a space before an expression makes it no option."""
        options = [(name, parameter) for parameter in self.get_params(ctx) for name in parameter.opts]
        flags = {name[1:] for name, option in options if len(name) == 2 and getattr(option, "is_flag", False)}  # noqa: PLR2004 - a dash and a letter
        valued = {name for name, option in options if name.startswith("-") and not getattr(option, "is_flag", False)}
        return super().parse_args(ctx, shield(args, flags, valued))


def shield(args: Sequence[str], flags: Collection[str], valued: Collection[str]) -> list[str]:
    """Return arguments with a space before each that is an expression and would pass for options.

    Args:
        args: The arguments.
        flags: The letters of options that take no value.
        valued: The options that take one, with their dashes.

    Examples:
        >>> shield(["-x[0]", "-q", "--jsn", "-o", "-x", "x=2,3"], {"q", "v"}, {"-o", "--batch"})
        [' -x[0]', '-q', '--jsn', '-o', '-x', 'x=2,3']
    """
    bound = {arg.partition("=")[0] for arg in args}
    made: list[str] = []
    for place, arg in enumerate(args):
        if arg == "--":
            return [*made, *args[place:]]
        is_value = place > 0 and args[place - 1] in valued
        made.append(f" {arg}" if not is_value and _is_expression(arg, flags, valued, bound) else arg)
    return made


def _is_expression(arg: str, flags: Collection[str], valued: Collection[str], bound: Collection[str]) -> bool:
    if not arg.startswith("-") or arg == "-" or _LONG_OPTION.fullmatch(arg):
        return False
    if arg[:2] in valued:
        return bool(_INDEXED_OR_SPACED.match(arg))
    # Letters may be several flags; other names are options that are misspelt, unless they are bound.
    name = arg[1:]
    return not name.isidentifier() or (name in bound and not set(name) <= set(flags))
