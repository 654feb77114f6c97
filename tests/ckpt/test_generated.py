"""Three hundred checkpoints of all kinds, there and back: what comes back is what went, byte for byte."""

import argparse
import collections
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from segcli.ckpt import convert
from segcli.formats.byte_source import open_source
from segcli.formats.torch_legacy import read_legacy
from tests.ckpt.oracles import bits, loads
from tests.ckpt.test_conversion import Unknown, ties
from tests.formats.crafting import Saved, aligned, check_layout, read_records, save, tagged, tags
from tests.formats.old_files import Reference, members, save_legacy, storage_entry, tar, tensor_entry

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.serialization.SourceChangeWarning"),
]

DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
DTYPES += ["complex64", "complex128"]
# Torch itself cannot read these from a legacy file.
UNTYPED = ["float8_e4m3fn", "float8_e5m2", "uint16", "uint32", "uint64"]
WORDS = ["cpu", "cuda:0", "cuda:1", "cuda", "mps", "storage", "0", "cpu\n", "ö", ""]
VIEWS: list[Callable[[torch.Tensor], torch.Tensor]] = [
    lambda t: t,
    lambda t: t[1:],
    lambda t: t.T,
    lambda t: t[::2, ::3],
    lambda t: t[:0],
    lambda t: t[0, 0],
    lambda t: t.expand(2, 4, 6),
    lambda t: t[1, 2:5],
]


def word(rng: random.Random) -> str:
    """Return a word: the string that torch's own code has, or one of the same letters."""
    chosen = rng.choice(WORDS)
    return chosen if rng.random() < 0.6 else "".join(list(chosen))


def special(rng: random.Random, *, weights_only: bool) -> Saved:
    """Return a tensor that is more than values, or what is no tensor at all."""
    values = torch.tensor([[0.0, 2.0], [0.0, 3.0]])
    made: list[Callable[[], Saved]] = [
        lambda: torch.nn.Parameter(values),
        values.to_sparse,
        values.to_sparse_csr,
        lambda: torch.quantize_per_tensor(values, 0.1, 3, torch.qint8),
        lambda: torch.quantize_per_channel(values, torch.tensor([0.1, 0.2]), torch.tensor([0, 1]), 0, torch.quint8),
        lambda: torch.tensor([1 + 2j]).conj(),
        lambda: torch.empty(3, device="meta"),
        lambda: torch.nn.Linear(2, 3).state_dict(),
        lambda: torch.device("cuda:1"),
    ]
    if not weights_only:
        made += [
            lambda: np.float64(0.25),
            lambda: np.arange(3),
            lambda: argparse.Namespace(device=word(rng), lr=0.1),
            lambda: Unknown(word(rng)),
            lambda: collections.defaultdict(list, {word(rng): [1]}),
            lambda: {word(rng), "x"},
            lambda: torch.nn.Linear(2, 3),
        ]
    return rng.choice(made)()


def content(rng: random.Random, dtypes: list[str], *, weights_only: bool) -> dict[str, Saved]:
    bases = [
        (torch.arange(24) % 7).to(getattr(torch, rng.choice(dtypes))).reshape(4, 6) for _ in range(rng.randint(1, 3))
    ]

    def tensor() -> torch.Tensor:
        return rng.choice(VIEWS)(rng.choice(bases))

    def plain() -> Saved:
        return rng.choice([word(rng), None, True, rng.randint(-(2**70), 2**70), 0.5, word(rng).encode(), 7])

    def tree(depth: int) -> Saved:
        kind = rng.randint(0, 8)
        if depth == 0 or kind < 4:
            choice = rng.random()
            return tensor() if choice < 0.4 else plain() if choice < 0.75 else special(rng, weights_only=weights_only)
        below = [tree(depth - 1) for _ in range(rng.randint(0, 3))]
        if kind == 4:
            return below
        if kind == 5:
            return tuple(below)
        named = {word(rng): one for one in below}
        return collections.OrderedDict(named) if kind == 6 else named

    shared = tree(2)
    found: dict[str, Saved] = {word(rng): tree(3) for _ in range(rng.randint(0, 3))}
    return {"device": word(rng), "first": tensor(), **found, "shared": shared, "again": [shared], "last": tensor()}


def described(value: Saved, seen: tuple[int, ...] = ()) -> Saved:  # noqa: PLR0911 - one kind a return
    """Return plain data that is equal for equal objects: bits of tensors, and their strides."""
    if isinstance(value, torch.Tensor):
        return _tensor(value)
    if isinstance(value, torch.nn.Module):
        return type(value).__name__, described(value.state_dict(), seen)
    if isinstance(value, dict):
        pairs = [(key, described(one, seen)) for key, one in value.items()]
        return type(value).__name__, pairs, repr(getattr(value, "_metadata", None))
    if isinstance(value, list | tuple):
        return type(value).__name__, [described(one, seen) for one in value]
    if isinstance(value, argparse.Namespace | Unknown):
        return type(value).__name__, described(vars(value), seen)
    if isinstance(value, np.ndarray | np.generic):
        return str(value.dtype), value.tobytes()
    return type(value).__name__, sorted(value) if isinstance(value, set) else value


