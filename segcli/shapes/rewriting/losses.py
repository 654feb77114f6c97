"""Ways to write losses with what both libraries have, as if no label were to be ignored."""

from collections.abc import Iterator

from segcli.shapes.rewriting.applied import Applied, Way
from segcli.shapes.rewriting.place import as_primary, is_plain, sure_if

_REDUCTIONS = ("mean", "sum", "none")


def _reduced(text: str, reduction: object) -> str:
    return text if reduction == "none" else f"({text}).{reduction}()"


def _cross_entropy(call: Applied) -> Iterator[str]:
    node = call.given.get("target")
    target = None if node is None else call.place.tensor(node)
    if node is None or target is None or call.given.keys() - {"target", "reduction"}:
        return
    known = is_plain(call.source) and 0 not in target.shape and call.says("reduction", "mean") in _REDUCTIONS
    x, labels = call.text, as_primary(call.place.text(node))
    axis = 1 if len(call.source.shape) > 1 else 0
    top = f"torch.amax({x}, {axis}, keepdim=True)"
    lost = f"torch.log(torch.exp({x} - {top}).sum({axis})) + torch.amax({x}, {axis})"
    if target.shape == call.source.shape:
        # Probabilities of all classes.
        every = f"{x} - {top} - torch.log(torch.exp({x} - {top}).sum({axis}, keepdim=True))"
        each = f"-(({every}) * {labels}).sum({axis})"
        reduction = call.says("reduction", "mean")
        size = call.source.shape[0] if axis else 1
        yield _reduced(each, reduction) if reduction == "none" else f"({each}).{reduction}()" if size else each
        return
    index = f"{labels}[{':, ' * axis}None]"
    picked = f"torch.take_along_dim({x}, {index}, {axis})" + ("[:, 0]" if axis else "[0]")
    known = known and target.dtype == "int64"
    yield sure_if(known, _reduced(f"{lost} - {picked}", call.says("reduction", "mean")), "take_along_dim")


def _binary_entropy(call: Applied) -> Iterator[str]:
    node = call.given.get("target")
    if node is None or call.given.keys() - {"target", "reduction"}:
        return
    target = call.place.tensor(node)
    alike = target is not None and (target.shape, target.dtype) == (call.source.shape, call.source.dtype)
    known = alike and is_plain(call.source)
    x, labels = call.text, as_primary(call.place.text(node))
    text = f"{x}.clip(0) - {x} * {labels} + torch.log1p(torch.exp(-torch.abs({x})))"
    reduction = call.says("reduction", "mean")
    yield sure_if(known and reduction in _REDUCTIONS, _reduced(text, reduction))


def _distance(body: str) -> Way:
    """Write a loss of the distance of each pair of elements."""

    def write(call: Applied) -> Iterator[str]:
        node = call.given.get("target")
        target = None if node is None else call.place.tensor(node)
        if node is None or target is None or call.given.keys() - {"target", "reduction"}:
            return
        between = f"{call.text} - {as_primary(call.place.text(node))}"
        yield _reduced(body.format(between), call.says("reduction", "mean"))

    return write


_CROSS = "weight size_average ignore_index reduce reduction label_smoothing"
_BINARY = "weight size_average reduce reduction pos_weight"
_DISTANCE = "target size_average reduce reduction"
WAYS: dict[str, tuple[str, Way]] = {
    "cross_entropy": (f"target {_CROSS}", _cross_entropy),
    "CrossEntropyLoss": (f"target {_CROSS}", _cross_entropy),
    "binary_cross_entropy_with_logits": (f"target {_BINARY}", _binary_entropy),
    "BCEWithLogitsLoss": (f"target {_BINARY}", _binary_entropy),
    **dict.fromkeys(("mse_loss", "MSELoss"), (_DISTANCE, _distance("({}) ** 2"))),
    **dict.fromkeys(("l1_loss", "L1Loss"), (_DISTANCE, _distance("torch.abs({})"))),
}
