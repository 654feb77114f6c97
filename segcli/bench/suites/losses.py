"""Losses: segcli's own beside torch's and those that many repositories carry, and several from one read."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from segcli.bench.kernel import Case, Kernel, Make, Suite, Tensors
from segcli.bench.suites import loss_contenders as contenders
from segcli.bench.suites import loss_costs as costs
from segcli.bench.suites import loss_references as plain

if TYPE_CHECKING:
    import torch

_OHEM_GRADIENT_TOLERANCE = 0.1
"""Pixels at the border between kept and not change sides by a rounding: one in 200 gives this error (2-norm)."""
_TWO_LOSSES = "ce-plus-dice"


def _tensors(case: Case, generator: "torch.Generator") -> dict[str, "torch.Tensor"]:
    import torch

    labels = torch.randint(case.channels, (case.batch, *case.size), generator=generator)
    ignored = torch.rand(labels.shape, generator=generator) < 1 / 20
    classes = torch.arange(case.channels).view(-1, 1, 1)
    one_hot = labels.unsqueeze(1) == classes
    logits = torch.randn(case.shape, generator=generator).add_(one_hot, alpha=6)
    targets = one_hot.to(torch.uint8).masked_fill_(ignored.unsqueeze(1), plain.IGNORED)
    return {"logits": logits, "labels": labels.masked_fill_(ignored, plain.IGNORED), "targets": targets}


def _kernel(name: str, what: str, make: Make, loss: Callable[[Tensors], "torch.Tensor"], cost: costs.Costs) -> Kernel:
    def reference(tensors: Tensors) -> Callable[[], "torch.Tensor"]:
        return lambda: loss(tensors)

    return Kernel(name, what, make, reference, *cost, leaves=("logits",))


def _of_nn(name: str, kind: str, loss: Callable[[Tensors], "torch.Tensor"], cost: costs.Costs) -> Kernel:
    return _kernel(name, f"segcli.nn.{kind}", contenders.of_nn(kind), loss, cost)


_POINTWISE = (
    _kernel(
        "torch-cross-entropy",
        "torch's cross_entropy, mean",
        contenders.torch_cross_entropy,
        plain.cross_entropy,
        costs.CROSS_ENTROPY,
    ),
    _of_nn("cross-entropy", "CrossEntropyLoss", plain.cross_entropy, costs.CROSS_ENTROPY),
    replace(
        _of_nn("ohem", "OhemCrossEntropyLoss", plain.ohem, costs.OHEM), gradient_tolerance=_OHEM_GRADIENT_TOLERANCE
    ),
    replace(
        _kernel("ohem-sort", "OHEM by sorting every loss", contenders.sorting_ohem, plain.sorting_ohem, costs.OHEM),
        gradient_tolerance=_OHEM_GRADIENT_TOLERANCE,
        against="ohem",
    ),
    _of_nn("focal", "FocalLoss", plain.focal, costs.FOCAL),
    replace(
        _kernel(
            "focal-one-hot",
            "Focal by one-hot labels",
            contenders.one_hot_focal,
            plain.focal,
            costs.FOCAL,
        ),
        against="focal",
    ),
    _kernel(
        "bce",
        "segcli.nn.BCEWithLogitsLoss",
        contenders.of_nn("BCEWithLogitsLoss", "targets"),
        plain.bce,
        costs.BCE,
    ),
)
_SORTED = (
    replace(
        _of_nn("lovasz-softmax", "LovaszSoftmaxLoss", plain.lovasz_softmax, costs.LOVASZ),
        by_default=False,
    ),
)
_REGIONS = (
    _of_nn("dice", "DiceLoss", plain.dice, costs.REGION),
    replace(
        _kernel(
            "dice-one-hot",
            "Dice by one-hot labels",
            contenders.one_hot_dice,
            plain.dice_of_all_classes,
            costs.REGION,
        ),
        against="dice",
    ),
    _of_nn("jaccard", "JaccardLoss", plain.jaccard, costs.REGION),
    _of_nn("tversky", "TverskyLoss", plain.tversky, costs.REGION),
    replace(
        _of_nn("focal-tversky", "FocalTverskyLoss", plain.focal_tversky, costs.REGION),
        by_default=False,
    ),
    replace(
        _of_nn("generalized-dice", "GeneralizedDiceLoss", plain.generalized_dice, costs.REGION),
        by_default=False,
    ),
)


def _one_pass(name: str, backend: str, how: str, devices: tuple[str, ...], *, by_default: bool) -> Kernel:
    kernel = _kernel(
        name,
        f"ce + 0.5*dice from one read, {how}",
        contenders.one_pass(backend),
        plain.cross_entropy_and_dice,
        costs.CROSS_ENTROPY_AND_DICE,
    )
    return replace(kernel, against=_TWO_LOSSES, devices=devices, by_default=by_default)


_COMBINED = (
    replace(
        _kernel(
            _TWO_LOSSES,
            "torch-cross-entropy + 0.5*dice-one-hot",
            contenders.two_losses,
            plain.cross_entropy_and_dice_of_all_classes,
            costs.CROSS_ENTROPY_AND_DICE,
        ),
        against=_TWO_LOSSES,
    ),
    _one_pass("one-pass", "auto", "backend auto", ("cpu", "cuda"), by_default=True),
    _one_pass("one-pass-eager", "eager", "plain torch", ("cpu", "cuda"), by_default=False),
    _one_pass("one-pass-compiled", "compiled", "C++", ("cpu",), by_default=False),
    _one_pass("one-pass-triton", "triton", "Triton", ("cuda",), by_default=False),
)

LOSSES = Suite(
    name="loss",
    baseline="torch-cross-entropy",
    case=Case(2, 19, (256, 512)),
    tensor="logits",
    data="logits normal(0, 1), raised by 6 at the label; labels uniform, 1/20 ignored",
    tensors=_tensors,
    check_items=20,
    kernels=(*_POINTWISE, *_REGIONS, *_SORTED, *_COMBINED),
)
