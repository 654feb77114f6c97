"""Keeps the operations of a pass as a graph: what each reads, and what it makes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor
from torch.nn.parameter import is_lazy

from segcli.counting.result import Operation


class Graph:
    """The graph of a pass, as it grows.

    Args:
        inputs: What the network is given.
        parameters: Parameters and buffers by their names.
    """

    def __init__(self, inputs: Sequence[Tensor], parameters: Mapping[str, Tensor]) -> None:
        """Begin with what no operation makes; of the parameters those that are read."""
        self._operations: list[Operation] = []
        self._counts: Counter[str] = Counter()
        # With the tensors themselves: while they are kept, an identity is one's own.
        self._makers: dict[int, tuple[Tensor, str]] = {}
        self._parameters = {id(tensor): name.replace(".", "/") for name, tensor in parameters.items()}
        for tensor in inputs:
            self._add("input", "input", (), [tensor])

    @property
    def operations(self) -> tuple[Operation, ...]:
        """What there is so far, each behind what it reads."""
        return tuple(self._operations)

    def add(self, where: str, op: str, reads: Iterable[Tensor], results: Sequence[Tensor]) -> None:
        """Take note of an operation that ran in a module."""
        names = [name for tensor in reads if (name := self._maker(tensor))]
        self._add("/".join(filter(None, (where.replace(".", "/"), op))), op, dict.fromkeys(names), results)

    def _maker(self, tensor: Tensor) -> str:
        if id(tensor) not in self._makers and id(tensor) in self._parameters:
            self._add(self._parameters[id(tensor)], "parameter", (), [tensor])
        return self._makers[id(tensor)][1] if id(tensor) in self._makers else ""

    def _add(self, name: str, op: str, reads: Iterable[str], results: Sequence[Tensor]) -> None:
        count = self._counts[name]
        self._counts[name] += 1
        own = f"{name}_{count}" if count else name
        # A lazy layer's parameter has no shape until it has run.
        shape = tuple(results[0].shape) if results and not is_lazy(results[0]) else ()
        self._operations.append(Operation(own, op, tuple(reads), shape))
        for tensor in results:
            self._makers[id(tensor)] = tensor, own
