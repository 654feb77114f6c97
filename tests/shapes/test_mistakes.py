"""Mistakes that segmentation code is full of: the caret stands where the fault is, and what is proposed works."""

import pytest
import torch

from segcli.shapes import explain
from tests.shapes.oracle import ask_torch

# The expression, its names, the token at fault, and what works.
MISTAKES: list[tuple[str, str, str, str]] = [
    ("y[u]", "y=2,3,4 u=uint8:5", "u", "y[u.long()]"),
    ("x[[[True,False,True],[False,False,True]]]", "x=2,3,5,7", "[True,False,True]", "x[[0, 0, 1], [0, 2, 2]]"),
    ("y[i]", "y=2,3,4 i=int8:2", "i", "y[i.long()]"),
    ("y[::-1]", "y=2,3,4", "::-1", "y.flip(0)"),
    ("y.sum(keepdim=True)", "y=2,3,4", "True", "y.sum(dim=None, keepdim=True)"),
    ("n.mean(1)", "n=int64:2,3", "n.mean(1)", "n.float().mean(1)"),
    ("x.cumsum()", "x=2,3", "x.cumsum()", "x.flatten().cumsum(0)"),
    ("m.argmax(0)", "m=bool:2,3", "m.argmax(0)", "m.int().argmax(0)"),
    ("x[:, ::-1]", "x=2,3,4", "::-1", "x.flip(1)"),
    ("x.softmax()", "x=2,3,4", "x.softmax()", "x.softmax(dim=1)"),
    ("x.argmax((0,1))", "x=2,3,4", "(0,1)", "x.flatten(0, 1).argmax(0)"),
    ("x.sum(3)", "x=2,3,4", "3", "x.sum(-1)"),
    ("x.view(5)", "x=2,3,4", "5", "x.view(-1)"),
    ("x.reshape(5, -1)", "x=2,3,4", "5, -1", "x.reshape(-1)"),
    ("x.permute(0, 1)", "x=2,3,4", "0, 1", "x.permute(0, 1, 2)"),
    ("x.permute(0, 1, 1)", "x=2,3,4", "1", "x.permute(0, 1, 2)"),
    ("x.expand(3)", "x=2,3", "3", "x.expand(-1, 3)"),
    ("x.gather(1, i)", "x=2,3,4 i=int64:2,4", "i", "x.gather(1, i.unsqueeze(1))"),
    ("x.gather(1, y)", "x=2,19,8,8 y=int64:2,8,8", "y", "x.gather(1, y.unsqueeze(1))"),
    (
        "logits.gather(1, labels)",
        "logits=2,19,8,8 labels=int64:2,8,8",
        "labels",
        "logits.gather(1, labels.unsqueeze(1))",
    ),
    ("torch.cat([x, y])", "x=2,3 y=2,4", "y", "torch.cat([x, y], dim=1)"),
    ("torch.cat([x, y], 1)", "x=2,3,8,8 y=2,3,4,4", "y", "torch.cat([x, F.interpolate(y, size=x.shape[2:])], 1)"),
    ("torch.cat([x, y], 1)", "x=2,3,8,8 y=3,3,8,8", "y", "torch.cat([x, y], 0)"),
    ("torch.stack([x, y])", "x=2,3 y=2,4", "y", "torch.cat([x, y], dim=1)"),
    ("torch.cat(x, 1)", "x=2,3", "x", "torch.cat([x], 1)"),
    ("torch.cat([x, y], dim=2)", "x=2,3 y=2,3", "2", "torch.cat([x, y], dim=-1)"),
    ("F.cross_entropy(x, y)", "x=2,5,8,8 y=int64:2,1,8,8", "y", "F.cross_entropy(x, y.squeeze(1))"),
    ("F.cross_entropy(x, y)", "x=2,8,8,5 y=int64:2,8,8", "y", "F.cross_entropy(x.movedim(-1, 1), y)"),
    (
        "F.cross_entropy(x, y)",
        "x=2,5,4,4 y=int64:2,8,8",
        "y",
        "F.cross_entropy(F.interpolate(x, size=y.shape[-2:], mode='bilinear'), y)",
    ),
    ("F.cross_entropy(x, y)", "x=2,5,8,8 y=uint8:2,8,8", "y", "F.cross_entropy(x, y.long())"),
    ("F.cross_entropy(x, y)", "x=5,8,8 y=int64:8,8", "y", "F.cross_entropy(x[None], y[None])"),
    (
        "F.binary_cross_entropy_with_logits(x, y)",
        "x=2,1,8,8 y=2,8,8",
        "y",
        "F.binary_cross_entropy_with_logits(x, y.unsqueeze(1))",
    ),
    (
        "F.binary_cross_entropy_with_logits(x, y)",
        "x=2,1,8,8 y=int64:2,1,8,8",
        "y",
        "F.binary_cross_entropy_with_logits(x, y.float())",
    ),
    (
        "F.binary_cross_entropy_with_logits(x, y)",
        "x=2,8,8 y=2,1,8,8",
        "y",
        "F.binary_cross_entropy_with_logits(x, y.squeeze(1))",
    ),
    ("F.one_hot(y, 5)", "y=int32:2,8,8", "y", "F.one_hot(y.long(), 5)"),
    ("F.one_hot(y, 5)", "y=uint8:2,8,8", "y", "F.one_hot(y.long(), 5)"),
    ("nn.Conv2d(3, 8, 3)(x)", "x=2,4,8,8", "x", "nn.Conv2d(4, 8, 3)(x)"),
    ("nn.Conv2d(3, 8, 3)(x)", "x=2,8,8,3", "x", "nn.Conv2d(3, 8, 3)(x.movedim(-1, 1))"),
    ("nn.Conv2d(3, 8, 3)(x)", "x=8,8", "x", "nn.Conv2d(1, 8, 3)(x[None, None])"),
    ("nn.Conv2d(3, 8, 3)(x)", "x=1,2,3,8,8", "x", "nn.Conv2d(3, 8, 3)(x.flatten(0, 1))"),
    ("nn.Conv2d(3, 8, 9)(x)", "x=2,3,4,4", "x", "nn.Conv2d(3, 8, 9, padding='same')(x)"),
    ("nn.Conv2d(3, 8, 3)(x)", "x=uint8:2,3,8,8", "x", "nn.Conv2d(3, 8, 3)(x.float())"),
    ("nn.Conv2d(3, 8, 3)(x)", "x=float64:2,3,8,8", "x", "nn.Conv2d(3, 8, 3)(x.float())"),
    ("nn.ConvTranspose2d(16, 8, 2)(x)", "x=2,8,4,4", "x", "nn.ConvTranspose2d(8, 8, 2)(x)"),
    ("nn.BatchNorm2d(16)(x)", "x=2,8,4,4", "16", "nn.BatchNorm2d(8)(x)"),
    ("nn.BatchNorm2d(8)(x)", "x=2,8,4", "x", "nn.BatchNorm1d(8)(x)"),
    ("nn.BatchNorm1d(8)(x)", "x=2,8,4,4", "x", "nn.BatchNorm2d(8)(x)"),
    ("nn.GroupNorm(4, 16)(x)", "x=2,8,4,4", "x", "nn.GroupNorm(4, 8)(x)"),
    ("nn.GroupNorm(3, 8)(x)", "x=2,8,4,4", "3", "nn.GroupNorm(8, 8)(x)"),
    ("nn.LayerNorm(8)(x)", "x=2,8,4,4", "8", "nn.LayerNorm(8)(x.movedim(1, -1))"),
    ("nn.Linear(512, 10)(x)", "x=2,8,8,8", "x", "nn.Linear(512, 10)(x.flatten(1))"),
    ("nn.Linear(8, 10)(x)", "x=2,8,4,4", "x", "nn.Linear(8, 10)(x.movedim(1, -1))"),
    ("F.interpolate(x, size=(8, 8))", "x=3,8", "(8, 8)", "F.interpolate(x[None, None], size=(8, 8))[0, 0]"),
    (
        "F.interpolate(x, scale_factor=2, mode='bilinear')",
        "x=3,8,8",
        "'bilinear'",
        "F.interpolate(x[None], scale_factor=2, mode='bilinear')[0]",
    ),
    (
        "F.interpolate(x, size=(8, 8), mode='bilinear')",
        "x=8,8",
        "(8, 8)",
        "F.interpolate(x[None, None], size=(8, 8), mode='bilinear')[0, 0]",
    ),
    ("F.interpolate(x, size=y.shape)", "x=2,3,8,8 y=2,3,16,16", "y.shape", "F.interpolate(x, size=y.shape[2:])"),
    (
        "F.interpolate(x, size=(16, 16))",
        "x=uint8:3,8,8",
        "(16, 16)",
        "F.interpolate(x[None].float(), size=(16, 16))[0]",
    ),
    ("F.interpolate(y, size=(16, 16))", "y=int64:2,1,8,8", "y", "F.interpolate(y.float(), size=(16, 16))"),
    (
        "F.interpolate(y, size=(16, 16))",
        "y=int64:2,8,8",
        "(16, 16)",
        "F.interpolate(y[None].float(), size=(16, 16))[0]",
    ),
    (
        "F.interpolate(x, size=(16, 16), mode='bilinear')",
        "x=int64:2,1,8,8",
        "x",
        "F.interpolate(x.float(), size=(16, 16), mode='bilinear')",
    ),
    ("F.max_pool2d(x, 2)", "x=8,8", "x", "F.max_pool2d(x[None], 2)[0]"),
    ("F.pad(x, (1, 1, 1, 1, 1, 1))", "x=8,8", "(1, 1, 1, 1, 1, 1)", "F.pad(x, (1, 1, 1, 1))"),
    ("F.pad(x, (1, 1, 1))", "x=2,8,8", "(1, 1, 1)", "F.pad(x, (1, 1))"),
    ("F.pad(x, (1, 1), mode='reflect')", "x=2,3,8,8", "(1, 1)", "F.pad(x, (1, 1, 0, 0), mode='reflect')"),
    ("F.grid_sample(x, g)", "x=2,3,8,8 g=2,2,8,8", "g", "F.grid_sample(x, g.movedim(1, -1))"),
    ("x[m]", "x=2,3,8,8 m=bool:8,8", "m", "x[:, :, m]"),
    ("x[m]", "x=3,8,8 m=bool:8,8", "m", "x[:, m]"),
    ("x[m]", "x=2,3,8,8 m=bool:2,8,8", "m", "x.movedim(1, -1)[m]"),
    ("x[m] = 0", "x=2,3,8,8 m=bool:2,1,8,8", "m", "x[m.expand_as(x)] = 0"),
    ("x[m]", "x=2,3,8,8 m=uint8:2,8,8", "m", "x[m.long()]"),
    ("x[:, m]", "x=2,3,8,8 m=bool:2,8,8", "m", "x.movedim(1, -1)[m]"),
    ("x[:, 3]", "x=2,3", "3", "x[:, -1]"),
    ("x[0, 0, 0]", "x=2,3", "0, 0, 0", "x[0, 0]"),
    ("x[i, j]", "x=8,8,3 i=3, j=4,", "i, j", "x[i[:, None], j]"),
    ("x[f]", "x=2,3 f=float32:2", "f", "x[f.long()]"),
    ("x[m] = v", "x=8,8,3 m=bool:8,8#5 v=3,5", "v", "x[m] = v.mT"),
    ("x[0] = v", "x=2,3,4 v=4,3", "v", "x[0] = v.mT"),
    ("x + y", "x=2,3,8,8 y=3,", "y", "x + y[..., None, None]"),
    ("x + y", "x=2,3,8,8 y=2,8,8", "y", "x + y[:, None]"),
    ("x * m", "x=2,3,8,8 m=2,8,8", "m", "x * m[:, None]"),
    ("x - mean", "x=2,3,8,8 mean=2,3", "mean", "x - mean[..., None, None]"),
    ("x / std", "x=8,8,3 std=3,1,1", "std", "x / std[..., None]"),
    ("x @ y", "x=2,3 y=2,3", "y", "x @ y.mT"),
    ("x @ y", "x=2,3,4 y=2,3,4", "y", "x @ y.mT"),
    ("x @ w", "x=2,3 w=5,3", "w", "x @ w.mT"),
    ("w @ x", "w=5,3 x=2,3,8,8", "x", "w @ x.flatten(2)"),
    ("torch.bmm(x, y)", "x=2,3,4 y=2,3,4", "y", "torch.bmm(x, y.mT)"),
    ("torch.bmm(x, y)", "x=2,3,4 y=4,5", "torch.bmm(x, y)", "torch.matmul(x, y)"),
    ("torch.mm(x, y)", "x=2,3,4 y=4,5", "torch.mm(x, y)", "torch.matmul(x, y)"),
    ("torch.where(m, x, y)", "m=2,8,8 x=2,8,8 y=2,8,8", "m", "torch.where(m.bool(), x, y)"),
    ("torch.where(m, x, y)", "m=bool:2,8,8 x=2,3,8,8 y=2,3,8,8", "x", "torch.where(m[:, None], x, y)"),
    ("x.masked_fill(m, 0)", "x=2,3,8,8 m=bool:2,8,8", "x", "x.masked_fill(m[:, None], 0)"),
    ("x.masked_fill(m, 0)", "x=2,3,8,8 m=uint8:2,1,8,8", "m", "x.masked_fill(m.bool(), 0)"),
    ("x.masked_fill(m, 0)", "x=2,3,8,8 m=2,1,8,8", "m", "x.masked_fill(m.bool(), 0)"),
    ("x.masked_select(m)", "x=2,3,8,8 m=uint8:2,3,8,8", "m", "x.masked_select(m.bool())"),
    ("x.scatter(1, y, 1.0)", "x=2,19,8,8 y=int64:2,8,8", "y", "x.scatter(1, y.unsqueeze(1), 1.0)"),
    ("x.scatter(1, y, s)", "x=2,5 y=int64:2,1 s=int64:2,1", "s", "x.scatter(1, y, s.float())"),
    ("x.index_select(1, i)", "x=2,3 i=int64:1,2", "i", "x.index_select(1, i.flatten())"),
    ("x.split([2, 2], 1)", "x=2,3", "[2, 2]", "x.split([2, 1], 1)"),
    ("x.unflatten(1, (2, 4))", "x=2,6", "(2, 4)", "x.unflatten(1, (2, -1))"),
    ("x.repeat(2)", "x=2,3", "2", "x.tile(2)"),
    ("x.flatten(2, 1)", "x=2,3,4", "1", "x.flatten(1, 2)"),
    ("x.transpose(1, 3)", "x=2,3,4", "3", "x.transpose(1, -1)"),
    ("x.T.view(-1)", "x=2,3", "-1", "x.T.reshape(-1)"),
    ("x.t()", "x=2,3,4", "x.t()", "x.mT"),
    ("x.topk(5, 1)", "x=2,3", "5", "x.topk(3, 1)"),
    ("x.kthvalue(0)", "x=2,3", "0", "x.kthvalue(3)"),
    ("~x", "x=2,3", "x", "~x.bool()"),
    ("x & y", "x=2,3 y=2,3", "x & y", "x.bool() & y.bool()"),
    ("x << 1", "x=2,3", "x << 1", "x.long() << 1"),
    ("F.cross_entropy(x.argmax(1), y)", "x=2,5,8,8 y=int64:2,8,8", "y", "F.cross_entropy(x, y)"),
    (
        "F.cross_entropy(x, F.one_hot(y, 5))",
        "x=2,5,8,8 y=int64:2,8,8",
        "F.one_hot(y, 5)",
        "F.cross_entropy(x, F.one_hot(y, 5).argmax(-1))",
    ),
    ("x.max(1) > 0", "x=2,3", ">", "x.max(1).values > 0"),
    ("x.max(1).argmax(0)", "x=2,3", "x.max(1).argmax(0)", "x.max(1).values.argmax(0)"),
    ("x.logsumexp()", "x=2,3", "x.logsumexp()", "x.logsumexp(dim=1)"),
    ("x.view(x.shape[0], x.shape[1]/2, 2)", "x=3,4", "x.shape[1]/2", "x.view(x.shape[0], x.shape[1]//2, 2)"),
    (
        "F.interpolate(x, size=(x.shape[2]/2, 4))",
        "x=1,3,8,8",
        "(x.shape[2]/2, 4)",
        "F.interpolate(x, size=(x.shape[2]//2, 4))",
    ),
    ("torch.zeros(x.shape[0]/2)", "x=4,3", "x.shape[0]/2", "torch.zeros(x.shape[0]//2)"),
    ("x[:x.shape[0]/2]", "x=4,3", "x.shape[0]/2", "x[:x.shape[0]//2]"),
    ("x[1:2.0]", "x=4,3", "2.0", "x[1:2]"),
    ("x[1.0]", "x=4,3", "1.0", "x[1]"),
    ("x.sum(1, keepdim=1)", "x=2,3", "1", "x.sum(1, keepdim=True)"),
    ("F.grid_sample(x, g, align_corners=0)", "x=1,3,8,8 g=1,4,4,2", "0", "F.grid_sample(x, g, align_corners=False)"),
    ("F.max_pool2d(x, 2, padding=2)", "x=1,3,8,8", "2", "F.max_pool2d(x, 2, padding=1)"),
    ("F.avg_pool2d(x, 3, 1, 2)", "x=1,3,8,8", "2", "F.avg_pool2d(x, 3, 1, 1)"),
    ("F.pad(x, 1)", "x=1,3,8,8", "1", "F.pad(x, (1, 1, 1, 1))"),
    ("F.pad(x, 2)", "x=8,", "2", "F.pad(x, (2, 2))"),
    (
        "F.interpolate(x, size=(4, 4), align_corners=True)",
        "x=1,3,8,8",
        "True",
        "F.interpolate(x, size=(4, 4), align_corners=True, mode='bilinear')",
    ),
    (
        "F.interpolate(x, size=(4, 4), mode='linear')",
        "x=1,3,8,8",
        "'linear'",
        "F.interpolate(x, size=(4, 4), mode='bilinear')",
    ),
    ("F.interpolate(x, size=4, scale_factor=2)", "x=1,3,8,8", "2", "F.interpolate(x, scale_factor=2)"),
    ("x.transpose(2, 0, 1)", "x=2,3,4", "x.transpose(2, 0, 1)", "x.permute(2, 0, 1)"),
    ("torch.stack(x, y)", "x=2,3 y=2,3", "x", "torch.stack([x, y])"),
    ("torch.cat(x, y, 1)", "x=2,3 y=2,3", "torch.cat(x, y, 1)", "torch.cat([x, y], 1)"),
    ("F.cross_entropy(y, x)", "x=float32:2,5,8,8 y=int64:2,8,8", "y", "F.cross_entropy(x, y)"),
    (
        "F.binary_cross_entropy_with_logits(x, y)",
        "x=4,3 y=1,",
        "y",
        "F.binary_cross_entropy_with_logits(x, y.expand_as(x))",
    ),
    ("nn.Embedding(5, 4)(i)", "i=uint8:3,", "i", "nn.Embedding(5, 4)(i.long())"),
    ("nn.BatchNorm2d(3)(x)", "x=float64:2,3,4,4", "x", "nn.BatchNorm2d(3)(x.float())"),
    ("nn.LayerNorm(4)(x)", "x=float64:2,3,4,4", "x", "nn.LayerNorm(4)(x.float())"),
    ("x[...,...,0]", "x=2,3,4", "0", "x[..., 0]"),
    ("x[..., ..., i]", "x=2,3,4 i=3,", "..., ..., i", "x[..., i]"),
    ("x[m, :]", "x=2,3 m=bool:3,", "m", "x[:, m]"),
    ("x[m, :, 0]", "x=2,3,4 m=bool:3,", "m", "x[:, m, 0]"),
    ("b - c", "b=bool:2,3 c=bool:2,3", "b - c", "b ^ c"),
    ("-b", "b=bool:2,3", "b", "~b"),
]
# No other text says what was meant.
HOPELESS: list[tuple[str, str]] = [
    ("x.sum(4)", "x=2,3,4"),
    ("x.expand(2, 5)", "x=2,3"),
    ("x.expand(4, 3, 3)", "x=2,3"),
    ("F.cross_entropy(x, y)", "x=2,5,8,8 y=int64:3,8,8"),
    ("F.conv2d(x, w)", "x=2,3,8,8 w=8,4,3,3"),
    ("F.max_pool2d(x, 9)", "x=2,3,8,8"),
    ("F.grid_sample(x, g)", "x=2,3,8,8 g=2,8,8"),
    ("x[5]", "x=2,3"),
    ("torch.einsum('bchw,bc->bhw', x, y)", "x=2,3,8,8 y=2,4"),
    ("torch.einsum('bchw,bdhw->bcd', x, y)", "x=2,3,8,8 y=2,3,4,4"),
    ("x.unsqueeze(5)", "x=2,3"),
    ("x[0.5]", "x=2,3"),
    ("x.sum(1, keepdim=2)", "x=2,3"),
    ("F.pad(x, 1)", "x=()"),
    ("torch.cat(x, y)", "x=2,3 y=3,4"),
    ("F.cross_entropy(x, x)", "x=int64:2,5"),
    ("x.mT", "x=3,"),
    ("x.item()", "x=2,3"),
]


