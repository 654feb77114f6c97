import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from segcli.bench.kernel import Call, Mode, Tensors
from segcli.bench.suites import loaders
from segcli.bench.suites.loader_samples import EPOCH, Samples, samples_of, summed
from segcli.bench.suites.loaders import LOADERS
from tests.bench.test_suites import compared, tensors_of

KERNELS = {kernel.name: kernel for kernel in LOADERS.kernels}
HERE = ("workers-0", "workers-1", "workers-2", "batch-times-4", "batch-times-16", "new-workers", "first-batch-fork")
WAIT_S = 30


@pytest.mark.parametrize("name", [*HERE, "to-device", "to-device-pinned"])
def test_every_loader_is_right(name: str) -> None:
    kernel = KERNELS[name]
    if name == "to-device-pinned" and not torch.cuda.is_available():
        # Pinning needs a GPU; where the batches go is all the same.
        setting = loaders.Setting(to_device=True)
        kernel = replace(kernel, make=loaders._epochs(setting))
    assert compared(kernel, Mode.FORWARD, tensors_of(LOADERS, size=(5, 8))).reason == ""
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_workers_that_start_anew_are_right(start: str) -> None:
    assert compared(KERNELS[f"first-batch-{start}"], Mode.FORWARD, tensors_of(LOADERS, size=(5, 8))).reason == ""
    assert multiprocessing.active_children() == []


def test_an_epoch_is_loaded_again_by_the_same_workers() -> None:
    call = KERNELS["workers-2"].make(tensors_of(LOADERS, size=(5, 8)))
    first = call()
    workers = {child.pid for child in multiprocessing.active_children()}
    assert torch.equal(call(), first)
    assert {child.pid for child in multiprocessing.active_children()} == workers
    assert len(workers) == 2
    del call
    assert multiprocessing.active_children() == []


def test_threads_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    call = KERNELS["workers-0"].make(tensors_of(LOADERS, size=(5, 8)))
    seen: list[int] = []
    sums = summed

    def noted(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        seen.append(torch.get_num_threads())
        return sums(images, labels)

    monkeypatch.setattr(loaders, "summed", noted)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        call()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}


def test_new_workers_are_new_each_epoch() -> None:
    call = KERNELS["new-workers"].make(tensors_of(LOADERS, size=(5, 8)))
    call()
    assert multiprocessing.active_children() == []


def test_outside_the_main_thread_workers_end_as_well() -> None:
    tensors = tensors_of(LOADERS, size=(5, 8))
    found: list[torch.Tensor] = []
    thread = threading.Thread(target=lambda: found.append(KERNELS["first-batch-fork"].make(tensors)()))
    thread.start()
    thread.join(WAIT_S)
    assert torch.equal(found[0], KERNELS["workers-0"].make(tensors)()[:4])
    assert multiprocessing.active_children() == []


