"""How a step is written anew, where sizes are unknown, arguments seldom used, or nothing is the same in both."""

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from segcli.errors import SegcliError
from segcli.shapes import explain
from segcli.shapes.evaluate import TORCH
from segcli.shapes.mending import proposals
from segcli.shapes.rewriting.asking import ask
from segcli.shapes.rewriting.place import Place
from segcli.shapes.rewriting.proposals import propose
from segcli.shapes.rewriting.steps import survey
from segcli.shapes.stages import Evaluation
from segcli.shapes.text.names import bind
from segcli.shapes.text.parse import parse

WAYS: list[tuple[str, str, str | None]] = [
    ("x.squeeze(d)", "x=2,3 d=tensor(1)", "x"),
    ("x.narrow(1, -2, 2)", "x=2,N", None),
    ("x.narrow(1, 0, 2)", "x=2,N", None),
    ("x.narrow(1, -2, 2)", "x=2,5", "x[:, 3:5]"),
    ("x.flatten(1)", "x=N,0,3", "x.reshape((N, 0))"),
    ("x.flatten(1)", "x=2,3,H,W", "x.reshape(x.shape[0], -1)"),
    ("(x + 1).flatten(1)", "x=2,3,4", "(x + 1).reshape(2, -1)"),
    ("(x + 1).flatten(1)", "x=N,3,4", "(x + 1).reshape((x + 1).shape[0], -1)"),
    ("x.unflatten(1, (2, -1))", "x=N,4,H", "x.reshape(x.shape[0], 2, -1, x.shape[2])"),
    ("x.expand(-1, 4)", "x=N,1", "torch.broadcast_to(x, (x.shape[0], 4))"),
    ("x.expand(x.shape)", "x=2,3", None),
    ("x.split(2)", "x=N,3", None),
    ("x.split(2)[0]", "x=N,3", None),
    ("x.split(2)[5]", "x=4,3", None),
    ("x.chunk(2)[1]", "x=5,3", "x[3:5]"),
    ("x.unbind(0)[0]", "x=N,3", None),
    ("x.split([1, 2])[-1]", "x=3,4", "x[1:3]"),
    ("x.max(1)[k]", "x=2,3 k=1", "x.argmax(1)"),
    ("x.max(1)[i]", "x=2,3 i=tensor(1)", None),
    ("(x + 1).max(1).values", "x=2,3", "torch.amax((x + 1), 1)"),
    ("x.topk(2, 1)[0][0]", "x=2,3", "torch.take_along_dim(x, torch.argsort(-x, dim=1, stable=True)[:, :2], 1)[0]"),
    ("x.median(0)", "x=N,3", None),
    ("x.median()", "x=N,3", None),
    ("x.median()", "x=0,3", None),
    ("x.median(0)", "x=()", None),
    ("x.kthvalue(1)", "x=()", None),
    ("x.norm(p=2, dim=1)", "x=2,3", "torch.sqrt((x * x).sum(1))"),
    ("x.sum(())", "x=int32:2,3", "x.sum()"),
    ("x.amax(())", "x=2,3", "torch.amax(x)"),
    ("x.gather(0, i)", "x=2,3 i=int64:1", "x.gather(0, i.unsqueeze(1))"),
    ("x.scatter(0, i, 1.0)", "x=2,3 i=int64:1,2", None),
    ("x.scatter(0, i, s)", "x=2,3 i=int64:2,3 s=2,3", None),
    ("x.scatter(0, i, 1.0, reduce='add')", "x=2,3 i=int64:2,3", None),
    ("x.masked_select(m)", "x=2,3 m=bool:2,3", "x[m]"),
    ("x.masked_select(m)", "x=3, m=bool:2,3", "torch.broadcast_to(x, m.shape)[m]"),
    ("x.take_along_dim(i, 0)", "x=3,4 i=int64:tensor([[5,1,1,0]])", "torch.take_along_dim(x, i % x.shape[0], 0)"),
    ("x.take_along_dim(i)", "x=3,4 i=tensor([20])", None),
    ("x.nonzero(as_tuple=False)", "x=2,3", "torch.argwhere(x)"),
    ("x[i]", "x=8,3,4 i=[[0,1],[1,0]]", "x[[0,1], [1,0]]"),
    ("(x + 1)[i].sum(0)", "x=8,3 i=[(0,1)]", "(x + 1)[(0,1),].sum(0)"),
    ("x[i] = 0", "x=8,3,4 i=[[],[]]", "x[[], []] = 0"),
    ("x[0, :, i] += v", "x=2,3,4 i=2, v=3,2", "x[0][:, i] += v"),
    ("x[0, :, i] = v", "x=2,3,4 i=2, v=3,2", "x[0][:, i] = v"),
    ("x[0] = v", "x=2,3 v=int64:1,3", None),
    ("x[0, 0] = v", "x=2,3 v=1,1", "x[0, 0] = v.reshape(())"),
    ("x[m] = v", "x=2,3 m=bool:2,3#2 v=1,2", "x[m] = v.reshape((2,))"),
    ("x[0] = [1, 2, 3]", "x=2,3", None),
    ("x[[0, 1]] = 1.5", "x=int64:2,3", None),
    ("x[..., i, ...]", "x=2,3,4 i=2,", "x[..., i]"),
    ("x[..., 0:2, ...]", "x=N,3,4", "x[:, :, 0:2]"),
    ("x[None, ..., 0, ...]", "x=2,3,4", "x[None, ..., 0]"),
    ("x[..., 1:, ...]", "x=2,3,N", "x[..., 1:]"),
    ("x[[[0.5, 1.5]]]", "x=2,3", None),
    ("x[u, :, 0]", "x=2,3,4 u=uint8:tensor(0)", "x[False, :, 0]"),
    ("x[u]", "x=2,3 u=uint8:2", "x[u.bool()]"),
    ("x[0, k, i]", "x=2,3,4 k=True i=2,", None),
    ("torch.cat([x, e], dim=0)", "x=2,3 e=0,", "torch.concatenate([x], dim=0)"),
    ("torch.cat(tensors=[x, e])", "x=2,3 e=0,", "torch.concatenate([x])"),
    ("torch.cat([x, y])", "x=2,3 y=int64:2,3", "torch.cat([x.to(torch.float32), y.to(torch.float32)])"),
    ("torch.cat(x.max(1))", "x=2,3", None),
    ("torch.zeros(size=(2, 3)) + x", "x=2,3", "torch.zeros(size=(2, 3), dtype=torch.float32) + x"),
    ("torch.arange(5.0) + x", "x=5,", "torch.arange(5.0, dtype=torch.float32) + x"),
    ("torch.full((2,), 1.0) + x", "x=2,", "torch.full((2,), 1.0, dtype=torch.float32) + x"),
    ("torch.full_like(x, 1)", "x=2,", None),
    ("x.to(torch.bfloat16)", "x=2,", None),
    ("x + b", "x=2, b=bfloat16:2", None),
    ("torch.add(x, b)", "x=2, b=int64:2", "torch.add(x, b.float())"),
    ("x.div(n, rounding_mode='trunc')", "x=int64:2 n=int64:2", "torch.trunc(x / n).long()"),
    ("F.one_hot(y)", "y=tensor([0,2])", None),
    ("F.max_pool2d(x, 3, 2, 1)", "x=1,2,8,8", None),
    ("F.max_pool2d(x, 2, dilation=2)", "x=1,2,8,8", None),
    ("F.max_pool2d(x, 3)", "x=1,2,8,6", "torch.amax(x[..., :6, :].reshape(1, 2, 2, 3, 2, 3), (3, 5))"),
    ("F.max_pool2d(x, 3)", "x=1,2,6,8", "torch.amax(x[..., :, :6].reshape(1, 2, 2, 3, 2, 3), (3, 5))"),
    ("F.avg_pool2d(x, 2, ceil_mode=True)", "x=1,2,5,5", None),
    ("F.max_pool2d(x, 2)", "x=N,2,8,8", "torch.amax(x.reshape(x.shape[0], 2, 4, 2, 4, 2), (3, 5))"),
    ("F.max_pool2d(x, 2)", "x=N,2,H,W", None),
    ("F.adaptive_avg_pool2d(x, (3, 2))", "x=1,2,8,8", None),
    ("F.adaptive_avg_pool2d(x, (None, 2))", "x=1,2,8,8", None),
    ("F.adaptive_max_pool2d(x, 1)", "x=1,2,8,8", "torch.amax(x, (2, 3), keepdim=True)"),
    ("nn.MaxPool2d(2)(x[0])", "x=1,2,8,8", "torch.amax(x[0].reshape(2, 4, 2, 4, 2), (2, 4))"),
    ("nn.Linear(4, 5)(x)", "x=2,4", None),
    ("nn.Linear(4, 5)(input=x)", "x=2,4", None),
    ("F.linear(x, w)", "x=2,4 w=5,4", "x @ w.T"),
    ("F.interpolate(x, scale_factor=2, recompute_scale_factor=True)", "x=1,2,4,4", None),
    ("F.interpolate(x, size=(6, 6))", "x=1,2,4,4", None),
    ("F.interpolate(x, size=(4, 4))", "x=1,2,4,4", "x"),
    ("F.interpolate(x, size=(2, 2), mode='nearest-exact')", "x=1,2,4,4", None),
    ("F.interpolate(x, scale_factor=2)", "x=1,2,H,W", None),
    ("F.interpolate(x, size=(8, 8), mode='bilinear')", "x=1,2,4,4", None),
    ("F.pad(x, (1, 2))", "x=2,4", None),
    ("F.pad(x, (-1, 0))", "x=2,4", "x[:, 1:]"),
    ("F.cross_entropy(x, y, weight=w)", "x=2,5,3 y=int64:2,3 w=5,", None),
    ("F.binary_cross_entropy_with_logits(x, y, weight=y)", "x=2,5 y=2,5", None),
    ("x.transpose(0, 1).sum(9)", "x=2,3,4", None),
    ("torch.where(m, x, y)", "m=bool:2 x=2, y=int64:2", "torch.where(m, x, y.float())"),
    ("~(x.flatten(1) > 0)", "x=2,3,4", "~(x.reshape(x.shape[0], -1) > 0)"),
    ("x[x.flatten(1).argmax(1) % 2]", "x=2,3,4", "x[x.reshape(x.shape[0], -1).argmax(1) % 2]"),
    ("x.transpose(0, 1)[i.max(0).values]", "x=2,3,4 i=int64:2,2", "x.swapaxes(0, 1)[torch.amax(i, 0)]"),
    ("x.max(1)", "x=bool:2,3", "torch.amax(x, 1), x.int().argmax(1)"),
    ("x.max(0).indices", "x=bool:2,3", "x.int().argmax(0)"),
    ("x.view(torch.int32)", "x=2,3", None),
    ("x.expand(*y.shape[:1], -1, 3)", "x=1,3 y=4,2", None),
    ("x.norm(dim=1).relu()", "x=float64:2,3", "torch.sqrt((x * x).sum(1)).clip(0)"),
    ("x[::-2]", "x=4,3", None),
    ("x[0, 0, 0, 0]", "x=2,3", None),
    ("x[m, 0]", "x=2,3 m=bool:2,3", "x[m]"),
    ("x[None, 0, 0, 0]", "x=2,3", "x[None, 0, 0]"),
    ("x[i, i, i]", "x=2,3 i=2,", "x[i, i]"),
    ("x[1:] = x[:-1]", "x=4,3", "x[1:] = x[:-1].clone()"),
    ("x[1:] += x[:-1]", "x=4,3", "x[1:] += x[:-1].clone()"),
    ("x.mm(y)", "x=2,3,4 y=4,5", "x.matmul(y)"),
    ("x += y", "x=int64:2,3 y=2,3", "x + y"),
    ("x[u] = 0", "x=5,3 u=uint8:5", "x[u.bool()] = 0"),
    ("x[i, u] = 0", "x=5,3 i=int64:3 u=uint8:3", "x[i, u.bool()] = 0"),
    ("F.cross_entropy(x, y)", "x=2,5 y=int64:2,5", None),
    ("nn.Sequential(nn.BatchNorm2d(4))(x)", "x=2,4,4", None),
    ("x.split([])", "x=2,3", None),
    ("x.split([1, 1, 1])", "x=2,3", "x.split([1, 1, 0])"),
    ("x.median((0, 1))", "x=2,3", "x.flatten(0, 1).median(0)"),
    ("x.median((0, 2))", "x=2,3,4", None),
    ("x.topk(2, (0, 1))", "x=2,3", "x.flatten(0, 1).topk(2, 0)"),
    ("x.cumprod(dtype=None)", "x=2,3", "x.cumprod(dtype=None, dim=1)"),
    ("x.std(1, keepdim=1.5)", "x=2,3", None),
    ("x.scatter(0, i, 1.0)", "x=() i=int64:()", None),
    ("x.scatter_add(0, i, x)", "x=() i=int64:()", None),
    (
        "x.scatter_add(1, i, s)",
        "x=2,3 i=int64:2,3 s=4,5",
        "x + torch.where(i[..., None] == torch.arange(x.shape[1]), s[:2, :3, None], 0).sum(1)",
    ),
    ("x.scatter_add(1, i, s)", "x=2,3 i=int64:1,3 s=4,5", None),
    ("x.squeeze(dim=(-1,))", "x=()", "x"),
    ("x.expand(-1)", "x=()", None),
    ("x.expand(2)", "x=()", None),
    ("nn.Conv3d(2, 3, 1, padding_mode='reflect')(x)", "x=2,3,4,5", None),
    (
        "nn.InstanceNorm1d(None, 1e400)(y)",
        "y=2,3,4",
        "(y - y.mean((2,), keepdim=True)) / torch.sqrt(torch.var(y, (2,), correction=0, keepdim=True) + 1e400)",
    ),
    ("torch.full((1, 2), 'ij,jk')", "", None),
    ("torch.div(x, y, rounding_mode=None)", "x=int64:2, y=int64:2", "x.float() / y.float()"),
    ("x.div(y)", "x=int64:2, y=int64:2", "x.float().div(y.float())"),
    ("x.div(y, rounding_mode='floor')", "x=2, y=2,", "x // y"),
    ("x.clamp(1.5)", "x=int64:2,3", "x.float().clamp(1.5)"),
    ("F.max_pool2d(x, 2, return_indices=True)", "x=1,2,4,4", None),
    ("F.avg_pool2d(x, 2, divisor_override=3)", "x=1,2,4,4", None),
    ("F.one_hot(y, num_classes=-1)", "y=tensor([0,2])", None),
    ("F.one_hot(y, n)", "y=int64:2,3 n=5", "torch.where(y[..., None] == torch.arange(n), 1, 0)"),
    ("F.cross_entropy(x, y, ignore_index=255)", "x=2,5,4 y=int64:2,4", None),
    ("nn.CrossEntropyLoss(w)(x, y)", "x=2,5,4 y=int64:2,4 w=5,", None),
    (
        "nn.CrossEntropyLoss(reduction='sum')(x, y)",
        "x=2,5,4 y=int64:2,4",
        (
            "(torch.log(torch.exp(x - torch.amax(x, 1, keepdim=True)).sum(1)) + torch.amax(x, 1) - "
            "torch.take_along_dim(x, y[:, None], 1)[:, 0]).sum()"
        ),
    ),
    ("nn.BCEWithLogitsLoss(w)(x, y)", "x=2,5 y=2,5 w=5,", None),
    (
        "nn.GroupNorm(2, 4, eps=0.1)(x)",
        "x=2,4,3,5",
        (
            "((x.reshape(2, 2, -1) - x.reshape(2, 2, -1).mean((2,), keepdim=True)) / "
            "torch.sqrt(torch.var(x.reshape(2, 2, -1), (2,), correction=0, keepdim=True) + 0.1)).reshape(2, 4, 3, 5)"
        ),
    ),
    ("F.interpolate(x, size=(2, 8))", "x=1,2,4,4", "torch.repeat_interleave(x, 2, 3)[:, :, ::2]"),
    ("x.norm(float('nan'))", "x=2,3", None),
    ("x[0] = x.sigmoid()[1]", "x=2,3", "x[0] = (1 / (1 + torch.exp(-x)))[1]"),
    ("x.sigmoid().max() * 2", "x=2,3", "(1 / (1 + torch.exp(-x))).max() * 2"),
    ("x.median().sigmoid()", "x=3,", "1 / (1 + torch.exp(-x.median()))"),
    ("x.sum(dim=[0, 1])", "x=2,3", "x.sum((0, 1))"),
    ("x.amin([0, 1])", "x=2,3", "torch.amin(x, (0, 1))"),
    ("x.max([0, 1])", "x=2,3", None),
    ("x.any(dim=2)", "x=uint8:2,3,4", "x.any(dim=2).byte()"),
    ("x.gather(0, i)", "x=3,4 i=int64:2,2", "torch.take_along_dim(x[:, :2], i, 0)"),
    ("x.gather(0, i)", "x=() i=int64:1", None),
    ("torch.masked_select(x, m)", "x=2,3,4 m=bool:4,", "x[..., m].reshape(-1)"),
    ("torch.where(x)", "x=2,3", None),
    ("x[0, 1] = v", "x=2,3 v=1,1", "x[0, 1] = v.reshape(())"),
    ("x[[0, 1], :, 0] = v", "x=2,3,4 v=2,3", None),
    ("x[0, :, i] = v", "x=2,3,4 i=2, v=2,3", "x[0, :, i] = v.mT"),
    ("x[False] = v", "x=2,3 v=7,7", "x[False] = 0"),
    ("x[i] = v", "x=5,3 i=int8:2 v=2,3", "x[i.long()] = v"),
    ("torch.zeros(2)", "", "torch.zeros((2,), dtype=torch.float32)"),
    ("torch.zeros_like(x, dtype=torch.bfloat16)", "x=2,", None),
    ("torch.zeros(2, 3, dtype=torch.bfloat16)", "", None),
    (
        "torch.arange(5.0).max(0)",
        "",
        "torch.amax(torch.arange(5.0, dtype=torch.float32), 0), torch.arange(5.0, dtype=torch.float32).argmax(0)",
    ),
    ("x.split(2)[0]", "x=2,N", "x[0:2]"),
    ("x.split(2)[0]", "x=N,4", None),
    ("x.split([1, 1])[0]", "x=2,N", None),
    ("torch.split(x, 1)[0][0]", "x=4,3", None),
    ("x.unbind(0)[0].sigmoid()", "x=4,3", "1 / (1 + torch.exp(-x.unbind(0)[0]))"),
    ("x.chunk(2)[0]", "x=2,3", "x[0:1]"),
    ("x[0:1, None, k, :, i]", "x=2,3,4,5 k=1 i=2,", "x[:, k][0:1, None, :, i]"),
    ("x[0, :, 1, [0, 1]]", "x=2,3,4,5", "x[0, :, 1][:, [0, 1]]"),
    ("x[b, :, 0]", "x=2,3,4 b=bool:tensor(True)", None),
    ("x[..., 0, ..., :]", "x=2,3,4", "x[:, 0]"),
    ("x[..., k, ...]", "x=2,3,4 k=1", "x[:, :, 1]"),
    ("x.masked_select(*[m])", "x=2,3 m=bool:2,3", "x[*[m]]"),
    ("x.masked_select(m)", "x=2,3,4 m=bool:3,1", None),
    ("x.scatter(0, i, 1.0)", "x=() i=int64:1", None),
    ("x.scatter_add(0, *[i, s])", "x=2, i=int64:2 s=2,", None),
    ("x.take_along_dim(i, 0)", "x=() i=int64:1", None),
    ("x.expand(2, -1)[0] = 1", "x=3,", None),
    ("x += 300", "x=uint8:2,", None),
    ("x[0] += 300", "x=uint8:2,3", None),
    ("x[0] = 300", "x=uint8:2,3", None),
    ("F.linear(*[x, w])", "x=2,4 w=5,4", None),
    ("F.linear(x, *[w])", "x=2,4 w=5,4", None),
    ("nn.GroupNorm(2, C)(x)", "x=N,C,H,W", None),
    ("F.cross_entropy(x, y)", "x=0,5 y=0,5", None),
    ("torch.max(*[x, 1]).values", "x=2,3", None),
    ("torch.max(*[x, 1])[0]", "x=2,3", None),
    ("x.split(1)[5]", "x=1000000000000,3", "x[5:6]"),
    ("x.split(1)[-1]", "x=1000000000000,3", "x[999999999999:1000000000000]"),
    ("x.split([1, 2, 1])[-1]", "x=4,3", "x[3:4]"),
    ("x.unbind(0)[0]", "x=4,3", None),
    ("x.split(2, 1)[1][0]", "x=N,6", "x[:, 2:4][0]"),
    ("x.split(2)[k]", "x=7,3 k=-2", "x[4:6]"),
    ("x.sum((0, 1)).amax(())", "x=bool:2,3", None),
    ("x.prod(dim=[0])", "x=int32:2,3", None),
    ("x.sum([0, 1])", "x=int32:2,3", "x.sum((0, 1))"),
    ("x.unflatten(-1, (-1, 2))", "x=0,4", "x.reshape((0, 2, 2))"),
    ("x.unflatten(1, (2, -1))", "x=2,0", "x.reshape(x.shape[0], 2, -1)"),
    ("x[..., 1, ..., 1:3:2]", "x=2,3,4", "x[..., 1, 1:3:2]"),
    ("x[..., None, 0, ...]", "x=2,3,4", "x[..., None, 0]"),
    ("x[..., 0:, ...]", "x=N,3", "x[:]"),
    ("x[0:n, ..., 0, ...]", "x=4,3,2 n=2", "x[0:2, :, 0]"),
    ("x[1:, ..., ...]", "x=N,3", "x[1:, ...]"),
    ("nn.ReLU()(x).transpose(0, 1)", "x=2,3", None),
    ("nn.Sequential(nn.BatchNorm2d(4))(x)", "x=2,4,4,4", None),
    (
        "(x.sort()[0] + x)[0, :, [0, 1]]",
        "x=2,3,4",
        "(torch.take_along_dim(x, torch.argsort(x, dim=2, stable=True), 2) + x)[0][:, [0, 1]]",
    ),
    ("x.sum(keepdim=True)", "x=2,3", "x.sum(dim=None, keepdim=True)"),
    ("x.scatter_add(0, *[i, s])", "x=2, i=int64:2 s=float32:2", None),
    ("x.norm()[True]", "x=2,3", "torch.sqrt((x * x).sum())[True]"),
    ("x.norm()[0:1]", "x=2,3", None),
    ("x.norm()[...].flip(0)", "x=2,3", None),
    ("F.linear(weight=w, input=x)", "x=2,4 w=5,4", None),
    ("x.chunk(2)[1]", "x=N,3", None),
    ("x.split([1, 1, 2])[1]", "x=N,3", None),
    ("x.narrow(1, 0, k)", "x=2,5 k=tensor(2)", "x[:, 0:2]"),
    ("x.norm(True)", "x=2,3", None),
    ("x[:] += v", "x=uint8:2,3 v=int64:1,1", "x[:] += v.byte()"),
    ("x[0, [0, 1], ...] += 300", "x=uint8:2,3", None),
    ("x[..., None, 1:, ...]", "x=4,4,4,4", "x[..., None, 1:]"),
    ("x += y.sigmoid()", "x=2,3 y=2,3", "x += 1 / (1 + torch.exp(-y))"),
    (
        "y.sigmoid().norm() + x.max(0).values",
        "x=2,3 y=2,3",
        "torch.sqrt(((1 / (1 + torch.exp(-y))) * (1 / (1 + torch.exp(-y)))).sum()) + torch.amax(x, 0)",
    ),
    ("nn.LayerNorm(5)(x)", "x=4,", None),
    ("x.max(1) > 0", "x=2,3", "x.max(1).values > 0"),
    ("x[:, u] = 0", "x=3,3 u=uint8:3", "x[:, u.bool()] = 0"),
    ("x[0, u] = 0", "x=3,3 u=uint8:3", "x[0, u.bool()] = 0"),
    ("x[..., -2:, ...]", "x=N,3", "x[:, 1:3]"),
    ("x.split([x.shape[0] - 1, 1])[1]", "x=N,3", None),
    ("x.split([x.shape[0] - 1, 1])[0]", "x=N,3", None),
    ("x.norm(p=None)", "x=2,3", None),
    ("x.narrow(*[1, 0, 2])", "x=2,3", None),
    ("x[-2:, ..., ...]", "x=N,3", "x[-2:, ...]"),
    ("x[-3:, ..., :, ...]", "x=N,3", "x[-3:, ..., :]"),
    ("x.split([1, x.shape[0] - 1])[1]", "x=N,3", None),
    ("x.norm(float('inf'))", "x=2,3", "torch.amax(torch.abs(x))"),
    ("x.norm(-torch.inf, 1)", "x=2,3", "torch.amin(torch.abs(x), 1)"),
    ("x.norm(torch.inf, 1)", "x=2,3", "torch.amax(torch.abs(x), 1)"),
    ("x.softmax(dim=(1,))", "x=2,3", "x.softmax(dim=1)"),
]


