import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from segcli.errors import SegcliError
from segcli.tensorio import load_tensor, split_reference

VALUES = np.arange(6 * 9, dtype=np.uint8).reshape(6, 9) * 4
GREY, PALETTE = 0, 3
# The seven passes of Adam7: first row and column, steps of rows and columns.
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def rows(values: "np.ndarray[Any, Any]", depth: int) -> bytes:
    """Pack rows as PNG does: a filter of 0, then samples from the highest bit on."""
    if not values.size:
        return b""
    bits = np.unpackbits(values.astype(">u2").view(np.uint8).reshape(*values.shape, 2), axis=-1)[..., 16 - depth :]
    packed = np.packbits(bits.reshape(len(values), -1), axis=-1)
    return b"".join(b"\0" + row.tobytes() for row in packed)


def png(values: "np.ndarray[Any, Any]", depth: int, color: int = GREY, *, interlaced: bool = False) -> bytes:
    """Write a PNG by hand, from its specification alone."""
    height, width = values.shape
    passes = [values[r::dr, c::dc] for r, c, dr, dc in ADAM7] if interlaced else [values]
    parts = [
        b"\x89PNG\r\n\x1a\n",
        chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)),
        chunk(b"PLTE", bytes(range(256)) * 3) if color == PALETTE else b"",
        chunk(b"IDAT", zlib.compress(b"".join(rows(part, depth) for part in passes))),
        chunk(b"IEND", b""),
    ]
    return b"".join(parts)


@pytest.mark.parametrize("interlaced", [False, True], ids=["plain", "interlaced"])
@pytest.mark.parametrize(
    ("depth", "color"),
    [(1, GREY), (2, GREY), (4, GREY), (8, GREY), (16, GREY), (1, PALETTE), (2, PALETTE), (4, PALETTE), (8, PALETTE)],
)
@given(data=st.data())
def test_values_come_as_they_are_stored(depth: int, color: int, *, interlaced: bool, data: st.DataObject) -> None:
    height, width = data.draw(st.tuples(st.integers(1, 11), st.integers(1, 11)))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    values = rng.integers(0, 2**depth, (height, width)).astype(np.uint16)
    Path("hand.png").write_bytes(png(values, depth, color, interlaced=interlaced))
    loaded = load_tensor("hand.png", "labels")
    assert loaded.dtype == (torch.uint16 if depth == 16 else torch.uint8)
    np.testing.assert_array_equal(loaded.numpy(), values)


