import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from segcli.elements import scattered, strides
from segcli.elements.averaging import Term, weighted_mean
from segcli.elements.comparing import Gap, compare
from segcli.elements.converting import convert_elements
from segcli.elements.counting import count_nonfinite
from segcli.elements.decoding import decode
from segcli.elements.encoding import LARGEST, encode
from segcli.elements.strides import View, boxes, stream
from segcli.formats.byte_source import ByteSource
from segcli.formats.dtypes import ITEM_BYTES
from segcli.formats.payload import Stretch

FLOAT8 = ["float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"]
FLOATS = ["float64", "float32", "float16", "bfloat16"]
INTEGERS = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]


def dtype_of(name: str) -> torch.dtype:
    found: torch.dtype = getattr(torch, name)
    return found


def raw_of(tensor: torch.Tensor) -> bytes:
    return stored(tensor.contiguous())


def stored(tensor: torch.Tensor) -> bytes:
    """Return the bytes of a tensor's storage."""
    return torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage()).numpy().tobytes()


def tensor_of(raw: bytes, name: str) -> torch.Tensor:
    return torch.frombuffer(bytearray(raw), dtype=torch.uint8).view(dtype_of(name))


class Memory(ByteSource):
    """A file that is bytes."""

    def at(self, offset: int, count: int) -> bytes:
        data: bytes = self.__dict__["data"]
        assert offset + count <= len(data)
        self.__dict__["reads"].append(count)
        return data[offset : offset + count]


def held(data: bytes) -> Stretch:
    source = Memory("memory", -1, len(data), 0)
    source.__dict__.update(data=data, reads=[])
    return Stretch(source, 0, len(data))


def view_of(tensor: torch.Tensor, byteorder: str = "little", name: str = "") -> View:
    name = name or str(tensor.dtype).removeprefix("torch.")
    raw = stored(tensor)
    if byteorder == "big":
        raw = swapped(raw, name)
    size, stride = tuple(tensor.shape), tuple(tensor.stride())
    return View(held(raw), name, byteorder, ITEM_BYTES[name], int(tensor.storage_offset()), size, stride)


def swapped(raw: bytes, name: str) -> bytes:
    part = ITEM_BYTES[name] // (2 if name.startswith("complex") else 1)
    return np.frombuffer(raw, np.uint8).reshape(-1, part)[:, ::-1].tobytes()


def ignore(_count: int) -> None:
    pass


def every_float(name: str) -> torch.Tensor:
    """Return all of a small dtype's values, or many of a large one's, those at the edges among them."""
    if ITEM_BYTES[name] == 1:
        return tensor_of(bytes(range(256)), name)
    if ITEM_BYTES[name] == 2:
        return tensor_of(np.arange(2**16, dtype=np.uint16).tobytes(), name)
    generator = np.random.default_rng(0)
    code = {"float32": "u4", "float64": "u8"}[name]
    bits = generator.integers(0, 2 ** (8 * ITEM_BYTES[name]), 200_000, dtype=code)
    # Numbers that lie at, just below and just above the middle between two of the narrower dtype.
    ties = torch.arange(2**16, dtype=torch.int32).to(torch.int16).view(torch.bfloat16).to(torch.float64)
    halves = [ties * (1 + 2**-9), ties * (1 + 2**-9 + 2**-25), ties * (1 + 2**-9 - 2**-25), ties * (1 + 2**-12)]
    near = torch.cat([tensor_of(bits.tobytes(), name).double(), *halves, torch.tensor([65504.0, 65519.99, 65520.0])])
    return near.to(dtype_of(name))


@pytest.mark.parametrize("byteorder", ["little", "big"])
@pytest.mark.parametrize("name", [*FLOATS, *FLOAT8])
def test_floats_are_what_torch_says_they_are(name: str, byteorder: str) -> None:
    tensor = every_float(name)
    raw = raw_of(tensor)
    ours = torch.from_numpy(decode(swapped(raw, name) if byteorder == "big" else raw, name, byteorder).copy())
    assert torch.equal(ours.double().nan_to_num(nan=12345.0), tensor.to(torch.float64).nan_to_num(nan=12345.0))
    assert torch.equal(ours.isnan(), tensor.to(torch.float64).isnan())


@pytest.mark.parametrize("byteorder", ["little", "big"])
@pytest.mark.parametrize("name", [*INTEGERS, "complex64", "complex128"])
def test_other_numbers_are_what_torch_says_they_are(name: str, byteorder: str) -> None:
    raw = np.random.default_rng(1).bytes(16 * 50)
    if name.startswith("complex"):
        raw = raw_of(torch.randn(50, dtype=dtype_of(name)))
    ours = decode(swapped(raw, name) if byteorder == "big" else raw, name, byteorder)
    assert ours.tolist() == tensor_of(raw, name).tolist()


