"""What papers claim, held against counts."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segcli.counting.result import Beside, ByMode, Network
from segcli.errors import SegcliError
from segcli.params.network.claims import judge, parse_claim
from tests.conftest import Run

NOTHING = ByMode(0, 0)


def network(params: ByMode, macs: ByMode, size: tuple[int, ...] = (512, 1024), buffers: int = 0) -> Network:
    return Network(
        name="net",
        source="",
        size=size,
        inputs=((1, 3, *size),),
        params=params,
        trainable=params.train or 0,
        param_bytes=4 * (params.train or 0),
        buffers=buffers,
        buffer_bytes=4 * buffers,
        macs=macs,
        flops=macs.times(2),
        beside=Beside(NOTHING, NOTHING, NOTHING),
        activation_bytes=NOTHING,
        receptive_field=None,
        stride=None,
        outputs=(),
        train_outputs=(),
        uncounted=(),
    )


RESNET18 = network(ByMode(11_689_512, 11_689_512), ByMode(1_814_073_344, 1_814_073_344), (224, 224), 9_620)
BISENET_V1 = network(ByMode(13_425_721, 13_275_539), ByMode(30_352_113_664, 29_584_687_104))
BISENET_V2 = network(ByMode(5_231_487, 3_358_627), ByMode(35_558_834_176, 24_603_312_128))
# What the paper's BiSeNet V1 would have, were its 49.0 M the megabytes of its parameters.
PAPERS = network(ByMode(12_250_000, 12_250_000), ByMode(10**9, 10**9))


@pytest.mark.parametrize(
    ("counts", "claim", "words"),
    [
        pytest.param(RESNET18, "params=11.7M", "holds: parameters", id="rounded"),
        pytest.param(RESNET18, "params=12M", "holds: parameters", id="to-two-digits"),
        pytest.param(RESNET18, "params=11.6M", "holds: parameters", id="cut-off"),
        pytest.param(RESNET18, "params=11,689,512", "holds: parameters", id="to-the-last"),
        pytest.param(RESNET18, "macs=1.8141G", "holds: MACs", id="torchvision"),
        pytest.param(RESNET18, "FLOPS=3.628g", "holds: FLOPs", id="capitals"),
        pytest.param(BISENET_V2, "params=3.36M", "holds: parameters without auxiliary heads", id="heads-out"),
        pytest.param(BISENET_V2, "params=5231487", "holds: parameters with auxiliary heads", id="heads-in"),
    ],
)
def test_a_claim_holds(counts: Network, claim: str, words: str) -> None:
    verdict = judge(parse_claim(claim), counts)
    assert (verdict.holds, verdict.words) == (True, words)
    assert [one.slips for one in verdict.readings] == [0] * len(verdict.readings)


@pytest.mark.parametrize(
    ("counts", "claim", "words"),
    [
        pytest.param(PAPERS, "params=49.0M", "fits as megabytes of parameters in float32", id="bytes"),
        pytest.param(RESNET18, "params=44.6M", "fits as mebibytes of parameters in float32", id="mebibytes"),
        pytest.param(RESNET18, "params=23.4M", "fits as megabytes of parameters in float16", id="half-bytes"),
        pytest.param(
            RESNET18, "params=11,699,132", "it is 0.082% above the count, and fits as parameters and buffers",
            id="buffers",
        ),
        pytest.param(RESNET18, "flops=1.8G", "fits as MACs, taken for FLOPs", id="torchvisions-GFLOPS"),
        pytest.param(RESNET18, "macs=3.63G", "fits as FLOPs, taken for MACs", id="the-other-way"),
        pytest.param(BISENET_V2, "flops=98.41G", "fits as FLOPs without auxiliary heads at 1024x1024", id="size"),
        pytest.param(BISENET_V2, "macs=98.413G", "fits as MACs without auxiliary heads at 1024x2048", id="double"),
        pytest.param(
            BISENET_V1, "params=49.0M",
            "times the count; nearest to it is mebibytes of parameters in float32 without auxiliary heads, "
            "which it is 3.2% below", id="V1",
        ),
        pytest.param(
            BISENET_V2, "flops=21.15G",
            "0.43 times the count; nearest to it is MACs without auxiliary heads, taken for FLOPs, "
            "which it is 14% below", id="V2",
        ),
        pytest.param(RESNET18, "params=123M", "and no slip that is known explains it", id="far-away"),
    ],
)  # fmt: skip
def test_a_slip_is_found(counts: Network, claim: str, words: str) -> None:
    verdict = judge(parse_claim(claim), counts)
    assert not verdict.holds
    assert words in verdict.words
    assert verdict.words.startswith("does not hold: it is ")


LARGE = network(ByMode(5_231_487, 3_358_627), ByMode(4 * 35_558_834_176, 4 * 24_603_312_128), size=(1024, 2048))
ELSEWHERE = "MACs without auxiliary heads at 512x1024 (the size of its published figures), taken for FLOPs"


@pytest.mark.parametrize(
    ("claim", "published", "words"),
    [
        pytest.param("flops=24.60G", (512, 1024), f"times the count, and fits as {ELSEWHERE}", id="size-and-macs"),
        pytest.param("flops=21.15G", (512, 1024), f"nearest to it is {ELSEWHERE}, which it is 14% below", id="near"),
        pytest.param("flops=21.15G", None, "and no slip that is known explains it", id="near-at-any-size"),
        pytest.param("flops=49.21G", (512, 1024), "fits as FLOPs without auxiliary heads at 512x1024 (the", id="size"),
        pytest.param(
            "flops=24.60G", None,
            "fits as FLOPs without auxiliary heads at 512x512; or as MACs without auxiliary heads at "
            "512x1024, taken for FLOPs", id="either",
        ),
        pytest.param("flops=98.41G", (1024, 2048), "fits as MACs without auxiliary heads, taken for FLOPs", id="asked"),
    ],
)  # fmt: skip
def test_slips_are_combined(claim: str, published: tuple[int, int] | None, words: str) -> None:
    verdict = judge(parse_claim(claim), LARGE, published)
    assert not verdict.holds
    assert words in verdict.words


def test_a_size_among_many_is_not_proposed_beside_a_likelier_slip() -> None:
    verdict = judge(parse_claim("flops=29.585G"), BISENET_V1)
    assert verdict.words.endswith("and fits as MACs without auxiliary heads, taken for FLOPs")
    assert [one.slips for one in verdict.readings] == [0, 0, 1]


def test_a_paper_that_prints_macs_at_another_size(segcli: Run) -> None:
    argv = ("params", "net", "resnet18", "--size", "1024x2048", "--claim", "flops=1.6G", "--claim", "flops=1.8G")
    near, exact = segcli(*argv, "--json").json["claims"]
    meant = "MACs at 224x224 (the size of its published figures), taken for FLOPs"
    assert near["words"].endswith(f"nearest to it is {meant}, which it is 12% below")
    assert exact["words"].endswith(f"and fits as {meant}")
    assert [one["slips"] for one in exact["readings"]] == [0, 2]


def test_frozen_parameters_may_have_been_left_out() -> None:
    frozen = replace(RESNET18, trainable=513_000)
    assert "fits as trainable parameters alone" in judge(parse_claim("params=513k"), frozen).words


def test_what_is_near_is_above_or_below() -> None:
    smaller = network(ByMode(11_690_000, 11_690_000), NOTHING)
    assert "which it is 4.8% above" in judge(parse_claim("params=49.0M"), smaller).words


def test_what_was_not_counted_supports_no_claim() -> None:
    verdict = judge(parse_claim("macs=1G"), network(ByMode(1, 1), ByMode(None, None)))
    assert (verdict.holds, verdict.counted, verdict.words) == (False, None, "macs could not be counted")


def test_one_mode_alone_is_enough() -> None:
    assert judge(parse_claim("macs=1G"), network(ByMode(1, 1), ByMode(None, 10**9))).holds


def test_an_input_without_axes_has_no_other_size() -> None:
    verdict = judge(parse_claim("macs=4G"), network(ByMode(1, 1), ByMode(10**9, 10**9), (128,)))
    assert not verdict.holds
    assert all(" at " not in one.words for one in verdict.readings)


def test_a_network_of_nothing_is_claimed_to_be_nothing() -> None:
    assert judge(parse_claim("params=0"), network(NOTHING, NOTHING)).holds


@pytest.mark.parametrize(
    "text", ["params", "params=", "params=x", "size=3M", "params=3Q", "params=1e400", "=3", "params=-3"]
)
def test_what_is_no_claim(text: str) -> None:
    with pytest.raises(SegcliError, match="is no claim, expected params=, macs=, flops="):
        parse_claim(text)


@given(st.integers(1, 10**13), st.sampled_from((("", 1), ("k", 10**3), ("M", 10**6), ("G", 10**9))), st.integers(0, 4))
def test_a_count_that_is_printed_holds(count: int, suffix: tuple[str, int], digits: int) -> None:
    text = f"{Decimal(count) / suffix[1]:.{digits}f}"
    verdict = judge(parse_claim(f"params={text}{suffix[0]}"), network(ByMode(count, count), NOTHING))
    assert verdict.holds
    assert verdict.counted == count
