"""Random calls of what works on features: look-ups, grids, norms along an axis, pixels that become channels."""

import random

import torch

from tests.shapes.cases import Case
from tests.shapes.sampling_cases import ANY, FLOATS, bind, joined, sizes

VARYING = r"Overflow|clamp_min|invalid combination"
_DIMS = ["0", "1", "-1", "2", "-2", "1", "0", "5", "None", "(0, 1)", "True", "1.0", "()"]


def embedding(rng: random.Random) -> Case:
    case = Case()
    rows = rng.choice([3, 4, 5, 0])
    table = bind(rng, case, "w", [rows, 2] if rng.random() < 0.95 else sizes(rng, 3), rng.choice(FLOATS))
    shape = rng.choice([(), (2,), (3, 2), (0,), (1, 2, 2)])
    tensor = torch.tensor([rng.randrange(-1 if rng.random() < 0.1 else 0, rows + 1) for _ in range(6)])
    count = torch.Size(shape).numel()
    values = tensor[:count].reshape(shape) if count <= len(tensor) else torch.zeros(shape, dtype=torch.int64)
    dtype = rng.choice(["int64"] * 8 + ["int32", "uint8", "float32"])
    values = (values.clamp(0) if dtype == "uint8" else values).to(getattr(torch, dtype))
    case.tensors["i"] = values
    case.specs["i"] = f"{dtype}:tensor({values.tolist()})" if count else f"{dtype}:(0,)"
    named = {}
    if rng.random() < 0.3:
        named["padding_idx"] = rng.choice(["0", "1", "-1", "5", "-9", "None", "1.5"])
    if rng.random() < 0.1:
        named["scale_grad_by_freq"] = rng.choice(["True", "1"])
    first = rng.choice([["i", table]] * 15 + [["3", table], ["i", "3"], ["i"]])
    case.expr = f"F.embedding({joined(rng, first, named, ['padding_idx'])})"
    return case


def affine_grid(rng: random.Random) -> Case:
    case = Case()
    ndim = rng.choice([2, 2, 2, 3])
    size = [rng.choice([1, 2, 3]) for _ in range(ndim + 2)]
    batch = size[0] if rng.random() < 0.9 else size[0] + 1
    shape = [batch, ndim, ndim + 1]
    if rng.random() < 0.1:
        shape[rng.randrange(3)] += 1
    theta = bind(rng, case, "t", shape if rng.random() < 0.95 else sizes(rng, 2), rng.choice([*FLOATS, "int64"]))
    texts = [str(each) for each in size]
    if rng.random() < 0.1:
        texts[rng.randrange(len(texts))] = rng.choice(["0", "-1", "2.0"])
    if rng.random() < 0.05:
        texts.pop()
    listed = f"({', '.join(texts)})" if rng.random() < 0.7 else f"[{', '.join(texts)}]"
    named = {"size": rng.choice([listed] * 20 + ["5", "None"])}
    if rng.random() < 0.5:
        named["align_corners"] = rng.choice(["True", "False", "False", "None", "1"])
    case.expr = (
        f"F.affine_grid({joined(rng, [theta if rng.random() < 0.97 else '3'], named, ['size', 'align_corners'])})"
    )
    return case


def normalized(rng: random.Random) -> Case:
    case = Case()
    shape = sizes(rng, rng.choice([0, 1, 2, 3, 3, 4]))
    x = bind(rng, case, "x", shape, rng.choice(FLOATS if rng.random() < 0.9 else ANY))
    if rng.random() < 0.3:
        other = [size if rng.random() < 0.8 else 1 for size in shape][rng.choice([0, 0, 0, 1]) :]
        y = bind(rng, case, "y", other, rng.choice(FLOATS if rng.random() < 0.9 else ANY))
        named = {"dim": rng.choice(_DIMS[:8])} if rng.random() < 0.7 else {}
        case.expr = f"{rng.choice(['F', 'torch'])}.cosine_similarity({joined(rng, [x, y], named, ['dim'])})"
        return case
    named = {"dim": rng.choice(_DIMS)} if rng.random() < 0.75 else {}
    if rng.random() < 0.4:
        named["p"] = rng.choice(["1", "2", "2.0", "0", "-1", "1e999", "'fro'", "None", "True"])
    if rng.random() < 0.15:
        named["eps"] = rng.choice(["1e-5", "1", "None", "'a'"])
    case.expr = f"F.normalize({joined(rng, [x if rng.random() < 0.97 else '3'], named, ['p', 'dim', 'eps'])})"
    return case


def unshuffled(rng: random.Random) -> Case:
    case = Case()
    shape = sizes(rng, rng.choice([2, 3, 4, 4, 4, 5]))
    factor = rng.choice([1, 1, 2, 2, 2, 3])
    if rng.random() < 0.7:
        shape[-2:] = [size * factor for size in shape[-2:]]
    x = bind(rng, case, "x", shape, rng.choice(ANY))
    text = rng.choice([str(factor)] * 12 + ["0", "-1", "True", "2.0"])
    named = {"downscale_factor": text} if rng.random() < 0.97 else {}
    space = rng.choice(["F", "torch"])
    case.expr = f"{space}.pixel_unshuffle({joined(rng, [x], named, ['downscale_factor'])})"
    return case