@pytest.mark.parametrize(("expr", "specs", "rewrite"), WAYS, ids=lambda value: str(value)[:60])
def test_it_is_written_so(expr: str, specs: str, rewrite: str | None) -> None:
    assert explain(expr, dict(spec.split("=", 1) for spec in specs.split())).rewrite == rewrite


def test_every_step_that_differs_is_named() -> None:
    told = explain("x.transpose(1, 2).flatten(1).softmax(1)", {"x": "2,3,4"})
    first, second, third = told.differs.split("; at ")
    assert first.startswith("at .transpose(1, 2): PyTorch's transpose swaps two dims")
    assert second.startswith(".flatten(1): NumPy's flatten takes no dims") or "swapaxes" in first
    assert third.startswith(".softmax(1): NumPy has no softmax")


def test_how_numpy_reads_what_is_written_anew_is_said() -> None:
    told = explain("x.topk(1, dim=1).values", {"x": "2,3"})
    assert "for NumPy, take_along_dim is read as np.take_along_axis" in told.notes


def test_the_same_shape_with_other_numbers_differs() -> None:
    told = explain("y[0, :, i]", {"y": "2,3,3", "i": "3,"})
    assert told.same
    assert "selects with an integer first" in told.differs
    assert told.rewrite == "y[0][:, i]"


