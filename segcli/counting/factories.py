"""Finds and calls a factory that a user names."""

from collections.abc import Callable, Mapping

from torch import nn

from segcli.counting.building import build_on_meta, first_line
from segcli.counting.devices import DEVICE_HINT, is_about_devices
from segcli.counting.importing import Wanted, find_named, importing_from_here, kind_of_object
from segcli.errors import SegcliError


def _hint(error: BaseException) -> str:
    return DEVICE_HINT if is_about_devices(error) else "-v shows where; --arg key=value gives it arguments"


_WANTED = Wanted(
    "factory", "a class or a function that makes a network", "segcli params module torchvision.models:resnet50", _hint
)


def from_factory(spec: str, arguments: Mapping[str, object]) -> nn.Module:
    """Import and call a factory on the meta device.

    Args:
        spec: ``package.module:factory``, found in the working directory or the environment; dots may follow the colon.
            It may be a network that stands ready there, too.
        arguments: What it is called with, by name.

    Raises:
        SegcliError: Where it is missing, raises, or returns no Module.
    """
    factory = find_named(spec, _WANTED)
    with importing_from_here():
        net = _built(spec, factory, arguments)
    if not isinstance(net, nn.Module):
        message = f"what {spec} returned is {kind_of_object(net)}, expected a torch.nn.Module"
        raise SegcliError(message, hint="name a class or a function that returns the network itself")
    return net


def _built(spec: str, factory: Callable[..., object], arguments: Mapping[str, object]) -> object:
    try:
        return build_on_meta(lambda: factory if isinstance(factory, nn.Module) else factory(**arguments))
    except (Exception, SystemExit) as error:
        shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        message = f"calling {spec}({shown}) raised {type(error).__name__}: {first_line(error)}"
        raise SegcliError(message, hint=_hint(error)) from error