def test_what_pillow_writes() -> None:
    palette = Image.fromarray(VALUES, "L").convert("P")
    palette.putdata(VALUES.flatten().tolist())
    palette.putpalette([255 - value // 3 for value in range(768)])
    pictures = {
        "grey.png": (Image.fromarray(VALUES), VALUES),
        "wide.png": (Image.fromarray(VALUES.astype(np.uint16) * 300), VALUES.astype(np.uint16) * 300),
        "mask.png": (Image.fromarray(VALUES > 99), VALUES > 99),
        "palette.png": (palette, VALUES),
    }
    for name, (picture, expected) in pictures.items():
        picture.save(name)
        np.testing.assert_array_equal(load_tensor(name, "labels").numpy(), expected)
    palette.save("few.png", bits=4, transparency=0)
    np.testing.assert_array_equal(load_tensor("few.png", "labels").numpy(), VALUES % 16)


def test_first_bytes_count_and_not_the_name() -> None:
    Image.fromarray(VALUES).save("labels.npy", "PNG")
    np.testing.assert_array_equal(load_tensor("labels.npy", "labels").numpy(), VALUES)
    # A picture can be written to, as other tensors can.
    load_tensor("labels.npy", "labels").add_(1)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_colours_are_refused(mode: str) -> None:
    picture = Image.fromarray(VALUES).convert(mode)
    picture.save("grey.png")
    with pytest.raises(
        SegcliError, match=rf"grey.png has \d channels \({mode}\), expected one value a pixel"
    ) as caught:
        load_tensor("grey.png", "labels")
    assert caught.value.hint.startswith("its colours are all grey; if these are the classes, save one channel")
    # The hint's way out leads there.
    with Image.open("grey.png") as opened:
        opened.getchannel(0).save("channel.png")
    np.testing.assert_array_equal(load_tensor("channel.png", "labels").numpy(), VALUES)


def test_colour_coded_labels_are_refused() -> None:
    Image.new("RGB", (4, 4), (128, 64, 128)).save("road.png")
    with pytest.raises(SegcliError, match=r"road.png has 3 channels \(RGB\)") as caught:
        load_tensor("road.png", "labels")
    assert caught.value.hint == "colours of classes? map each to its class first, and save that as PNG"


def test_other_pictures_are_refused() -> None:
    Image.fromarray(VALUES).save("labels.jpg")
    with pytest.raises(SegcliError, match=r"labels.jpg is a JPEG, which changes labels as it compresses them"):
        load_tensor("labels.jpg", "labels")
    frames = [Image.fromarray(VALUES + step) for step in range(3)]
    frames[0].save("moving.png", save_all=True, append_images=frames[1:])
    with pytest.raises(SegcliError, match=r"moving.png is an animation of 3 pictures, expected one"):
        load_tensor("moving.png", "labels")


def test_a_picture_has_no_key() -> None:
    Image.fromarray(VALUES).save("labels.png")
    assert split_reference("gone.png:x") == (Path("gone.png"), "x")
    with pytest.raises(SegcliError, match=r"labels.png holds one picture, so it has no key 'x'"):
        load_tensor("labels.png:x", "labels")


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    Path("bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    with pytest.raises(SegcliError, match=r"bomb.png has more than 178,956,970 pixels") as caught:
        load_tensor("bomb.png", "labels")
    assert caught.value.hint == "save it as .npy, which is read in place"


def test_a_file_without_an_end_is_refused_before_it_is_read() -> None:
    with Path("endless.png").open("wb") as file:
        file.write(WHOLE)
        file.truncate(2**40)
    with pytest.raises(SegcliError, match=r"endless.png has 1.10 TB, which is more than the pixels take"):
        load_tensor("endless.png", "labels")


def test_out_of_memory_is_left_to_the_boundary(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    Image.fromarray(VALUES).save("labels.png")
    monkeypatch.setattr(Image, "open", exhausted)
    with pytest.raises(MemoryError, match=r"^$"):
        load_tensor("labels.png")


WHOLE = png(np.arange(100, dtype=np.uint16).reshape(10, 10), 8)


# The last four bytes are the checksum of nothing.
CHECKED = len(WHOLE) - 4


@given(st.integers(1, CHECKED - 1))
def test_a_picture_cut_short_is_refused(length: int) -> None:
    Path("cut.png").write_bytes(WHOLE[:length])
    with pytest.raises(SegcliError, match=r"cut.png is (damaged or incomplete|no tensor file)"):
        load_tensor("cut.png", "labels")


@given(st.integers(0, CHECKED - 1), st.integers(0, 7))
@example(CHECKED - 20, 0)
def test_no_flipped_bit_goes_unnoticed(place: int, bit: int) -> None:
    content = bytearray(WHOLE)
    content[place] ^= 1 << bit
    Path("flip.png").write_bytes(content)
    with pytest.raises(SegcliError, match=r"flip.png (is (damaged or incomplete|no tensor file)|has more than)"):
        load_tensor("flip.png", "labels")


@given(st.binary(max_size=200))
def test_no_content_is_a_bug(content: bytes) -> None:
    Path("noise.png").write_bytes(WHOLE[:41] + content)
    with pytest.raises(SegcliError, match=r"noise.png is damaged or incomplete"):
        load_tensor("noise.png", "labels")
