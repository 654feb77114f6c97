import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate

from segcli.errors import SegcliError
from segcli.loss.result import Source
from segcli.loss.settings import KnownMode, Mode
from segcli.loss.sources.layout import Layout
from segcli.loss.sources.reading import Arrangement, logits_of, read_sample, sample_of
from segcli.loss.sources.sample import Pair
from segcli.nn.kernels.reading import statistics

PAIR = Pair("a", "logits.pt", "labels.npy")
LAST = Arrangement(layout="NHWC")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def save(logits: torch.Tensor, labels: torch.Tensor) -> Pair:
    torch.save(logits, "logits.pt")
    np.save("labels.npy", labels.numpy())
    return PAIR


def test_a_pair_is_read_as_it_was_saved() -> None:
    logits, labels = torch.randn(19, 8, 9), torch.randint(0, 19, (8, 9), dtype=torch.uint8)
    sample = read_sample(save(logits, labels))
    assert torch.equal(sample.logits, logits[None])
    assert torch.equal(sample.labels, labels[None])
    assert sample.layout == Layout("multiclass", (1, 19, 8, 9), (1, 8, 9))
    assert sample.sources == (Source("logits.pt", (19, 8, 9), "float32"), Source("labels.npy", (8, 9), "uint8"))
    assert (sample.pair, sample.n_bytes, sample.resize_to) == (PAIR, 4 * 19 * 72 + 72, ())


def test_labels_of_a_picture() -> None:
    labels = np.arange(72, dtype=np.uint16).reshape(8, 9) % 19
    torch.save(torch.randn(1, 19, 8, 9), "logits.pt")
    Image.fromarray(labels).save("wide.png")
    Image.fromarray(labels.astype(np.uint8)).save("labels.png")
    for name, dtype, n_bytes in (("labels.png", torch.uint8, 72), ("wide.png", torch.int32, 144)):
        sample = read_sample(Pair("a", "logits.pt", name))
        assert sample.labels.dtype == dtype
        np.testing.assert_array_equal(sample.labels[0].numpy(), labels)
        assert sample.n_bytes == 4 * 19 * 72 + n_bytes


CONVERSIONS = [
    (torch.uint8, torch.uint8),
    (torch.int32, torch.int32),
    (torch.int64, torch.int64),
    (torch.bool, torch.uint8),
    (torch.int8, torch.int32),
    (torch.int16, torch.int32),
    (torch.uint16, torch.int32),
    (torch.uint32, torch.int64),
    (torch.uint64, torch.int64),
]


@pytest.mark.parametrize(("saved", "expected"), CONVERSIONS, ids=str)
def test_labels_take_the_dtype_that_kernels_read(saved: torch.dtype, expected: torch.dtype) -> None:
    labels = torch.tensor([[0, 1], [1, 1]])
    sample = sample_of(PAIR, torch.zeros(3, 2, 2), labels.to(saved))
    assert sample.labels.dtype == expected
    assert sample.labels.tolist() == [labels.tolist()]


@pytest.mark.parametrize("mode", ["binary", "multilabel"])
def test_labels_that_are_floats_stay_so(mode: KnownMode) -> None:
    labels = torch.tensor([[[0.0, 1.0, 0.5]]]).expand(2, 3, 3)
    sample = sample_of(PAIR, torch.zeros(2, 3, 3), labels, Arrangement(mode=mode))
    assert sample.labels.dtype == torch.float32
    assert sample.labels.untyped_storage().data_ptr() == labels.untyped_storage().data_ptr()
    # Where they are no labels, the value is shown as it was saved.
    with pytest.raises(ValueError, match=r"labels hold 0.5 at"):
        statistics(sample.logits, sample.labels, mode=mode)