def test_what_comes_out_the_same_does_not_differ() -> None:
    assert explain("x.transpose(-2, 1).flatten()", {"x": "1,3"}).differs == ""
    assert explain("x.median()", {"x": "3,"}).differs == ""


def test_what_is_tried_leaves_nothing_behind() -> None:
    specs = {"x": "C,4"}
    # One divides C by 2 and needs that, in vain; the other asks for what that says.
    formula = explain("x.view(-1, C // 2)", specs).formula
    context = copy_context()
    explain("x.view(2, C // 2, 5)", specs)
    assert {variable: value for variable, value in copy_context().items() if context.get(variable) != value} == {}
    assert explain("x.view(-1, C // 2)", specs).formula == formula


def test_it_is_the_same_in_any_order_and_thread() -> None:
    cases = [
        ("x.view(2, C // 2, -1).transpose(0, 1).flatten(1)", {"x": "C,4"}),
        ("x.softmax(1).max(1).values", {"x": "N,C,H,W"}),
        ("y.reshape(C // 2, 2)", {"y": "C,"}),
        ("F.pixel_shuffle(x, 2).flatten(1)", {"x": "N,C,H,W"}),
        ("x[1:] = x[:-1]", {"x": "N,3"}),
        ("x + w", {"x": "N,3,4", "w": "N,3"}),
    ]
    alone = [explain(*case) for case in cases]
    assert [explain(*case) for case in cases[::-1]] == alone[::-1]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda case: explain(*case), cases * 8)) == alone * 8


