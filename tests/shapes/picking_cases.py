"""Random picks of a tensor from several."""

import random

from tests.shapes.cases import Case
from tests.shapes.drawing import bind

INDICES = ["0", "1", "-1", "2", "9", "-9", "True", "None", "1.0", "'a'", "[0]", "0, 1", "...", "::-1", "1:", ":-1"]


INDICES += ["::2", "1::-2", ":0", "::0", "-3:", "5:2"]


SLICES = ["::-1", "1:", ":-1", "::2", "1::-2", "-3:", ":"]


def draw_pick(rng: random.Random) -> Case:
    case = Case()
    source = bind(rng, case, "x", rng.choice([(5, 3), (4, 2), (1, 3), (6,), (0, 3)]), "float32")
    size = rng.choice([1, 2, 3])
    torch_name, numpy_name = rng.choice(
        [
            (f"split({size})", f"np.array_split({source}, range({size}, len({source}), {size}))"),
            (f"tensor_split({size})", f"np.array_split({source}, {size})"),
            ("unbind()", f"np.unstack({source})"),
        ]
    )
    slices = "".join(f"[{rng.choice(SLICES)}]" for _ in range(rng.choice([0, 0, 1, 2])))
    tail = f"{slices}[{rng.choice(INDICES)}]"
    case.expr = f"{source}.{torch_name}{tail}"
    case.numpy_expr = "" if "split(" in torch_name and "tensor" not in torch_name else f"{numpy_name}{tail}"
    if ".transpose" in source:
        # NumPy's means another thing.
        case.numpy_expr = ""
    return case
