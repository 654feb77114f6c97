"""Reads what the command line says of a network: sizes, inputs, arguments of a factory."""

import re
from collections.abc import Sequence

from segcli.errors import SegcliError
from segcli.units import format_size, parse_size

# No side of an image, and no list of words, is longer; beyond it torch's own sizes overflow.
MAX_SIDE = 2**20
_DTYPES = (
    "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64"
)  # fmt: skip
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_INTEGER = re.compile(r"[-+]?\d{1,19}")
_WORDS: dict[str, object] = {"true": True, "false": False, "none": None, "null": None, "~": None, "": None}


def parse_image_size(text: str) -> tuple[int, int]:
    """Read height and width; one number is both.

    Raises:
        SegcliError: For anything else, and sides below 1 or above 2^20.

    Examples:
        >>> parse_image_size("512x1024"), parse_image_size("224")
        ((512, 1024), (224, 224))
    """
    size = parse_size(text, "--size")
    if not 1 <= len(size) <= 2:  # noqa: PLR2004 - height and width
        message = f"--size {text} has {len(size)} sides, expected height and width"
        raise SegcliError(message, hint="write it as 512x1024")
    _check(size, f"--size {text}")
    return size[0], size[-1]


def parse_input(text: str) -> tuple[tuple[int, ...], str]:
    """Read the shape of an input, and behind a colon its dtype.

    Raises:
        SegcliError: For anything else, and sides below 1 or above 2^20.

    Examples:
        >>> parse_input("1x3x64x64"), parse_input("2x128:int64")
        (((1, 3, 64, 64), 'float32'), ((2, 128), 'int64'))
    """
    sizes, colon, dtype = text.partition(":")
    shape = parse_size(sizes, "--input")
    _check(shape, f"--input {text}")
    if colon and dtype not in _DTYPES:
        message = f"--input {text}: {dtype!r} is not among the dtypes"
        raise SegcliError(message, hint=f"expected one of {', '.join(_DTYPES)}")
    return shape, dtype or "float32"


def check_count(value: int | None, option: str) -> None:
    """Refuse a batch or a number of classes below 1 or above 2^20.

    Raises:
        SegcliError: Where it is.
    """
    if value is not None:
        _check((value,), f"{option} {value}")


def _check(size: Sequence[int], said: str) -> None:
    for side in size:
        if not 1 <= side <= MAX_SIDE:
            of = "" if len(size) == 1 else f" of {format_size(tuple(size))}"
            message = f"{said}: {side:,}{of} is not from 1 to {MAX_SIDE:,}"
            raise SegcliError(message)


def parse_arguments(texts: Sequence[str]) -> dict[str, object]:
    """Read ``key=value`` arguments; each value as `literal`.

    Raises:
        SegcliError: Where there is no ``=``, no name before it, or a name twice.
    """
    found: dict[str, object] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip().isidentifier():
            message = f"--arg {text!r} is no key=value"
            raise SegcliError(message, hint="--arg num_classes=19 --arg pretrained=false")
        if key.strip() in found:
            message = f"--arg {key.strip()} was given twice"
            raise SegcliError(message)
        found[key.strip()] = literal(value)
    return found


def literal(text: str) -> object:
    """Read a value as YAML would, without running anything: numbers, true, false, null, lists, quoted text, else text.

    Examples:
        >>> literal("19"), literal("1e-3"), literal("true"), literal("[3, 4, 6, 3]"), literal("'19'"), literal("relu")
        (19, 0.001, True, [3, 4, 6, 3], '19', 'relu')
    """
    plain = text.strip()
    if plain.lower() in _WORDS:
        return _WORDS[plain.lower()]
    if _INTEGER.fullmatch(plain):
        return int(plain)
    # YAML 1.1 takes 1e-3, without a dot, for text.
    return float(plain) if _NUMBER.fullmatch(plain) else _from_yaml(plain)


def _from_yaml(text: str) -> object:
    if text[0] not in "[{'\"(":
        return text
    import yaml

    is_tuple = text[0] == "(" and text[-1] == ")"
    try:
        value: object = yaml.safe_load(f"[{text[1:-1]}]" if is_tuple else text)
    except (yaml.YAMLError, RecursionError) as error:
        message = f"the value {text[:60]!r} is no list, mapping or quoted text"
        raise SegcliError(message, hint="put the value in quotes twice: --arg \"name='[a'\"") from error
    return tuple(value) if is_tuple and isinstance(value, list) else value