def test_the_rest_of_torchs_dtypes() -> None:
    assert decode(b"\x00\x01\x02", "bool", "little").tolist() == [False, True, True]
    halves = torch.tensor([1.5, -2.0, 0.25, 8.0], dtype=torch.float16)
    assert decode(raw_of(halves), "complex32", "little").tolist() == [1.5 - 2j, 0.25 + 8j]
    assert decode(swapped(raw_of(halves), "complex32"), "complex32", "big").tolist() == [1.5 - 2j, 0.25 + 8j]
    assert decode(b"\xff", "qint8", "little").tolist() == [-1]
    assert decode(b"\xff", "quint8", "little").tolist() == [255]
    assert decode(b"\xff\xff\xff\xff", "qint32", "little").tolist() == [-1]
    assert decode(b"\xfe\xff", "bits16", "little").tolist() == [65534]
    assert decode(b"\xfe", "float4_e2m1fn_x2", "little").tolist() == [254]


def test_every_dtype_is_decoded_to_as_many_elements() -> None:
    counts = {name: len(decode(bytes(4 * size), name, "big")) for name, size in ITEM_BYTES.items()}
    assert set(counts.values()) == {4}


@pytest.mark.parametrize(("before", "after"), list(itertools.product([*FLOATS, *FLOAT8], FLOATS)))
def test_conversions_are_torchs_bit_for_bit(before: str, after: str) -> None:
    tensor = every_float(before)
    raw = raw_of(tensor)
    told: list[tuple[int, float]] = []
    ours = b"".join(
        convert_elements(held(raw), len(tensor), (before, after), "little", lambda *found: told.append(found))
    )
    # Torch's float8_e8m0fnu has no conversion to float64 that keeps its smallest; all other paths lead over float32.
    theirs = tensor.to(dtype_of(after))
    nan = tensor.to(torch.float64).isnan()
    made = tensor_of(ours, after)
    kind = {2: torch.int16, 4: torch.int32, 8: torch.int64}[ITEM_BYTES[after]]
    assert torch.equal(made.view(kind)[~nan], theirs.view(kind)[~nan])
    assert made[nan].isnan().all()
    lost = theirs.isinf() & tensor.to(torch.float64).isfinite()
    assert sum(count for count, _ in told) == int(lost.sum())
    if told:
        assert told[0][1] == float(tensor[lost][0])


def test_torch_keeps_no_one_pattern_of_nan() -> None:
    """What is written for NaN is the pattern that torch's conversion of one float64 writes, whatever its own was."""
    bits = np.array([0xFFC12345, 0x7F800001], np.uint32)
    assert encode(bits.view(np.float32), "bfloat16") == b"\xc0\x7f" * 2
    assert raw_of(torch.tensor([float("nan")], dtype=torch.float64).to(torch.bfloat16)) == b"\xc0\x7f"


