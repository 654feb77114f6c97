import math
import os
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from segcli.errors import ExitCode, SegcliError
from segcli.loss.pictures import heatmap
from segcli.loss.pictures.heatmap import check_pillow, draw_heatmaps, heatmap_paths, write_heatmaps
from segcli.loss.pictures.heatmap_legend import Facts, draw_legend
from segcli.loss.pictures.heatmap_paint import IGNORED, level_of, paint, pixel_codes

BOUND = -math.log(0.7)
# (2, 720, 1024): neither enlarged nor in need of a wider legend.
SIZE = 720, 1024


def losses(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 3


@pytest.fixture
def legends(monkeypatch: pytest.MonkeyPatch) -> list[Facts]:
    """Return what legends are drawn of, from now on."""
    found: list[Facts] = []

    def draw(facts: Facts, width: int, *, over_picture: bool) -> Image.Image:
        found.append(facts)
        return draw_legend(facts, width, over_picture=over_picture)

    monkeypatch.setattr(heatmap, "draw_legend", draw)
    return found


def drawn(pixels: torch.Tensor, kept: torch.Tensor | None = None, image: str = "") -> NDArray[np.uint8]:
    (drawing,) = draw_heatmaps(
        "name", pixels[None], threshold=BOUND, kept=None if kept is None else kept[None], image=image
    )
    return np.asarray(drawing)


def test_colours_are_infernos() -> None:
    levels = np.arange(256, dtype=np.uint16)[None]
    expected = colormaps["inferno"](np.arange(256))[:, :3] * 255
    assert np.abs(paint(levels + np.uint16(256), None)[0] - expected).max() < 6


def test_levels_grow_with_the_loss_as_the_legend_says() -> None:
    some = torch.linspace(0, 12, 500)
    codes = pixel_codes(some.numpy(), np.zeros(500, np.bool_))
    assert codes.tolist() == [int(level_of(loss) + 1e-4) for loss in some.tolist()]
    assert bool((np.diff(codes.astype(int)) >= 0).all())
    assert int(codes[-1]) == 255


def test_losses_that_are_no_numbers_are_the_worst() -> None:
    odd = np.array([math.nan, math.inf, -1.0, -math.inf], np.float32)
    assert pixel_codes(odd, np.zeros(4, np.bool_)).tolist() == [255, 255, IGNORED, IGNORED]


def test_kept_pixels_are_opaque_and_others_let_the_picture_through(tmp_path: Path) -> None:
    pixels = torch.full(SIZE, 0.1)
    pixels[:, 512:] = 2.0
    for shade in (0, 255):
        Image.new("RGB", (1024, 720), (shade,) * 3).save(tmp_path / f"{shade}.png")
    dark, light = (drawn(pixels, image=str(tmp_path / f"{shade}.png"))[:720].astype(int) for shade in (0, 255))
    assert np.array_equal(dark[:, 512:], light[:, 512:])
    assert int((light[:, :512] - dark[:, :512]).min()) > 100


def test_what_was_kept_is_taken_and_not_what_is_above_the_threshold() -> None:
    pixels = losses(*SIZE)
    kept = torch.zeros(SIZE)
    kept[:, :512] = 0.25
    mine, other = drawn(pixels, kept), drawn(pixels)
    assert np.array_equal(mine[:720, :512][pixels[:, :512] > BOUND], other[:720, :512][pixels[:, :512] > BOUND])
    assert not np.array_equal(mine[:720, 512:], other[:720, 512:])


def test_ignored_pixels_are_hatched_and_never_kept() -> None:
    pixels = torch.full(SIZE, -1.0)
    pixels[:360] = 3.0
    picture = drawn(pixels, torch.ones(SIZE))[:720]
    assert len(np.unique(picture[:360].reshape(-1, 3), axis=0)) == 1
    colours = np.unique(picture[360:].reshape(-1, 3), axis=0).astype(int)
    assert len(colours) == 2
    # Grey, so that nobody takes it for a loss.
    assert int((colours.max(axis=1) - colours.min(axis=1)).max()) < 12


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_any_dtype_is_drawn(dtype: torch.dtype) -> None:
    pixels = torch.full((720, 720), 2.0, dtype=dtype)
    assert np.array_equal(drawn(pixels), drawn(pixels.float()))


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((1, 1), (720, 720)),
        ((60, 64), (720, 660)),
        ((300, 500), (720, 300)),
        ((2, 3000), (3000, 2)),
        ((900, 1), (720, 900)),
    ],
    ids=str,
)
def test_small_pictures_are_enlarged_and_legends_have_room(shape: tuple[int, int], size: tuple[int, int]) -> None:
    height, width, _ = drawn(losses(*shape)).shape
    assert width == size[0]
    assert size[1] + 100 < height < size[1] + 500


