"""CUDA graphs: a call captured once and replayed, so that what its launch costs on the host is not timed."""

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from segcli.bench.measuring.timer import Work

REPLAYED = "replays of a CUDA graph"
NOT_CAPTURED = "calls that cannot be captured"

# As in torch's own examples: what libraries set up in their first calls must not be captured.
_WARM_UP = 3


def replay_of(work: "Work", device: "torch.device") -> "Work | None":  # pragma: no cover - needs a GPU
    """Return a call that replays ``work`` on the device; None where it waits for the device and so cannot be captured.

    Its outputs keep their memory as long as the replay is kept.

    Args:
        work: The call.
        device: A CUDA device.
    """
    import torch

    if _synchronises(work):
        return None
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(device))
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):
                work()
        torch.cuda.current_stream(device).wait_stream(stream)
        with torch.cuda.graph(graph, stream=stream):
            kept = work()
        graph.replay()
        torch.cuda.synchronize(device)
    except RuntimeError:
        torch.cuda.synchronize(device)
        return None
    return partial(_replay, graph, kept)


def _replay(graph: "torch.cuda.CUDAGraph", _kept: object) -> None:  # pragma: no cover - needs a GPU
    graph.replay()


def _synchronises(work: "Work") -> bool:  # pragma: no cover - needs a GPU
    """Look whether a call waits for the device, before a capture that would fail leaves torch in disorder."""
    import torch

    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        work()
    except RuntimeError:
        return True
    finally:
        torch.cuda.set_sync_debug_mode(before)
    return False
