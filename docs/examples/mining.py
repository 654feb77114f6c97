"""Tables of OHEM for losses.md: cog prints what segcli computes, rule by rule, in one process and in two."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from segcli.nn import ohem_cross_entropy_loss
from segcli.nn.losses.ohem_semantics import Semantics

P = (0.05, 0.2, 0.4, 0.6, 0.65, 0.7, 0.8, 0.9, 0.95, 0.99)
IGNORED = (0.5, 0.5)
TIES = (0.9,) * 6
# A p of 0.7 is at the threshold, which no float says exactly: torchseg alone keeps what is there.
_STRICT, _INCLUSIVE = 0.7 - 1e-9, 0.7 + 1e-9
_RANKS_WITHIN_S = 300


def semantics() -> None:
    """Print what each rule makes of the same ten pixels, and of six that tie."""
    columns: list[tuple[str, Tensor, Tensor, int]] = [
        *((f"`n_min={k}`", *_pixels(P, len(IGNORED)), k) for k in (3, 8, 11, 12)),
        ("nothing valid", *_pixels((), len(P)), 3),
        ("six ties", *_pixels(TIES, 0), 2),
    ]
    print(f"\n| `semantics` | {' | '.join(name for name, *_ in columns)} |")
    print(f"| --- |{' ---: |' * len(columns)}")
    for name in get_args(Semantics):
        print(f"| `{name}` | {' | '.join(_answer(name, *inputs) for _, *inputs in columns)} |")
    print()


def _pixels(p: tuple[float, ...], n_ignored: int) -> tuple[Tensor, Tensor]:
    """Return logits of two classes, of which label 0 has the probability p; 0.5 where ignored."""
    of_label = torch.tensor([[*p, *[0.5] * n_ignored]], dtype=torch.float64)
    labels = torch.tensor([[0] * len(p) + [255] * n_ignored])
    return torch.stack([of_label, 1 - of_label], 1).log(), labels


def _answer(name: Semantics, logits: Tensor, labels: Tensor, n_min: int) -> str:
    thresh = _INCLUSIVE if name == "torchseg" else _STRICT
    try:
        loss = ohem_cross_entropy_loss(logits, labels, thresh=thresh, n_min=n_min, semantics=name).item()
    except IndexError:
        return "IndexError"
    return "NaN" if loss != loss else f"{loss:.6g}"  # noqa: PLR0124 - NaN alone is not itself


def ranks() -> None:
    """Print what ``two_ranks.py`` says."""
    script = Path(__file__).with_name("two_ranks.py")
    command = [sys.executable, str(script)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=_RANKS_WITHIN_S)  # noqa: S603 - our own script
    print(f"\n```text\n{done.stdout.strip()}\n```\n")