@pytest.mark.parametrize(
    ("logits", "labels", "mode", "words"),
    [
        (
            torch.zeros(3, 2, 2, dtype=torch.uint8),
            torch.zeros(2, 2),
            "auto",
            "logits.pt holds uint8, expected floating",
        ),
        (torch.zeros(3, 2, 2, dtype=torch.complex64), torch.zeros(2, 2), "auto", "logits.pt holds complex64, expected"),
        (
            torch.zeros(3, 2, 2).to(torch.float8_e5m2),
            torch.zeros(2, 2),
            "auto",
            "holds float8_e5m2, expected float16, bfloat16, float32 or float64",
        ),
        (torch.zeros(3, 2, 2), torch.zeros(2, 2), "auto", "labels.npy holds float32, expected whole numbers"),
        (torch.zeros(2, 2), torch.zeros(2, 2, dtype=torch.complex64), "auto", "labels.npy holds complex64, expected"),
        (
            torch.zeros(3, 2, 2),
            torch.zeros(2, 3, dtype=torch.uint8),
            "auto",
            r"labels.npy has shape \(2, 3\), expected",
        ),
    ],
    ids=["classes", "complex", "float8", "float labels", "complex labels", "shapes"],
)
def test_what_will_not_do_is_refused(logits: torch.Tensor, labels: torch.Tensor, mode: Mode, words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        sample_of(PAIR, logits, labels, Arrangement(mode=mode))


@pytest.mark.parametrize(
    ("logits", "labels", "mode"),
    [
        ((19, 8, 9), (8, 9), "auto"),
        ((2, 19, 8, 9), (2, 8, 9), "auto"),
        ((2, 4, 7, 8, 9), (2, 7, 8, 9), "auto"),
        ((2, 1, 8, 9), (2, 8, 9), "auto"),
        ((2, 3, 8, 9), (2, 3, 8, 9), "multilabel"),
        ((3, 8, 9), (3, 8, 9), "multilabel"),
        ((2, 1, 8, 9), (2, 1, 8, 9), "binary"),
    ],
    ids=str,
)
def test_classes_that_come_last_are_viewed(logits: tuple[int, ...], labels: tuple[int, ...], mode: Mode) -> None:
    first = torch.randn(logits)
    classes = torch.randint(0, 2, labels, dtype=torch.uint8)
    axis = 1 if len(logits) > 3 else 0
    last = first.movedim(axis, -1).contiguous()
    classes_last = classes.movedim(axis, -1).contiguous() if len(logits) == len(labels) else classes
    expected = sample_of(PAIR, first, classes, Arrangement(mode=mode))
    sample = sample_of(PAIR, last, classes_last, Arrangement(mode=mode, layout="NHWC"))
    assert sample.layout == expected.layout
    assert torch.equal(sample.logits, expected.logits)
    assert torch.equal(sample.labels, expected.labels)
    assert sample.logits.data_ptr() == last.data_ptr()
    assert sample.sources[0].shape == tuple(last.shape)


def test_a_misfit_of_classes_that_come_last_says_how_they_were_seen() -> None:
    with pytest.raises(SegcliError, match=r"to match logits.pt with channels first \(19, 8, 9\)"):
        sample_of(PAIR, torch.zeros(8, 9, 19), torch.zeros(9, 8, dtype=torch.uint8), LAST)
    with pytest.raises(SegcliError, match=r"labels.npy has shape \(2, 8, 9, 3\)") as caught:
        sample_of(PAIR, torch.zeros(2, 8, 9, 3), torch.zeros(2, 8, 9, 3, dtype=torch.uint8), LAST)
    assert caught.value.hint == "one-hot labels, classes last? save labels.argmax(-1)"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="this system does not show what is mapped")
@pytest.mark.parametrize("name", ["logits.pt", "logits.npy", "logits.safetensors"])
def test_logits_stay_mapped(name: str) -> None:
    """A view of a mapped file has its file's name in the process's map of memory."""
    from safetensors.torch import save_file

    logits = torch.randn(64, 96, 19)
    torch.save(logits, "logits.pt")
    np.save("logits.npy", logits.numpy())
    save_file({"x": logits}, "logits.safetensors")
    np.save("labels.npy", np.zeros((64, 96), np.uint8))
    sample = read_sample(Pair("a", name, "labels.npy"), LAST)
    place = sample.logits.data_ptr()
    regions = [line.split(maxsplit=5) for line in Path("/proc/self/maps").read_text().splitlines()]
    files = {
        region[-1].strip()
        for region in regions
        if int(region[0].split("-")[0], 16) <= place < int(region[0].split("-")[1], 16)
    }
    assert [Path(file).name for file in files] == [name]
    assert torch.equal(sample.logits[0].movedim(0, -1), logits)


