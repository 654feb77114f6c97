"""Reads the sizes of a SPEC: ``8,16,3`` or ``8x16x3``, named sizes ``N,19,H,W``, labelled ones ``h:8,w:16``."""

import re
from difflib import get_close_matches

from segcli.errors import SegcliError, nearest
from segcli.shapes.symbols import RESERVED
from segcli.shapes.values import DTYPES, Labels, Shape, Size
from segcli.units import INT64_MAX

HINT = (
    "write a shape (8,16,3 or N,3,H,W), a dtype and a shape (bool:8,16), or a literal ([0,2,5], 3, 0.7, tensor([0,2]))"
)
LABEL_HINT = "label every size, as h:8,w:16, or none; a dtype stands before them: int64:h:8,w:16"

# What a message shows of a text, so that it stays on one line.
_SHOWN = 60
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")
_NUMBERS = re.compile(r"[0-9]+(?:\s*[x,]\s*[0-9]+)*\s*,?")
# PyTorch's other words for dtypes, so that nobody labels an axis with one by mistake.
_ALIASES = ("bfloat", "byte", "cfloat", "char", "double", "float", "half", "int", "long", "short", "uint")
_NO_NAMES = ("True", "False", "None", *RESERVED, *DTYPES)


def shorten(text: str) -> str:
    """Cut a text to what a message shows of it.

    Examples:
        >>> len(shorten("x" * 100))
        60
    """
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def split_dtype(name: str, text: str) -> tuple[str, str]:
    """Split a dtype from what follows it; the dtype is empty where there is none.

    Raises:
        SegcliError: For a word before a colon that is neither a dtype nor one of the labels of all sizes.

    Examples:
        >>> split_dtype("x", "int64:4,5"), split_dtype("x", "int64:h:8"), split_dtype("x", "h:8,w:16")
        (('int64', '4,5'), ('int64', 'h:8'), ('', 'h:8,w:16'))
    """
    head, colon, body = text.partition(":")
    head = head.strip()
    if not colon or text.startswith(("[", "tensor")):
        return "", text
    if head in DTYPES:
        return head, body.strip()
    labelled = [":" in part for part in _listed(text.partition("#")[0])]
    if head not in _ALIASES and not get_close_matches(head, DTYPES, n=1, cutoff=0.75):
        if all(labelled):
            return "", text
        if sum(labelled) > 1:
            raise _partly_labelled(name, text)
    message = f"{name}={shorten(text)} names an unknown dtype {shorten(head)!r}"
    hint = nearest(head[:_SHOWN], list(DTYPES))
    raise SegcliError(message, hint=hint if all(labelled) else f"{hint}; or {LABEL_HINT}")


def _listed(sizes: str) -> list[str]:
    return [part.strip() for part in sizes.strip().strip("()").strip().removesuffix(",").split(",")]


def _partly_labelled(name: str, text: str) -> SegcliError:
    message = f"{name}={shorten(text)} labels some of its sizes and not others"
    return SegcliError(message, hint=LABEL_HINT)


def read_shape(name: str, text: str, sizes: str, *, typed: bool) -> tuple[Shape, Labels]:
    """Read sizes, and the labels before them.

    Args:
        name: The bound name, for messages.
        text: The whole SPEC, for messages.
        sizes: The part of it that is to be read.
        typed: Whether a dtype stood before it, so that one size alone is a shape and no number.

    Raises:
        SegcliError: For anything else.

    Examples:
        >>> read_shape("x", "N,19", "N,19", typed=False), read_shape("x", "h:8", "h:8", typed=False)
        ((('N', 19), ()), ((8,), ('h',)))
    """
    opened, closed = sizes.startswith("("), sizes.endswith(")")
    inner = sizes.removeprefix("(").removesuffix(")").strip() if opened else sizes
    if opened and closed and not inner:
        return (), ()
    if opened != closed:
        raise _neither(name, text)
    if _NUMBERS.fullmatch(inner):
        return tuple(_number(name, text, size) for size in re.findall(r"[0-9]+", inner)), ()
    parts = _listed(inner)
    if not any(":" in part for part in parts):
        if len(parts) == 1 and not (typed or opened or inner.endswith(",")):
            hint = f"one named size is written with a comma: {name}={inner}," if _NAME.fullmatch(inner) else HINT
            raise _neither(name, text, hint)
        return tuple(_size(name, text, part) for part in parts), ()
    if not all(":" in part for part in parts):
        raise _partly_labelled(name, text)
    pairs = [part.partition(":") for part in parts]
    labels = tuple(_label(name, text, label.strip()) for label, _, _ in pairs)
    return tuple(_size(name, text, size.strip()) for _, _, size in pairs), labels


def _neither(name: str, text: str, hint: str = HINT) -> SegcliError:
    return SegcliError(f"{name}={shorten(text)} is neither a shape nor a literal", hint=hint)


def _size(name: str, text: str, part: str) -> Size:
    if re.fullmatch(r"[0-9]+", part):
        return _number(name, text, part)
    if not _NAME.fullmatch(part):
        raise _neither(name, text)
    _refuse_reserved(name, text, part, "size")
    return part


def _number(name: str, text: str, digits: str) -> int:
    # Digits are counted before int(), which takes long for many, or raises its own error.
    if len(digits) > len(str(INT64_MAX)) or int(digits) > INT64_MAX:
        message = f"{name}={shorten(text)} has the size {shorten(digits)}, expected at most 2^63 - 1"
        raise SegcliError(message, hint="write a smaller one, or give it a name: N,3")
    return int(digits)


def _label(name: str, text: str, label: str) -> str:
    if not _NAME.fullmatch(label):
        message = f"{name}={shorten(text)} has the label {shorten(label)!r}, expected a name of at most 32 letters"
        raise SegcliError(message, hint=LABEL_HINT)
    _refuse_reserved(name, text, label, "label")
    return label


def _refuse_reserved(name: str, text: str, word: str, what: str) -> None:
    if word in _NO_NAMES:
        message = f"{name}={shorten(text)} has the {what} {word}, which means something else"
        hint = f"a dtype stands before the sizes: {word}:8,16" if word in DTYPES else f"choose another {what}"
        raise SegcliError(message, hint=hint)
