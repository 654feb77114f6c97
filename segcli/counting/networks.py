"""Counts whole networks on the meta device, whose tensors have shapes and no memory."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from segcli.counting.building import first_line, wants_values
from segcli.counting.devices import DEVICE_HINT, is_about_devices
from segcli.counting.result import Beside, ByMode, Network, Seen, Uncounted
from segcli.counting.trees import Passes, by_mode, total, tree
from segcli.counting.watching import Mode, Pass, watch
from segcli.errors import SegcliError


@dataclass(frozen=True)
class Input:
    """What a forward is given: a shape, and a dtype such as ``float32``."""

    shape: tuple[int, ...]
    dtype: str = "float32"

    def tensor(self) -> Tensor:
        """Return it as a tensor without memory."""
        return torch.empty(self.shape, dtype=getattr(torch, self.dtype), device="meta")


def count(net: nn.Module, inputs: Sequence[Input], *, name: str, source: str = "") -> Network:
    """Count a network: run it in training and in evaluation, on tensors without memory.

    Args:
        net: On the meta device: see `segcli.counting.building`. It is left in evaluation mode.
        inputs: What its forward takes, one after the other.
        name: What to call it.
        source: Where it is from.

    Raises:
        SegcliError: Where its forward does not take the inputs, or fails for another reason.

    Examples:
        >>> net = nn.Conv2d(4, 8, 3, padding=1, bias=False, device="meta")
        >>> count(net, [Input((1, 4, 8, 8))], name="conv").macs
        ByMode(train=18432, eval=18432)
    """
    passes: dict[str, Pass] = {}
    unknown: dict[str, str] = {}
    for mode in ("train", "eval"):
        seen = _watched(net, inputs, mode, name)
        if isinstance(seen, Pass):
            passes[mode] = seen
        else:
            unknown[mode] = seen
    return _assembled(net, inputs, passes, unknown, (name, source))


def _watched(net: nn.Module, inputs: Sequence[Input], mode: Mode, name: str) -> Pass | str:
    """Return what a pass did, or why its shapes are not known without values."""
    try:
        return watch(net, [one.tensor() for one in inputs], mode)
    except SegcliError:
        raise
    except (Exception, SystemExit) as error:
        where = getattr(error, "segcli_module", "")
        words = f"{type(error).__name__}{_place(net, where)}: {first_line(error)}"
        if wants_values(error):
            place = where or "its forward"
            return f"{place} looks at values, which tensors without memory have none of ({words})"
        raise _told(net, inputs, name, error, words) from error


# What torch raises for shapes that do not fit, and Python for arguments that are missing.
_ABOUT_INPUTS = (RuntimeError, ValueError, IndexError, TypeError, AssertionError)
# Python counts these among RuntimeErrors.
_ABOUT_CODE = (NotImplementedError, RecursionError)


def _told(net: nn.Module, inputs: Sequence[Input], name: str, error: BaseException, words: str) -> SegcliError:
    """Return an error in words that blame the input only where it may be the cause."""
    if is_about_devices(error):
        return SegcliError(f"the forward of {name} asks for a device: {words}", hint=DEVICE_HINT)
    if not isinstance(error, _ABOUT_INPUTS) or isinstance(error, _ABOUT_CODE):
        return SegcliError(f"the forward of {name} raised {words}", hint="-v shows where")
    shapes = " and ".join(str(one.shape) for one in inputs)
    message = f"the forward of {name} does not take an input of shape {shapes}: {words}"
    return SegcliError(message, hint=_input_hint(net))


def _place(net: nn.Module, where: str) -> str:
    """Return which module it was, in words; of a layer with its settings, since torch's errors seldom have them."""
    if not where:
        return ""
    module = net.get_submodule(where)
    return f" in {where}" + ("" if next(module.children(), None) else f", {module}")


def _input_hint(net: nn.Module) -> str:
    import inspect

    try:
        takes = str(inspect.signature(net.forward)).partition(" ->")[0]
    except (TypeError, ValueError):
        takes = "(...)"
    return f"forward{takes}: give the shape of each with --input, such as --input 1x3x224x224"


