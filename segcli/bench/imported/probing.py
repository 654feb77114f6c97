"""One call of a user's kernel, looked at: what it moves and computes, and whether it can be timed at all."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from segcli.bench.imported.arguments import Arguments
from segcli.bench.imported.failures import KernelError, told
from segcli.bench.kernel import Cost

if TYPE_CHECKING:
    import torch

_NOTHING = Cost(0, 0)


@dataclass(frozen=True)
class Probe:
    """What a call was seen to do.

    Attributes:
        forward: What it moves and computes.
        backward: What the gradients add; None where there are none, or where they fail.
        failure: Why it cannot be timed, or empty.
    """

    forward: Cost = _NOTHING
    backward: Cost | None = None
    failure: str = ""


def guarded(spec: str, function: Callable[..., object], args: Sequence[Any], kwargs: dict[str, Any]) -> partial[Any]:
    """Return a call of a user's function that says in one line what went wrong."""
    return partial(_call, spec, function, args, kwargs)


def _call(spec: str, function: Callable[..., object], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401 - the user's
    try:
        return function(*args, **kwargs)
    except (Exception, SystemExit) as error:
        raise KernelError(told(spec, function, error)) from error


def probe(spec: str, function: Callable[..., object], arguments: Arguments) -> Probe:
    """Call a kernel and count: bytes are every input and output once, FLOPs what torch's own operations come to.

    Custom operators count no FLOPs. Of a backward of grouped convolutions torch's counter counts too many; they are
    counted here by the formula.
    """
    import torch

    call = guarded(spec, function, *arguments.filled(arguments.tensors))
    versions = {name: tensor._version for name, tensor in arguments.tensors.items()}  # noqa: SLF001 - the one way to see a write
    try:
        with torch.no_grad():
            output = call()
        outputs = checked(spec, output)
    except KernelError as error:
        return Probe(failure=error.message)
    changed = [name for name, tensor in arguments.tensors.items() if tensor._version != versions[name]]  # noqa: SLF001 - as above
    if changed:
        return Probe(
            failure=f"{spec} changes its argument {changed[0]} in place, so that every call would find other data"
        )
    moved = _bytes([*arguments.tensors.values(), *_parameters([function, *arguments.leaves]), *outputs])
    with torch.no_grad():
        forward = Cost(moved, _flops(call))
    lone = isinstance(output, torch.Tensor) and output.is_floating_point()
    return Probe(forward, _backward(call, arguments, moved) if lone and arguments.trained else None)


def checked(spec: str, output: object) -> list["torch.Tensor"]:
    """Return the tensors of an output.

    Raises:
        KernelError: Where there are none, or they hold NaN or infinity.
    """
    import torch
    from torch.utils._pytree import tree_leaves

    tensors = [leaf for leaf in tree_leaves(output) if isinstance(leaf, torch.Tensor)]
    if not tensors:
        what = "None" if output is None else f"what is of type {type(output).__name__}"
        message = f"{spec} returns {what}, expected a tensor or several"
        raise KernelError(message)
    for tensor in tensors:
        n_nan, n_infinite = int(tensor.isnan().sum()), int(tensor.isinf().sum())
        if n_nan or n_infinite:
            words = " and ".join(
                f"{count} {name}" for count, name in ((n_nan, "NaN"), (n_infinite, "infinite")) if count
            )
            message = f"{spec} returns {words} among {tensor.numel()} values"
            raise KernelError(message)
    return tensors


def _backward(call: Callable[[], Any], arguments: Arguments, moved: int) -> Cost | None:
    import torch

    leaves = [arguments.tensors[name] for name in arguments.trained]

    def gradients() -> None:
        output = call()
        torch.autograd.grad(output, leaves, torch.ones_like(output))

    try:
        with torch.enable_grad():
            gradients()
            both = _flops(gradients)
            alone = _flops(call)
    except RuntimeError:
        # It does not take part, or is not recorded: only the output is timed.
        return None
    return Cost(moved + _bytes(leaves), both - alone)


def _parameters(values: Sequence[object]) -> Iterator["torch.Tensor"]:
    import torch

    for value in values:
        if isinstance(value, torch.nn.Module):
            yield from value.parameters()
            yield from value.buffers()


def _bytes(tensors: Sequence["torch.Tensor"]) -> int:
    """Return how many bytes tensors hold, those that share their memory once."""
    held: dict[int, int] = {}
    for tensor in tensors:
        storage = tensor.untyped_storage()
        # A tensor that was expanded has fewer bytes than it shows.
        count = min(tensor.numel() * tensor.element_size(), storage.nbytes())
        held[storage.data_ptr()] = max(held.get(storage.data_ptr(), 0), count)
    return sum(held.values())


def _flops(call: Callable[[], object]) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    def convolution_backward(gradient: Any, x: Any, weight: Any, *rest: Any, **_: Any) -> int:  # noqa: ANN401 - shapes
        from segcli.counting.formulas import convolution_macs

        transposed, wanted = rest[4], rest[7]
        return 2 * convolution_macs(x, weight, gradient, transposed=transposed) * int(sum(wanted[:2]))

    mapping = {torch.ops.aten.convolution_backward: convolution_backward}
    try:
        with FlopCounterMode(display=False, custom_mapping=mapping) as counter:
            call()
    except KernelError:
        # What torch compiled may refuse to be watched.
        return 0
    return int(counter.get_total_flops())
