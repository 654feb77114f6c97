"""The suite ``user``: one kernel for each function that ``--import`` names; the first is the baseline."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from math import ceil, prod
from typing import TYPE_CHECKING, Any

from segcli.bench.imported.arguments import Arguments, Setup, positional_names
from segcli.bench.imported.failures import KernelError
from segcli.bench.imported.probing import Probe, checked, guarded, probe
from segcli.bench.kernel import Call, Case, Cost, Kernel, Make, Suite, Tensors
from segcli.errors import SegcliError
from segcli.units import format_size

if TYPE_CHECKING:
    import torch

NAME = "user"
# Inputs in their dtype and in float64, an output in both, and what the float64 call holds on its way.
_HELD = 8

_Key = tuple[tuple[int, int], str]


@dataclass(frozen=True)
class Names:
    """What the user named, each as ``package.module:function``.

    Attributes:
        kernels: What is timed; the first is the baseline.
        setup: What returns the arguments; empty where the kernels take none.
        reference: What they are compared with; empty for the first kernel in float64.
    """

    kernels: tuple[str, ...]
    setup: str = ""
    reference: str = ""


@dataclass(frozen=True)
class UserCase(Case):
    """A case whose main tensor has whatever shape the user's setup gives it.

    Attributes:
        shapes: That shape by size and dtype.
    """

    shapes: Mapping[_Key, tuple[int, ...]] = field(default_factory=dict, compare=False)

    @property
    def shape(self) -> Any:  # noqa: ANN401 - of any length, where other suites have four sides
        """The main tensor's shape."""
        return self.shapes[self.size, self.dtype]

    @property
    def numel(self) -> int:
        """Elements of the main tensor."""
        return prod(self.shape)


@dataclass(frozen=True)
class _User:
    """The user's functions and what calls of them were seen to do, by size and dtype."""

    names: Names
    functions: Mapping[str, Callable[..., object]]
    setup: Setup
    arguments: dict[_Key, Arguments] = field(default_factory=dict)
    probes: dict[tuple[str, _Key], Probe] = field(default_factory=dict)

    def case_of(self, tensors: Tensors) -> _Key:
        """Return the case that drawn tensors are of; those of one shape differ by dtype, and in float64 are any's."""
        fitting = [key for key, made in self.arguments.items() if made.fits(tensors)]
        dtypes = {str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values()}
        return next((key for key in fitting if key[1] in dtypes), fitting[0])

    def look(self, size: tuple[int, int] | None, dtype: str) -> tuple[_Key, int]:
        """Make the arguments of a case, call every kernel once, and return the case with the bytes of its inputs."""
        made = self.setup.arguments(size, dtype)
        tensors = made.tensors
        key = (size or _size_of(tensors), dtype)
        for spec in self.names.kernels:
            function = settled(self.functions[spec], self.setup.device, dtype)
            self.probes[spec, key] = probe(spec, function, made)
        self.arguments[key] = made
        return key, sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def user_suite(
    names: Names,
    sizes: tuple[tuple[int, int], ...],
    dtypes: tuple[str, ...],
    device: "torch.device",
    seed: int,
) -> Suite:
    """Make a suite of a user's functions.

    Each kernel is called once for each size and dtype, which counts its bytes and FLOPs. Where ``--setup`` returns
    tensors that require gradients, the gradients are timed as well.

    Args:
        names: What the user named.
        sizes: What ``--size`` asked for; none leaves it to the setup.
        dtypes: What ``--dtype`` asked for.
        device: Where the kernels run.
        seed: Of the data.

    Raises:
        SegcliError: Where a function is missing, the setup or the reference raises, or a size is asked for that the
            setup does not take.
    """
    user = _found(names, device, seed)
    if sizes and not user.setup.takes_size:
        by = f"--setup {names.setup} takes no size" if names.setup else "there is no --setup that takes one"
        message = f"--size {','.join(map(format_size, sizes))} was given, and {by}"
        raise SegcliError(message, hint="give it a parameter size: (height, width)")
    held = dict(user.look(size, dtype) for size in sizes or (None,) for dtype in dtypes)
    first = next(iter(held))
    reference, unchecked = _reference(user, first)
    shapes = {key: _shape_of(made.tensors) for key, made in user.arguments.items()}
    # From here on the values are drawn anew where they are needed.
    for key, made in user.arguments.items():
        user.arguments[key] = made.without_values()
    most = max(ceil(_HELD * count / 8 / max(1, prod(shapes[key]))) for key, count in held.items())
    return Suite(
        name=NAME,
        baseline=_kernel_names(names)[names.kernels[0]],
        case=UserCase(1, 1, *first, shapes),
        tensor=next(iter(user.arguments[first].shapes), "nothing"),
        data=f"what {names.setup} returns" if names.setup else "what the kernels make themselves",
        tensors=_drawer(user, sized=bool(sizes)),
        check_items=max(1, most),
        kernels=tuple(_kernel(user, spec, reference, unchecked) for spec in names.kernels),
    )


