"""Runs the commands of `segcli ckpt` on files that are nearly checkpoints; torch is not needed.

``python -m tests.ckpt.fuzzing FOLDER --cases N --seed S`` takes the files of FOLDER as a start. Whatever is not a
result or a refusal is a failure: another exception, more than 2 seconds, more memory than the cap, a destination that
was not finished, or a verdict of ``verify`` that what reads the file does not share.
"""

import argparse
import contextlib
import itertools
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

from segcli.ckpt.conversion.converting import convert
from segcli.ckpt.difference.comparing import Question, diff
from segcli.ckpt.inspection.listing import inspect
from segcli.ckpt.merging.averaging import average
from segcli.ckpt.merging.joining import join
from segcli.ckpt.stripping.strip import Wish, strip
from segcli.ckpt.verification.verifying import verify
from segcli.errors import SegcliError
from segcli.formats.checkpoint import open_checkpoint
from tests.ckpt.mutations import any_pickle, as_legacy, as_zip, change
from tests.ckpt.peaks import peak_bytes

CASE_SECONDS = 2
# Of address space, so that an allocation that is too large fails at once.
MEMORY_BYTES = 2**30
# What the process may have needed at the end; the inputs have a few kilobytes.
PEAK_BYTES = 256 * 2**20


class TooSlow(BaseException):
    """A case took more than its seconds; no handler of errors takes it for one."""


class WrongError(Exception):
    """A case ended well, and should not have."""


def inputs(corpus: Sequence[bytes], pickles: Sequence[bytes], rng: Random) -> bytes:
    """Return one file that is nearly a checkpoint."""
    kind = rng.random()
    if kind < 0.03:
        return rng.choice(corpus)
    if kind < 0.45:
        return change(rng.choice(corpus), rng, corpus)
    data = any_pickle(rng) if kind < 0.75 else change(rng.choice(pickles), rng, pickles)
    if rng.random() < 0.3:
        return as_legacy(data)
    records = [("archive/data.pkl", data), ("archive/.format_version", b"1"), ("archive/.storage_alignment", b"64")]
    records += [("archive/byteorder", b"little"), ("archive/data/0", bytes(16)), ("archive/data/1", bytes(16))]
    return as_zip([*records, ("archive/version", b"3\n")], rng)


def pickles_of(paths: Sequence[Path]) -> list[bytes]:
    """Return the pickles of those files that are checkpoints."""
    found = []
    for path in paths:
        with contextlib.suppress(SegcliError), open_checkpoint(path) as checkpoint:
            found.append(getattr(checkpoint.layout, "pickle", b"N."))
    return found


def run_case(folder: Path, raw: bytes, rng: Random) -> str:
    """Run a command on a file, and return how it ended.

    Raises:
        WrongError: Where it should not have ended so.
    """
    source, destination = folder / "in.pth", folder / "out.pth"
    source.write_bytes(raw)
    name, command = rng.choice(_COMMANDS)
    try:
        ended = f"{name}: {command(source, destination)}"
    except SegcliError as error:
        if not error.message:
            message = "an error without words"
            raise WrongError(message) from error
        if destination.exists():
            message = "an error, and a destination"
            raise WrongError(message) from error
        ended = f"{name}: refused"
    destination.unlink(missing_ok=True)
    if [path.name for path in folder.iterdir()] != ["in.pth"]:
        message = f"the folder holds {sorted(path.name for path in folder.iterdir())}"
        raise WrongError(message)
    return ended


def _inspect(source: Path, _destination: Path) -> str:
    inspect(source)
    return "done"


def _verify(source: Path, _destination: Path) -> str:
    found = verify(source, values=len(source.read_bytes()) % 4 == 0)
    if not found.ok:
        return "not ok"
    if found.format != "safetensors":
        try:
            with open_checkpoint(source):
                pass
        except SegcliError as error:
            message = f"verified, but not read: {error.message}"
            raise WrongError(message) from error
    return "ok"


def _convert(to: str | None, file_format: str | None) -> Callable[[Path, Path], str]:
    def run(source: Path, destination: Path) -> str:
        convert(source, destination, to, file_format=file_format)
        try:
            with open_checkpoint(destination):
                pass
        except SegcliError as error:
            message = f"converted to what is not read: {error.message}"
            raise WrongError(message) from error
        return "done"

    return run


def _diff(source: Path, destination: Path) -> str:
    # A copy changes nothing, and a file that was changed is no reason to run out of anything.
    destination.write_bytes(source.read_bytes())
    try:
        return "same" if diff(source, destination, Question()).same else "not the same"
    finally:
        destination.unlink()


def _join(source: Path, destination: Path) -> str:
    join([source, source], destination)
    return "done"


def _average(source: Path, destination: Path) -> str:
    average([source, source], destination)
    return "done"


def _strip(wish: Wish) -> Callable[[Path, Path], str]:
    def run(source: Path, destination: Path) -> str:
        strip(source, destination, wish)
        with open_checkpoint(destination):
            return "done"

    return run


_COMMANDS: tuple[tuple[str, Callable[[Path, Path], str]], ...] = (
    ("inspect", _inspect),
    ("verify", _verify),
    ("verify", _verify),
    ("convert", _convert("cuda:0", None)),
    ("convert", _convert("cpu", None)),
    ("convert to zip", _convert(None, "zip")),
    ("convert to legacy", _convert(None, "legacy")),
    ("convert to safetensors", _convert(None, "safetensors")),
    ("diff", _diff),
    ("join", _join),
    ("average", _average),
    ("strip", _strip(Wish(drop=["w", "0"], compact=True))),
    ("strip", _strip(Wish(weights_only=True))),
)


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Raise `TooSlow` after so many seconds of a processor's time, however busy the machine is."""

    def stop(*_: object) -> None:
        raise TooSlow

    signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, CASE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def main(argv: Sequence[str]) -> int:
    """Run cases until one fails or all are done; print how they ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", type=int, default=5_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args(argv)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    paths = sorted(options.folder.iterdir())
    corpus = [path.read_bytes() for path in paths]
    pickles = pickles_of(paths)
    ended: Counter[str] = Counter()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:  # noqa: S108 - in memory, and quick
        for number in itertools.islice(itertools.count(options.first), options.cases):
            rng = Random(f"{options.seed}/{number}")
            raw = inputs(corpus, pickles, rng)
            try:
                with _limited():
                    ended[run_case(Path(folder), raw, rng)] += 1
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                traceback.print_exc()
                kept = options.keep / f"segcli-fuzz-{options.seed}-{number}.bin"
                kept.write_bytes(raw)
                sys.stderr.write(f"failed: --seed {options.seed} --first {number} --cases 1; its input is {kept}\n")
                return 1
    peak = peak_bytes()
    rate = options.cases / (time.monotonic() - started)
    words = f"{options.cases:,} cases of seed {options.seed}, {rate:,.0f} a second, peak of {peak / 2**20:.0f} MB"
    counts = ", ".join(f"{what} {count:,}" for what, count in sorted(ended.items()))
    sys.stdout.write(f"{words}\n{counts}\n")
    return int(peak > PEAK_BYTES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