@pytest.mark.parametrize(
    ("logits", "labels", "size", "mode"),
    [
        ((3, 19, 4, 5), (3, 16, 18), (16, 18), "auto"),
        ((19, 4, 5), (16, 18), (16, 18), "auto"),
        ((2, 4, 3, 4, 5), (2, 6, 8, 10), (6, 8, 10), "auto"),
        ((3, 4, 5), (3, 8, 10), (8, 10), "binary"),
        ((2, 3, 4, 5), (2, 3, 8, 10), (8, 10), "multilabel"),
    ],
    ids=str,
)
def test_either_is_resized_where_that_was_said(
    logits: tuple[int, ...], labels: tuple[int, ...], size: tuple[int, ...], mode: Mode
) -> None:
    scores = torch.randn(logits, generator=torch.Generator().manual_seed(1))
    classes = torch.randint(0, 2, labels, dtype=torch.int16)
    with pytest.raises(SegcliError, match=r"labels.npy has shape .* to match logits.pt") as caught:
        sample_of(PAIR, scores, classes, Arrangement(mode=mode))
    assert "--resize logits" in caught.value.hint

    up = sample_of(PAIR, scores, classes, Arrangement(mode=mode, resize="logits"))
    assert (up.resize_to, up.logits.data_ptr()) == (size, scores.data_ptr())
    whole = logits_of(up, 0, len(up.logits))
    assert tuple(whole.shape) == up.layout.logits
    flat = scores.reshape(up.layout.logits[0], -1, *logits[-len(size) :])
    linear = "trilinear" if len(size) == 3 else "bilinear"
    expected = interpolate(flat, size, mode=linear, align_corners=False).reshape(up.layout.logits)
    torch.testing.assert_close(whole, expected, rtol=0, atol=0)
    for image in range(len(up.logits)):
        assert torch.equal(logits_of(up, image, image + 1), whole[image : image + 1])
    nearest = sample_of(PAIR, scores, classes, Arrangement(mode=mode, resize="logits", resize_mode="nearest"))
    expected = interpolate(flat, size, mode="nearest-exact").reshape(up.layout.logits)
    assert torch.equal(logits_of(nearest, 0, len(whole)), expected)

    down = sample_of(PAIR, scores, classes, Arrangement(mode=mode, resize="labels"))
    small = interpolate(classes.view(1, -1, *size).double(), logits[-len(size) :], mode="nearest-exact")
    assert torch.equal(down.labels, small.int().reshape(down.layout.labels))
    assert down.resize_to == ()
    assert torch.equal(logits_of(down, 0, len(down.logits)), down.logits)
    assert up.n_bytes == down.n_bytes == scores.nbytes + classes.nbytes


def test_what_fits_is_not_resized() -> None:
    logits, labels = torch.randn(19, 4, 5), torch.zeros(4, 5, dtype=torch.uint8)
    for resize in ("logits", "labels"):
        sample = sample_of(PAIR, logits, labels, Arrangement(resize=resize))
        assert sample.resize_to == ()
        assert sample.logits.data_ptr() == logits.data_ptr()
        assert sample.labels.data_ptr() == labels.data_ptr()


def test_classes_last_and_resized() -> None:
    logits, labels = torch.randn(4, 5, 19), torch.zeros(8, 10, dtype=torch.uint8)
    sample = sample_of(PAIR, logits, labels, Arrangement(layout="NHWC", resize="logits"))
    expected = interpolate(logits.movedim(-1, 0)[None].contiguous(), (8, 10), mode="bilinear")
    torch.testing.assert_close(logits_of(sample, 0, 1), expected)


def test_arrangements_travel() -> None:
    arrangement = Arrangement("binary", "NHWC", "labels", "nearest")
    assert pickle.loads(pickle.dumps(arrangement)) == arrangement  # noqa: S301 - our own bytes
