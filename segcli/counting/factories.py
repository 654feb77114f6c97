"""Finds and calls a factory that a user names."""

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from segcli.counting.building import build_on_meta, first_line
from segcli.errors import SegcliError, nearest


def from_factory(spec: str, arguments: Mapping[str, object]) -> nn.Module:
    """Import and call a factory on the meta device.

    Args:
        spec: ``package.module:factory``, found in the working directory or the environment; dots may follow the colon.
            It may be a network that stands ready there, too.
        arguments: What it is called with, by name.

    Raises:
        SegcliError: Where it is missing, raises, or returns no Module.
    """
    module_name, colon, factory_name = spec.partition(":")
    is_path = "/" in module_name or module_name.endswith(".py")
    if not (colon and module_name and factory_name) or module_name.startswith(".") or is_path:
        message = f"{spec!r} names no factory, expected PKG.MOD:FACTORY"
        hint = "segcli params module torchvision.models:resnet50"
        raise SegcliError(message, hint="without .py, in the folder that holds it: model:Net" if is_path else hint)
    with importing_from_here():
        factory = _found(spec, _imported(spec, module_name), factory_name)
        net = _built(spec, factory, arguments)
    if not isinstance(net, nn.Module):
        message = f"what {spec} returned is {_kind(net)}, expected a torch.nn.Module"
        raise SegcliError(message, hint="name a class or a function that returns the network itself")
    return net


@contextmanager
def importing_from_here() -> Iterator[None]:
    """Find modules in the working directory first, as ``python -m`` does."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)


def _imported(spec: str, name: str) -> Any:  # noqa: ANN401 - a module, or what stands in for one
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        # The one that is asked for, or one above it: not what it imports in turn.
        if missing and f"{name}.".startswith(f"{missing}."):
            message = f"{spec}: there is no module {missing!r} in {Path.cwd()} or the environment"
            raise SegcliError(message, hint="go to the folder that holds it, or install it") from error
        what = f"importing {name}"
        raise _told(what, error) from error


def _found(spec: str, module: object, name: str) -> Callable[..., object]:
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            known = [one for one in dir(found) if not one.startswith("_") and callable(getattr(found, one, None))]
            message = f"{spec}: {getattr(found, '__name__', found)} has no {part!r}"
            raise SegcliError(message, hint=nearest(part, known) if known else "")
        found = getattr(found, part)
    if not callable(found):
        message = f"{spec} is {_kind(found)}, expected a class or a function that makes a network"
        raise SegcliError(message)
    return found


def _built(spec: str, factory: Callable[..., object], arguments: Mapping[str, object]) -> object:
    try:
        return build_on_meta(lambda: factory if isinstance(factory, nn.Module) else factory(**arguments))
    except (Exception, SystemExit) as error:
        shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        what = f"calling {spec}({shown})"
        raise _told(what, error) from error


def _told(what: str, error: BaseException) -> SegcliError:
    message = f"{what} raised {type(error).__name__}: {first_line(error)}"
    return SegcliError(message, hint="-v shows where; --arg key=value gives it arguments")


def _kind(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"