def test_elements_are_written_in_the_order_of_the_file() -> None:
    assert encode(np.array([1.0]), "bfloat16", "big") == b"\x3f\x80"
    assert encode(np.array([1.0]), "float64", "big") == b"\x3f\xf0" + bytes(6)
    assert encode(np.array([1.0 - 2.0j]), "complex32", "big") == b"\x3c\x00\xc0\x00"
    (ours,) = convert_elements(held(b"\x3f\x80\x00\x00"), 1, ("float32", "float16"), "big", lambda *_: None)
    assert ours == b"\x3c\x00"
    assert LARGEST["bfloat16"] == torch.finfo(torch.bfloat16).max


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Draw a view of a small storage: cut, stepped, turned, repeated, overlapping."""
    dims = draw(st.lists(st.integers(0, 5), max_size=4))
    stride = [draw(st.integers(0, 7)) for _ in dims]
    offset = draw(st.integers(0, 3))
    span = offset + 1 + sum(max(size - 1, 0) * step for size, step in zip(dims, stride, strict=True))
    name = draw(st.sampled_from(["int16", "complex128", "uint8"]))
    base = torch.arange(span + draw(st.integers(0, 3))).to(dtype_of(name))
    return base.as_strided(dims, stride, offset)


@given(tensors(), st.integers(1, 40), st.sampled_from([1, 16, 2**16]))
@example(torch.zeros(()), 1, 1)
@example(torch.arange(24).reshape(4, 6).T, 5, 1)
def test_any_view_is_read_in_its_own_order(tensor: torch.Tensor, box: int, worth: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strides, "DENSE_BOX", box)
        patch.setattr(strides, "_SPARSE_BYTES", box * tensor.element_size())
        patch.setattr(scattered, "_WORTH", worth)
        pieces = list(stream(view_of(tensor)))
    assert b"".join(pieces) == tensor.numpy().tobytes()
    assert all(len(piece) <= box * tensor.element_size() for piece in pieces)


def test_reads_are_few_and_short() -> None:
    dense = view_of(torch.zeros(1000, 1000))
    turned = view_of(torch.zeros(1000, 1000).T)
    stepped = view_of(torch.zeros(4000, 1000)[::1000, ::2])
    for view, most in ((dense, 1_000_000 // 2**13), (turned, 1), (stepped, 4)):
        assert sum(map(len, stream(view))) == view.count * 4
        reads = view.data.source.__dict__["reads"]
        assert len(reads) <= most
        assert max(reads) <= 2**22


def test_boxes_are_of_one_size_more_or_less() -> None:
    sizes = [size for _, size in boxes(view_of(torch.zeros(3, strides.DENSE_BOX + 1, dtype=torch.uint8)))]
    assert sizes[:2] == [(1, 8193), (1, 8192)]
    assert len(sizes) == 6


def gap_of(one: torch.Tensor, two: torch.Tensor, **options: Any) -> Gap | None:  # noqa: ANN401 - any options
    seen: list[int] = []
    found = compare(view_of(one), view_of(two), advance=seen.append, **options)
    shown = one.numel() * one.element_size()
    assert 0 <= sum(seen) <= shown
    if 0 not in one.stride():
        assert sum(seen) == shown
    return found


NAN, INF = float("nan"), float("inf")
OFTEN = st.sampled_from([0.0, -0.0, 1.0, 1.5, -2.0, NAN, INF, -INF, 1e30, -1e-40])


@given(st.lists(st.tuples(OFTEN, OFTEN), min_size=1, max_size=30), st.sampled_from([(0, 0), (0.5, 0), (0.25, 0.5)]))
@example([(1.0, NAN), (NAN, NAN), (INF, INF), (0.0, 5.0)], (0, 0))
@example([(0.0, -0.0)], (0, 0))
def test_differences_are_what_torch_computes(pairs: list[tuple[float, float]], tolerance: tuple[float, float]) -> None:
    one, two = (torch.tensor([pair[side] for pair in pairs]).reshape(1, -1) for side in (0, 1))
    atol, rtol = tolerance
    found = gap_of(one, two, atol=atol, rtol=rtol)
    close = torch.isclose(one.double(), two.double(), atol=atol, rtol=rtol, equal_nan=True)
    same = (one == two) | (one.isnan() & two.isnan())
    if same.all():
        assert found is None
        return
    assert found is not None
    finite = one.isfinite() & two.isfinite()
    gaps = torch.where(finite, (one.double() - two.double()).abs(), 0.0)
    assert (found.elements, found.unequal, found.beyond) == (len(pairs), int((~same).sum()), int((~close).sum()))
    assert found.nonfinite == int((~same & ~finite).sum())
    assert found.max_abs == float(gaps.max())
    assert found.mean_abs == pytest.approx(float(gaps.mean()))
    place = (~same & ~finite).flatten().int().argmax() if found.nonfinite else gaps.argmax()
    assert found.at == (0, int(place))
    assert [found.first, found.second] == pytest.approx([float(t.flatten()[place]) for t in (one, two)], nan_ok=True)


def test_a_relative_difference() -> None:
    one, two = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 5.0])
    found = gap_of(one, two)
    assert found == Gap(3, 1, 1, 0, 2.0, 2 / 3, 2 / 8, (2,), 3.0, 5.0)
    zero = gap_of(one, torch.zeros(3))
    assert zero is not None
    assert zero.relative == INF
    nan = gap_of(torch.tensor([0.0]), torch.tensor([NAN]))
    assert nan is not None
    assert (nan.relative, nan.nonfinite, nan.max_abs) == (0.0, 1, 0.0)


@pytest.mark.parametrize(
    ("one", "two", "largest"),
    [
        (torch.tensor([2**62, 5]), torch.tensor([2**62 + 1, 5]), 1.0),
        (torch.tensor([-(2**63)]), torch.tensor([2**63 - 1]), 2.0**64),
        (torch.tensor([2**63 + 1], dtype=torch.uint64), torch.tensor([2**63 - 1]), 2.0),
        (torch.tensor([True, False]), torch.tensor([True, True]), 1.0),
        (torch.tensor([200], dtype=torch.uint8), torch.tensor([-100], dtype=torch.int8), 300.0),
        (torch.tensor([3 + 4j]), torch.tensor([0j]), 5.0),
        (torch.tensor([1.0], dtype=torch.float8_e5m2), torch.tensor([2.0], dtype=torch.bfloat16), 1.0),
        (torch.tensor([1.0], dtype=torch.float64), torch.tensor([1 + 2**-52], dtype=torch.float64), 2.0**-52),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, torch.Tensor) else "",
)
def test_differences_are_exact_and_across_dtypes(one: torch.Tensor, two: torch.Tensor, largest: float) -> None:
    found = gap_of(one, two)
    assert found is not None
    assert (found.max_abs, found.unequal) == (largest, 1)
    assert gap_of(one, one) is None
    assert gap_of(two, two.clone()) is None


def test_a_complex_element_is_told_as_text() -> None:
    found = gap_of(torch.tensor([1j]), torch.tensor([0j]))
    assert found is not None
    assert (found.first, found.second) == ("1j", "0j")


@pytest.mark.parametrize(
    "turn",
    [
        lambda t: t,
        lambda t: t.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2),
        lambda t: torch.cat([t, t], 3)[:, :, :, : t.shape[3]],
    ],
    ids=["dense", "channels last", "cut out"],
)
def test_differences_are_found_wherever_the_elements_lie(turn: Callable[[torch.Tensor], torch.Tensor]) -> None:
    one = torch.randn(7, 64, 31, 33)
    two = one.clone()
    two[5, 3, 30, 1] += 3
    two[5, 3, 30, 2] += 1
    found = gap_of(turn(one), two)
    assert found is not None
    assert (found.at, found.unequal, found.elements) == ((5, 3, 30, 1), 2, one.numel())
    assert (found.first, found.second) == (float(one[5, 3, 30, 1]), float(two[5, 3, 30, 1]))
    assert gap_of(two, turn(two)) is None


def test_repeated_elements_are_compared_once() -> None:
    one, two = (torch.tensor([0.0, value]).reshape(2, 1).expand(2, 10**12) for value in (1.0, 2.0))
    found = compare(view_of(one), view_of(two), advance=ignore)
    assert found is not None
    assert (found.elements, found.unequal, found.at) == (2 * 10**12, 10**12, (1, 0))
    assert found.mean_abs == 0.5
    assert count_nonfinite(view_of(torch.tensor([NAN, 1.0]).reshape(2, 1).expand(2, 10**12)), ignore) == (10**12, 0)


def test_empty_tensors_are_equal() -> None:
    assert gap_of(torch.zeros(0, 3), torch.ones(0, 3)) is None
    assert gap_of(torch.zeros(0, 3), torch.ones(0, 3).half()) is None
    assert count_nonfinite(view_of(torch.zeros(0, 3)), ignore) == (0, 0)


@pytest.mark.parametrize("name", [*FLOATS, *FLOAT8, "complex64", "int64"])
def test_nonfinite_elements_are_counted(name: str) -> None:
    if name == "int64":
        tensor = torch.arange(9)
    elif name == "complex64":
        tensor = torch.tensor([complex(NAN, 1), complex(INF, 0), complex(INF, NAN), 1j])
    else:
        tensor = every_float(name)
    seen: list[int] = []
    exact = tensor if name == "complex64" else tensor.to(torch.float64)
    nan = int(exact.isnan().sum())
    assert count_nonfinite(view_of(tensor, "big"), seen.append) == (nan, int((exact.isinf() & ~exact.isnan()).sum()))
    assert sum(seen) == tensor.numel() * tensor.element_size()


@pytest.mark.parametrize("name", [*FLOATS, "complex64", "complex128"])
def test_means_are_torchs(name: str) -> None:
    torch.manual_seed(0)
    files = [
        torch.randn(strides.DENSE_BOX + 7, dtype=torch.complex128 if "c" in name else torch.float64) for _ in range(3)
    ]
    tensors_ = [file.to(dtype_of(name)) for file in files]
    wide = torch.complex128 if "c" in name else torch.float64
    terms = [Term(held(swapped(raw_of(t), name)), "big", 1.0) for t in tensors_]
    ours = b"".join(weighted_mean(terms, name, len(files[0]), 3.0, "little"))
    summed = tensors_[0].to(wide) + tensors_[1].to(wide) + tensors_[2].to(wide)
    assert ours == raw_of((summed / 3.0).to(dtype_of(name)))
    weights = [0.25, 0.0, 0.75]
    terms = [Term(held(raw_of(t)), "little", weight) for t, weight in zip(tensors_, weights, strict=True)]
    ours = b"".join(weighted_mean(terms, name, len(files[0]), 1.0, "little"))
    assert ours == raw_of((tensors_[0].to(wide) * 0.25 + tensors_[2].to(wide) * 0.75).to(dtype_of(name)))


def test_what_weighs_nothing_is_not_read() -> None:
    terms = [Term(held(raw_of(torch.tensor([value]))), "little", weight) for value, weight in ((INF, 0.0), (2.0, 1.0))]
    assert list(weighted_mean(terms, "float32", 1, 1.0, "little")) == [raw_of(torch.tensor([2.0]))]