@pytest.mark.parametrize(("expr", "specs"), [way[:2] for way in WAYS], ids=lambda value: str(value)[:60])
def test_every_proposal_is_a_text_or_two(expr: str, specs: str) -> None:
    node, bound = parse(expr), dict(spec.split("=", 1) for spec in specs.split())
    bindings = bind(expr, node, bound)
    state = Evaluation(expr, bindings, TORCH)
    asked = ask(expr, node, bindings, TORCH)
    if asked.failure is not None:
        assert all(isinstance(each, str) for each in proposals.propose(expr, node, asked.failure, state))
        return
    found = survey(expr, node, bindings)
    for site in found.sites:
        assert all(isinstance(each, str | tuple) for each in propose(Place(found, site.node), site))


def test_a_name_that_nobody_bound_has_no_value() -> None:
    with pytest.raises(SegcliError, match="q is not bound"):
        _ = survey("x", parse("x"), {"x": 1}).bindings["q"]


def test_nobody_reads_a_long_text() -> None:
    expr = f"x[[{', '.join(['0'] * 150)}]].softmax(0)"
    assert explain(expr, {"x": "2,3"}).rewrite is None


@pytest.mark.parametrize(
    ("expr", "specs"),
    [
        ("F.embedding(i, w, max_norm=1.0)", {"i": "4,", "w": "5,3"}),
        ("F.cosine_similarity(x, y, dim=d)", {"x": "2,3", "y": "2,3", "d": "tensor(1)"}),
        ("F.pixel_unshuffle(x, r)", {"x": "2,4,4,4", "r": "int64:()"}),
    ],
)
def test_no_way_is_named_where_its_numbers_are_not_known(expr: str, specs: dict[str, str]) -> None:
    found = explain(expr, specs)
    assert found.torch.error is None
    assert found.rewrite is None
