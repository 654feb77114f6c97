"""A run's JSON back into its dataclasses, each field checked against its annotation. Without torch."""

import json
import math
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from glob import glob
from pathlib import Path
from statistics import median
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from segcli.bench.results import Reference, Result, Status
from segcli.bench.runs import Run
from segcli.errors import SegcliError
from segcli.jsonlines import source_of_lines
from segcli.units import format_bytes

SCHEMA = "segcli.bench/1"
MAX_BYTES = 2**28
"""A run of the default suites is below 2 MB; parsed, a document takes about ten times its size."""

_LONGEST_SHOWN = 40
_TOO_LARGE = 2**63
_LONGEST_S = 1e9
_ROUNDED = 1e-6
"""How far a median may be from that of its samples: what another program wrote again may have fewer digits."""
_GZIP = b"\x1f\x8b"
_SAVE_AGAIN = "its writing or its copy did not finish; run segcli bench again with -o"


def matching(pattern: str) -> list[Path]:
    """Return the file of that name, or the files that match it.

    Raises:
        SegcliError: Where a pattern (``*``, ``?``, ``[...]``) matches none.

    Examples:
        >>> matching("run.json")
        [PosixPath('run.json')]
    """
    if pattern == "-" or Path(pattern).exists() or not set(pattern) & set("*?["):
        return [Path(pattern)]
    found = sorted(glob(pattern))  # noqa: PTH207 - Path.glob takes no absolute pattern
    if not found:
        message = f"no file matches {pattern!r}"
        raise SegcliError(message)
    return [Path(name) for name in found]


def read_run(path: Path) -> Run:
    """Read what ``segcli bench --json`` or ``-o run.json`` wrote.

    Every field is checked against its annotation; numbers are finite and none is negative. Fields that are unknown
    are those of a later version and are passed over; those that have a default may be missing, as in an earlier one.

    Args:
        path: The file; ``-`` is standard input.

    Raises:
        SegcliError: Naming file and field, where it is not a run, not whole, or larger than `MAX_BYTES`.
    """
    name = "standard input" if str(path) == "-" else str(path)
    document = _document(path, name)
    try:
        run: Run = _decode(Run, document, "")
        for index, result in enumerate(run.results):
            _check_result(result, f"results[{index}]")
        for index, reference in enumerate(run.references):
            _check_passes(reference, f"references[{index}]")
    except _MismatchError as error:
        message = f"{name}: {error}"
        raise SegcliError(message, hint="write it anew with segcli bench -o run.json") from error
    return run


class _ConstantError(Exception):
    """NaN or an infinity, which Python's reader would accept."""


class _MismatchError(Exception):
    """A field that is not what its annotation says."""


def _document(path: Path, name: str) -> dict[str, Any]:
    """Parse the file, and look at its schema."""
    with source_of_lines(path) as (source, _):
        content = source.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        message = f"{name} is larger than {format_bytes(MAX_BYTES)}, expected a run of segcli bench"
        raise SegcliError(message, hint="a run of the default suites is below 2 MB")
    if content.startswith(_GZIP):
        message = f"{name} is compressed with gzip, expected JSON"
        raise SegcliError(message, hint="unpack it with gunzip")
    try:
        document = json.loads(content, parse_constant=_refuse_constant)
    except _ConstantError as error:
        message = f"{name} holds {error}, which JSON has no word for and segcli bench never writes"
        raise SegcliError(message, hint="was it edited, or written by another program?") from error
    except (ValueError, RecursionError) as error:
        message = f"{name} is not a whole JSON document: {error}"
        raise SegcliError(message, hint=_SAVE_AGAIN) from error
    if not isinstance(document, dict):
        message = f"{name} holds {_shown(document)}, expected a run of segcli bench, an object"
        raise SegcliError(message, hint="a run is what segcli bench -o run.json writes")
    schema = document.get("schema")
    if schema != SCHEMA:
        message = f"{name} has schema {_shown(schema)}, expected {SCHEMA!r}"
        raise SegcliError(message, hint="a run is what segcli bench -o run.json writes")
    return dict(document)


def _refuse_constant(name: str) -> NoReturn:
    raise _ConstantError(name)


def _decode(kind: Any, value: Any, where: str) -> Any:  # noqa: ANN401 - from any annotation and any JSON
    """Return ``value`` as its annotation wants it."""
    if kind in _PLAIN:
        return _PLAIN[kind](value, where)
    if is_dataclass(kind):
        return _decode_dataclass(kind, value, where)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(_one_of([member.value for member in kind], value, where))
    return _CONTAINERS[get_origin(kind)](get_args(kind), value, where)


