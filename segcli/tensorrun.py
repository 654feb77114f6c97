"""Runs tensor operations, by name and one at a time, with the installed torch: small tensors, a fixed list of names."""

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from segcli.errors import ExitCode, SegcliError

if TYPE_CHECKING:
    import torch

# Nothing that reads a file, runs code or changes a tensor in place.
OPERATIONS = frozenset(
    name
    for line in (
        "argmax argmin max min amax amin sum mean any all var",
        "std prod median topk sort argsort kthvalue cumsum norm logsumexp softmax log_softmax",
    )
    for name in line.split()
)


class TensorRunner:
    """The installed torch, behind the few things that confirming a shape takes.

    Raises:
        SegcliError: Where torch is not installed (exit code 3).

    Examples:
        >>> runner = TensorRunner()
        >>> x = runner.make((2, 3), "float32")
        >>> runner.facts(runner.call("amax", [x], {"dim": 1}), [x])
        [((2,), 'float32', False)]
    """

    def __init__(self) -> None:
        """Import torch."""
        try:
            import torch
        except ImportError as error:
            message = f"torch cannot be imported: {error}"
            raise SegcliError(message, hint="pip install torch", code=ExitCode.UNAVAILABLE) from error
        self._torch = torch
        self.version = str(torch.__version__)

    def make(
        self,
        shape: Sequence[int],
        dtype: str,
        *,
        values: Sequence[float] | None = None,
        true_count: int = 0,
        device: str = "cpu",
    ) -> "torch.Tensor":
        """Make a tensor of zeros, of known values, or with ``true_count`` elements that are not zero.

        Raises:
            SegcliError: Where torch will not make it.
        """
        kind = getattr(self._torch, dtype)
        try:
            if values is not None:
                return self._torch.tensor(list(values), dtype=kind).reshape(tuple(shape))
            tensor = self._torch.zeros(tuple(shape), dtype=kind, device=device)
        except (RuntimeError, TypeError, ValueError) as error:
            message = f"torch makes no tensor of shape {tuple(shape)}: {_first_line(error)}"
            raise SegcliError(message) from error
        if true_count:
            tensor.view(-1)[:true_count] = 1
        return tensor

    def index(self, tensor: Any, index: Any) -> Any:  # noqa: ANN401 - what a subscript takes and gives
        """Index a tensor, or a pair of tensors."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return tensor[index]

    def call(self, name: str, arguments: Sequence[Any], keywords: Mapping[str, Any], *, method: bool = True) -> Any:  # noqa: ANN401 - what the operation gives
        """Run an operation of the list: a method of the first argument, or ``torch.<name>``.

        Raises:
            SegcliError: For a name that is not on the list.
        """
        if name not in OPERATIONS:
            message = f"{name} is not among the operations that are run"
            raise SegcliError(message)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if method:
                return getattr(arguments[0], name)(*arguments[1:], **keywords)
            return getattr(self._torch, name)(*arguments, **keywords)

    def facts(self, result: Any, sources: Sequence[Any]) -> list[tuple[tuple[int, ...], str, bool]]:  # noqa: ANN401 - as above
        """Return shape, dtype, and whether storage is shared with a source; of each of several results."""
        members = [result] if isinstance(result, self._torch.Tensor) else list(result)
        # Not data_ptr(): of a tensor without elements it is 0.
        storages = {source.untyped_storage()._cdata for source in sources}  # noqa: SLF001 - torch has no public identity
        return [
            (
                tuple(member.shape),
                str(member.dtype).removeprefix("torch."),
                member.untyped_storage()._cdata in storages,  # noqa: SLF001
            )
            for member in members
        ]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
