"""A work small enough to check by hand, and a command around it, for tests of how work is spread."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from segcli.emit import complain
from segcli.errors import ExitCode, SegcliError
from segcli.launch import joined, needs_launch, ranks, relaunch
from segcli.loss.result import Source
from segcli.loss.sources.layout import Layout
from segcli.loss.sources.sample import Pair, Sample
from segcli.loss.spreading import journal
from segcli.loss.spreading.journal import PerFile
from segcli.loss.spreading.measured import Measured
from segcli.loss.spreading.pipeline import run
from segcli.loss.spreading.scale import Scale

N_BINS = 1000


@dataclass(frozen=True)
class Summing:
    """Sums each file, and counts its values in a sparse histogram; what a file's name begins with, happens."""

    pause_s: float = 0.0

    def read(self, pair: Pair) -> Sample:
        time.sleep(self.pause_s)
        match pair.name.partition("-")[0]:
            case "bad":
                message = f"{pair.logits} is damaged"
                raise SegcliError(message, hint="save it again")
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "slow":
                Path(f"{pair.logits}.begun").touch()
                time.sleep(60)
        logits = torch.from_numpy(np.load(pair.logits))
        source = Source(pair.logits, tuple(logits.shape), "float64")
        labels = torch.zeros(1, dtype=torch.int64)
        return Sample(pair, logits, labels, Layout("binary", (1,), (1,)), (source, source), logits.nbytes)

    def measure(self, sample: Sample) -> Measured:
        values = sample.logits.double()
        bins = (values.abs() * N_BINS).long().clamp(max=N_BINS - 1)
        counted = torch.sparse_coo_tensor(bins[None], torch.ones_like(bins), (N_BINS,), check_invariants=True)
        sums = torch.stack([values.sum(), values.exp().sum()])
        line = {"name": sample.pair.name, "sum": float(sums[0]), "nan": float("nan")}
        return Measured(sample.pair.name, line, {"sums": sums, "histogram": counted}, sample.n_bytes)


def write_files(folder: Path, names: Sequence[str], n_values: int = 64) -> list[Pair]:
    folder.mkdir(exist_ok=True)
    for index, name in enumerate(names):
        np.save(folder / f"{name}.npy", np.random.default_rng(index).normal(size=n_values))
    return [Pair(name, f"{folder / name}.npy", f"{folder / name}.npy") for name in names]


def pairs_in(folder: Path) -> list[Pair]:
    return [Pair(path.stem, str(path), str(path)) for path in sorted(folder.glob("*.npy"))]


def main(argv: Sequence[str]) -> int:
    try:
        return _command(argv)
    except SegcliError as error:
        complain(error.message, error.hint)
        return error.code
    except KeyboardInterrupt:
        complain("interrupted")
        return ExitCode.INTERRUPTED


def _command(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nproc", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--pause-s", type=float, default=0.0)
    parser.add_argument("--per-file", type=Path)
    parser.add_argument("--save-every-s", type=float, default=journal._SAVE_EVERY_S)
    parser.add_argument("--thresh", type=float, default=0.7)
    for flag in ("--resume", "--force", "--skip", "--threads", "--forked"):
        parser.add_argument(flag, action="store_true")
    options = parser.parse_args(argv)
    if needs_launch(options.nproc):
        imports = ("segcli.loss.spreading.pipeline", "torch.distributed") if options.forked else ()
        code = relaunch(options.nproc, argv, module="tests.loss.summing", imports=imports)
        if code == ExitCode.INTERRUPTED:
            complain("interrupted")
        return code
    journal._SAVE_EVERY_S = options.save_every_s
    asked = options.per_file and PerFile(options.per_file, {"thresh": options.thresh}, options.resume, options.force)
    scale = Scale(options.workers, options.batch_size, on_error="skip" if options.skip else "stop", per_file=asked)
    with joined(ranks(), "cpu") as group:
        lines: list[str] = []
        work = Summing(options.pause_s)
        outcome = run(pairs_in(options.folder), work, scale, group, on_line=lambda line: lines.append(line["name"]))
        told = sorted(name for some in group.gather(lines) for name in some)
    if group.ranks.is_first:
        threads = f" threads {torch.get_num_threads()}" if options.threads else ""
        sums = " ".join(value.hex() for value in outcome.tally["sums"].tolist()) if outcome.tally else "none"
        bins = int((outcome.tally["histogram"] * torch.arange(N_BINS)).sum()) if outcome.tally else 0
        sys.stdout.write(f"{outcome.n_files} {sums} {bins} {outcome.n_bytes} {len(told)}{threads}\n")
        for note in outcome.notes:
            sys.stderr.write(f"note: {note}\n")
    for failure in outcome.failures if group.ranks.is_first else ():
        complain(failure.message, failure.hint)
    return ExitCode.NO if outcome.failures else ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
