import torch
from safetensors import torch as safetensors_torch

from segcli.formats.dtypes import ITEM_BYTES, SAFETENSORS_DTYPES, STORAGE_DTYPES


def test_sizes_are_torchs() -> None:
    dtypes = {value for value in vars(torch).values() if isinstance(value, torch.dtype)}
    assert {str(dtype).removeprefix("torch."): dtype.itemsize for dtype in dtypes} == ITEM_BYTES


def test_storage_classes_are_torchs() -> None:
    known = {
        name: str(dtype).removeprefix("torch.") for dtype, name in torch.storage._dtype_to_storage_type_map().items()
    }
    assert {**known, "UntypedStorage": "uint8"} == STORAGE_DTYPES


def test_safetensors_names_are_its_own() -> None:
    theirs = {code: str(dtype).removeprefix("torch.") for code, dtype in safetensors_torch._TYPES.items()}
    # The format has more than its torch binding of some versions knows.
    assert theirs.items() <= SAFETENSORS_DTYPES.items()
