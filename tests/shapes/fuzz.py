"""Compares a million random cases with torch and NumPy, and then formulas: ``python -m tests.shapes.fuzz``.

A run draws the same cases again when it is given the same seed and number; one family alone is named by ``--only``.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import zip_longest

from tests.shapes.agreement import Family, Tally, compare_many
from tests.shapes.families import FAMILIES, INDEXING
from tests.shapes.formula_agreement import compare_formulas

CASES = 1_000_000
# How often cases are drawn for their formulas; about half of them have one.
FORMULAS = 100_000
# Of all cases; the other families have equal parts of the rest.
OF_INDEXING = 0.42
# What a process does in one go.
UNIT = 2000
_TELL_EVERY_S = 20.0

# Whether formulas are compared; a family, which of its units, and how many cases.
Unit = tuple[bool, str, int, int]


def shares(families: Sequence[Family], cases: int) -> dict[str, int]:
    """Return how many cases each family takes; together they are at least as many as asked for.

    Examples:
        >>> taken = shares(FAMILIES, 1_000_000)
        >>> taken[INDEXING.name], min(taken.values()) > 8_000, 1_000_000 <= sum(taken.values()) < 1_000_100
        (420000, True, True)
    """
    others = [family.name for family in families if family is not INDEXING]
    first = 0 if INDEXING not in families else int(cases * OF_INDEXING) if others else cases
    taken = {INDEXING.name: first} if INDEXING in families else {}
    return taken | {name: -(-(cases - first) // len(others)) for name in others}


def units(taken: Mapping[str, int], *, formulas: bool = False) -> Iterator[Unit]:
    """Cut the families' cases into units, one of each family in turn.

    Examples:
        >>> list(units({"joins": 3000, "cuts": 10}))
        [(False, 'joins', 0, 2000), (False, 'cuts', 0, 10), (False, 'joins', 1, 1000)]
    """
    rows = ([(formulas, name, at // UNIT, min(UNIT, cases - at)) for at in range(0, cases, UNIT)]
            for name, cases in taken.items())  # fmt: skip
    for row in zip_longest(*rows):
        yield from (unit for unit in row if unit is not None)


def do(unit: Unit, seed: int) -> Tally:
    formulas, name, chunk, count = unit
    (family,) = (family for family in FAMILIES if family.name == name)
    compare = compare_formulas if formulas else compare_many
    return compare(family, count, seed=seed, chunk=chunk)


def fuzz(work: Sequence[Unit], seed: int, processes: int) -> dict[str, Tally]:
    """Compare, telling how far it is and what disagrees; return what came of each family."""
    found: dict[str, Tally] = {}
    whole, done, started = sum(count for *_, count in work), 0, time.monotonic()
    told = started
    # A new process each, and none that takes over this one's threads.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(do, unit, seed): unit for unit in work}
        for future in as_completed(waiting):
            _, name, _, count = waiting[future]
            tally = future.result()
            found.setdefault(name, Tally()).add(tally)
            for failure in tally.failures:
                say(f"{failure}\n")
            done, now = done + count, time.monotonic()
            if now - told > _TELL_EVERY_S or done == whole:
                told = now
                say(f"{done:,} of {whole:,} drawn, {now - started:.0f} s")
    return found


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def table(found: Mapping[str, Tally], title: str) -> str:
    """Write what came of each family.

    Examples:
        >>> print(table({"joins": Tally(cases=2000, asked=3900, raised=900, seconds=1.5)}, "cases"))
        family                         cases   answers    raised   refused  disagree   seconds
        joins                          2,000     3,900       900         0         0       1.5
        together                       2,000     3,900       900         0         0       1.5
    """
    whole = Tally()
    for tally in found.values():
        whole.add(tally)
    columns = (title, "answers", "raised", "refused", "disagree", "seconds")
    lines = [f"{'family':26}" + "".join(f"{word:>10}" for word in columns)]
    for name, tally in [*found.items(), ("together", whole)]:
        counts = (tally.cases, tally.asked, tally.raised, tally.refused, len(tally.failures))
        lines.append(f"{name:26}" + "".join(f"{count:>10,}" for count in counts) + f"{tally.seconds:>10,.1f}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="draw the cases of a run that failed again")
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--formulas", type=int, default=FORMULAS)
    parser.add_argument("--only", default="", help="families whose names hold these words")
    parser.add_argument("--processes", type=int, default=min(os.cpu_count() or 1, 2))
    given = parser.parse_args(argv)
    families = [family for family in FAMILIES if given.only in family.name]
    with_formulas = [family for family in families if family.formulas]
    if not families:
        parser.error(f"no family holds {given.only!r}; there are {', '.join(family.name for family in FAMILIES)}")
    say(f"seed {given.seed}")
    parts = [units(shares(families, given.cases)), units(shares(with_formulas, given.formulas), formulas=True)]
    wrong = 0
    for title, part in zip(("cases", "formulas"), parts, strict=True):
        found = fuzz(list(part), given.seed, given.processes)
        say(table(found, title))
        wrong += sum(len(tally.failures) for tally in found.values())
    say(f"seed {given.seed}: {f'{wrong:,} disagree' if wrong else 'all agree'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
