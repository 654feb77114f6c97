"""Random questions about a tensor."""

import random

from tests.shapes.layout_cases import dim, drawn

_RNG = random.Random


def draw(rng: _RNG, base: str, other: str, shape: tuple[int, ...]) -> tuple[str, str]:
    axis = dim(rng, len(shape))
    return rng.choice(
        [
            (f"{base}.shape", f"{other}.shape"),
            (f"{base}.ndim", f"{other}.ndim"),
            (f"{base}.dtype", f"{other}.dtype"),
            (f"{base}.size()", f"{other}.size()"),
            (f"{base}.size({axis})", f"{other}.size({axis})"),
            (f"{base}.size(dim={axis})", ""),
            (f"{base}.size({axis}, 1)", ""),
            (f"{base}.numel()", f"{other}.size"),
            (f"{base}.numel(1)", ""),
            (f"{base}.dim()", f"{other}.ndim"),
            (f"{base}.dim({axis})", ""),
            (f"torch.numel({base})", f"np.size({other})"),
            (f"torch.numel(input={base})", f"np.size({other})"),
            (f"torch.numel({base}, {axis})", ""),
            (f"torch.numel({base}.ndim)", ""),
            (f"{base}.is_contiguous()", f"{other}.is_contiguous()"),
            (f"{base}.data", ""),
            (f"{base}.stride()", f"{other}.stride()"),
            (f"{base}.stride({axis})", f"{other}.stride({axis})"),
            (f"{base}.item()", f"{other}.item()"),
            (f"{base}.item(0)", f"{other}.item(0)"),
            (f"{base}.item({axis}, 0)", f"{other}.item({axis}, 0)"),
            (f"{base}.shape[{axis}]", f"{other}.shape[{axis}]"),
            (f"{base}.shape[1:] + (3,)", f"{other}.shape[1:] + (3,)"),
            (f"(1, 2) + {base}.shape", f"(1, 2) + {other}.shape"),
            (f"{base}.shape * 2", f"{other}.shape * 2"),
            (f"2 * {base}.shape", f"2 * {other}.shape"),
            (f"{base}.shape + [1]", f"{other}.shape + [1]"),
            (f"{base}.shape == (2, 3)", f"{other}.shape == (2, 3)"),
            (f"{base}.shape < (2, 3)", f"{other}.shape < (2, 3)"),
            (f"{base}.shape == [2, 3]", f"{other}.shape == [2, 3]"),
            (f"{base}.shape.numel()", f"{other}.shape.numel()"),
            (f"{base}.shape.dim()", ""),
            (f"{base}.ndim.shape", f"{other}.ndim.shape"),
            (f"{base}.shape[{axis}] // 0", f"{other}.shape[{axis}] // 0"),
            (f"{base}.shape[{axis}] / 2 + {base}.ndim % 2", f"{other}.shape[{axis}] / 2 + {other}.ndim % 2"),
        ]
    )


random_question = drawn(draw)