def test_a_row_of_pixels_is_a_band() -> None:
    picture = drawn(losses(800))
    assert picture.shape[1] == 800
    assert np.array_equal(picture[0], picture[31])
    assert not np.array_equal(picture[0], picture[32])


@pytest.mark.parametrize(("depth", "said"), [(3, ""), (40, "the 16 of 40 slices with the most kept pixels")])
def test_of_a_volume_the_hardest_slices_are_shown(
    depth: int, said: str, legends: list[Facts], monkeypatch: pytest.MonkeyPatch
) -> None:
    labels: list[tuple[str, tuple[int, int]]] = []
    monkeypatch.setattr(heatmap, "draw_labels", lambda _, found: labels.extend(found))
    volume = torch.zeros(depth, 30, 60)
    for slice_ in range(depth):
        volume[slice_, 0, : slice_ + 1] = 5.0
    drawn(volume)
    shown = [int(word) for word, _ in labels]
    assert shown == list(range(max(0, depth - 16), depth))
    assert [facts.remark for facts in legends] == [said]
    assert len({place for _, place in labels}) == len(shown)


def test_narrow_slices_stand_in_columns_too() -> None:
    wide, tall = drawn(torch.zeros(2, 5, 800)), drawn(torch.zeros(2, 800, 5))
    # One above the other, and side by side, with a gap between.
    legend = draw_legend(Facts("name", "", (2, 5, 800), BOUND, 8000, 0, 0, 0.0, 0.0), 800, over_picture=False)
    assert wide.shape[:2] == (5 + 8 + 5 + legend.height, 800)
    assert np.count_nonzero((tall[700] != 250).any(axis=-1)) == 5 + 5


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (torch.tensor([[-1.0]]), ["every pixel is ignored"]),
        (
            torch.tensor([[2.0, 0.5, 0.1, -1.0]]),
            ["kept 2 of 3 valid pixels (66.7 %), 1 ignored", "p 0.7, loss 0.357", "mean 0.867, largest 2"],
        ),
        (torch.tensor([[0.0]]), ["kept 0 of 1 valid pixels (0 %)"]),
    ],
    ids=["nothing valid", "some of each", "nothing hard"],
)
def test_the_legend_says_what_is_shown(pixels: torch.Tensor, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def note(text: str, *_: object) -> str:
        said.append(text)
        return text

    monkeypatch.setattr("segcli.loss.pictures.heatmap_legend._fitting", note)
    drawn(pixels)
    for word in words:
        assert word in " | ".join(said)


@pytest.mark.parametrize("threshold", [0.0, -0.0, math.inf, 30.0])
def test_any_threshold_has_its_mark(threshold: float) -> None:
    (drawing,) = draw_heatmaps("name", losses(1, 8, 8), threshold=threshold)
    assert drawing.width == 720


def test_a_long_name_is_shortened_from_its_beginning() -> None:
    facts = Facts("x/" * 5000 + "0001 \u732b", "", (1, 1), BOUND, 1, 0, 0, 0.1, 0.1)
    assert draw_legend(facts, 720, over_picture=False).width == 720


def test_a_picture_of_another_size_is_resized_and_that_is_said(tmp_path: Path, legends: list[Facts]) -> None:
    for name, size in (("same", (1024, 720)), ("small", (10, 20))):
        Image.new("L", size, 200).save(tmp_path / f"{name}.png")
        drawn(losses(*SIZE), image=str(tmp_path / f"{name}.png"))
    assert [facts.remark for facts in legends] == ["", "the picture has 20x10 pixels and was resized"]


@pytest.mark.parametrize(("shape", "what"), [((2, 8, 8), "2 images"), ((1, 2, 8, 8), "losses of 2x8x8")])
def test_a_picture_that_has_no_place_is_said(shape: tuple[int, ...], what: str, legends: list[Facts]) -> None:
    list(draw_heatmaps("name", losses(*shape), threshold=BOUND, image="unread.png"))
    assert {facts.remark for facts in legends} == {f"the picture is not shown: it is one, and here are {what}"}


def test_pictures_of_sixteen_bits_keep_their_contrast(tmp_path: Path) -> None:
    values = np.linspace(300, 4000, 720 * 1024).reshape(SIZE).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    picture = drawn(torch.zeros(SIZE), image=str(tmp_path / "deep.png")).astype(int)
    assert picture[719, 500].min() - picture[0, 500].min() > 100
    Image.fromarray(np.full(SIZE, 7, np.uint16)).save(tmp_path / "flat.png")
    assert len(np.unique(drawn(torch.zeros(SIZE), image=str(tmp_path / "flat.png"))[:720].reshape(-1, 3), axis=0)) == 1


def test_pictures_that_cannot_be_read_are_errors(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(SegcliError, match=r"text\.png is no picture that Pillow can read"):
        drawn(losses(8, 8), image=str(tmp_path / "text.png"))
    with pytest.raises(SegcliError, match=r"cannot read the picture .*none\.png: No such file or directory"):
        drawn(losses(8, 8), image=str(tmp_path / "none.png"))
    Image.new("L", (64, 64)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:60])
    with pytest.raises(SegcliError, match=r"cannot read the picture .*cut\.png: "):
        drawn(losses(8, 8), image=str(tmp_path / "cut.png"))
    bomb = bytearray((tmp_path / "whole.png").read_bytes())
    bomb[16:24] = struct.pack(">II", 60_000, 60_000)
    bomb[29:33] = struct.pack(">I", zlib.crc32(bomb[12:29]))
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(SegcliError, match=r"cannot read the picture .*bomb\.png: .*decompression bomb"):
        drawn(losses(8, 8), image=str(tmp_path / "bomb.png"))


@pytest.mark.parametrize("shape", [(2,), (1, 2, 3, 4, 5), (1, 0, 4), (0, 4, 4)], ids=str)
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=re.escape(f"losses have shape {shape}, expected (N, *S)")):
        next(draw_heatmaps("name", torch.zeros(shape), threshold=BOUND))


