"""What a user's functions are called with: what ``--setup`` returns, taken apart and put together again."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from segcli.bench.imported.failures import told
from segcli.bench.kernel import Tensors
from segcli.errors import SegcliError

if TYPE_CHECKING:
    import torch

_OFFERED = ("size", "dtype", "device", "seed")
_DEFAULT_SIZE = (256, 512)


@dataclass(frozen=True)
class Arguments:
    """The arguments of a call.

    Attributes:
        leaves: Tensors and whatever else was returned, in order.
        names: What each is called, where it is a tensor; else empty.
        structure: How they lie within one another, as torch's ``tree_unflatten`` takes it.
        shapes: The tensors' shapes and dtypes by name, the floating ones first: a suite's main tensor is the first.
        trained: The names of the tensors that require gradients.
    """

    leaves: tuple[Any, ...]
    names: tuple[str, ...]
    structure: Any
    shapes: Mapping[str, tuple[tuple[int, ...], "torch.dtype"]]
    trained: tuple[str, ...]

    @property
    def tensors(self) -> dict[str, "torch.Tensor"]:
        """The tensors by name, in the order of their shapes."""
        named = dict(self._pairs())
        return {name: named[name] for name in self.shapes}

    def without_values(self) -> "Arguments":
        """Return the same without its tensors, so that they are not kept in memory."""
        return replace(self, leaves=tuple(None if name else leaf for name, leaf in self._pairs()))

    def fits(self, tensors: Tensors) -> bool:
        """Whether tensors have the names and shapes of these arguments."""
        return {name: tuple(tensor.shape) for name, tensor in tensors.items()} == {
            name: shape for name, (shape, _) in self.shapes.items()
        }

    def filled(self, tensors: Tensors) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return positional and named arguments, with these tensors in the dtypes that they were made with."""
        return self._put_together(
            [tensors[name].to(self.shapes[name][1]) if name else leaf for name, leaf in self._pairs()]
        )

    def widened(self, tensors: Tensors) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the same in float64: networks, and dtypes that are arguments, too."""
        return self._put_together([_wide(tensors[name] if name else leaf) for name, leaf in self._pairs()])

    def _pairs(self) -> list[tuple[str, Any]]:
        return list(zip(self.names, self.leaves, strict=True))

    def _put_together(self, leaves: list[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        from torch.utils._pytree import tree_unflatten

        whole = tree_unflatten(leaves, self.structure)
        return ((), whole) if isinstance(whole, dict) else (whole, {})


@dataclass(frozen=True)
class Setup:
    """What makes the arguments.

    Attributes:
        spec: As the user named it; empty where there is none, and functions are called without arguments.
        function: The user's.
        parameters: The names of the first kernel's parameters, by which arguments are called.
        device: Where the tensors are to be.
        seed: Of torch's generators while it runs.
    """

    spec: str
    function: Callable[..., object]
    parameters: tuple[str, ...]
    device: "torch.device"
    seed: int

    @property
    def takes_size(self) -> bool:
        """Whether the user's function takes a size."""
        return "size" in self._taken

    def arguments(self, size: tuple[int, int] | None, dtype: str) -> Arguments:
        """Call the user's function.

        Args:
            size: What it is offered as ``size``; where None, its own default or 256x512.
            dtype: What it is offered as ``dtype``. Where it takes none, floating tensors and networks are cast.

        Raises:
            SegcliError: Where it wants something else, raises, or returns what are no arguments.
        """
        import torch

        offered = {
            "size": size or _DEFAULT_SIZE,
            "dtype": getattr(torch, dtype),
            "device": self.device,
            "seed": self.seed,
        }
        if size is None and self._has_own_size:
            del offered["size"]
        given = {name: value for name, value in offered.items() if name in self._taken}
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(self.seed)
            try:
                returned = self.function(**given)
            except (Exception, SystemExit) as error:
                message = f"--setup {told(self.spec, self.function, error)}"
                raise SegcliError(message, hint="-v shows where") from error
        return self._taken_apart(returned, None if "dtype" in self._taken else offered["dtype"])

    def _taken_apart(self, returned: object, dtype: "torch.dtype | None") -> Arguments:
        import torch
        from torch.utils._pytree import tree_flatten, tree_flatten_with_path

        if isinstance(returned, torch.Tensor):
            returned = (returned,)
        if not isinstance(returned, tuple | dict):
            what = "None" if returned is None else f"of type {type(returned).__name__}"
            message = f"what --setup {self.spec} returned is {what}, expected a tensor, a tuple or a dict of arguments"
            raise SegcliError(
                message, hint="a list as one argument: return (values,)" if isinstance(returned, list) else ""
            )
        paths = [path for path, _ in tree_flatten_with_path(returned)[0]]
        leaves, structure = tree_flatten(returned)
        names = [
            self._name(path) if isinstance(leaf, torch.Tensor) else "" for path, leaf in zip(paths, leaves, strict=True)
        ]
        placed = tuple(_placed(leaf, self.device, dtype) for leaf in leaves)
        named = sorted(((name, leaf) for name, leaf in zip(names, placed, strict=True) if name), key=_is_whole)
        shapes = {name: (tuple(leaf.shape), leaf.dtype) for name, leaf in named}
        trained = tuple(name for name, leaf in named if leaf.requires_grad)
        return Arguments(placed, tuple(names), structure, shapes, trained)

    def _name(self, path: Sequence[Any]) -> str:
        """Return what a tensor is called: a key, or the parameter at its position, with its place in that."""
        from torch.utils._pytree import keystr

        first = getattr(path[0], "key", None)
        if first is None:
            place = path[0].idx
            first = self.parameters[place] if place < len(self.parameters) else f"argument {place}"
        return f"{first}{keystr(tuple(path[1:]))}"

    @property
    def _taken(self) -> tuple[str, ...]:
        """The names that it is offered and takes.

        Raises:
            SegcliError: Where it cannot be called without something that it is not offered.
        """
        parameters = _parameters(self.function)
        for parameter in parameters.values():
            named = parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            if named and parameter.default is parameter.empty and parameter.name not in _OFFERED:
                message = f"--setup {self.spec} takes {parameter.name!r}, expected none but {', '.join(_OFFERED)}"
                raise SegcliError(message, hint=f"give {parameter.name} a default")
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
            return _OFFERED
        return tuple(name for name in _OFFERED if name in parameters)

    @property
    def _has_own_size(self) -> bool:
        size = _parameters(self.function).get("size")
        return size is not None and size.default is not size.empty


