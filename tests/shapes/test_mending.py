"""Where PyTorch raises, what people write instead is proposed, and works."""

import re

import pytest
import torch

from segcli.shapes import explain
from tests.shapes.oracle import ask_torch

X = torch.zeros(2, 3, 4)
LOGITS, LABELS = torch.zeros(2, 5, 6, 7), torch.zeros(2, 6, 7, dtype=torch.int64)
NAMES = {
    "x": X,
    "n": X.long(),
    "m": torch.ones(3, 4, dtype=torch.bool),
    "b": X > 0,
    "i": torch.zeros(5, dtype=torch.int8),
    "w": torch.zeros(2, 3),
    "v": torch.zeros(3),
    "c": LOGITS,
    "y": LABELS,
    "e": torch.zeros(2, 6, 7, 5),
    "f": torch.zeros(4, 5),
    "g": torch.zeros(4, 3, 5),
}


@pytest.mark.parametrize(
    ("expr", "rewrite"),
    [
        ("x.permute(2, 0, 1)[:, 0].view(-1)", "x.permute(2, 0, 1)[:, 0].reshape(-1)"),
        ("x[::-1]", "x.flip(0)"),
        ("x[:, ::-1, :2]", "x.flip(1)[:, :, :2]"),
        ("x[::-1, ::-1]", "x.flip(0, 1)"),
        ("x[:, :, i]", "x[:, :, i.long()]"),
        ("x[m]", "x[:, m]"),
        ("x[m, 0]", None),
        ("x[v > 0, 0]", "x[:, v > 0, 0]"),
        ("x[[True, False, True], 0]", "x[:, [True, False, True], 0]"),
        ("x[:, [0, 1], [0, 1, 2]]", None),
        ("x + w", "x + w[..., None]"),
        ("v * x", "v[..., None] * x"),
        ("w * x", "w[..., None] * x"),
        ("(x + w).T", "(x + w[..., None]).T"),
        ("x.permute(2, 0, 1)[:, 0].view_as(w.mT.flatten())", None),
        ("F.binary_cross_entropy_with_logits(x, n)", "F.binary_cross_entropy_with_logits(x, n.float())"),
        ("F.cross_entropy(c, F.one_hot(y, 5))", "F.cross_entropy(c, F.one_hot(y, 5).argmax(-1))"),
        ("F.binary_cross_entropy_with_logits(x, x[:, 0])", None),
        ("x + (w + w)", "x + (w + w)[..., None]"),
        ("torch.add(x, w)", "torch.add(x, w[..., None])"),
        ("w @ w", "w @ w.mT"),
        ("x.expand(2, 3, 4) @ x", "x.expand(2, 3, 4) @ x.mT"),
        ("f @ x", None),
        ("n.mean(1)", "n.float().mean(1)"),
        ("n.std()", "n.float().std()"),
        ("n.softmax(1)", "n.float().softmax(1)"),
        ("b.argmax(1)", "b.int().argmax(1)"),
        ("x.sum(3)", "x.sum(-1)"),
        ("x.sum(4)", None),
        ("F.one_hot(v, 3)", "F.one_hot(v.long(), 3)"),
        ("x.gather(1, x)", "x.gather(1, x.long())"),
        ("x.index_select(0, v)", "x.index_select(0, v.long())"),
        ("F.interpolate(c, size=e.shape)", "F.interpolate(c, size=e.shape[2:])"),
        ("nn.Conv2d(3, 8, 3)(c)", "nn.Conv2d(5, 8, 3)(c)"),
        ("nn.Linear(512, 10)(c.flatten(1))", "nn.Linear(210, 10)(c.flatten(1))"),
        ("nn.Linear(in_features=512, out_features=10)(w)", None),
        ("x[5]", None),
        ("nn.Conv2d(5, 8, 3)(e)", "nn.Conv2d(5, 8, 3)(e.movedim(-1, 1))"),
        ("F.cross_entropy(e, y)", "F.cross_entropy(e.movedim(-1, 1), y)"),
        ("F.cross_entropy(c, y[:, None])", "F.cross_entropy(c, y[:, None].squeeze(1))"),
        ("F.cross_entropy(c, y.float())", "F.cross_entropy(c, y.float().long())"),
        ("torch.cat([x, w[..., None][:, :, 0]], 0)", None),
        ("torch.cat([x, f[:3, :4]])", "torch.cat([x, f[:3, :4][None]])"),
        ("x.view(5)", "x.view(-1)"),
        ("x[0, 0, 0] = f", None),
        ("x[0] = v", "x[0] = v[..., None]"),
    ],
)
def test_what_works_instead(expr: str, rewrite: str | None) -> None:
    used = {name: tensor for name, tensor in NAMES.items() if name in tokens(expr)}
    specs = {
        name: f"{str(tensor.dtype).removeprefix('torch.')}:{','.join(map(str, tensor.shape))}"
        for name, tensor in used.items()
    }
    told = explain(expr, specs)
    assert told.torch.error is not None
    assert told.rewrite == rewrite
    if rewrite is not None and "=" not in rewrite:
        assert ask_torch(rewrite, used).error is None


def tokens(expr: str) -> set[str]:
    return set(re.findall(r"(?<![.\w])[a-z](?![\w(])", expr))