def _tensor(tensor: torch.Tensor) -> Saved:
    kind = type(tensor).__name__, str(tensor.dtype), str(tensor.layout), tuple(tensor.shape), tensor.requires_grad
    tensor = tensor.detach()
    if tensor.layout is torch.sparse_coo:
        return kind, _tensor(tensor._indices()), _tensor(tensor._values())
    if tensor.layout is torch.sparse_csr:
        return kind, _tensor(tensor.crow_indices()), _tensor(tensor.col_indices()), _tensor(tensor.values())
    if tensor.is_quantized:
        return kind, str(tensor.qscheme()), tensor.int_repr().tolist(), tensor.dequantize().tolist()
    place = tensor.stride(), tensor.storage_offset(), tensor.is_conj()
    if tensor.device.type == "meta":
        return kind, place
    if tensor.is_conj():
        return kind, place, torch.view_as_real(tensor.resolve_conj()).tolist()
    return kind, place, bits(tensor)


def loaded(path: Path) -> Saved:
    with tagged("cuda:0"):
        return torch.load(path, weights_only=False)


def is_plain(path: Path) -> bool:
    """Say whether torch loads a file with ``weights_only``."""
    try:
        torch.load(path, weights_only=True)
    except Exception:  # noqa: BLE001 - whatever its reason
        return False
    return True


def tar_of(path: Path, rng: random.Random) -> Path:
    storages = [storage_entry(100, [1, 2, 3, 4]), storage_entry(200, [5, 6])]
    tensors = [
        tensor_entry(7, 100, (2, 2), rng.choice([(1, 2), (2, 1)]), 0),
        tensor_entry(9, 200, (2,), (1,), 0),
    ]
    held = {"device": "cpu", "w": Reference(7), word(rng) or "x": word(rng), "tied": Reference(7)}
    return tar(path, members({**held, "b": Reference("9")}, tensors, storages))


def made(folder: Path, rng: random.Random) -> Path:
    """Save something in some format, with some protocol and alignment."""
    kind = rng.choice(["zip"] * 6 + ["legacy"] * 3 + ["tar"])
    protocol = rng.choice([2, 2, 3, 4, 5])
    if kind == "tar":
        convert(tar_of(folder / "old.tar", rng), folder / "source.pth")
        assert described(loaded(folder / "source.pth")) == described(torch.load(folder / "old.tar", weights_only=False))
    elif kind == "legacy":
        held = content(rng, DTYPES, weights_only=rng.random() < 0.5)
        save_legacy(held, folder / "source.pth", pickle_protocol=protocol)
    else:
        held = content(rng, DTYPES + UNTYPED, weights_only=rng.random() < 0.5)
        with aligned(rng.choice([64, 64, 4096])):
            save(held, folder / "source.pth", pickle_protocol=protocol)
    return folder / "source.pth"


@pytest.mark.parametrize("part", range(30))
def test_there_and_back(tmp_path: Path, part: int) -> None:
    for seed in range(10 * part, 10 * part + 10):
        folder = tmp_path / str(seed)
        folder.mkdir()
        source = made(folder, random.Random(seed))
        there, back = folder / "there.pth", folder / "back.pth"
        convert(source, there, "cuda:0")
        convert(there, back, "cpu")
        assert back.read_bytes() == source.read_bytes() or records(back) == records(source), seed
        assert tags(there) <= {"cuda:0"}, seed
        original = torch.load(source, weights_only=False)
        assert described(loaded(there)) == described(original), seed
        assert ties(loaded(there)) == ties(original), seed
        if not is_legacy(source):
            with open_source(source) as file:
                from segcli.formats.torch_zip import read_torch_zip

                alignment = read_torch_zip(file).alignment
            check_layout(there, alignment)
            check_layout(back, alignment)
            plain = is_plain(source)
            with tagged("cuda:0"):
                assert is_plain(there) == plain, seed
                for one in loads(there, weights_only=plain):
                    assert described(one) == described(original), seed
        # No byte of a user's value changes: with the tags back, nothing does.
        convert(there, folder / "other.pth", "cuda:1")
        convert(folder / "other.pth", back, "cpu", force=True)
        assert records(back) == records(source), seed


def is_legacy(path: Path) -> bool:
    return path.read_bytes()[:2] != b"PK"


def records(path: Path) -> dict[str, bytes]:
    """Return what a file holds: a zip's records, or all of a legacy file."""
    if not is_legacy(path):
        return read_records(path)
    with open_source(path) as file:
        assert read_legacy(file).end == file.size
    return {"all": path.read_bytes()}
