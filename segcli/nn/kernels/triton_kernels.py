"""Backend `triton`: one read of the logits forward, one read and one write backward, on CUDA.

Nothing here needs Triton until a kernel is launched. The sums of a program are of 512 to 4096 pixels, in float32
(float64 for float64 logits); torch adds up the programs' in float64, in a fixed order. So a result is the same in
every run. Tiles come from a table, and are not searched for by timing: a search may choose otherwise in the next run,
and another tile adds up in another order.
"""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from segcli.nn.kernels.precision import compute_dtype
from segcli.nn.kernels.problem import N_COLUMNS, Answer, Problem, Wanted, empty


@dataclass(frozen=True)
class Tile:
    """What one program takes on.

    Attributes:
        classes: Classes of a tile, a power of two.
        pixels: Pixels of a tile, a power of two.
        tiles: How many tiles a program reads, one after the other.
        warps: How many warps share a tile.
    """

    classes: int
    pixels: int
    tiles: int
    warps: int


# The most classes that a multiclass tile is for, with its pixels and warps. A thread keeps 8 to 32 logits: so
# registers hold them and their sums, but for a few (what ptxas says for sm_80 and sm_90). One warp alone needs no
# barrier; 8 pixels of float32 fill a sector of memory. More classes than the last go by in chunks of so many, and are
# read again, from the cache where they are still there.
_FORWARD = {
    2: (128, 1),
    4: (128, 1),
    8: (64, 1),
    24: (32, 1),
    32: (32, 2),
    64: (32, 4),
    128: (32, 8),
    256: (16, 8),
    512: (8, 16),
}
_BACKWARD = {32: (128, 4), 64: (32, 4), 128: (32, 8), 256: (16, 8), 512: (8, 16)}


def available(device: torch.device | str) -> bool:
    """Return whether the kernels can run on ``device``: a CUDA device, and Triton installed.

    Examples:
        >>> available("cpu")
        False
    """
    return torch.device(device).type == "cuda" and find_spec("triton") is not None


