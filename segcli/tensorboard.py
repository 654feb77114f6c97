"""Events for TensorBoard: scalars, histograms, images, texts, hyperparameters. The only importer of tensorboardX."""

import errno
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segcli.errors import ExitCode, SegcliError

if TYPE_CHECKING:
    from tensorboardX.event_file_writer import EventsWriter

Write = Callable[[str, float, int], None]
# Whoever looks on while a long run is written sees what is this old, and a kill loses no more.
_FLUSH_S = 30.0
# What tensorboardX lets stand in the names of its scalars; others become underscores.
_UNUSUAL_IN_TAG = re.compile(r"[^-/\w.]")


def check_folder(folder: Path) -> None:
    """Refuse, before any work is done, a folder that could not be written.

    Raises:
        SegcliError: Where ``folder`` is a file, or the folder that it would lie in cannot be written; with exit code 3
            where tensorboardX is not installed.
    """
    if find_spec("tensorboardX") is None:
        message = "events for TensorBoard need tensorboardX, which is not installed"
        raise SegcliError(message, hint="pip install tensorboardX", code=ExitCode.UNAVAILABLE)
    standing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    with _explained(folder):
        if not standing.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(standing))
        if not os.access(standing, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(standing))


class Events:
    """An event file that is being written; made by `event_writer`.

    Numbers may be tensors of one element in any dtype, bfloat16 too. A tag's slashes group what TensorBoard shows; what
    is neither letter, digit nor one of ``_-./`` becomes an underscore in it.
    """

    def __init__(self, folder: Path, events: "EventsWriter") -> None:
        """Keep the folder, for runs below it and for messages, and what frames the records."""
        self._folder = folder
        self._events = events
        self._flushed_s = time.monotonic()

    def scalar(self, tag: str, value: float, step: int = 0) -> None:
        """Append one number."""
        self.scalars({tag: value}, step)

    def scalars(self, values: Mapping[str, float], step: int = 0) -> None:
        """Append numbers of one step as one record, which is faster than a record each.

        Args:
            values: By tag; they may be tensors of one element.
            step: Which step of the run they are of.
        """
        # float() takes what tensorboardX refuses: a bfloat16 tensor, a Fraction.
        self._append([{"tag": clean_tag(tag), "simple_value": float(value)} for tag, value in values.items()], step)

    def histogram(self, tag: str, edges: Sequence[float], counts: Sequence[int], step: int = 0) -> None:
        """Append a histogram that is counted already.

        Args:
            tag: Its name.
            edges: Finite and ascending, one more than ``counts``.
            counts: How many values lie between each edge and the next.
            step: Which step of the run it is of.

        Raises:
            ValueError: Where the edges do not fit the counts, or there are none.
        """
        if not counts or len(edges) != len(counts) + 1:
            message = f"{len(edges)} edges for {len(counts)} counts, expected one more"
            raise ValueError(message)
        self._append([{"tag": clean_tag(tag), "histo": _histogram(edges, counts)}], step)

    def image(self, tag: str, png: bytes, step: int = 0) -> None:
        """Append a picture.

        Args:
            tag: Its name.
            png: The content of a PNG file.
            step: Which step of the run it is of.

        Raises:
            ValueError: Where ``png`` is no PNG.
        """
        # The header's chunk stands first (PNG, third edition, section 5.6): 8 bytes of signature, its length and name.
        if png[:8] != b"\x89PNG\r\n\x1a\n" or png[12:16] != b"IHDR":
            message = f"{clean_tag(tag)} is no PNG: it begins with {png[:16]!r}"
            raise ValueError(message)
        sides = {"width": int.from_bytes(png[16:20], "big"), "height": int.from_bytes(png[20:24], "big")}
        # Channels of a PNG's colour types: grey, colours, a palette of colours, grey and colours with opacity.
        n_channels = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}[png[25]]
        image = {**sides, "colorspace": n_channels, "encoded_image_string": png}
        self._append([{"tag": clean_tag(tag), "image": image}], step)

    def text(self, tag: str, text: str, step: int = 0) -> None:
        """Append a text, which TensorBoard reads as Markdown."""
        from tensorboardX import summary

        # A name of undecodable bytes holds surrogates, which no protocol buffer takes.
        self._write(summary.text(clean_tag(tag), text.encode(errors="replace").decode()), step)

    def hparams(self, parameters: Mapping[str, object], metrics: Mapping[str, float]) -> None:
        """Say what this run was made with, and the numbers that came of it: TensorBoard's HPARAMS page compares runs.

        A run has one such set, so each point of a sweep wants a folder of its own.

        Args:
            parameters: By name; what is neither text, number nor truth value is shown as text, None not at all.
            metrics: By tag; written as scalars at step 0 too.
        """
        from tensorboardX import summary

        tags = {clean_tag(tag): float(value) for tag, value in metrics.items()}
        # What the runs have in common is left out: TensorBoard would take the first run's for all, which need not have
        # the same parameters, and without it looks at each.
        _, start, end = summary.hparams({name: _setting(value) for name, value in parameters.items()}, tags)
        self._write(start, 0)
        self.scalars(tags)
        self._write(end, 0)

    def graph(self, nodes: Sequence[tuple[str, str, Sequence[str], Sequence[int]]]) -> None:
        """Append the graph of a network, for TensorBoard's GRAPHS page; a run has one.

        Args:
            nodes: Of each operation its name, whose slashes say what lies in what; what it does; the names of those
                that it reads; and the shape of what it makes.
        """
        from tensorboardX.proto.attr_value_pb2 import AttrValue
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.graph_pb2 import GraphDef
        from tensorboardX.proto.node_def_pb2 import NodeDef
        from tensorboardX.proto.tensor_shape_pb2 import TensorShapeProto
        from tensorboardX.proto.versions_pb2 import VersionDef

        made = []
        for name, op, inputs, shape in nodes:
            dims = TensorShapeProto(dim=[TensorShapeProto.Dim(size=side) for side in shape])
            attributes = {"_output_shapes": AttrValue(list=AttrValue.ListValue(shape=[dims]))}
            made.append(NodeDef(name=name, op=op, input=inputs, attr=attributes))
        # 22 is the version of graphs that TensorBoard's own writer for torch names.
        graph = GraphDef(node=made, versions=VersionDef(producer=22))
        with _explained(self._folder):
            self._events.write_event(Event(wall_time=time.time(), graph_def=graph.SerializeToString()))

    def _append(self, values: list[dict[str, Any]], step: int) -> None:
        from tensorboardX.proto.summary_pb2 import Summary

        self._write(Summary(value=values), step)

    def _write(self, summary: Any, step: int) -> None:  # noqa: ANN401 - protocol buffers have no types
        from tensorboardX.proto.event_pb2 import Event

        with _explained(self._folder):
            self._events.write_event(Event(wall_time=time.time(), step=step, summary=summary))
            if time.monotonic() - self._flushed_s > _FLUSH_S:
                self._events.flush()
                self._flushed_s = time.monotonic()


