"""Whether checkpoints hold the same tensors in the same places, and which storage of one is which of another."""

from segcli.ckpt.difference.matching import common_prefix
from segcli.ckpt.tensors import Holdings, StoredTensor, listed
from segcli.errors import SegcliError
from segcli.formats.checkpoint import Checkpoint
from segcli.formats.tensor_header import TensorHeader
from segcli.units import format_shape


def corresponding(base: Checkpoint, base_holds: Holdings, file: Checkpoint, holds: Holdings) -> dict[str, str]:
    """Return for each storage of a checkpoint the one of another that holds the same tensors.

    Args:
        base: The checkpoint.
        base_holds: What it holds.
        file: The other.
        holds: What that holds.

    Raises:
        SegcliError: Naming the first tensor whose key, shape, dtype, ties or place in memory is another.
    """
    _check_keys(base, base_holds, file, holds)
    there: dict[str, str] = {}
    back: dict[str, str] = {}
    for key, one in base_holds.tensors.items():
        two = holds.tensors[key]
        _check_alike(key, one, two, (base, file))
        for first, second in zip(one.parts, two.parts, strict=True):
            storages = str(first.storage), str(second.storage)
            if (
                there.setdefault(storages[0], storages[1]) != storages[1]
                or back.setdefault(*storages[::-1]) != storages[0]
            ):
                message = f"{key} shares its memory with other tensors in {base.source.name} than in {file.source.name}"
                raise SegcliError(message, hint=f"segcli ckpt diff {base.source.name} {file.source.name} lists them")
            if base.storages[storages[0]].bytes != file.storages[storages[1]].bytes:
                raise _lies_elsewhere(key, (base, file))
    return there


def _check_keys(base: Checkpoint, base_holds: Holdings, file: Checkpoint, holds: Holdings) -> None:
    only_base = [key for key in base_holds.tensors if key not in holds.tensors]
    only_file = [key for key in holds.tensors if key not in base_holds.tensors]
    if not (only_base or only_file):
        return
    prefix = common_prefix(set(only_base), set(only_file))
    hint = f"segcli ckpt diff {base.source.name} {file.source.name} lists all that differs"
    if prefix:
        name = (base if prefix.file == "first" else file).source.name
        hint = f"take {prefix.text!r} from its keys first: segcli ckpt strip {name} DST --prefix {prefix.text}"
    has, lacks, keys = (base, file, only_base) if only_base else (file, base, only_file)
    message = f"{lacks.source.name} has no tensor {listed(keys)}, as {has.source.name} has"
    raise SegcliError(message, hint=hint)


def _check_alike(key: str, one: StoredTensor, two: StoredTensor, files: tuple[Checkpoint, Checkpoint]) -> None:
    for what, first, second in (
        ("shape", format_shape(one.header.shape), format_shape(two.header.shape)),
        ("dtype", one.header.dtype, two.header.dtype),
        ("layout", one.header.layout, two.header.layout),
    ):
        if first != second:
            message = (
                f"{key} has {what} {second} in {files[1].source.name}, expected {first} as in {files[0].source.name}"
            )
            hint = f"segcli ckpt convert {files[1].source.name} DST --dtype {first}" if what == "dtype" else ""
            raise SegcliError(message, hint=hint)
    if [_place(part) for part in one.parts] != [_place(part) for part in two.parts]:
        raise _lies_elsewhere(key, files)


def _place(part: TensorHeader) -> tuple[object, ...]:
    return part.shape, part.offset, part.stride, part.dtype


def _lies_elsewhere(key: str, files: tuple[Checkpoint, Checkpoint]) -> SegcliError:
    names = [file.source.name for file in files]
    message = f"{key} lies otherwise in memory in {names[1]} than in {names[0]}: another stride, offset or storage"
    return SegcliError(message, hint="make both compact first: segcli ckpt strip SRC DST --compact")