def positional_names(function: Callable[..., object]) -> tuple[str, ...]:
    """Return the names of the parameters that can be given by position; none where they are not known.

    Examples:
        >>> positional_names(lambda logits, labels, *, gamma=2: 0)
        ('logits', 'labels')
    """
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(name for name, parameter in _parameters(function).items() if parameter.kind in kinds)


def _parameters(function: Callable[..., object]) -> Mapping[str, inspect.Parameter]:
    # A network's __call__ takes anything.
    function = getattr(function, "forward", function)
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def _is_whole(named: tuple[str, "torch.Tensor"]) -> bool:
    return not named[1].is_floating_point()


def _placed(leaf: Any, device: "torch.device", dtype: "torch.dtype | None") -> Any:  # noqa: ANN401 - any argument
    """Take a tensor or a network to the device, and to the dtype where it has floating numbers."""
    import torch

    if isinstance(leaf, torch.nn.Module):
        return leaf.to(device=device, dtype=dtype)
    if not isinstance(leaf, torch.Tensor):
        return leaf
    wanted = dtype if leaf.is_floating_point() else None
    # Detached: a tensor that came out of an operation is trained as though the user had made it.
    return leaf.detach().to(device, wanted or leaf.dtype).requires_grad_(leaf.requires_grad)


def _wide(leaf: Any) -> Any:  # noqa: ANN401 - any argument
    import torch

    if isinstance(leaf, torch.nn.Module):
        return deepcopy(leaf).double()
    if isinstance(leaf, torch.dtype):
        return torch.float64 if leaf.is_floating_point else leaf
    if not isinstance(leaf, torch.Tensor):
        return leaf
    if leaf.is_complex():
        return leaf.to(torch.complex128)
    return leaf.double() if leaf.is_floating_point() else leaf
