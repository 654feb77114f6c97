import pytest

from segcli.errors import SegcliError
from segcli.loss.settings import Mode
from segcli.loss.sources.layout import Fit, Layout, Named, Resize, Shape, arrange, classes_last, fit

RESIZE = "say which is resized: --resize logits, to the labels' size (bilinear), or --resize labels (nearest)"


def layout(logits: Shape, labels: Shape, mode: Mode = "auto") -> Layout:
    return arrange(Named("logits.pt", logits), Named("labels.npy", labels), mode)


@pytest.mark.parametrize(
    ("logits", "labels", "mode", "expected"),
    [
        ((19, 8, 9), (8, 9), "auto", Layout("multiclass", (1, 19, 8, 9), (1, 8, 9))),
        ((19, 8, 9), (1, 8, 9), "auto", Layout("multiclass", (1, 19, 8, 9), (1, 8, 9))),
        ((2, 19, 8, 9), (2, 8, 9), "auto", Layout("multiclass", (2, 19, 8, 9), (2, 8, 9))),
        ((1, 19, 8, 9), (8, 9), "auto", Layout("multiclass", (1, 19, 8, 9), (1, 8, 9))),
        ((2, 4, 7, 8, 9), (2, 7, 8, 9), "auto", Layout("multiclass", (2, 4, 7, 8, 9), (2, 7, 8, 9))),
        ((8, 9), (8, 9), "auto", Layout("binary", (1, 8, 9), (1, 8, 9))),
        ((2, 8, 9), (2, 8, 9), "auto", Layout("binary", (2, 8, 9), (2, 8, 9))),
        ((1, 8, 9), (8, 9), "auto", Layout("binary", (1, 8, 9), (1, 8, 9))),
        ((2, 1, 8, 9), (2, 8, 9), "auto", Layout("binary", (2, 8, 9), (2, 8, 9))),
        ((2, 1, 8, 9), (2, 1, 8, 9), "auto", Layout("binary", (2, 8, 9), (2, 8, 9))),
        ((2, 1, 7, 8, 9), (2, 7, 8, 9), "auto", Layout("binary", (2, 7, 8, 9), (2, 7, 8, 9))),
        ((2, 7, 8, 9), (2, 7, 8, 9), "binary", Layout("binary", (2, 7, 8, 9), (2, 7, 8, 9))),
        ((2, 3, 8, 9), (2, 3, 8, 9), "multilabel", Layout("multilabel", (2, 3, 8, 9), (2, 3, 8, 9))),
        ((3, 8, 9), (3, 8, 9), "multilabel", Layout("multilabel", (1, 3, 8, 9), (1, 3, 8, 9))),
    ],
    ids=str,
)
def test_what_shapes_mean(logits: Shape, labels: Shape, mode: Mode, expected: Layout) -> None:
    assert layout(logits, labels, mode) == expected


def test_binary_has_two_classes() -> None:
    assert layout((8, 9), (8, 9)).n_classes == 2
    assert layout((19, 8, 9), (8, 9)).n_classes == 19


