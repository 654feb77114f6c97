"""Finds what a user names as ``package.module:name``, in the working directory or the environment."""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from segcli.counting.building import first_line
from segcli.errors import SegcliError, nearest

# difflib's own 0.6 finds three names of torch near to any short word.
_NEAR = 0.75
_FEW = 10


@dataclass(frozen=True)
class Wanted:
    """What a name is expected to stand for, in the words of messages.

    Attributes:
        noun: What it is called: ``factory``.
        expected: What it must be: ``a class or a function that makes a network``.
        example: A command that names one.
        hint: Gives what helps where importing it raises.
    """

    noun: str
    expected: str
    example: str
    hint: Callable[[BaseException], str] = lambda _: "-v shows where"


def find_named(spec: str, wanted: Wanted) -> Callable[..., object]:
    """Import a module and return what of it can be called; modules of the working directory come first.

    Args:
        spec: ``package.module:name``; dots may follow the colon.
        wanted: What it is expected to be.

    Raises:
        SegcliError: Where the name has another form, or it is missing, or importing it raises, or it cannot be called.

    Examples:
        >>> find_named("math:hypot", Wanted("function", "a function", ""))(3, 4)
        5.0
    """
    module_name, colon, name = spec.partition(":")
    is_path = "/" in module_name or module_name.endswith(".py")
    if not (colon and module_name and name) or module_name.startswith(".") or is_path:
        message = f"{spec!r} names no {wanted.noun}, expected PKG.MOD:{wanted.noun.upper()}"
        raise SegcliError(
            message, hint="without .py, in the folder that holds it: model:Net" if is_path else wanted.example
        )
    with importing_from_here():
        found = _found(spec, _imported(spec, module_name, wanted), name)
    if not callable(found):
        message = f"{spec} is {kind_of_object(found)}, expected {wanted.expected}"
        raise SegcliError(message)
    return found


@contextmanager
def importing_from_here() -> Iterator[None]:
    """Find modules in the working directory first, as ``python -m`` does."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)


def _imported(spec: str, name: str, wanted: Wanted) -> Any:  # noqa: ANN401 - a module, or what stands in for one
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        # The one that is asked for, or one above it: not what it imports in turn.
        if missing and f"{name}.".startswith(f"{missing}."):
            message = f"{spec}: there is no module {missing!r} in {Path.cwd()} or the environment"
            raise SegcliError(message, hint="go to the folder that holds it, or install it") from error
        message = f"importing {name} raised {type(error).__name__}: {first_line(error)}"
        raise SegcliError(message, hint=wanted.hint(error)) from error


def _found(spec: str, module: object, name: str) -> object:
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            known = [one for one in dir(found) if not one.startswith("_") and callable(getattr(found, one, None))]
            message = f"{spec}: {getattr(found, '__name__', found)} has no {part!r}"
            raise SegcliError(message, hint=_near(part, known))
        found = getattr(found, part)
    return found


def _near(part: str, known: list[str]) -> str:
    """Name what is near, or all where they are few: of torch's thousand names nobody wants the least unlike."""
    near = get_close_matches(part, known, cutoff=_NEAR)
    return nearest(part, near or known) if near or 0 < len(known) <= _FEW else ""


def kind_of_object(value: object) -> str:
    """Return what a value is, in words.

    Examples:
        >>> kind_of_object(None), kind_of_object(3)
        ('None', 'of type int')
    """
    return "None" if value is None else f"of type {type(value).__name__}"
