"""Counts a network that is asked for by name: one of `segcli.nn.nets`, or what a user's factory makes."""

import contextlib
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence

from segcli.counting.building import build_on_meta, first_line
from segcli.counting.factories import from_factory
from segcli.counting.importing import importing_from_here
from segcli.counting.networks import Input, count
from segcli.counting.result import Network
from segcli.errors import SegcliError


def count_registered(
    name: str, size: tuple[int, int] | None = None, *, batch: int = 1, classes: int | None = None
) -> Network:
    """Count one of `segcli.nn.nets`.

    Args:
        name: As in `segcli.nn.nets.registry.NETS`.
        size: Height and width of its inputs; those of its published figures where it is None.
        batch: How many images.
        classes: How many classes; its own number where it is None.

    Raises:
        SegcliError: For a size or classes that it does not take.

    Examples:
        >>> network = count_registered("resnet18")
        >>> network.params.eval, network.macs.eval, network.receptive_field
        (11689512, 1814073344, (435, 435))
    """
    from torch import nn

    from segcli.nn.nets.building import build
    from segcli.nn.nets.registry import NETS

    info = NETS[name]
    with _quietly():
        try:
            net = build_on_meta(lambda: build(name, classes=classes))
        except (ValueError, TypeError, RuntimeError, OverflowError) as error:
            raise SegcliError(first_line(error), hint="leave --classes out for the network's own") from error
        assert isinstance(net, nn.Module)  # noqa: S101 - for mypy
        inputs = [Input((batch, 3, *(size or info.size))) for _ in info.inputs]
        return count(net, inputs, name=name, source=info.source)


def count_factory(spec: str, arguments: Mapping[str, object], inputs: Sequence[tuple[tuple[int, ...], str]]) -> Network:
    """Count what a user's factory makes.

    Args:
        spec: ``package.module:factory``.
        arguments: What it is called with, by name.
        inputs: Shape and dtype of what the network's forward takes, one after the other.

    Raises:
        SegcliError: Where it is missing, raises, returns no Module, or makes a network that wants another input.
    """
    with _quietly(), importing_from_here():
        net = from_factory(spec, arguments)
        return count(net, [Input(shape, dtype) for shape, dtype in inputs], name=spec, source=type(net).__name__)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep torch's warnings to ourselves, and what a network prints out of the result."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        yield