@pytest.mark.parametrize(
    ("logits", "labels", "mode", "expected", "hint"),
    [
        ((2, 19, 65, 64), (2, 64, 64), "auto", "(2, 65, 64)", RESIZE),
        ((2, 19, 8, 9), (2, 9, 8), "auto", "(2, 8, 9)", "height and width are swapped"),
        ((2, 19, 8, 9), (3, 8, 9), "auto", "(2, 8, 9)", "the labels hold 3 images, the logits 2"),
        ((2, 19, 8, 9), (2, 19, 8, 9), "auto", "(2, 8, 9)", "one-hot labels? save labels.argmax(1)"),
        ((2, 19, 8, 9), (2, 8, 9, 19), "auto", "(2, 8, 9)", "one-hot labels, classes last? save labels.argmax(-1)"),
        (
            (2, 8, 9, 19),
            (2, 8, 9),
            "auto",
            "(2, 9, 19)",
            "channels last? --layout NHWC, or save logits.permute(0, 3, 1, 2)",
        ),
        ((8, 9, 19), (8, 9), "auto", "(9, 19)", "channels last? --layout NHWC, or save logits.permute(2, 0, 1)"),
        ((2, 19, 8, 9), (2, 1, 8, 9), "auto", "(2, 8, 9)", "a class axis of one? save labels.squeeze(1)"),
        ((19, 7, 8, 9), (7, 8, 9), "auto", "(19, 8, 9)", "a volume without its batch axis? save logits[None]"),
        ((2, 19, 8, 9), (4, 5), "auto", "(2, 8, 9)", "labels are the same without C"),
        ((2, 19, 8, 9), (3, 4, 5), "auto", "(2, 8, 9)", "do the two files belong together?"),
        ((8, 9), (8, 8), "auto", "(8, 9)", RESIZE),
        ((19, 8, 9), (1, 16, 18), "auto", "(8, 9)", RESIZE),
        ((2, 4, 7, 8, 9), (2, 14, 16, 18), "auto", "(2, 7, 8, 9)", RESIZE),
        ((2, 4, 7, 8, 9), (2, 7, 9, 8), "auto", "(2, 7, 8, 9)", "height and width are swapped"),
        ((2, 8, 9), (2, 16, 18), "auto", "(8, 9)", "binary logits, of another size? --mode binary"),
        ((2, 1, 8, 9), (2, 1, 16, 18), "auto", "(2, 8, 9)", "binary logits, of another size? --mode binary"),
        ((2, 3, 8, 9), (2, 8, 9), "multilabel", "(2, 3, 8, 9)", "labels are the same without C"),
        ((2, 3, 8, 9), (2, 8, 9), "binary", "(2, 3, 8, 9)", "labels are the same without C"),
        ((2, 8, 9), (2, 8, 9), "multiclass", "(8, 9)", "one-hot labels? save labels.argmax(0)"),
    ],
    ids=str,
)
def test_a_misfit_says_why(logits: Shape, labels: Shape, mode: Mode, expected: str, hint: str) -> None:
    with pytest.raises(SegcliError, match=r"labels.npy has shape .* to match logits.pt") as caught:
        layout(logits, labels, mode)
    assert caught.value.message == f"labels.npy has shape {labels}, expected {expected} to match logits.pt {logits}"
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("logits", "labels", "mode", "words"),
    [
        ((5,), (5,), "auto", r"logits.pt has shape \(5,\), expected \(C, H, W\), \(N, C, H, W\)"),
        ((1, 2, 3, 4, 5, 6), (1,), "auto", "or binary"),
        ((8, 9), (8, 9), "multiclass", r"logits.pt has shape \(8, 9\), expected \(C, H, W\).* for --mode multiclass"),
        ((8, 9), (8, 9), "multilabel", r"expected \(C, H, W\).* for --mode multilabel"),
        ((2, 1, 8, 9), (2, 8, 9), "multiclass", r"for --mode multiclass"),
    ],
    ids=str,
)
def test_logits_of_no_known_shape_are_refused(logits: Shape, labels: Shape, mode: Mode, words: str) -> None:
    with pytest.raises(SegcliError, match=words):
        layout(logits, labels, mode)


@pytest.mark.parametrize(
    ("logits", "labels", "mode", "up", "down"),
    [
        # Sizes that they are resized to: the logits to the labels', the labels to the logits'.
        ((19, 4, 5), (8, 10), "auto", (8, 10), (4, 5)),
        ((2, 19, 4, 5), (2, 9, 11), "auto", (9, 11), (4, 5)),
        ((19, 4, 5), (1, 8, 10), "auto", (8, 10), (4, 5)),
        ((1, 19, 4, 5), (8, 10), "multiclass", (8, 10), (4, 5)),
        ((2, 4, 3, 4, 5), (2, 6, 8, 10), "auto", (6, 8, 10), (3, 4, 5)),
        ((4, 5), (8, 10), "auto", (8, 10), (4, 5)),
        ((2, 4, 5), (2, 8, 10), "binary", (8, 10), (4, 5)),
        ((2, 1, 4, 5), (2, 8, 10), "auto", (8, 10), (4, 5)),
        ((2, 3, 4, 5), (2, 3, 8, 10), "multilabel", (8, 10), (4, 5)),
        ((2, 3, 16, 5), (2, 3, 8, 10), "multilabel", (8, 10), (16, 5)),
    ],
    ids=str,
)
def test_sizes_are_made_equal_where_that_was_said(
    logits: Shape, labels: Shape, mode: Mode, up: Shape, down: Shape
) -> None:
    pair = Named("logits.pt", logits), Named("labels.npy", labels)
    axes = len(up)
    assert fit(*pair, mode, "logits") == Fit(layout((*logits[:-axes], *up), labels, mode), "logits", up)
    assert fit(*pair, mode, "labels") == Fit(layout(logits, (*labels[:-axes], *down), mode), "labels", down)
    with pytest.raises(SegcliError, match=r"labels.npy has shape .* to match logits.pt"):
        fit(*pair, mode)


def test_what_fits_is_not_resized() -> None:
    assert fit(Named("a", (19, 4, 5)), Named("b", (4, 5)), resize="logits") == Fit(layout((19, 4, 5), (4, 5)))