def _assembled(
    net: nn.Module, inputs: Sequence[Input], passes: Passes, unknown: dict[str, str], named: tuple[str, str]
) -> Network:
    parameters = list(net.parameters())
    everything = sum(one.numel() for one in parameters)
    buffers = list(net.buffers())
    macs = by_mode(passes, lambda seen: total(seen, lambda tally: tally.macs))
    outputs, train_outputs = _outputs(passes)
    furthest = max(
        (one for one in outputs if one.receptive_field), key=lambda one: one.receptive_field or (), default=None
    )
    return Network(
        name=named[0],
        source=named[1],
        size=inputs[0].shape[2:] or inputs[0].shape,
        inputs=tuple(one.shape for one in inputs),
        params=ByMode(everything, everything - _trained_only(parameters, passes)),
        trainable=sum(one.numel() for one in parameters if one.requires_grad),
        param_bytes=sum(one.numel() * one.element_size() for one in parameters),
        buffers=sum(one.numel() for one in buffers),
        buffer_bytes=sum(one.numel() * one.element_size() for one in buffers),
        macs=macs,
        flops=macs.times(2),
        beside=Beside(
            by_mode(passes, lambda seen: total(seen, lambda tally: tally.bias_adds)),
            by_mode(passes, lambda seen: total(seen, lambda tally: tally.norms)),
            by_mode(passes, lambda seen: total(seen, lambda tally: tally.activations)),
        ),
        activation_bytes=by_mode(passes, lambda seen: total(seen, lambda tally: tally.activation_bytes)),
        receptive_field=furthest.receptive_field if furthest else None,
        stride=furthest.stride if furthest else None,
        outputs=outputs,
        train_outputs=train_outputs,
        uncounted=_uncounted(passes),
        tied=_tied(net),
        never_ran=_never_ran(net, passes),
        unknown=unknown,
        tree=tree(net, passes),
        graph=next((passes[mode].operations for mode in ("eval", "train") if mode in passes), ()),
    )


def _outputs(passes: Passes) -> tuple[tuple[Seen, ...], tuple[Seen, ...]]:
    evaluated = passes["eval"].outputs if "eval" in passes else ()
    trained = passes["train"].outputs if "train" in passes else ()
    return evaluated or trained, () if trained == evaluated or not evaluated else trained


def _trained_only(parameters: Sequence[nn.Parameter], passes: Passes) -> int:
    """Return how many parameters only training uses: those of auxiliary heads."""
    if len(passes) < len(("train", "eval")):
        return 0
    only = passes["train"].used - passes["eval"].used
    return sum(one.numel() for one in parameters if id(one) in only)


def _uncounted(passes: Passes) -> tuple[Uncounted, ...]:
    calls = {
        mode: sum((tally.uncounted for tally in seen.tallies.values()), Counter()) for mode, seen in passes.items()
    }
    names = dict.fromkeys(name for counted in calls.values() for name in counted)
    found = [
        Uncounted(name, ByMode(*(calls[mode][name] if mode in calls else None for mode in ("train", "eval"))))
        for name in names
    ]
    return tuple(sorted(found, key=lambda one: (-(one.calls.shown or 0), one.op)))


def _tied(net: nn.Module) -> tuple[tuple[str, ...], ...]:
    names: dict[int, list[str]] = {}
    for name, parameter in net.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return tuple(tuple(same) for same in names.values() if len(same) > 1)


def _never_ran(net: nn.Module, passes: Passes) -> tuple[str, ...]:
    """Return the outermost modules whose parameters no operation read, where at least one pass could be run."""
    if not passes:
        return ()
    used = set[int]().union(*(seen.used for seen in passes.values()))
    found: list[str] = []
    for path, module in net.named_modules():
        parameters = [id(one) for one in module.parameters()]
        is_below = any(path.startswith(f"{above}.") for above in found)
        if path and parameters and not is_below and used.isdisjoint(parameters):
            found.append(path)
    return tuple(found)
