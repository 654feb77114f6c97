"""What a file may give an option: checked by the option's own type, before the command line is read on."""

from collections.abc import Mapping
from typing import Any

import typer

from segcli.errors import SegcliError

# Typer's parameter classes have no public names.
Parameter = Any


def option_name(parameter: Parameter) -> str:
    """Return the long name of an option without its dashes, or an argument's name."""
    long = [name for name in parameter.opts if name.startswith("--")]
    return long[0].removeprefix("--") if long else str(parameter.name)


def default_of(parameter: Parameter, value: object, named: str, context: Any) -> object:  # noqa: ANN401 - Typer's context
    """Check a value that a file gives an option, and return it as a person would have typed it.

    What a person would have typed is checked by Typer, so the rules and words are those of the command line. An option
    that can be repeated takes a list, and so does one that takes several with commas; one without a default takes null.

    Args:
        parameter: Typer's parameter.
        value: Plain data from YAML.
        named: What messages call it: ``'--groups' in segcli.yaml``.
        context: Of the command.

    Returns:
        A bool, a string, a list of strings, or None where the option is to keep its default.

    Raises:
        SegcliError: Where the option does not take such a value.
    """
    typed = _as_typed(parameter, value, named)
    try:
        parameter.type_cast_value(context, typed)
    except typer.BadParameter as error:
        # "a float range" is Typer's type, and no English.
        words = error.message.rstrip(".").removesuffix(" range")
        message = f"invalid value for {named}: {words[:1].lower()}{words[1:]}"
        raise SegcliError(message) from error
    return typed


def takes_list(parameter: Parameter) -> bool:
    """Tell whether an option can be repeated, or an argument takes several words."""
    return bool(getattr(parameter, "multiple", False)) or parameter.nargs == -1


def _as_typed(parameter: Parameter, value: object, named: str) -> object:
    if value is None:
        _refuse_null(parameter, named)
        return None
    if takes_list(parameter):
        return [_word(item, named) for item in (value if isinstance(value, list) else [value])]
    if isinstance(value, list) and ",..." in (parameter.metavar or ""):
        return ",".join(_word(item, named, separator=",") for item in value)
    if parameter.type.name == "boolean" and isinstance(value, bool):
        return value
    return _word(value, named)


def _refuse_null(parameter: Parameter, named: str) -> None:
    if parameter.default is not None and not takes_list(parameter):
        message = f"invalid value for {named}: it is null, expected a value"
        raise SegcliError(message, hint=f"leave it out for the default, {parameter.default}")


def _word(value: object, named: str, separator: str | None = None) -> str:
    """Return what a person would have typed for one value."""
    if isinstance(value, bool):
        # YAML reads yes, no, on and off so, too.
        message = f"invalid value for {named}: it is {str(value).lower()}, expected no truth value"
        raise SegcliError(message, hint="put a word in quotes: 'no', 'on'")
    if value is None or isinstance(value, list | Mapping):
        kind = "null" if value is None else f"a {type(value).__name__}"
        message = f"invalid value for {named}: it holds {kind}, expected one value"
        raise SegcliError(message)
    word = str(value)
    if separator is not None and separator in word:
        message = f"invalid value for {named}: {word!r} holds a {separator!r}, which separates values"
        raise SegcliError(message)
    return word
