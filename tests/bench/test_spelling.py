import pytest

from segcli.bench.spelling import chosen_names, kernel_pattern, read_sizes
from segcli.errors import SegcliError


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("", ()),
        ("512x1024", ((512, 1024),)),
        ("8", ((8, 8),)),
        ("8,16", ((8, 8), (16, 16))),
        (" 8 x 16 , 4", ((8, 16), (4, 4))),
        ("0x5", ((0, 5),)),
        (str(2**63 - 1), ((2**63 - 1, 2**63 - 1),)),
    ],
)
def test_sizes_stand_between_commas(text: str, sizes: tuple[tuple[int, int], ...]) -> None:
    assert read_sizes(text) == sizes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        *((text, f"--size is {text!r}") for text in ("512x", "-1x10", "x", "X", "1x2x3", "8 8", "4.5", str(2**63))),
        ("8x8,", "a size of --size '8x8,' is empty"),
        (",", "a size of --size ',' is empty"),
        ("8x8,9y", "a size of --size '8x8,9y' is '9y'"),
        ("x" * 99, f"--size is '{'x' * 57}...'"),
    ],
)
def test_what_is_no_size_is_refused(text: str, words: str) -> None:
    with pytest.raises(SegcliError) as caught:
        read_sizes(text)
    assert caught.value.message == f"{words}, expected HxW such as 512x1024, or one number for a square"
    assert caught.value.hint == "a comma stands between two sizes: 256x512,512x1024"


def test_all_names_are_none() -> None:
    assert chosen_names("all") == ()
    assert chosen_names("conv, ,norm") == ("conv", "", "norm")


def test_a_pattern_of_kernels_is_not_empty() -> None:
    assert kernel_pattern("ohem*") == "ohem*"
    with pytest.raises(SegcliError, match="--kernel is empty, expected a pattern of names"):
        kernel_pattern("")
