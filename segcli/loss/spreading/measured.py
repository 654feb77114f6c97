"""What was measured of a pair of files, and how such measurements add up over files, processes and interruptions."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from segcli.errors import SegcliError
from segcli.launch import Group
from segcli.loss.sources.sample import Pair, Sample

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

# A tensor of a tally as plain arrays: its shape, its values, and where it is sparse their places in the flat tensor.
_Arrays = tuple[tuple[int, ...], "np.ndarray[Any, Any]", "np.ndarray[Any, Any] | None"]


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of one pair.

    Attributes:
        name: The pair's.
        line: What is said of this pair alone: plain JSON data.
        tally: What adds up over pairs: float64 or int64 tensors of the CPU, dense or sparse (COO). Tallies are merged
            by adding what has the same name; a name that one of them lacks counts as zeros.
        n_bytes: How many bytes were read.
    """

    name: str
    line: dict[str, Any]
    tally: dict[str, "Tensor"]
    n_bytes: int


class Work(Protocol):
    """What is done with each pair; picklable, and without memory of the pairs before."""

    def read(self, pair: Pair) -> Sample:
        """Read a pair, memory-mapped where that is possible."""
        ...

    def measure(self, sample: Sample) -> Measured:
        """Measure what was read."""
        ...


def finite(value: Any) -> Any:  # noqa: ANN401 - JSON holds anything
    """Return JSON data as it is read back: lists for tuples, None for NaN and infinities.

    Examples:
        >>> finite({"value": float("nan"), "per_class": (0.5, None)})
        {'value': None, 'per_class': [0.5, None]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


@dataclass(frozen=True, eq=False)
class Packed:
    """A `Measured` that travels between processes in one piece: tensors would each take a file of shared memory."""

    name: str
    line: dict[str, Any]
    arrays: dict[str, _Arrays]
    n_bytes: int


def pack(measured: Measured) -> Packed:
    """Return it with plain arrays for tensors."""
    arrays = {name: _arrays(tensor) for name, tensor in measured.tally.items()}
    return Packed(measured.name, measured.line, arrays, measured.n_bytes)


def unpack(packed: Packed) -> Measured:
    """Return it with tensors again."""
    tally = {name: _tensor(*arrays) for name, arrays in packed.arrays.items()}
    return Measured(packed.name, packed.line, tally, packed.n_bytes)


def _arrays(tensor: "Tensor") -> _Arrays:
    shape = tuple(tensor.shape)
    if not tensor.is_sparse:
        return shape, tensor.contiguous().numpy(), None
    places, values = flat_places(tensor)
    return shape, values.numpy(), places.numpy()


def _tensor(shape: tuple[int, ...], values: "np.ndarray[Any, Any]", places: "np.ndarray[Any, Any] | None") -> "Tensor":
    import torch

    if places is None:
        return torch.from_numpy(values).reshape(shape)
    indices = torch.stack(torch.unravel_index(torch.from_numpy(places), shape))
    return torch.sparse_coo_tensor(indices, torch.from_numpy(values), shape, check_invariants=False, is_coalesced=True)


def flat_places(tensor: "Tensor") -> "tuple[Tensor, Tensor]":
    """Return where a sparse tensor's values lie in the flat dense one, each place once, and the values.

    Examples:
        >>> import torch
        >>> flat_places(torch.tensor([[0, 0, 7], [8, 0, 0]]).to_sparse())
        (tensor([2, 3]), tensor([7, 8]))
    """
    whole = tensor.coalesce()
    places = whole.indices()[0]
    for axis in range(1, whole.sparse_dim()):
        places = places * whole.shape[axis] + whole.indices()[axis]
    return places, whole.values()


def add_into(total: dict[str, "Tensor"], tally: Mapping[str, "Tensor"], name: str = "") -> None:
    """Add a tally to a total, in place; the total's tensors are dense and its own.

    Args:
        total: Grows by names that it lacks.
        tally: Dense or sparse tensors.
        name: Whose tally it is, for messages.

    Raises:
        SegcliError: Where a tensor has another shape or dtype than the total's.
        ValueError: Where one is neither float64 nor int64.

    Examples:
        >>> import torch
        >>> total = {}
        >>> add_into(total, {"n_valid": torch.tensor([2, 3])})
        >>> add_into(total, {"n_valid": torch.tensor([0, 1]).to_sparse(), "n_images": torch.tensor(1)})
        >>> total
        {'n_valid': tensor([2, 4]), 'n_images': tensor(1)}
    """
    import torch

    for key, tensor in tally.items():
        if tensor.dtype not in (torch.float64, torch.int64):
            message = f"tally {key!r} is {tensor.dtype}, expected float64 or int64"
            raise ValueError(message)
        own = total.get(key)
        if own is None:
            total[key] = tensor.to_dense() if tensor.is_sparse else tensor.clone(memory_format=torch.contiguous_format)
            continue
        _check_same(key, name, _described(own), _described(tensor))
        if tensor.is_sparse:
            own.view(-1).index_add_(0, *flat_places(tensor))
        else:
            own.add_(tensor)


def reduce_tallies(total: Mapping[str, "Tensor"], group: Group) -> dict[str, "Tensor"]:
    """Return the sum of every rank's total, the same on all ranks: one exchange of names, one sum a dtype.

    Args:
        total: This rank's, dense; ranks may lack names.
        group: The ranks.

    Raises:
        SegcliError: Where ranks have tensors of one name with other shapes or dtypes.
        segcli.launch.LostRanksError: Where a rank has ended.
    """
    import torch

    known: dict[str, _Description] = {}
    for described in group.gather({name: _described(tensor) for name, tensor in total.items()}):
        for name, description in described.items():
            _check_same(name, "", known.setdefault(name, description), description)
    reduced: dict[str, Tensor] = {}
    for dtype in (torch.float64, torch.int64):
        # In the order of names: on all ranks the same.
        shapes = {name: shape for name, (word, shape) in sorted(known.items()) if word == str(dtype)}
        reduced |= _reduced(total, shapes, dtype, group)
    return reduced


def _reduced(
    total: Mapping[str, "Tensor"], shapes: Mapping[str, tuple[int, ...]], dtype: "torch.dtype", group: Group
) -> dict[str, "Tensor"]:
    import torch

    if not shapes:
        return {}
    parts = [
        total[name].reshape(-1) if name in total else torch.zeros(shape, dtype=dtype).reshape(-1)
        for name, shape in shapes.items()
    ]
    flat = torch.cat(parts)
    group.add_up(flat)
    pieces = torch.split(flat, [math.prod(shape) for shape in shapes.values()])
    return {name: piece.reshape(shape) for (name, shape), piece in zip(shapes.items(), pieces, strict=True)}


_Description = tuple[str, tuple[int, ...]]


def _described(tensor: "Tensor") -> _Description:
    return str(tensor.dtype), tuple(tensor.shape)


def _check_same(key: str, name: str, expected: _Description, got: _Description) -> None:
    if expected != got:
        of = f" of {name}" if name else ""
        message = f"{key}{of} is {got[0]} {got[1]}, expected {expected[0]} {expected[1]} as in the files before"
        raise SegcliError(message, hint="do all files have the same classes?")
