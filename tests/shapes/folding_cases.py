"""Random calls of what folds columns to pictures, and of attention."""

import random

from tests.shapes.cases import Case
from tests.shapes.padding_cases import ODD, number
from tests.shapes.sampling_cases import ANY, FLOATS, bind, joined, sizes

# Which kernel takes part, and in what words it complains, depends on shapes and on the processor.
VARYING = r"Expected size for first two|must match the size|mat1 and mat2|size mismatch|numel|Overflow|Number of heads"
VARYING += "|scalar type Float|output with shape|m1 and m2|cannot be converted|expanded size"


def fold(rng: random.Random) -> Case:
    case = Case()
    kernel, stride, padding, dilation = rng.choice([1, 2, 2, 3]), rng.choice([1, 1, 2]), rng.choice([0, 0, 1]), 1
    output = [rng.choice([3, 4, 5]) for _ in range(2)]
    places = [(size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1 for size in output]
    rows = kernel * kernel * rng.choice([1, 2, 3]) + (rng.random() < 0.06)
    shape = [rng.choice([1, 2, 0]), rows, max(places[0] * places[1], 0) + (rng.random() < 0.08)]
    if rng.random() < 0.2:
        shape = shape[1:]
    x = bind(rng, case, "x", shape if rng.random() < 0.95 else sizes(rng, rng.choice([1, 3, 4])), rng.choice(ANY))
    size = f"({output[0]}, {output[1]})" if output[0] != output[1] or rng.random() < 0.5 else str(output[0])
    named = {"output_size": size if rng.random() < 0.95 else rng.choice(ODD)}
    named["kernel_size"] = str(kernel) if rng.random() < 0.93 else number(rng, [1, 2], ODD)
    if stride != 1 or rng.random() < 0.2:
        named["stride"] = str(stride) if rng.random() < 0.95 else rng.choice(ODD)
    if padding or rng.random() < 0.2:
        named["padding"] = str(padding) if rng.random() < 0.95 else rng.choice(ODD)
    if rng.random() < 0.15:
        named["dilation"] = number(rng, [1, 1, 2], ODD)
    order = ["output_size", "kernel_size", "dilation", "padding", "stride"]
    case.expr = f"F.fold({joined(rng, [x if rng.random() < 0.98 else '3'], named, order)})"
    return case


def attention(rng: random.Random) -> Case:
    case = Case()
    queries, keys, width, out = (rng.choice([1, 2, 3, 4]) for _ in range(4))
    batch = [rng.choice([1, 2]) for _ in range(rng.choice([0, 1, 2, 2, 2]))]
    dtype = rng.choice(FLOATS if rng.random() < 0.9 else ANY)
    shapes = {"q": [*batch, queries, width], "k": [*batch, keys, width], "w": [*batch, keys, out]}
    for name, shape in shapes.items():
        if rng.random() < 0.06:
            shape[rng.randrange(len(shape))] += 1
        if rng.random() < 0.02:
            shapes[name] = shape[-1:]
    tensors = [
        bind(rng, case, name, shape, dtype if rng.random() < 0.97 else rng.choice(ANY))
        for name, shape in shapes.items()
    ]
    named = {}
    if rng.random() < 0.3:
        spread = [*(batch if rng.random() < 0.5 else []), rng.choice([queries, queries, 1, queries + 1]), keys]
        named["attn_mask"] = bind(rng, case, "m", spread, rng.choice(["bool", "float32", dtype, "int64"]))
    if rng.random() < 0.25:
        named["is_causal"] = rng.choice(["True", "False", "1"])
    if rng.random() < 0.1:
        named["dropout_p"] = rng.choice(["0.0", "0.5", "2.0"])
    if rng.random() < 0.15:
        named["scale"] = rng.choice(["0.5", "None", "2"])
    given = tensors if rng.random() < 0.97 else rng.choice([tensors[:2], [*tensors[:2], "3"]])
    order = ["attn_mask", "dropout_p", "is_causal"]
    case.expr = f"F.scaled_dot_product_attention({joined(rng, given, named, order)})"
    return case