def forward(problem: Problem, wanted: Wanted) -> Answer:
    """Answer ``problem``; see `segcli.nn.kernels.problem` for what each part means."""
    logits = problem.logits
    n_images, n_classes, n_pixels = logits.shape
    tile = _tile(problem, backward=False)
    n_programs, turns = _programs(problem, tile)
    dtype = compute_dtype(logits.dtype)
    sums = logits.new_empty((n_images, n_programs, problem.n_rows, N_COLUMNS), dtype=dtype)
    sound = logits.new_empty((n_images * n_programs * turns, 2), dtype=torch.bool)
    losses = logits.new_empty(problem.labels.shape if wanted.pixels else 0, dtype=dtype)
    predictions = confusion = empty(logits, torch.int64)
    arguments = {"sums": sums, "losses": losses, "sound": sound, "tiles": tile.tiles}
    arguments |= {"wants_losses": wanted.pixels, "wants_squares": wanted.squares}
    if problem.multiclass:
        if wanted.predictions:
            predictions = logits.new_empty((n_images, n_pixels), dtype=torch.int64)
        if wanted.confusion:
            # Of a small matrix there are copies, lest all wait for one another at the same few cells.
            copies = max(1, min(32, 2**18 // n_classes**2))
            confusion = logits.new_zeros((copies, n_classes, n_classes), dtype=torch.int64)
        arguments |= {"predictions": predictions, "wants_predictions": wanted.predictions}
        arguments |= {"confusion": confusion, "copies": confusion.shape[0], "wants_confusion": wanted.confusion}
        arguments |= _across_chunks(logits, turns, arguments)
    _launch("forward", problem, tile, arguments)
    return Answer(
        sums=sums.sum(1, dtype=torch.float64),
        pixels=losses,
        predictions=predictions,
        confusion=confusion.sum(0) if confusion.ndim > 1 else confusion,
        sound=sound.all(0),
    )


def backward(problem: Problem, grad_sums: Tensor, grad_pixels: Tensor | None) -> Tensor:
    """Return the gradient of the logits, laid out as they are where they are dense."""
    logits = problem.logits
    dtype = compute_dtype(logits.dtype)
    gradient = torch.empty_like(logits)
    arguments = {
        "grad_sums": grad_sums.to(dtype).contiguous(),
        "grad_losses": empty(logits, dtype) if grad_pixels is None else grad_pixels.to(dtype).contiguous(),
        "has_losses": grad_pixels is not None,
        "grad_logits": gradient,
        **_strides("grad_", gradient),
    }
    _launch("backward", problem, _tile(problem, backward=True), arguments)
    return gradient


def argmax(logits: Tensor) -> Tensor:
    """Return the class with the largest logit of every pixel, (N, P) int64: the first of those that tie."""
    predictions = logits.new_empty((logits.shape[0], logits.shape[2]), dtype=torch.int64)
    _look("softmax", "argmax", logits, {"predictions": predictions})
    return predictions


def _across_chunks(logits: Tensor, turns: int, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return what has to be known of all classes of each pixel before their chunks go by; nothing for one chunk."""
    dtype = compute_dtype(logits.dtype)
    if turns == 1:
        return {"tops": empty(logits, dtype), "totals": empty(logits, dtype)}
    tops, totals = logits.new_empty((2, logits.shape[0], logits.shape[2]), dtype=dtype)
    _look("wide", "normalizers", logits, {"tops": tops, "totals": totals})
    known = {"tops": tops, "totals": totals}
    if arguments["wants_predictions"]:
        _look("softmax", "argmax", logits, {"predictions": arguments["predictions"]})
    elif arguments["wants_confusion"]:
        known["predictions"] = argmax(logits)
    return known


def _look(module: str, name: str, logits: Tensor, outputs: dict[str, Tensor]) -> None:
    """Run a kernel that sees the logits alone, a tile a program."""
    n_images, n_classes, n_pixels = logits.shape
    tile = _softmax_tile(logits, backward=True)
    n_programs = _ceiling(n_pixels, tile.pixels)
    shared = {"logits": logits, "n_pixels": n_pixels, "n_programs": n_programs, "n_classes": n_classes}
    _run(module, name, tile, n_images * n_programs, shared | _strides("", logits) | outputs)


def _tile(problem: Problem, *, backward: bool) -> Tile:
    logits = problem.logits
    if problem.multiclass:
        return _softmax_tile(logits, backward=backward)
    # Along the pixels; where those lie apart, along the classes as well.
    classes = 1 if logits.stride(2) == 1 else min(_power_of_two(logits.shape[1]), 32)
    return Tile(classes, 512 // classes, 1 if backward else 8, 4)


def _softmax_tile(logits: Tensor, *, backward: bool) -> Tile:
    table = _BACKWARD if backward else _FORWARD
    n_classes = min(logits.shape[1], max(table))
    pixels, warps = table[min(most for most in table if most >= n_classes)]
    classes = _power_of_two(n_classes)
    if logits.dtype == torch.float64:
        # Twice the registers a number.
        pixels, warps = pixels // 2, min(2 * warps, 16)
    if backward:
        return Tile(classes, pixels, 4 if logits.shape[1] <= classes else 1, warps)
    return Tile(classes, pixels, 512 // pixels, warps)


def _programs(problem: Problem, tile: Tile) -> tuple[int, int]:
    """Return how many programs share an image's pixels, and how many its classes."""
    _, n_classes, n_pixels = problem.logits.shape
    return _ceiling(n_pixels, tile.pixels * tile.tiles), _ceiling(n_classes, tile.classes)


def _launch(name: str, problem: Problem, tile: Tile, arguments: dict[str, Any]) -> None:
    """Run a kernel on ``problem``, with ``arguments`` of its own."""
    n_images, n_classes, n_pixels = problem.logits.shape
    n_programs, turns = _programs(problem, tile)
    module = "softmax" if problem.multiclass else "sigmoid"
    if problem.multiclass and name == "backward":
        if turns == 1:
            arguments = arguments | {"tiles": tile.tiles}
        else:
            # A program sees all chunks of its pixels.
            module, turns = "wide", 1
    index = problem.ignore_index
    # What no integer of 64 bits can be is no label either.
    ignores = index is not None and -(2**63) <= index < 2**63
    shared = {
        "logits": problem.logits,
        "labels": problem.labels,
        "n_pixels": n_pixels,
        "n_programs": n_programs,
        **_strides("", problem.logits),
        **_strides("label_", problem.labels),
        "ignore_index": index if ignores else 0,
        "ignores": ignores,
        "gamma": float(problem.gamma),
        "bound": float(problem.bound),
        "exponent": int(problem.gamma) if problem.gamma in {0, 1, 2} else -1,
        "n_classes": n_classes,
    }
    _run(module, name, tile, n_images * n_programs * turns, shared | arguments)


def _run(module: str, name: str, tile: Tile, n_programs: int, arguments: dict[str, Any]) -> None:
    """Launch ``n_programs`` of a kernel on the device of the logits."""
    if n_programs == 0:
        return
    import triton.language as tl

    kernel = getattr(import_module(f"segcli.nn.kernels.triton_{module}"), name)
    logits = arguments["logits"]
    dtype = tl.float64 if logits.dtype == torch.float64 else tl.float32
    # Fused multiplications and additions: Triton's default differs between releases.
    options = {"num_warps": tile.warps, "enable_fp_fusion": True}
    with torch.cuda.device_of(logits):  # type: ignore[no-untyped-call]
        kernel[(n_programs,)](**arguments, padded=tile.classes, block=tile.pixels, dtype=dtype, **options)


def _strides(prefix: str, tensor: Tensor) -> dict[str, int]:
    """Return the strides of (N, C, P), or of (N, P), by the names that the kernels give them."""
    names = ("image", "class", "pixel") if tensor.ndim == len("NCP") else ("image", "pixel")
    return {f"{prefix}{name}_stride": stride for name, stride in zip(names, tensor.stride(), strict=True)}


def _power_of_two(count: int) -> int:
    return max(2, 1 << (count - 1).bit_length())


def _ceiling(count: int, size: int) -> int:
    return -(-count // size)
