"""Watches a forward pass without memory: every operation that is dispatched, and the module that it runs in."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.nn.modules import module as hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from segcli.counting.devices import StaysOnMeta
from segcli.counting.following import Follower, is_in_place, tensors_in
from segcli.counting.graphs import Graph
from segcli.counting.operations import cost_of, kind_of
from segcli.counting.result import Operation, Seen
from segcli.counting.rules import RULES

Mode = Literal["train", "eval"]
_MIXED_DEVICES = re.compile("expected device|same device")


@dataclass
class Tally:
    """What the operations of one module came to, those of modules in it aside."""

    macs: int = 0
    bias_adds: int = 0
    norms: int = 0
    activations: int = 0
    activation_bytes: int = 0
    uncounted: Counter[str] = field(default_factory=Counter)


@dataclass
class Pass:
    """What a forward pass was seen to do.

    Attributes:
        tallies: By the names of modules; empty for the network itself, and for what ran in none.
        ran: The names of modules that ran, each with the shape of its first output, where it has one.
        used: The identities of the parameters that operations read.
        outputs: What every output sees.
        operations: What ran, as a graph.
        stack: The names of the modules that are running.
    """

    tallies: dict[str, Tally] = field(default_factory=dict)
    ran: dict[str, tuple[int, ...] | None] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)
    outputs: tuple[Seen, ...] = ()
    operations: tuple[Operation, ...] = ()
    stack: list[str] = field(default_factory=lambda: [""])


def watch(net: nn.Module, inputs: Sequence[Tensor], mode: Mode) -> Pass:
    """Run a network once.

    In training, batch norms take the statistics that they keep: those of a batch of one need not exist, and they cost
    the same.

    Args:
        net: On the meta device.
        inputs: What its forward takes, on the meta device.
        mode: Whether to train or to evaluate.

    Raises:
        Exception: Whatever the network's forward raises, with the attribute ``segcli_module``: the name of the module
            in which it did.
    """
    net.train(mode == "train")
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001 - the base class of them all
            module.eval()
    seen = Pass()
    follower = Follower(RULES)
    follower.begin(inputs)
    names = {id(module): name for name, module in net.named_modules()}
    parameters = {id(parameter) for parameter in net.parameters()}
    graph = Graph(inputs, dict(net.named_parameters()) | dict(net.named_buffers()))
    # What a forward makes without saying where, it would make where its input is.
    device = torch.device("meta")
    watcher = _Watcher(seen, follower, graph, parameters)
    with torch.no_grad(), device, StaysOnMeta(), _stacked(names, seen), watcher:
        try:
            outputs = net(*inputs)
        except BaseException as error:
            error.segcli_module = seen.stack[-1]  # type: ignore[attr-defined]
            raise
    seen.operations = graph.operations
    n_axes = max((one.dim() - 2 for one in inputs), default=0)
    seen.outputs = tuple(follower.seen(tensor, name, max(0, n_axes)) for name, tensor in named_tensors(outputs))
    return seen


class _Watcher(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, seen: Pass, follower: Follower, graph: Graph, parameters: set[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seen = seen
        self._follower = follower
        self._graph = graph
        self._parameters = parameters

    def __torch_dispatch__(
        self, func: OpOverload, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 - what the operation gives
        """Run an operation, and take note of it."""
        args, kwargs, result = _run(func, args, kwargs or {})
        name = func._schema.name.rpartition("::")[2]  # noqa: SLF001 - torch has no public name for it
        bound = _bound(func, args, kwargs)
        results = list(tensors_in([result]))
        where = self._seen.stack[-1]
        operands = list(tensors_in(bound.values()))
        self._seen.used |= self._parameters.intersection(map(id, operands))
        self._graph.add(where, name, operands, results)
        _add(self._seen.tallies.setdefault(where, Tally()), func, name, bound, results)
        self._follower.follow(func, name, bound, results, where or "the network itself")
        return result


def _run(func: OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Return what an operation was given, and its result; what was made in memory goes to the meta device for it."""
    try:
        return args, kwargs, func(*args, **kwargs)
    except RuntimeError as error:
        # torch has no class for it. What is written to stays where it is: the network would not see it elsewhere.
        if not _MIXED_DEVICES.search(str(error)) or is_in_place(func):
            raise
    args, kwargs = tree_map_only(Tensor, lambda tensor: tensor.to("meta"), (args, kwargs))
    return args, kwargs, func(*args, **kwargs)


def _bound(func: OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    arguments = func._schema.arguments  # noqa: SLF001 - torch has no public name for it
    bound = {one.name: one.default_value for one in arguments if one.has_default_value()}
    given = dict(zip((one.name for one in arguments), args, strict=False)) | dict(kwargs)
    # In the schema's order, so that the first is what the operation mainly works on.
    return {one.name: given.get(one.name, bound.get(one.name)) for one in arguments}


def _add(tally: Tally, func: OpOverload, name: str, bound: Mapping[str, Any], results: Sequence[Tensor]) -> None:
    kind = kind_of(name)
    if kind == "free" or func.is_view:
        return
    if not is_in_place(func):
        tally.activation_bytes += sum(one.numel() * one.element_size() for one in results)
    match kind:
        case "macs":
            cost = cost_of(name, bound, tuple(results[0].shape))
            tally.macs += cost.macs
            tally.bias_adds += cost.bias_adds
        case "norm":
            tally.norms += results[0].numel()
        case "activation":
            tally.activations += results[0].numel()
        case _:
            tally.uncounted[name.removesuffix("_") if is_in_place(func) else name] += 1


@contextmanager
def _stacked(names: Mapping[int, str], seen: Pass) -> Iterator[None]:
    def enter(module: nn.Module, _: object) -> None:
        # A module that is made on the way counts for the one that makes it.
        seen.stack.append(names.get(id(module), seen.stack[-1]))

    def leave(module: nn.Module, _: object, output: object) -> None:
        seen.stack.pop()
        name = names.get(id(module))
        if name is not None and name not in seen.ran:
            first = next(iter(tensors_in([output])), None)
            seen.ran[name] = None if first is None else tuple(first.shape)

    handles = [hooks.register_module_forward_pre_hook(enter), hooks.register_module_forward_hook(leave)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def named_tensors(outputs: object) -> list[tuple[str, Tensor]]:
    """Return the tensors of an output with their places.

    Examples:
        >>> [name for name, _ in named_tensors((torch.empty(1), {"aux": [torch.empty(2)]}))]
        ['[0]', "[1]['aux'][0]"]
    """
    if isinstance(outputs, Tensor):
        return [("", outputs)]
    if isinstance(outputs, Mapping):
        items = [(f"[{key!r}]", value) for key, value in outputs.items()]
    elif isinstance(outputs, tuple | list):
        items = [(f"[{place}]", value) for place, value in enumerate(outputs)]
    else:
        return []
    return [(place + rest, tensor) for place, value in items for rest, tensor in named_tensors(value)]