def _found(names: Names, device: "torch.device", seed: int) -> _User:
    from segcli.counting.importing import Wanted, find_named

    wanted = Wanted(
        "function", "a function or a network", "segcli bench --import my.kernels:softmax --setup my.kernels:data"
    )
    specs = dict.fromkeys((*names.kernels, names.setup, names.reference))
    functions = {spec: find_named(spec, wanted) for spec in specs if spec}
    parameters = positional_names(functions[names.kernels[0]])
    setup = Setup(names.setup, functions.get(names.setup, tuple), parameters, device, seed)
    return _User(names, functions, setup)


def _kernel(user: _User, spec: str, reference: Make, unchecked: str) -> Kernel:
    function, first = user.functions[spec], next(iter(user.arguments))

    def make(tensors: Tensors) -> Call:
        key = user.case_of(tensors)
        failure = user.probes[spec, key].failure
        if failure:
            raise KernelError(failure)
        return guarded(spec, settled(function, user.setup.device, key[1]), *user.arguments[key].filled(tensors))

    def seen(_: Tensors, output: object) -> "torch.Tensor":
        return comparable(checked(spec, output))

    def forward(case: Case) -> Cost:
        return user.probes[spec, (case.size, case.dtype)].forward

    def backward(case: Case) -> Cost:
        return user.probes[spec, (case.size, case.dtype)].backward or Cost(0, 0)

    is_trained = user.probes[spec, first].backward is not None
    return Kernel(
        name=_kernel_names(user.names)[spec],
        what=spec,
        make=make,
        reference=reference,
        forward=forward,
        backward=backward if is_trained else None,
        leaves=user.arguments[first].trained if is_trained else (),
        seen=seen,
        unchecked=unchecked,
    )


def _drawer(user: _User, *, sized: bool) -> Callable[[Case, "torch.Generator"], dict[str, "torch.Tensor"]]:
    def tensors(case: Case, _: "torch.Generator") -> dict[str, "torch.Tensor"]:
        made = user.setup.arguments(case.size if sized else None, case.dtype)
        return {name: tensor.detach() for name, tensor in made.tensors.items()}

    return tensors


def _reference(user: _User, first: _Key) -> tuple[Make, str]:
    """Return what kernels are compared with, and why there is nothing, or an empty text."""
    spec = user.names.reference or user.names.kernels[0]

    def make(tensors: Tensors) -> Call:
        args, kwargs = user.arguments[user.case_of(tensors)].widened(tensors)
        call = guarded(spec, settled(user.functions[spec], user.setup.device, "float64"), args, kwargs)
        return lambda: comparable(checked(spec, call()))

    import torch

    tensors = user.arguments[first].tensors
    try:
        with torch.no_grad():
            answer = make({name: tensor.detach() for name, tensor in tensors.items()})()
    except KernelError as error:
        if user.names.reference:
            message = f"--reference {error.message}"
            raise SegcliError(message, hint="it is called in float64") from error
        if user.probes[spec, first].failure:
            # What it failed of is told as its own fate.
            return make, f"the first, {spec}, failed"
        return make, f"{error.message}, in float64"
    if answer.dtype == torch.float64 or user.names.reference:
        return make, ""
    return make, f"{spec} computes in {str(answer.dtype).removeprefix('torch.')} where it is given float64"


def settled(function: Callable[..., object], device: "torch.device", dtype: str) -> Callable[..., object]:
    """Return a network on the device and in the dtype; any other function as it is."""
    import torch

    if isinstance(function, torch.nn.Module):
        return deepcopy(function).to(device, getattr(torch, dtype))
    return function


def comparable(tensors: Sequence["torch.Tensor"]) -> "torch.Tensor":
    """Return what an output is compared as: several tensors as one row of numbers, whole ones as float64."""
    import torch

    real = [torch.view_as_real(one) if one.is_complex() else one for one in tensors]
    if len(real) == 1:
        return real[0] if real[0].is_floating_point() else real[0].double()
    return torch.cat([one.reshape(-1).double() for one in real])


def _kernel_names(names: Names) -> dict[str, str]:
    """Return the names of kernels: those of the functions, in full where two are called the same."""
    short = [spec.partition(":")[2] for spec in names.kernels]
    return {spec: name if short.count(name) == 1 else spec for spec, name in zip(names.kernels, short, strict=True)}


def _shape_of(tensors: Mapping[str, "torch.Tensor"]) -> tuple[int, ...]:
    return next((tuple(tensor.shape) for tensor in tensors.values()), ())


def _size_of(tensors: Mapping[str, "torch.Tensor"]) -> tuple[int, int]:
    """Return the last two sides of the main tensor, 1 where it has fewer."""
    high, wide = (1, 1, *_shape_of(tensors))[-2:]
    return high, wide
