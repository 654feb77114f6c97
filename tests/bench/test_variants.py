import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from segcli.bench.kernel import Call, Kernel, Mode, Suite, Tensors
from segcli.bench.measuring.correctness import Prepared, prepare
from segcli.bench.suites import SUITES
from segcli.bench.suites.convs import CONVS
from segcli.bench.variants import (
    Layouts,
    _ChannelsLast,
    _compiled,
    _Watched,
    reads_images,
    require_compiler,
    with_variants,
)
from segcli.errors import ExitCode, SegcliError

CPU = torch.device("cpu")


def tensors_of(suite: Suite) -> dict[str, torch.Tensor]:
    return suite.tensors(replace(suite.case, size=(8, 12)), torch.Generator().manual_seed(0))


def variant(kernel: Kernel, name: str, suite: Suite = CONVS) -> Kernel:
    found = with_variants(suite, kernel, channels_last=True, compiled=True)
    return next(one for one in found if one.variant == name)


def prepared(kernel: Kernel, mode: Mode, tensors: Tensors) -> Prepared:
    with torch.set_grad_enabled(mode is Mode.TRAINING):
        return prepare(kernel, mode, tensors)


def named(suite: str, kernel: str) -> tuple[Suite, Kernel]:
    found = SUITES[suite]
    return found, next(one for one in found.kernels if one.name == kernel)


@pytest.mark.parametrize(
    ("suite", "kernel", "expected"),
    [
        ("conv", "depthwise", True),
        ("loss", "ohem", True),
        ("norm", "group", True),
        # Tokens are (N, H, W, C), and pixels (H, W, C).
        ("norm", "layer", False),
        ("index", "argmax", True),
        ("index", "masked", False),
        ("net", "bisenet-v2", True),
    ],
)
def test_only_what_reads_images_has_channels_last(suite: str, kernel: str, *, expected: bool) -> None:
    of, found = named(suite, kernel)
    assert reads_images(of, found) is expected
    variants = [one.variant for one in with_variants(of, found, channels_last=True, compiled=False)]
    assert variants == (["", "channels-last"] if expected else [""])


def test_without_a_wish_there_is_none_and_what_has_no_ceiling_has_none() -> None:
    kernel = CONVS.kernels[0]
    assert with_variants(CONVS, kernel, channels_last=False, compiled=False) == (kernel,)
    unbounded = replace(kernel, bounded=False)
    assert with_variants(CONVS, unbounded, channels_last=True, compiled=True) == (unbounded,)


@pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.value)
def test_channels_last_answers_the_same_in_that_layout(mode: Mode) -> None:
    layouts: list[tuple[bool, bool]] = []
    kernel = CONVS.kernels[0]

    def watched(tensors: Tensors) -> Call:
        call = kernel.make(tensors)
        layouts.append(
            (
                tensors["x"].is_contiguous(memory_format=torch.channels_last),
                tensors["standard.0"].is_contiguous(memory_format=torch.channels_last),
            )
        )
        return call

    tensors = tensors_of(CONVS)
    ready = prepared(variant(replace(kernel, make=watched), "channels-last"), mode, tensors)
    assert ready.reason == ""
    # The first was the tiny one that is only looked at.
    assert layouts[1:] == [(True, True)]
    # What the other contenders work on stays as it was.
    assert tensors["x"].is_contiguous()


def test_gradients_are_those_of_the_very_tensor() -> None:
    tensors = tensors_of(CONVS)
    ready = prepared(variant(CONVS.kernels[0], "channels-last"), Mode.TRAINING, tensors)
    gradient = ready.work()[0]  # type: ignore[index]
    assert gradient.is_contiguous(memory_format=torch.channels_last)


def test_one_copy_serves_all_kernels_and_goes_with_its_tensor() -> None:
    layouts = Layouts()
    x = torch.randn(2, 3, 4, 5)
    copy = layouts.of(x)
    assert layouts.of(x) is copy
    assert torch.equal(copy, x)
    assert len(layouts._copies) == 1
    del x
    assert len(layouts._copies) == 0


def test_other_tensors_are_seen_through() -> None:
    tensors = {"x": torch.randn(1, 2, 3, 4), "labels": torch.zeros(2, dtype=torch.int64)}
    for mapping in (_Watched(tensors), _ChannelsLast(tensors, Layouts())):
        assert (list(mapping), len(mapping)) == (["x", "labels"], 2)
        assert mapping["labels"] is tensors["labels"]


@pytest.fixture
def _compiler() -> None:
    if not (shutil.which("g++") or shutil.which("clang++")):
        pytest.skip("needs a C++ compiler, and none is on the PATH here")


@pytest.mark.usefixtures("_compiler")
@pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.value)
def test_compiled_kernels_answer_the_same(mode: Mode) -> None:
    suite, kernel = named("norm", "group")
    compiled = variant(kernel, "channels-last, compiled", suite)
    assert prepared(compiled, mode, tensors_of(suite)).reason == ""


@pytest.mark.usefixtures("_compiler")
def test_every_kernel_is_compiled_for_itself() -> None:
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    tensors = tensors_of(CONVS)
    # More than the versions that torch keeps of one piece of code.
    for _ in range(10):
        make = variant(replace(CONVS.kernels[4], make=lambda given: lambda: given["x"] + 1), "compiled").make
        with torch.no_grad():
            make(tensors)()
    assert counters["stats"]["unique_graphs"] == 10
    assert not counters["recompiles"]
    assert not counters["graph_break"]


@pytest.mark.usefixtures("_compiler")
def test_tensors_drawn_anew_are_not_compiled_for_again_and_are_those_that_are_read() -> None:
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    make = _compiled(lambda given: lambda: given["x"] * given["w"])
    with torch.no_grad():
        for scale in (2.0, 3.0, 5.0):
            tensors = {"x": torch.arange(6.0), "w": torch.full((6,), scale)}
            assert make(tensors)().tolist() == [0.0, scale, 2 * scale, 3 * scale, 4 * scale, 5 * scale]
        assert counters["stats"]["unique_graphs"] == 1
        # Another size is another piece of code.
        make({"x": torch.ones(7), "w": torch.ones(7)})()
    assert counters["stats"]["unique_graphs"] == 2
    assert not counters["recompiles"]


@pytest.mark.usefixtures("_compiler")
def test_a_compiler_that_works_is_no_trouble() -> None:
    require_compiler(CPU)


def test_without_a_compiler_it_is_said_before_anything_is_timed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    torch._dynamo.reset()
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", (str(tmp_path / "none"),))
    monkeypatch.setattr("torch._inductor.config.fx_graph_cache", False)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    with pytest.raises(SegcliError, match=r"--compile: torch cannot compile for cpu: .*C\+\+ compiler") as caught:
        require_compiler(CPU)
    assert caught.value.code is ExitCode.UNAVAILABLE
    assert caught.value.hint == "install g++ or clang++, or name one in $CXX"