def test_kept_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("kept has shape (1, 2, 2), expected (1, 4, 4) as the losses")):
        next(draw_heatmaps("name", torch.zeros(1, 4, 4), threshold=BOUND, kept=torch.zeros(1, 2, 2)))


def test_each_image_of_a_batch_has_its_file(tmp_path: Path) -> None:
    paths = write_heatmaps(tmp_path / "new", "val/0001", losses(3, 8, 8), threshold=BOUND)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [f"new/val/0001.{i}.png" for i in range(3)]
    assert len({path.read_bytes() for path in paths}) == 3
    with Image.open(paths[0]) as opened:
        assert (opened.format, opened.mode) == ("PNG", "RGB")


def test_files_that_exist_stay(tmp_path: Path) -> None:
    (path,) = write_heatmaps(tmp_path, "a", losses(1, 8, 8), threshold=BOUND)
    before = path.read_bytes()
    with pytest.raises(SegcliError, match=r"a\.png exists already"):
        write_heatmaps(tmp_path, "a", torch.zeros(1, 8, 8), threshold=BOUND)
    assert path.read_bytes() == before
    write_heatmaps(tmp_path, "a", torch.zeros(1, 8, 8), threshold=BOUND, force=True)
    assert path.read_bytes() != before


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SegcliError, match=r"cannot make the folder .*file/sub: Not a directory"):
        write_heatmaps(tmp_path, "file/sub/a", losses(1, 8, 8), threshold=BOUND)


@given(st.text(st.characters(codec=None), max_size=40) | st.from_regex(r"\A(\.\.?|/|a|%){0,12}\Z"))
@example("../../etc/passwd")
@example("/etc/passwd")
@example("a//b/")
@example("..")
@example("\x00\n\udcff")
@example("x" * 3000)
@example("\u732b" * 100)
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    folder = Path("/heat/maps")
    (path,) = heatmap_paths(folder, name)
    assert Path(os.path.normpath(path)) == path
    assert path.is_relative_to(folder)
    assert path != folder
    assert all(len(os.fsencode(part)) <= 255 for part in path.parts)
    assert path.as_posix().isprintable()


@given(st.lists(st.from_regex(r"\A([.]{1,3}|/|a|%|2E|\\){0,6}\Z"), min_size=2, max_size=2, unique=True))
@example(["..", "%2E%2E"])
@example(["a//b", "a/b"])
def test_two_names_are_two_files(names: list[str]) -> None:
    assert len({heatmap_paths(Path("out"), name)[0] for name in names}) == 2


def test_without_pillow_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "PIL.Image", None)
    with pytest.raises(SegcliError, match=r"heatmaps need Pillow: ") as caught:
        check_pillow()
    assert (caught.value.code, caught.value.hint) == (ExitCode.UNAVAILABLE, "pip install pillow")