@contextmanager
def event_writer(folder: Path, *, filename_suffix: str = "") -> Iterator[Events]:
    """Append to a new event file in ``folder``.

    Events are written by this very thread, so that a full disk is an error here and not a lost queue, and the file is
    closed however the block ends.

    Args:
        folder: Created where it is missing.
        filename_suffix: Ends the file's name. By default it differs by process and moment: TensorBoard's own names
            tell apart seconds only, and a second writer would truncate the first one's file.

    Raises:
        SegcliError: Where the folder or the file cannot be written.

    Examples:
        >>> import tempfile
        >>> with event_writer(Path(tempfile.mkdtemp()) / "run") as events:
        ...     events.scalar("loss/ce", 0.25)
        ...     events.histogram("pixels/loss", [0.0, 0.5, 1.0], [90, 10])
        ...     events.text("settings", "thresh **0.7**")
    """
    # Their modules rather than their SummaryWriter: it hands events to a thread through a bounded queue, and once the
    # thread has died of a full disk, waits for ever.
    from tensorboardX.event_file_writer import EventsWriter

    suffix = filename_suffix or f".{os.getpid()}.{time.time_ns()}"
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        events = EventsWriter(str(folder / "events"), suffix)
    try:
        yield Events(folder, events)
    finally:
        with _explained(folder):
            events.close()


@contextmanager
def scalar_writer(folder: Path, *, filename_suffix: str = "") -> Iterator[Write]:
    """Give a function ``write(tag, value, step)`` that appends to a new event file; the rest is `event_writer`'s.

    Examples:
        >>> import tempfile
        >>> with scalar_writer(Path(tempfile.mkdtemp()) / "run") as write:
        ...     write("loss/ce", 0.25, 0)
    """
    with event_writer(folder, filename_suffix=filename_suffix) as events:
        yield events.scalar


def clean_tag(tag: str) -> str:
    """Return a tag as it is written.

    Examples:
        >>> clean_tag("ce_by_class/traffic light")
        'ce_by_class/traffic_light'
    """
    return _UNUSUAL_IN_TAG.sub("_", tag).lstrip("/")


def _histogram(edges: Sequence[float], counts: Sequence[int]) -> dict[str, Any]:
    """Return a histogram as TensorBoard keeps it: by upper limits, so an empty bucket ends where the first begins.

    Empty ends are left out, as TensorBoard does with all but ``min`` and ``max``. Sums are those of values in the
    middle of their bins.
    """
    filled = [place for place, count in enumerate(counts) if count] or [0]
    first, end = filled[0], filled[-1] + 1
    edges, counts = edges[first : end + 1], counts[first:end]
    middles = [(low + high) / 2 for low, high in pairwise(edges)]
    return {
        "min": edges[0],
        "max": edges[-1],
        "num": sum(counts),
        "sum": sum(count * middle for count, middle in zip(counts, middles, strict=True)),
        "sum_squares": sum(count * middle**2 for count, middle in zip(counts, middles, strict=True)),
        "bucket_limit": list(edges),
        "bucket": [0, *counts],
    }


def _setting(value: object) -> str | bool | float | None:
    from numbers import Real

    if value is None or isinstance(value, str | bool):
        return value
    return float(value) if isinstance(value, Real) else str(value)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"cannot write TensorBoard events to {folder}: {error.strerror or error}"
        raise SegcliError(message, hint="choose another folder with --log-dir") from error
