"""What to write in place of a name that is not supported: what means the same, or else what is spelt nearly so."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from segcli.shapes.operations import is_known, names_in, written

# Names are the same but for a letter or two.
_ALIKE = 0.6
_MOST = 4
_SPACES = ("method", "attribute", "torch", "functional", "nn")
_ALL = "segcli shapes --help lists what is supported"
_BESIDE = "NumPy's answer stands beside PyTorch's"
_POINTED_LOSS = "write F.binary_cross_entropy_with_logits(x, y), which has the same shapes"
_DEVICE = "leave it out, or write x.to('cuda'): shapes are the same on every device"
_GRADIENT = "a gradient has the shape and the dtype of its tensor"
_REARRANGE = "write x.permute(...).reshape(...)"
_LAYERS = "write nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())(x)"
_PICTURE = "write what it does to the tensor: F.interpolate(x, size=(64, 64)), x[..., :64, :64] or x.flip(-1)"
# What people write, and what means the same here; a name that is supported by now is not looked for.
_INSTEAD = {
    **dict.fromkeys(("device", "is_cuda", "get_device", "pin_memory"), _DEVICE),
    **dict.fromkeys(("numpy", "from_numpy"), f"leave it out: {_BESIDE}"),
    **dict.fromkeys(("grad", "backward"), _GRADIENT),
    **dict.fromkeys(("retain_grad", "no_grad"), "leave it out: gradients change no shape"),
    **dict.fromkeys(("Tensor", "FloatTensor", "LongTensor"), "write torch.tensor([0, 1])"),
    "tolist": "leave it out: x.shape has the lengths of the lists",
    "resize": "write x.reshape(...), or F.interpolate(x, size=(64, 64)) for a picture",
    "nelement": "write x.numel()",
    "ndimension": "write x.dim()",
    "rearrange": _REARRANGE,
    "normalize": "write x / x.norm(dim=1, keepdim=True)",
    "batch_norm": "write nn.BatchNorm2d(64)(x)",
    "SyncBatchNorm": "write nn.BatchNorm2d(64)(x): the shape is the same, and it runs on a CPU",
    "layer_norm": "write F.layer_norm(x, (64,))",
    "group_norm": "write F.group_norm(x, 8)",
    "upsample": "write F.interpolate(x, scale_factor=2)",
    **dict.fromkeys(("mse_loss", "MSELoss"), "write ((x - y) ** 2).mean()"),
    **dict.fromkeys(("l1_loss", "L1Loss"), "write (x - y).abs().mean()"),
    "linalg": "write x.norm(dim=1)",
    "equal": "write (x == y).all()",
    "allclose": "write ((x - y).abs() < 1e-5).all()",
    "isin": "write (x[..., None] == y).any(-1)",
    "ger": "write torch.outer(x, y)",
    **dict.fromkeys(("binary_cross_entropy", "BCELoss"), _POINTED_LOSS),
    **dict.fromkeys(
        ("quantile", "nanquantile"), "write x.median(dim=1), or x.kthvalue(k, dim=1): the shape is the same"
    ),
    **dict.fromkeys(("addmm", "baddbmm", "addbmm"), "write bias + x @ y"),
    **dict.fromkeys(("kl_div", "KLDivLoss"), "write (y * (y.log() - x)).mean()"),
    "kron": "write (x[:, None, :, None] * y[None, :, None, :]).reshape(...)",
    "cross": "write x * y of that shape: a cross product has the shape of what it is of",
    "tensordot": "write torch.einsum('ij,jk->ik', x, y)",
    "nanmean": "write x.mean(dim=1): the shape is the same",
    "mode": "write x.median(dim=1): the shape is the same",
    "cdist": "write (x[:, None] - y[None]).norm(dim=-1)",
    **dict.fromkeys(("ModuleList", "ModuleDict"), _LAYERS),
    "index_put_": "write x[i, j] = v; with accumulate=True the shape is the same",
}
_FUNCTIONS = {
    "range": "write torch.arange(3)",
    "rearrange": _REARRANGE,
    "OrderedDict": _LAYERS,
}
_USUAL = "write x.sum(...), torch.sum(x, ...), F.pad(x, ...) or nn.Conv2d(...)(x)"
# Names of other modules, and of what is no tensor.
_ELSEWHERE = {
    "self": "bind the tensor or the layer by a name of its own: x=8,16,3",
    "einops": _REARRANGE,
    "device": "write x.to('cuda'): shapes are the same on every device",
    **dict.fromkeys(("torchvision", "tv", "TF", "transforms", "cv2", "Image"), _PICTURE),
}


def hint_for(name: str, spaces: Sequence[str]) -> str:
    """Return a hint for a name that is not supported where it stands.

    Args:
        name: The name.
        spaces: Where it stands; ``attribute`` first for what is not called.

    Examples:
        >>> hint_for("nelement", ("method",)), hint_for("squeeze_", ("method",)), hint_for("shape", ("method",))
        ('write x.numel()', 'write x.squeeze(...), for the shape is the same', 'write x.shape, without brackets')
    """
    if name in _INSTEAD:
        return _INSTEAD[name]
    if name.endswith("_") and is_known("method", name[:-1]):
        return f"write x.{name[:-1]}(...), for the shape is the same"
    if spaces[0] == "attribute" and is_known("method", name):
        return f"call it: x.{name}(...)"
    if spaces[0] == "method" and is_known("attribute", name):
        return f"write x.{name}, without brackets"
    if is_known(spaces[0], name):
        return f"call it: {written(spaces[0], name)}(...)"
    return _nearest(name, spaces)


def _nearest(name: str, spaces: Sequence[str]) -> str:
    """Return the supported names that are spelt most alike, those of the same spaces first."""
    known: dict[str, str] = {}
    for space in dict.fromkeys((*spaces, *_SPACES)):
        for candidate in names_in(space):
            # What changes a tensor where it is, nobody means who does not write it.
            if name.endswith("_") or not candidate.endswith("_"):
                known.setdefault(candidate, space)
    meant = [written(space, name) for space in _SPACES if is_known(space, name)]
    # A letter in the other case makes no other name.
    folded = {candidate.lower(): candidate for candidate in reversed(known)} | {each: each for each in known}
    close = [folded[each] for spelt in (name, name.lower()) for each in get_close_matches(spelt, folded, _MOST, _ALIKE)]
    meant += [written(known[candidate], candidate) for candidate in close]
    return f"the nearest: {', '.join(list(dict.fromkeys(meant))[:_MOST])}" if meant else _ALL


def hint_for_function(name: str) -> str:
    """Return a hint for a function that stands without a module, such as ``len``.

    Examples:
        >>> hint_for_function("range"), hint_for_function("cumsum")
        ('write torch.arange(3)', 'write x.cumsum(...)')
    """
    if name in _FUNCTIONS:
        return _FUNCTIONS[name]
    known = [written(space, name) for space in _SPACES if is_known(space, name)]
    return f"write {known[0]}(...)" if known else _USUAL


def hint_for_name(expr: str, name: str, end: int) -> str:
    """Return a hint for a name that is not bound.

    Args:
        expr: The expression.
        name: The name.
        end: Where it ends.

    Examples:
        >>> hint_for_name("np.stack([x])", "np", 2)
        "write torch.stack: NumPy's answer stands beside PyTorch's"
    """
    if name in ("np", "numpy"):
        found = re.match(r"\s*\.\s*(\w+)", expr[end:])
        return hint_for_numpy(found[1] if found else "")
    return _ELSEWHERE.get(name, f"append {name}=8,16,3 for its shape, or another SPEC")


def hint_for_numpy(name: str) -> str:
    """Return a hint for a function of NumPy that is not supported under NumPy's name."""
    if name in _INSTEAD:
        return _INSTEAD[name]
    known = [written(space, name) for space in ("torch", "method", "functional") if is_known(space, name)]
    return f"write {known[0] if known else 'x.f() or torch.f(x)'}: {_BESIDE}"
