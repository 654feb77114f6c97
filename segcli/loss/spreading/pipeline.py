"""All pairs through the work: this rank's shard in order, added up, written down as it goes, then summed over ranks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from segcli.errors import SegcliError
from segcli.files import raising_at_the_end
from segcli.launch import Group, shard
from segcli.loss.sources.sample import Pair
from segcli.loss.spreading.journal import Journal, Taken, finish, opened
from segcli.loss.spreading.loading import Failure, loading, named
from segcli.loss.spreading.measured import Measured, Work, add_into, reduce_tallies
from segcli.loss.spreading.scale import Scale, resolved

if TYPE_CHECKING:
    from torch import Tensor

# Beside the work's own; a name of its own has no such prefix.
_COUNTS = _FILES, _FAILED, _BYTES = "run/files", "run/failed", "run/bytes"

OnLine = Callable[[dict[str, Any]], None]
Advance = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of all pairs, over all ranks and an earlier run.

    Attributes:
        tally: The sum of the measured pairs' tallies.
        n_files: How many pairs were measured.
        n_bytes: How many bytes they have.
        failures: The others, in order.
        n_resumed: How many of both were done by an earlier run.
        workers: How many processes read for this rank.
        notes: What is to be said.
    """

    tally: "dict[str, Tensor]"
    n_files: int
    n_bytes: int
    failures: tuple[Failure, ...]
    n_resumed: int
    workers: int
    notes: tuple[str, ...]


def run(
    pairs: Sequence[Pair],
    work: Work,
    scale: Scale,
    group: Group | None = None,
    *,
    on_line: OnLine = lambda _: None,
    advance: Advance = lambda _files, _bytes: None,
) -> Outcome:
    """Put every pair through the work; each rank takes its shard.

    Args:
        pairs: All pairs, the same on all ranks; their names differ.
        work: What is done with each.
        scale: How it is spread.
        group: The ranks; one process without.
        on_line: Told of each measured pair's line, of an earlier run's too: of this rank's pairs, in order.
        advance: Told of files and bytes as they are done, of an earlier run's at first.

    Returns:
        The same on all ranks, but for ``workers`` and ``notes``.

    Raises:
        SegcliError: Where a pair cannot be measured and ``on_error`` is ``stop``, where the journal cannot be opened or
            written, where a worker dies.
        segcli.launch.LostRanksError: Where another rank has ended.
    """
    group = group or Group()
    _check_names(pairs)
    asked = scale.per_file
    with opened(asked, pairs, group) if asked else nullcontext((None, Taken())) as (journal, taken):
        account = _Account(journal, taken, on_line)
        mine = shard(range(len(pairs)), group.ranks)
        todo = [index for index in mine if index not in taken.done]
        advance(len(mine) - len(todo), 0)
        chosen = resolved(scale, [pairs[index] for index in todo], group.ranks)
        with raising_at_the_end(), account.kept():
            pending = [(index, pairs[index]) for index in todo]
            _measure(pending, work, chosen, group, account, advance, alone=len(pairs) == 1)
        add_into(account.total, taken.inherited)
        total = reduce_tallies(account.total, group)
        failures = sorted(failure for some in group.gather(account.failures) for failure in some)
        _check_total(total, len(pairs))
        if asked and journal:
            finish(journal, taken, asked, pairs, group, total)
    return Outcome(
        tally={name: tensor for name, tensor in total.items() if name not in _COUNTS},
        n_files=_count(total, _FILES),
        n_bytes=_count(total, _BYTES),
        failures=tuple(failure for _, failure in failures),
        n_resumed=len(taken.done),
        workers=chosen.workers or 0,
        notes=taken.notes,
    )


def _measure(
    todo: Sequence[tuple[int, Pair]],
    work: Work,
    scale: Scale,
    group: Group,
    account: "_Account",
    advance: Advance,
    *,
    alone: bool,
) -> None:
    with loading([pair for _, pair in todo], work, scale) as results:
        for (index, pair), found in zip(todo, results, strict=True):
            # Of one pair it is plain which is meant.
            result = named(pair, found) if isinstance(found, Failure) and not alone else found
            if isinstance(result, Failure):
                if scale.on_error == "stop":
                    raise result.error()
                account.add_failure(index, result)
                advance(1, 0)
            else:
                account.add(index, result)
                advance(1, result.n_bytes)
            group.check()


class _Account:
    """What this rank has done so far: in the journal a line a pair, and what they add up to."""

    def __init__(self, journal: Journal | None, taken: Taken, on_line: OnLine) -> None:
        self.total = taken.tally
        self.failures: list[tuple[int, Failure]] = []
        self._journal = journal
        self._on_line = on_line
        # Whether the line is written and the tally not yet added, or half: no state is kept then.
        self._is_between = False
        for index, line in taken.lines():
            self._tell(index, line)

    def add(self, index: int, measured: Measured) -> None:
        counts = {_FILES: _number(1), _BYTES: _number(measured.n_bytes)}
        self._add(index, {"name": measured.name, **measured.line}, {**measured.tally, **counts})

    def add_failure(self, index: int, failure: Failure) -> None:
        line = {"name": failure.name, "error": failure.message, "hint": failure.hint}
        self._add(index, line, {_FAILED: _number(1)})

    def _add(self, index: int, line: dict[str, Any], tally: "dict[str, Tensor]") -> None:
        self._is_between = True
        if self._journal:
            self._journal.write(index, line)
        add_into(self.total, tally, line["name"])
        self._is_between = False
        self._tell(index, line)
        if self._journal:
            self._journal.save(self.total)

    def _tell(self, index: int, line: dict[str, Any]) -> None:
        if "error" in line:
            self.failures.append((index, Failure(line["name"], line["error"], line["hint"])))
        else:
            self._on_line(line)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep what is done when the block ends, however it ends."""
        try:
            yield
        except BaseException:
            if self._journal and not self._is_between:
                # The first error is the one to be told.
                with suppress(SegcliError):
                    self._journal.save(self.total, at_once=True)
            raise
        if self._journal:
            self._journal.save(self.total, at_once=True)


def _number(value: int) -> "Tensor":
    import torch

    return torch.tensor(value)


def _count(total: "Mapping[str, Tensor]", name: str) -> int:
    return int(total[name]) if name in total else 0


def _check_names(pairs: Sequence[Pair]) -> None:
    seen: set[str] = set()
    for pair in pairs:
        if pair.name in seen:
            message = f"two pairs are called {pair.name}, expected a name for each"
            raise SegcliError(message, hint="name them in a --manifest")
        seen.add(pair.name)


def _check_total(total: "Mapping[str, Tensor]", n_pairs: int) -> None:
    n_done = _count(total, _FILES) + _count(total, _FAILED)
    if n_done != n_pairs:
        message = f"{n_done} pairs were measured over all ranks, of {n_pairs}"
        raise RuntimeError(message)