@pytest.mark.parametrize(
    ("logits", "labels", "mode", "hint"),
    [
        ((19, 4, 5), (5, 4), "auto", "height and width are swapped"),
        ((4, 5, 19), (4, 5), "auto", "logits with channels last? --layout NHWC"),
        ((2, 19, 4, 5), (3, 8, 10), "auto", "do the two files belong together?"),
        ((19, 0, 5), (8, 10), "auto", "say which is resized"),
        ((19, 4, 5), (0, 10), "auto", "say which is resized"),
        ((2, 4, 5), (2, 8, 10), "auto", "--mode binary"),
    ],
    ids=str,
)
@pytest.mark.parametrize("resize", ["logits", "labels"])
def test_resizing_hides_no_other_misfit(logits: Shape, labels: Shape, mode: Mode, hint: str, resize: Resize) -> None:
    with pytest.raises(SegcliError, match=r"b has shape .* to match a") as caught:
        fit(Named("a", logits), Named("b", labels), mode, resize)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("logits", "labels", "words"),
    [
        ((64, 96, 19), (512, 768), r"64 classes of \(96, 19\), or 19 of \(64, 96\), which is nearer to .* of b"),
        ((64, 96, 19), (20, 30), "19 of"),
        ((1, 64, 96, 19), (1, 510, 770), "19 of"),
        ((2, 128, 128, 19), (2, 1024, 2048), "19 of"),
        ((2, 16, 64, 96, 4), (2, 32, 128, 192), r"16 classes of \(64, 96, 4\), or 4 of \(16, 64, 96\)"),
    ],
    ids=str,
)
@pytest.mark.parametrize("resize", ["logits", "labels"])
def test_classes_that_may_come_last_are_asked_about(logits: Shape, labels: Shape, words: str, resize: Resize) -> None:
    with pytest.raises(SegcliError, match=words) as caught:
        fit(Named("a", logits), Named("b", labels), "auto", resize)
    assert caught.value.hint == "say where the classes are: --layout NHWC, last; --layout NCHW, first"
    # Who says it is believed.
    assert fit(Named("a", logits), Named("b", labels), "auto", resize, "NCHW").resize == resize


@pytest.mark.parametrize(
    ("logits", "labels", "n_classes"),
    [
        ((19, 128, 128), (1024, 2048), 19),
        ((19, 128, 256), (1024, 2048), 19),
        ((19, 19, 19), (8, 9), 19),
        ((2, 19, 65, 129), (2, 512, 1024), 19),
        ((2, 21, 33, 33), (2, 513, 513), 21),
        ((2, 4, 16, 64, 96), (2, 32, 128, 192), 4),
    ],
    ids=str,
)
def test_classes_that_come_first_are_not(logits: Shape, labels: Shape, n_classes: int) -> None:
    assert fit(Named("a", logits), Named("b", labels), "auto", "logits").layout.n_classes == n_classes


def test_what_does_not_fit_once_resized_is_refused() -> None:
    with pytest.raises(SegcliError, match=r"a resized has shape \(2, 1, 8, 10\), expected .* for --mode multiclass"):
        fit(Named("a", (2, 1, 4, 5)), Named("b", (2, 8, 10)), "multiclass", "logits")


@pytest.mark.parametrize(
    ("logits", "labels", "mode", "expected"),
    [
        ((8, 9, 19), (8, 9), "auto", (True, False)),
        ((2, 8, 9, 19), (2, 8, 9), "auto", (True, False)),
        ((2, 7, 8, 9, 4), (2, 7, 8, 9), "auto", (True, False)),
        ((2, 8, 9, 1), (2, 8, 9), "auto", (True, False)),
        ((2, 8, 9, 1), (2, 8, 9, 1), "auto", (True, True)),
        ((8, 9, 1), (8, 9, 1), "binary", (True, True)),
        ((8, 9, 1), (1, 8, 9), "auto", (True, False)),
        ((8, 9, 19), (1, 8, 9), "auto", (True, False)),
        ((8, 9), (8, 9), "auto", (False, False)),
        ((2, 8, 9), (2, 8, 9), "auto", (False, False)),
        ((2, 7, 8, 9), (2, 7, 8, 9), "binary", (False, False)),
        ((2, 8, 9, 3), (2, 8, 9, 3), "multilabel", (True, True)),
        # One-hot labels, which stay as they are for the error that names their axis.
        ((2, 8, 9, 3), (2, 8, 9, 3), "auto", (True, False)),
        ((8, 9, 3), (8, 9, 3), "multiclass", (True, False)),
    ],
    ids=str,
)
def test_which_axes_are_those_of_classes_where_they_come_last(
    logits: Shape, labels: Shape, mode: Mode, expected: tuple[bool, bool]
) -> None:
    assert classes_last(logits, labels, mode) == expected
