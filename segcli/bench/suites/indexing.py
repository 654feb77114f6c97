"""Indexing: what turns logits into labels, what picks pixels, and what puts tensors together."""

from typing import TYPE_CHECKING

from segcli.bench.kernel import INDEX_BYTES, Call, Case, Cost, Kernel, Suite, Tensors

if TYPE_CHECKING:
    import torch

_PICKED_SHARE = 16
"""One pixel in 16 is picked, BiSeNet's share of hard pixels."""


def _argmax(tensors: Tensors) -> Call:
    import torch

    logits = tensors["logits"]
    out = torch.empty(_without_channels(logits), dtype=torch.int64, device=logits.device)
    return lambda: torch.argmax(logits, 1, out=out)


def _max(tensors: Tensors) -> Call:
    import torch

    logits = tensors["logits"]
    values = torch.empty(_without_channels(logits), dtype=logits.dtype, device=logits.device)
    indices = torch.empty_like(values, dtype=torch.int64)

    def call() -> "torch.Tensor":
        torch.max(logits, 1, out=(values, indices))
        return indices

    return call


def _gather(tensors: Tensors) -> Call:
    import torch

    logits, labels = tensors["logits"], tensors["labels"].unsqueeze(1)
    out = torch.empty(labels.shape, dtype=logits.dtype, device=logits.device)
    return lambda: torch.gather(logits, 1, labels, out=out)


def _index_select(tensors: Tensors) -> Call:
    import torch

    pixels, picked = tensors["pixels"].flatten(0, 1), tensors["rows"] * tensors["pixels"].shape[1] + tensors["columns"]
    out = torch.empty((picked.numel(), pixels.shape[1]), dtype=pixels.dtype, device=pixels.device)
    return lambda: torch.index_select(pixels, 0, picked, out=out)


def _advanced(tensors: Tensors) -> Call:
    pixels, rows, columns = tensors["pixels"], tensors["rows"], tensors["columns"]
    return lambda: pixels[rows, columns, :]


def _masked(tensors: Tensors) -> Call:
    pixels, mask = tensors["pixels"], tensors["mask"]
    return lambda: pixels[mask]


def _cat(tensors: Tensors) -> Call:
    import torch

    parts = tensors["logits"], tensors["others"]
    out = torch.cat(parts, 1)
    return lambda: torch.cat(parts, 1, out=out)


def _stack(tensors: Tensors) -> Call:
    import torch

    images = [*tensors["logits"], *tensors["others"]]
    out = torch.stack(images)
    return lambda: torch.stack(images, out=out)


def _best_logit(tensors: Tensors) -> Call:
    return lambda: tensors["logits"].amax(1, keepdim=True)


def _labelled_logit(tensors: Tensors) -> Call:
    def call() -> "torch.Tensor":
        from torch.nn import functional

        logits = tensors["logits"]
        chosen = functional.one_hot(tensors["labels"], logits.shape[1]).movedim(-1, 1)
        return (logits * chosen).sum(1, keepdim=True)

    return call


def _picked_pixels(tensors: Tensors) -> Call:
    def call() -> "torch.Tensor":
        from torch.nn import functional

        pixels = tensors["pixels"]
        return functional.embedding(tensors["rows"] * pixels.shape[1] + tensors["columns"], pixels.flatten(0, 1))

    return call


def _side_by_side(tensors: Tensors) -> Call:
    def call() -> "torch.Tensor":
        logits, others = tensors["logits"], tensors["others"]
        batch, channels, high, wide = logits.shape
        both = logits.new_zeros(batch, 2 * channels, high, wide)
        both[:, :channels] += logits
        both[:, channels:] += others
        return both

    return call


def _one_after_another(tensors: Tensors) -> Call:
    def call() -> "torch.Tensor":
        logits, others = tensors["logits"], tensors["others"]
        both = logits.new_zeros(2 * len(logits), *logits.shape[1:])
        for index, image in enumerate((*logits, *others)):
            both[index] += image
        return both

    return call


def _logit_at(tensors: Tensors, indices: "torch.Tensor") -> "torch.Tensor":
    """Compare the logits found, not where: among equal logits any index is right."""
    return tensors["logits"].gather(1, indices.unsqueeze(1))


