"""Runs tensor operations, by name and one at a time, with the installed torch: small tensors, a fixed list of names."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from segcli.errors import ExitCode, SegcliError
from segcli.marks import BINARY, IN_PLACE, SINGLE

if TYPE_CHECKING:
    import torch

_DTYPES = frozenset(
    name
    for line in (
        "bool uint8 int8 int16 int32 int64 short int long",
        "float16 bfloat16 float32 float64 half float double complex64 complex128",
    )
    for name in line.split()
)
_OPERATORS: dict[str, Callable[..., Any]] = {
    **BINARY,
    **{f"unary_{mark}": function for mark, function in SINGLE.items()},
    **{f"{mark}=": function for mark, function in IN_PLACE.items()},
}


class TensorRunner:
    """The installed torch, behind the few things that confirming a shape takes.

    Args:
        is_known: Tells whether an operation of a space may be run. Nothing of what it lets pass should read a file or
            run code.

    Raises:
        SegcliError: Where torch is not installed (exit code 3).

    Examples:
        >>> runner = TensorRunner(lambda space, name: name == "amax")
        >>> x = runner.make((2, 3), "float32")
        >>> runner.facts(runner.call("method", "amax", [x], {"dim": 1}), [x])
        [((2,), 'float32', False)]
    """

    def __init__(self, is_known: Callable[[str, str], bool]) -> None:
        """Import torch."""
        self._is_known = is_known
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

    def dtype(self, name: str) -> "torch.dtype":
        """Return a dtype by its name.

        Raises:
            SegcliError: For anything else.
        """
        if name not in _DTYPES:
            message = f"torch.{name} is not among the dtypes"
            raise SegcliError(message)
        found: torch.dtype = getattr(self._torch, name)
        return found

    def call(
        self, space: str, name: str, arguments: Sequence[Any], keywords: Mapping[str, Any], device: str = "cpu"
    ) -> Any:  # noqa: ANN401 - what the operation gives
        """Run an operation.

        Args:
            space: ``method`` or ``attribute`` of the first argument; ``torch``, ``functional`` or ``nn`` (which makes a
                layer); ``layer`` (which applies the first argument to the others); or ``operator``.
            name: Its name.
            arguments: What it works on.
            keywords: Its keyword arguments.
            device: Where a layer's weights are made.

        Raises:
            SegcliError: For an operation that is not known.
        """
        if space != "layer" and not self._is_known(space, name) and name not in _OPERATORS:
            message = f"{name} is not among the operations that are run"
            raise SegcliError(message)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            match space:
                case "operator" if name.startswith("[]"):
                    return self._assign(_OPERATORS.get(name.removeprefix("[]")), *arguments)
                case "operator":
                    return _OPERATORS[name](*arguments)
                case "attribute":
                    return getattr(arguments[0], name)
                case "nn":
                    with self._torch.device(device):
                        return getattr(self._torch.nn, name)(*arguments, **keywords)
                case "layer":
                    # Without gradients, for which some operations are views or copies of their own.
                    with self._torch.no_grad():
                        return arguments[0](*arguments[1:], **keywords)
                case _:
                    return self._function(space, name, arguments)(*arguments[space == "method" :], **keywords)

    def _function(self, space: str, name: str, arguments: Sequence[Any]) -> Callable[..., Any]:
        owner = {"torch": self._torch, "functional": self._torch.nn.functional}
        found: Callable[..., Any] = getattr(arguments[0] if space == "method" else owner[space], name)
        return found

    @staticmethod
    def _assign(change: Callable[..., Any] | None, tensor: Any, index: Any, value: Any) -> Any:  # noqa: ANN401 - what a subscript takes
        tensor[index] = change(tensor[index], value) if change else value
        # Of what was written: its shape, and the storage that holds it, as no copy does.
        place = tensor[index]
        return tensor.as_strided(place.shape, [0] * place.dim())

    def facts(self, result: Any, sources: Sequence[Any]) -> list[tuple[tuple[int, ...], str, bool]]:  # noqa: ANN401 - as above
        """Return shape, dtype, and whether storage is shared with a source; of each tensor of a result.

        What holds no tensor, such as a shape, has none.
        """
        members = [result] if isinstance(result, self._torch.Tensor) else result
        if not isinstance(members, tuple | list) or not all(isinstance(each, self._torch.Tensor) for each in members):
            return []
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
