"""Answers questions that come as JSON lines, one result each, in order, and never stops for a bad one."""

import json
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from segcli.errors import SegcliError, nearest
from segcli.shapes.result import Explanation
from segcli.shapes.text.scan import MAX_CHARACTERS

# Room for an expression and its SPECs, all of their greatest length.
MAX_LINE_BYTES = 2**20
_KEYS = ["expr", "bind"]
_HINT = 'write {"expr": "x[0]", "bind": {"x": "8,16,3"}}'
# A bar that moves at every line would cost more than the answers.
_ADVANCE_BYTES = 2**16

Answerer = Callable[[str, dict[str, str]], Explanation | dict[str, Any]]


@dataclass(frozen=True)
class Problem:
    """Why a line has no answer.

    Attributes:
        type: ``bad-line`` (it is no question), ``bad-expression`` (its expression or a SPEC cannot be explained), or
            ``bug``.
        message: What is wrong.
        hint: The way out, where there is one.
    """

    type: str
    message: str
    hint: str


@dataclass(frozen=True)
class Refusal:
    """A line without an answer.

    Attributes:
        line: Its number, from 1.
        expr: Its expression, None where none could be read; a very long one is cut.
        error: Why.
    """

    line: int
    expr: str | None
    error: Problem


@dataclass(slots=True)
class Tally:
    """What was wrong in a batch.

    Attributes:
        refused: Lines that could not be read or explained.
        bugs: Lines that met a bug of ours.
        disagreed: Answers that PyTorch did not confirm.
    """

    refused: int = 0
    bugs: int = 0
    disagreed: int = 0


def answer_lines(
    lines: Iterable[tuple[bytes | None, int]],
    answer: Answerer,
    tally: Tally,
    advance: Callable[[int], None] = lambda _: None,
) -> Iterator[Explanation | dict[str, Any] | Refusal]:
    r"""Answer every line; blank ones are passed over.

    Args:
        lines: Each line, None for one that is too long, and how many bytes it took.
        answer: Explains an expression with what its names stand for.
        tally: Counts the lines without an answer.
        advance: Is told how many bytes were read.

    Examples:
        >>> from segcli.shapes import explain
        >>> tally = Tally()
        >>> lines = [(b'{"expr": "x[0]", "bind": {"x": "2,3"}}', 38), (b"\n", 1), (b"x[0]", 4)]
        >>> first, second = answer_lines(lines, explain, tally)
        >>> first.torch.shape, second.line, second.error.type, tally.refused
        ((3,), 3, 'bad-line', 1)
    """
    unreported = 0
    for number, (line, size) in enumerate(lines, 1):
        unreported += size
        if unreported > _ADVANCE_BYTES:
            advance(unreported)
            unreported = 0
        if line is None or not line.isspace():
            yield _answered(number, line, answer, tally)
    advance(unreported)


def _answered(
    number: int, line: bytes | None, answer: Answerer, tally: Tally
) -> Explanation | dict[str, Any] | Refusal:
    expr: str | None = None
    try:
        document = _read(line)
        expr = _expression(document)
        return answer(expr, _bindings(document))
    except SegcliError as error:
        tally.refused += 1
        kind = "bad-expression" if expr is not None and not isinstance(error, _BadLineError) else "bad-line"
        return Refusal(number, _cut(expr), Problem(kind, error.message, error.hint))
    except Exception as error:  # noqa: BLE001 - the answers to all other lines are not lost to a bug of ours
        tally.bugs += 1
        message = f"this is a bug in segcli: {type(error).__name__}: {error}"
        return Refusal(number, _cut(expr), Problem("bug", message, "report it with this line"))


class _BadLineError(SegcliError):
    """A line that is no question."""


def _read(line: bytes | None) -> dict[str, Any]:
    if line is None:
        message = f"the line has more than {MAX_LINE_BYTES:,} bytes"
        raise _BadLineError(message)
    try:
        # Some editors begin a file with a mark of its encoding.
        document = json.loads(line.removeprefix(BOM_UTF8).decode())
    except UnicodeDecodeError as error:
        message = f"the line is not UTF-8: byte {line[error.start]:#04x} at {error.start}"
        raise _BadLineError(message) from error
    except (ValueError, RecursionError) as error:
        words = str(error) if isinstance(error, ValueError) else "it is nested too deep"
        message = f"the line is not JSON: {words}"
        raise _BadLineError(message, _HINT) from error
    if not isinstance(document, dict):
        message = f"the line holds {_json_type(document)}, expected an object"
        raise _BadLineError(message, _HINT)
    return document


def _expression(document: dict[str, Any]) -> str:
    if "expr" not in document:
        message = "the line has no key 'expr'"
        raise _BadLineError(message, _HINT)
    expr = document["expr"]
    if not isinstance(expr, str):
        message = f"'expr' holds {_json_type(expr)}, expected text"
        raise _BadLineError(message, _HINT)
    return expr


def _bindings(document: dict[str, Any]) -> dict[str, str]:
    if len(document) > len(_KEYS) or not document.keys() <= set(_KEYS):
        unknown = next(key for key in document if key not in _KEYS)
        message = f"the line has an unknown key {_cut(unknown)!r}"
        raise _BadLineError(message, nearest(unknown[:40], _KEYS))
    bind = document.get("bind", {})
    if not isinstance(bind, dict):
        message = f"'bind' holds {_json_type(bind)}, expected an object of names and SPECs"
        raise _BadLineError(message, _HINT)
    for name, spec in bind.items():
        if not isinstance(spec, str):
            message = f"'bind' gives {_cut(name)} {_json_type(spec)}, expected text"
            hint = f'write "{name}": "{json.dumps(spec)}"' if isinstance(spec, int) else _HINT
            raise _BadLineError(message, hint)
    return bind


def _json_type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "an object"


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= MAX_CHARACTERS else text[:60] + "..."