def _argmax_cost(case: Case) -> Cost:
    """Read the logits, write an index a pixel; a comparison for every class but the first."""
    return Cost(case.numel * case.item_bytes + case.pixels * INDEX_BYTES, case.pixels * (case.channels - 1))


def _max_cost(case: Case) -> Cost:
    return _argmax_cost(case) + Cost(case.pixels * case.item_bytes, 0)


def _gather_cost(case: Case) -> Cost:
    """Read a label and a logit a pixel, write the logit."""
    return Cost(case.pixels * (INDEX_BYTES + 2 * case.item_bytes), 0)


def picked(case: Case) -> int:
    """Return how many pixels are picked, of one image."""
    high, wide = case.size
    return max(1, high * wide // _PICKED_SHARE)


def _copied_bytes(case: Case) -> int:
    return 2 * picked(case) * case.channels * case.item_bytes


def _index_select_cost(case: Case) -> Cost:
    """Read an index, copy C values, for every picked pixel."""
    return Cost(_copied_bytes(case) + picked(case) * INDEX_BYTES, 0)


def _advanced_cost(case: Case) -> Cost:
    """Read two indices, copy C values, for every picked pixel."""
    return Cost(_copied_bytes(case) + 2 * picked(case) * INDEX_BYTES, 0)


def _masked_cost(case: Case) -> Cost:
    """Read a byte of mask a pixel, copy C values for every picked one."""
    high, wide = case.size
    return Cost(_copied_bytes(case) + high * wide, 0)


def _joined_cost(case: Case) -> Cost:
    """Read both tensors, write all."""
    return Cost(4 * case.numel * case.item_bytes, 0)


def _tensors(case: Case, generator: "torch.Generator") -> dict[str, "torch.Tensor"]:
    import torch

    high, wide = case.size
    # In raster order, so that the mask picks the same pixels in the same order.
    chosen = torch.randperm(high * wide, generator=generator)[: picked(case)].sort().values
    mask = torch.zeros(high * wide, dtype=torch.bool)
    mask[chosen] = True
    return {
        "logits": torch.randn(case.shape, generator=generator),
        "others": torch.randn(case.shape, generator=generator),
        "labels": torch.randint(case.channels, (case.batch, *case.size), generator=generator),
        "pixels": torch.randn((*case.size, case.channels), generator=generator),
        "rows": chosen // wide,
        "columns": chosen % wide,
        "mask": mask.view(high, wide),
    }


def _without_channels(logits: "torch.Tensor") -> tuple[int, ...]:
    return logits.shape[0], *logits.shape[2:]


INDEXING = Suite(
    name="index",
    baseline="argmax",
    case=Case(2, 19, (256, 512)),
    tensor="logits",
    data="logits, others, pixels (H, W, C) normal(0, 1); labels uniform; 1/16 of the pixels of one image picked",
    tensors=_tensors,
    check_items=16,
    kernels=(
        Kernel("argmax", "logits.argmax(1)", _argmax, _best_logit, _argmax_cost, seen=_logit_at, allocates=False),
        Kernel(
            "max", "logits.max(1): values and indices", _max, _best_logit, _max_cost, seen=_logit_at, allocates=False
        ),
        Kernel(
            "gather",
            "logits.gather(1, labels)",
            _gather,
            _labelled_logit,
            _gather_cost,
            allocates=False,
            against="gather",
        ),
        Kernel(
            "index-select",
            "pixels.index_select(0, i)",
            _index_select,
            _picked_pixels,
            _index_select_cost,
            allocates=False,
            against="advanced",
        ),
        Kernel("advanced", "pixels[a, b, :]", _advanced, _picked_pixels, _advanced_cost, against="advanced"),
        Kernel("masked", "pixels[mask]", _masked, _picked_pixels, _masked_cost, against="advanced"),
        Kernel(
            "cat",
            "torch.cat((logits, others), 1)",
            _cat,
            _side_by_side,
            _joined_cost,
            allocates=False,
            against="cat",
        ),
        Kernel(
            "stack",
            "torch.stack of their images",
            _stack,
            _one_after_another,
            _joined_cost,
            allocates=False,
            against="cat",
        ),
    ),
)
