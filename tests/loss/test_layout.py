import pytest

from segcli.errors import SegcliError
from segcli.loss.layout import Layout, Named, Shape, arrange
from segcli.loss.settings import Mode


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
        ((2, 19, 65, 64), (2, 64, 64), "auto", "(2, 65, 64)", "resize the logits: torch.nn.functional.interpolate"),
        ((2, 19, 8, 9), (2, 9, 8), "auto", "(2, 8, 9)", "height and width are swapped"),
        ((2, 19, 8, 9), (3, 8, 9), "auto", "(2, 8, 9)", "the labels hold 3 images, the logits 2"),
        ((2, 19, 8, 9), (2, 19, 8, 9), "auto", "(2, 8, 9)", "one-hot labels? save labels.argmax(1)"),
        ((2, 19, 8, 9), (2, 8, 9, 19), "auto", "(2, 8, 9)", "one-hot labels, classes last? save labels.argmax(-1)"),
        ((2, 8, 9, 19), (2, 8, 9), "auto", "(2, 9, 19)", "channels last? save logits.permute(0, 3, 1, 2)"),
        ((8, 9, 19), (8, 9), "auto", "(9, 19)", "channels last? save logits.permute(2, 0, 1)"),
        ((2, 19, 8, 9), (2, 1, 8, 9), "auto", "(2, 8, 9)", "a class axis of one? save labels.squeeze(1)"),
        ((19, 7, 8, 9), (7, 8, 9), "auto", "(19, 8, 9)", "a volume without its batch axis? save logits[None]"),
        ((2, 19, 8, 9), (4, 5), "auto", "(2, 8, 9)", "labels are the same without C"),
        ((2, 19, 8, 9), (3, 4, 5), "auto", "(2, 8, 9)", "do the two files belong together?"),
        ((8, 9), (8, 8), "auto", "(8, 9)", "resize the logits"),
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