def tensors_of(specs: str) -> dict[str, torch.Tensor]:
    """Make tensors of zeros; of masks, as many are True as their specs say."""
    made = {}
    for spec in specs.split():
        name, _, text = spec.partition("=")
        dtype, _, sizes = text.rpartition(":")
        if text.startswith("["):
            continue
        sizes, _, count = sizes.partition("#")
        kind = getattr(torch, dtype or ("int64" if name in "ij" else "float32"))
        made[name] = torch.zeros([int(size) for size in sizes.split(",") if size], dtype=kind)
        made[name].view(-1)[: int(count or 0)] = 1
    return made


@pytest.mark.parametrize(("expr", "specs", "token", "rewrite"), MISTAKES, ids=lambda value: str(value)[:60])
def test_a_mistake_is_shown_and_mended(expr: str, specs: str, token: str, rewrite: str) -> None:
    torch.set_num_threads(1)
    told = explain(expr, dict(spec.split("=", 1) for spec in specs.split()))
    tensors = tensors_of(specs)
    real = ask_torch(expr, tensors)
    assert told.torch.error is not None
    assert (told.torch.error.type, told.torch.error.token) == (real.error, token)
    assert told.rewrite == rewrite
    assert ask_torch(rewrite, tensors).error is None


@pytest.mark.parametrize(("expr", "specs"), HOPELESS)
def test_nothing_is_proposed_where_nothing_is_meant(expr: str, specs: str) -> None:
    told = explain(expr, dict(spec.split("=", 1) for spec in specs.split()))
    assert told.torch.error is not None
    assert told.rewrite is None
