"""The two sides of a comparison: each a run, or several put together; and what keeps them apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from statistics import median
from typing import Any, NamedTuple

from segcli.bench.measuring.environment import Environment
from segcli.bench.results import Reference, Result, Status
from segcli.bench.runs import Run
from segcli.errors import SegcliError


class Group(NamedTuple):
    """Kernels that took turns, with the reference workload among them."""

    suite: str
    mode: str
    size: tuple[int, int]
    dtype: str
    device: str
    caches: str
    span: str


class Key(NamedTuple):
    """What is compared with its like."""

    group: Group
    kernel: str
    variant: str


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
        names: Of the files.
        environment: Where and how they ran; the first one's, which the others' agree with.
        data: How each suite's tensors are distributed, in words.
        results: One a kernel and condition.
        references: The reference workloads, by group and name.
        partial: Whether any of its runs was interrupted.
        runs: Each run by itself, where they are several.
    """

    names: tuple[str, ...]
    environment: Environment
    data: dict[str, str]
    results: dict[Key, Result]
    references: dict[tuple[Group, str], Reference]
    partial: bool = False
    runs: tuple["Side", ...] = ()


def side_of(names: Sequence[str], runs: Sequence[Run]) -> Side:
    """Make a side of one run or of several.

    Of several, each run stands for one pass: what differs from process to process, such as where its memory lies, is
    then among the differences between passes, and the interval knows of it.

    Args:
        names: What the runs are called in messages.
        runs: One at least.

    Raises:
        SegcliError: Where runs that are put together differ in what decides about times, or one holds a kernel twice.
    """
    first = runs[0]
    for name, run in zip(names, runs, strict=True):
        reasons = [*obstacles(first.environment, run.environment), *other_machine(first.environment, run.environment)]
        if reasons:
            message = f"{names[0]} and {name} cannot be put together: {reasons[0]}"
            raise SegcliError(message, hint="put together runs of one machine, made alike")
    sides = [_side(name, run) for name, run in zip(names, runs, strict=True)]
    if len(sides) == 1:
        return sides[0]
    timed, beside = [each.results for each in sides], [each.references for each in sides]
    return Side(
        names=tuple(names),
        environment=first.environment,
        data={suite: words for run in runs for suite, words in run.data.items()},
        results={key: _result_of(key, timed) for key in _all(timed)},
        references={key: _reference_of(key, beside) for key in _all(beside)},
        partial=any(run.partial for run in runs),
        runs=tuple(sides),
    )


def _side(name: str, run: Run) -> Side:
    references = {(_group(each), each.workload): each for each in run.references}
    return Side((name,), run.environment, run.data, _by_key(run, name), references, run.partial)


def obstacles(first: Environment, second: Environment) -> Iterator[str]:
    """Give what was set otherwise, and makes times incomparable."""
    if first.threads != second.threads:
        yield f"{first.threads} and {second.threads} threads"
    for field in fields(first.flags):
        before, after = getattr(first.flags, field.name), getattr(second.flags, field.name)
        if before != after:
            yield f"{field.name} is {_word(before)} and {_word(after)}"


def other_machine(first: Environment, second: Environment) -> Iterator[str]:
    """Give the other processor or GPU, where there is one: the reference workload alone makes up for it."""
    if first.cpu != second.cpu:
        yield f"another processor: {first.cpu} and {second.cpu}"
    before, after = (where.gpu.name if where.gpu else "none" for where in (first, second))
    if before != after:
        yield f"another GPU: {before} and {after}"


def differences(first: Environment, second: Environment) -> Iterator[str]:
    """Give what differs besides, and may be why times do."""
    for name in ("torch", "python", "os", "cores"):
        before, after = getattr(first, name), getattr(second, name)
        if before != after:
            yield f"{name} {before} and {after}"
    for name in sorted(first.variables.keys() | second.variables.keys()):
        before, after = (where.variables.get(name, "unset") for where in (first, second))
        if before != after:
            yield f"{name} {before} and {after}"


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _group(timed: Result | Reference) -> Group:
    return Group(timed.suite, timed.mode, timed.size, timed.dtype, timed.device, timed.caches, timed.span)


def _by_key(run: Run, name: str) -> dict[Key, Result]:
    results: dict[Key, Result] = {}
    for result in run.results:
        key = Key(_group(result), result.kernel, result.variant)
        if key in results:
            message = f"{name} holds {result.suite}/{result.kernel} {result.mode} twice, expected it once"
            raise SegcliError(message, hint="a run of segcli bench holds each once; was the file put together by hand?")
        results[key] = result
    return results


def _all(held: Sequence[dict[Any, Any]]) -> list[Any]:
    return list(dict.fromkeys(key for each in held for key in each))


def _result_of(key: Key, held: Sequence[dict[Key, Result]]) -> Result:
    found = [each.get(key) for each in held]
    timed = [result if result and result.status is Status.TIMED else None for result in found]
    samples, passes = _together(timed)
    first = next((result for result in timed if result), None)
    if first is None:
        return next(result for result in found if result)
    return replace(first, samples_s=samples, passes=passes, median_s=median(samples))


def _reference_of(key: tuple[Group, str], held: Sequence[dict[tuple[Group, str], Reference]]) -> Reference:
    found = [each.get(key) for each in held]
    samples, passes = _together(found)
    return replace(next(each for each in found if each), samples_s=samples, passes=passes)


def _together(found: Sequence[Result | Reference | None]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Put samples one after the other, and count those of each run: none, where a run has none of them."""
    samples = [each.samples_s if each else () for each in found]
    return tuple(sample for each in samples for sample in each), tuple(len(each) for each in samples)
