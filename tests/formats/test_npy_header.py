import io
import random
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segcli.errors import SegcliError
from segcli.formats.byte_source import open_source
from segcli.formats.npy_header import MAGIC, NpyHeader, parse_npy_header, read_npy_header

DTYPES = [
    *("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
]
PLAIN = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"


def parse(raw: bytes, size: int | None = None) -> NpyHeader:
    return parse_npy_header(io.BytesIO(raw).read, "x.npy", len(raw) if size is None else size)


def npy(header: str, data: int = 24, version: tuple[int, int] = (1, 0)) -> bytes:
    raw = header.encode("latin-1")
    length = len(raw).to_bytes(2 if version[0] == 1 else 4, "little")
    return MAGIC + bytes(version) + length + raw + bytes(data)


def written(array: "np.ndarray[Any, Any]", version: tuple[int, int] | None) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=version)
    return buffer.getvalue()


@given(
    st.sampled_from(DTYPES),
    st.sampled_from(["<", ">", "="]),
    st.lists(st.integers(0, 4), max_size=5),
    st.sampled_from([(1, 0), (2, 0), (3, 0), None]),
    st.sampled_from(["C", "F"]),
)
@example("float32", ">", [], None, "C")
def test_what_numpy_saves(
    dtype: str,
    order: Literal["<", ">", "="],
    shape: list[int],
    version: tuple[int, int] | None,
    layout: Literal["C", "F"],
) -> None:
    array = np.zeros(shape, np.dtype(dtype).newbyteorder(order), order=layout)
    header = parse(written(array, version))
    assert (header.tensor.shape, header.tensor.dtype, header.tensor.bytes) == (array.shape, dtype, array.nbytes)
    # NumPy says C of what is both.
    assert header.fortran_order == (array.flags.f_contiguous and not array.flags.c_contiguous)
    assert header.tensor.stride is not None
    if array.size:
        strides = tuple(step // array.itemsize for step, size in zip(array.strides, shape, strict=True) if size > 1)
        assert tuple(step for step, size in zip(header.tensor.stride, shape, strict=True) if size > 1) == strides
    assert header.start + array.nbytes == len(written(array, version))


def test_a_file_whose_values_are_a_hundred_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    head = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 25000)}", 0)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + 10**11)
    with open_source(path) as source:
        assert read_npy_header(source).tensor.shape == (1_000_000, 25_000)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros(2, dtype=[("a", "f4"), ("b", "i4", (2,))]), "is a structured array"),
        (np.array(["a", "bc"]), "'<U2': text"),
        (np.array([b"a"]), r"'\|S1': bytes"),
        (np.zeros(2, "V2"), r"'\|V2': raw bytes .*bfloat16"),
        (np.zeros(2, "datetime64[ns]"), r"'<M8\[ns\]': dates"),
        (np.zeros(2, "timedelta64"), "'<m8': time spans"),
        (np.zeros(2, "longdouble"), "'<f16': floats of a width"),
        (np.zeros(2, "clongdouble"), "'<c32': complex numbers of a width"),
        (np.array([None]), r"'\|O': Python objects"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_no_tensor_holds_is_refused_by_name(array: "np.ndarray[Any, Any]", words: str) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array)
    with pytest.raises(SegcliError, match=words):
        parse(buffer.getvalue())


@pytest.mark.parametrize(
    "header",
    [
        PLAIN,
        '{"shape": (2, 3), "fortran_order": False, "descr": "<f4"}',
        " {'descr':'f4','fortran_order':False,'shape':(2L,3L,)} \n",
    ],
)
def test_other_ways_to_write_it(header: str) -> None:
    assert parse(npy(header)).tensor.shape == (2, 3)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"\x93NUM", "it ends within its npy header"),
        (npy(PLAIN)[:40], "it ends within its npy header"),
        (b"X" * 20, "expected the magic of npy"),
        (npy(PLAIN, version=(4, 0)), r"is of npy version 4.0"),
        (npy(PLAIN, version=(1, 1)), r"is of npy version 1.1"),
        (MAGIC + b"\x02\0\xff\xff\xff\xff" + b"{" * 99, "its header would have 4294967295 bytes"),
        (npy(PLAIN, 23), "its 2x3 elements of float32 take 24 bytes, it has 23"),
        (npy(PLAIN.replace("(2, 3)", "()"), 0), "its one elements of float32 take 4 bytes"),
        (npy(""), "its npy header is no dict"),
        (npy("{}"), "its npy header is no dict"),
        (npy("__import__('os')"), "its npy header is no dict"),
        (npy(PLAIN + "x"), "its npy header is no dict"),
        (npy("{'descr': '<f4', 'shape': (2, 3)}"), "its npy header is no dict"),
        (npy("{'descr': '<f4', 'shape': (2, 3) 'fortran_order': False}"), "its npy header is no dict"),
        (npy("{'descr': '<f4', 'shape': [2, 3], 'fortran_order': False}"), "its npy header is no dict"),
        (npy("{" + "(" * 60_000), "its npy header is no dict"),
        (npy("{'shape': (2,), 'shape': (3,), 'descr': '<f4', 'fortran_order': False}"), "has shape twice"),
        (npy(PLAIN.replace("'<f4'", "True")), "entries of another type"),
        (npy(PLAIN.replace("False", "'no'")), "entries of another type"),
        (npy(PLAIN.replace("(2, 3)", "True")), "entries of another type"),
        (npy(PLAIN.replace("(2, 3)", "(3)")), r"has the shape \(3\), expected a tuple"),
        (npy(PLAIN.replace("(2, 3)", "(,)")), "expected a tuple of sizes"),
        (npy(PLAIN.replace("2, 3", "9223372036854775808,")), "expected a tuple of sizes"),
        (npy(PLAIN.replace("2, 3", "1," * 65)), "expected a tuple of sizes"),
        (npy(PLAIN.replace("2, 3", "2" * 1000 + ",")), "expected a tuple of sizes"),
        (npy(PLAIN.replace("<f4", "<q8")), "unknown dtype '<q8'"),
        (npy(PLAIN.replace("<f4", "!!")), "unknown dtype '!!'"),
        (npy(PLAIN.replace("<f4", "<i3")), "unknown dtype '<i3'"),
        (npy(PLAIN.replace("<f4", "<f4[s]")), "floats of a width"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_damaged_headers_are_refused(raw: bytes, words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        parse(raw)


def test_random_damage_is_an_error_or_a_header() -> None:
    rng = random.Random(3)
    whole = [written(np.zeros((3, 4), dtype), version) for dtype in ("<f4", ">i8") for version in ((1, 0), (2, 0))]
    read = 0
    for _ in range(4_000):
        raw = bytearray(rng.choice(whole))
        for _ in range(rng.choice([1, 1, 2, 8])):
            raw[rng.randrange(min(len(raw), 130))] = rng.choice([rng.randrange(256), *b"(){}',:0199 \\\n"])
        if rng.random() < 0.2:
            del raw[rng.randrange(len(raw)) :]
        try:
            parse(bytes(raw))
        except SegcliError:
            continue
        read += 1
    assert 0 < read < 4_000
