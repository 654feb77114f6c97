"""A network's modules as a tree of what each holds and costs, with all that lies below it."""

from collections.abc import Callable, Iterator, Mapping

from torch import nn

from segcli.counting.result import ByMode, Node
from segcli.counting.watching import Pass, Tally

# A pass of each mode that could be run.
Passes = Mapping[str, Pass]


def by_mode(passes: Passes, number: Callable[[Pass], int]) -> ByMode:
    """Return a number of each pass; None for one that could not be run."""
    train, evaluated = (number(passes[mode]) if mode in passes else None for mode in ("train", "eval"))
    return ByMode(train, evaluated)


def total(seen: Pass, number: Callable[[Tally], int]) -> int:
    """Return a sum over all modules of a pass."""
    return sum(number(tally) for tally in seen.tallies.values())


def tree(net: nn.Module, passes: Passes) -> tuple[Node, ...]:
    """Return every module, each in front of what lies in it; one that has several names under its first."""
    macs = _sums(passes, lambda tally: tally.macs)
    activation_bytes = _sums(passes, lambda tally: tally.activation_bytes)
    runs = {mode: _above(seen.ran) for mode, seen in passes.items()}
    whole = _modes(passes, macs, "").shown
    nodes = []
    for path, module in net.named_modules():
        parameters = list(module.parameters())
        own = _modes(passes, macs, path)
        nodes.append(
            Node(
                path=path,
                type=type(module).__name__,
                depth=path.count(".") + 1 if path else 0,
                params=sum(one.numel() for one in parameters),
                trainable=sum(one.numel() for one in parameters if one.requires_grad),
                buffers=sum(one.numel() for one in module.buffers()),
                macs=own,
                flops=own.times(2),
                output_shape=_shape(passes, path),
                activation_bytes=_modes(passes, activation_bytes, path),
                share=(own.shown or 0) / whole if whole else None,
                runs=" and ".join(mode for mode in ("train", "eval") if path in runs.get(mode, ())) or "never",
            )
        )
    return tuple(nodes)


def _shape(passes: Passes, path: str) -> tuple[int, ...] | None:
    return next((shape for mode in ("eval", "train") if mode in passes and (shape := passes[mode].ran.get(path))), None)


def _modes(passes: Passes, sums: Mapping[str, Mapping[str, int]], path: str) -> ByMode:
    train, evaluated = (sums[mode].get(path, 0) if mode in passes else None for mode in ("train", "eval"))
    return ByMode(train, evaluated)


def _sums(passes: Passes, number: Callable[[Tally], int]) -> dict[str, dict[str, int]]:
    """Return, by mode and name, a sum over a module and all that lies in it."""
    sums: dict[str, dict[str, int]] = {}
    for mode, seen in passes.items():
        found = sums.setdefault(mode, {})
        for path, tally in seen.tallies.items():
            for name in ancestry(path):
                found[name] = found.get(name, 0) + number(tally)
    return sums


def _above(names: Mapping[str, object]) -> set[str]:
    return {above for name in names for above in ancestry(name)}


def ancestry(path: str) -> Iterator[str]:
    """Yield a module's name and the names of all that it lies in.

    Examples:
        >>> list(ancestry("layer1.0"))
        ['layer1.0', 'layer1', '']
    """
    while path:
        yield path
        path = path.rpartition(".")[0]
    yield ""
