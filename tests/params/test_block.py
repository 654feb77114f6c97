import pytest

from segcli.errors import SegcliError
from segcli.params import Conv
from segcli.params.block import Block, Parallel, Path, walk
from segcli.params.operation import (
    Activation,
    Crop,
    Join,
    Norm,
    NormKind,
    Operation,
    Pool,
    Scale,
    Shuffle,
    norm_kind,
    stride_words,
)

KEEPING = Conv(8, 8, (3, 3), padding=(1, 1))
SHRINKING = Conv(8, 8, (3, 3))


def test_steps_name_their_paths_and_shapes() -> None:
    inner = Parallel((Path("a", (KEEPING,)), Path("b")), "add")
    block: Block = (Parallel((Path("outer", (inner,)), Path("rest", channels=8)), "concatenate"), Crop(9))
    steps = walk(block, (8, 5, 5))
    assert [(step.path, step.operation.label, step.output_shape) for step in steps] == [
        ("a", "conv 3x3", (8, 5, 5)),
        ("outer", "add", (8, 5, 5)),
        ("", "concatenate", (16, 5, 5)),
        ("", "crop", (9, 5, 5)),
    ]


def test_nothing_is_walked_through_nothing() -> None:
    assert walk((), (8, 5, 5)) == []


@pytest.mark.parametrize(
    ("join", "branch", "words"),
    [
        (
            "add",
            (SHRINKING,),
            r"cannot add \(8, 3, 3\) of the branch and \(8, 5, 5\) of the shortcut: their shapes differ",
        ),
        ("add", (Conv(8, 4, (1, 1)),), r"cannot add \(4, 5, 5\) of the branch and \(8, 5, 5\) of the shortcut"),
        ("concatenate", (SHRINKING,), r"cannot concatenate \(8, 3, 3\) .* \(8, 5, 5\) .*: their sizes differ"),
    ],
)
def test_paths_that_do_not_meet_are_refused(join: str, branch: Block, words: str) -> None:
    parallel = Parallel((Path("branch", branch), Path("shortcut")), join)  # type: ignore[arg-type]
    with pytest.raises(SegcliError, match=words):
        walk((parallel,), (8, 5, 5))


@pytest.mark.parametrize(
    ("operation", "label", "apart"),
    [
        (Operation(), "operation", None),
        (Norm("batch", 8), "batch norm", ("norm", 200)),
        (Norm("group", 8), "group norm, 8 groups", ("norm", 200)),
        (Norm("group", 96), "group norm, 32 groups", ("norm", 200)),
        (Activation("ReLU6"), "ReLU6", ("activation", 200)),
        (Pool((3, 3), (2, 2), (1, 1)), "average pool 3x3, stride 2", ("pool", 8 * 3 * 3 * 9)),
        (Scale(8), "layer scale", ("scale", 200)),
        (Shuffle(2), "channel shuffle, 2 groups", None),
        (Crop(7), "crop", None),
        (Join("add", 3), "add", ("add", 400)),
        (Join("concatenate", 2), "concatenate", None),
        (Conv(8, 4, (1, 1), bias=True), "conv 1x1", ("bias", 100)),
        (Conv(8, 4, (1, 1)), "conv 1x1", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_work_that_is_no_mac_is_counted_apart(operation: Operation, label: str, apart: tuple[str, int] | None) -> None:
    assert (operation.label, operation.apart((8, 5, 5))) == (label, apart)


@pytest.mark.parametrize(
    ("kind", "params", "buffers"), [("batch", 16, 17), ("layer", 16, 0), ("instance", 0, 0), ("group", 16, 0)]
)
def test_what_norms_hold(kind: NormKind, params: int, buffers: int) -> None:
    norm = Norm(kind, 8)
    assert (sum(term.value for term in norm.terms()), norm.buffers) == (params, buffers)


@pytest.mark.parametrize(("kind", "shape"), [("instance", (8, 1, 1)), ("group", (8, 1, 1))])
def test_a_mean_of_one_element_is_refused_as_torch_does(kind: NormKind, shape: tuple[int, ...]) -> None:
    with pytest.raises(SegcliError, match=r"of \(8, 1, 1\) would take each mean of 1 element, expected 2 or more"):
        Norm(kind, 8).output_shape(shape)


def test_an_unknown_norm_names_the_nearest() -> None:
    with pytest.raises(SegcliError, match="unknown norm 'bacth'") as caught:
        norm_kind("bacth")
    assert caught.value.hint == "did you mean batch?"


def test_strides_in_words() -> None:
    assert [stride_words(stride) for stride in ((1, 1), (2, 2), (2, 1))] == ["", ", stride 2", ", stride 2x1"]