def test_samples_are_cropped_flipped_and_normalised() -> None:
    tensors = tensors_of(LOADERS, size=(6, 9))
    samples = samples_of(tensors)
    assert len(samples) == EPOCH
    for index in (0, 13, EPOCH - 1):
        file, top, left, flipped = samples.samples[index]
        stored = np.asarray(Samples._decoded(samples.images[file])).astype(np.float64)
        assert stored.shape == (12, 18, 3)
        crop = (stored[top : top + 6, left : left + 9] / 255 - 0.5) / 0.25
        image, labels = samples[index]
        np.testing.assert_allclose(image.numpy(), (np.fliplr(crop) if flipped else crop).transpose(2, 0, 1), atol=1e-6)
        of_file = np.asarray(Samples._decoded(samples.labels[file]))[top : top + 6, left : left + 9]
        np.testing.assert_array_equal(labels.numpy(), np.fliplr(of_file) if flipped else of_file)
        assert (image.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert {flip for *_, flip in samples.samples} == {0, 1}


def test_sums_of_halves_by_hand() -> None:
    images, labels = torch.ones(1, 3, 2, 3), torch.tensor([[[1, 2, 3], [4, 5, 6]]])
    assert summed(images, labels).tolist() == [[6.0, 12.0, 5.0, 16.0]]


def changed(change: Callable[[Samples], Samples]) -> Callable[[Tensors], Call]:
    def make(tensors: Tensors) -> Call:
        samples = change(samples_of(tensors))
        return lambda: torch.cat([summed(x[None], y[None]) for x, y in (samples[index] for index in range(EPOCH))])

    return make


@pytest.mark.parametrize(
    "change",
    [
        lambda samples: replace(samples, samples=[(*sample[:3], 0) for sample in samples.samples]),
        lambda samples: replace(samples, samples=samples.samples[::-1]),
        lambda samples: replace(samples, samples=[(file, 0, 0, flip) for file, _, _, flip in samples.samples]),
        lambda samples: replace(samples, labels=samples.labels[::-1]),
        lambda samples: replace(samples, colours=samples.colours + np.float32(0.01)),
    ],
    ids=["never flipped", "other order", "never cropped", "others' labels", "other colours"],
)
def test_a_careless_loader_is_wrong(change: Callable[[Samples], Samples]) -> None:
    kernel = replace(KERNELS["workers-0"], make=changed(change))
    tensors = tensors_of(LOADERS, size=(16, 24))
    assert "its output has a relative error of" in compared(kernel, Mode.FORWARD, tensors).reason
    right = replace(kernel, make=changed(lambda samples: samples))
    assert compared(right, Mode.FORWARD, tensors).reason == ""


def test_more_workers_than_cores_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaders, "cores", lambda: 6)
    tensors = tensors_of(LOADERS, size=(5, 8))
    KERNELS["workers-4"].make(tensors)
    with pytest.raises(NotImplementedError, match="8 workers on 6 cores"):
        KERNELS["workers-8"].make(tensors)


def test_costs_and_items_by_hand() -> None:
    case = replace(LOADERS.case, size=(5, 8))
    # 64 samples of 40 pixels: 3 colours of 4 bytes, labels of 8; scaled, subtracted from, divided.
    cost = KERNELS["workers-2"].cost(case, Mode.FORWARD)
    assert (cost.bytes, cost.flops) == (64 * 40 * (12 + 8), 64 * 40 * 9)
    assert KERNELS["first-batch-spawn"].cost(case, Mode.FORWARD).bytes == 4 * 40 * 20
    assert KERNELS["workers-2"].items is not None
    assert (KERNELS["workers-2"].items(case), KERNELS["workers-2"].unit) == (64, "samples")
    assert KERNELS["first-batch-fork"].items is None


SCRIPT = """
import multiprocessing, sys
from dataclasses import replace
import torch
from segcli.bench.suites.loaders import LOADERS
case = replace(LOADERS.case, size=(64, 64))
tensors = LOADERS.tensors(case, torch.Generator().manual_seed(0))
call = {kernel.name: kernel for kernel in LOADERS.kernels}["workers-2"].make(tensors)
call()
try:
    print(*[child.pid for child in multiprocessing.active_children()], flush=True)
    while True:
        call()
except KeyboardInterrupt:
    sys.exit(130)
"""


def started(tmp_path: Path) -> tuple[subprocess.Popen[str], list[int]]:
    script = tmp_path / "load.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    workers = [int(pid) for pid in process.stdout.readline().split()]
    assert len(workers) == 2
    return process, workers


def test_ctrl_c_ends_the_workers_without_a_word(tmp_path: Path) -> None:
    process, workers = started(tmp_path)
    # As a terminal does: to all processes of the group.
    os.killpg(process.pid, signal.SIGINT)
    _, words = process.communicate(timeout=WAIT_S)
    assert (process.returncode, words) == (130, "")
    assert_ended(workers)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent ended")
def test_workers_do_not_outlive_a_killed_process(tmp_path: Path) -> None:
    process, workers = started(tmp_path)
    process.kill()
    process.communicate(timeout=WAIT_S)
    assert_ended(workers)


def assert_ended(workers: list[int]) -> None:
    end = time.monotonic() + WAIT_S
    while any(is_running(pid) for pid in workers) and time.monotonic() < end:
        time.sleep(0.05)
    assert not [pid for pid in workers if is_running(pid)]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