def _decode_dataclass(kind: Any, value: Any, where: str) -> Any:  # noqa: ANN401 - as above
    if not isinstance(value, dict):
        _refuse(value, "an object", where)
    known = {}
    for field in fields(kind):
        inside = f"{where}.{field.name}".removeprefix(".")
        if field.name in value:
            known[field.name] = _decode(_annotations(kind)[field.name], value[field.name], inside)
        elif field.default is MISSING and field.default_factory is MISSING:
            message = f"{inside} is missing"
            raise _MismatchError(message)
    return kind(**known)


@cache
def _annotations(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _text(value: Any, where: str) -> str:  # noqa: ANN401 - any JSON
    return value if isinstance(value, str) else _refuse(value, "text", where)


def _truth(value: Any, where: str) -> bool:  # noqa: ANN401 - any JSON
    return value if isinstance(value, bool) else _refuse(value, "true or false", where)


def _whole(value: Any, where: str) -> int:  # noqa: ANN401 - any JSON
    # A bool is an int to Python.
    if type(value) is not int or not 0 <= value < _TOO_LARGE:
        _refuse(value, "a whole number from 0 to 2^63 - 1", where)
    return int(value)


def _number(value: Any, where: str) -> float:  # noqa: ANN401 - any JSON
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        _refuse(value, "a finite number of 0 or more", where)
    try:
        return float(value)
    except OverflowError:
        _refuse(value, "a finite number of 0 or more", where)


def _one_of(known: list[Any], value: Any, where: str) -> Any:  # noqa: ANN401 - any JSON
    return value if value in known else _refuse(value, " or ".join(known), where)


def _optional(kinds: tuple[Any, ...], value: Any, where: str) -> Any:  # noqa: ANN401 - any JSON
    if value is None:
        return None
    (kind,) = (kind for kind in kinds if kind is not NoneType)
    return _decode(kind, value, where)


def _tuple(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:  # noqa: ANN401 - any JSON
    if not isinstance(value, list):
        _refuse(value, "a list", where)
    each = (kinds[0],) * len(value) if kinds[-1] is Ellipsis else kinds
    if len(each) != len(value):
        _refuse(value, f"a list of {len(each)}", where)
    return tuple(_decode(each[index], item, f"{where}[{index}]") for index, item in enumerate(value))


def _mapping(kinds: tuple[Any, ...], value: Any, where: str) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    if not isinstance(value, dict):
        _refuse(value, "an object", where)
    return {name: _decode(kinds[1], item, f"{where}.{name}") for name, item in value.items()}


_PLAIN: dict[Any, Callable[[Any, str], Any]] = {str: _text, bool: _truth, int: _whole, float: _number}
_CONTAINERS: dict[Any, Callable[[Any, Any, str], Any]] = {
    Union: _optional,
    UnionType: _optional,
    tuple: _tuple,
    dict: _mapping,
    Literal: lambda known, value, where: _one_of(list(known), value, where),
}


def _refuse(value: Any, expected: str, where: str) -> NoReturn:  # noqa: ANN401 - any JSON
    message = f"{where} is {_shown(value)}, expected {expected}"
    raise _MismatchError(message)


def _shown(value: Any) -> str:  # noqa: ANN401 - any JSON
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    text = "null" if value is None else json.dumps(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


def _check_result(result: Result, where: str) -> None:
    _check_passes(result, where)
    if max(result.samples_s, default=0.0) > _LONGEST_S:
        message = f"{where}.samples_s holds {max(result.samples_s):g}, expected at most {_LONGEST_S:g} seconds"
        raise _MismatchError(message)
    if result.status is Status.TIMED and (result.median_s is None or not result.samples_s):
        missing = "median_s" if result.median_s is None else "samples_s"
        message = f"{where}.{missing} is missing, expected it of a kernel that was timed"
        raise _MismatchError(message)
    if result.median_s is not None and result.samples_s:
        _check_median(result.median_s, median(result.samples_s), where)


def _check_median(given: float, of_samples: float, where: str) -> None:
    """Refuse a median that is not that of its samples: people are shown the one, ratios are of the others."""
    if not math.isclose(given, of_samples, rel_tol=_ROUNDED):
        message = f"{where}.median_s is {given:g}, expected {of_samples:g}, the median of its samples_s"
        raise _MismatchError(message)


def _check_passes(timed: Result | Reference, where: str) -> None:
    """Refuse passes that do not add up to the samples; a run of one pass may leave them out."""
    if timed.passes and sum(timed.passes) != len(timed.samples_s):
        message = f"{where}.passes add up to {sum(timed.passes)}, expected {len(timed.samples_s)}, one a sample"
        raise _MismatchError(message)
