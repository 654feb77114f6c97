"""What is asked of a tensor: agreement with real PyTorch and NumPy, and answers by hand."""

import random

import pytest

from segcli.shapes import Answer, explain
from tests.shapes.layout_cases import count_of, dim, make_odd, start
from tests.shapes.oracle import Verdict, ask_numpy, ask_torch

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


def check_plain(answer: Answer, verdict: Verdict) -> None:
    assert (answer.error.type if answer.error else None) == verdict.error
    if answer.error is not None:
        # Whether Python names the class or its base varies.
        assert (
            answer.error.message
            == verdict.message.replace(" Tensor.", " TensorBase.").replace("Tensor.", "TensorBase.", 1)
            or answer.error.message == verdict.message
        )
        return
    real = verdict.plain
    kind = type(real).__name__
    if answer.type == "torch.dtype" or answer.value is None:
        name = str(real).removeprefix("torch.")
        assert answer.value in (None, name)
        assert answer.value == name or answer.type == kind
        return
    if not isinstance(answer.value, str):
        assert answer.value == (tuple(real) if isinstance(real, tuple) else real)
    assert answer.type == {"Size": "torch.Size"}.get(kind, kind)


@pytest.mark.parametrize("chunk", range(2))
def test_random_questions(chunk: int) -> None:
    rng = random.Random(chunk)
    raised = 0
    count = count_of(16)
    for _ in range(count):
        case = start(rng)
        shape = make_odd(rng, case)
        case.expr, case.numpy_expr = draw(rng, case.expr, case.numpy_expr, shape)
        explanation = explain(case.expr, case.specs)
        pairs = [(explanation.torch, ask_torch(case.expr, case.tensors))]
        if case.numpy_expr:
            pairs.append((explanation.numpy, ask_numpy(case.numpy_expr, case.tensors)))
        for answer, verdict in pairs:
            try:
                check_plain(answer, verdict)
            except AssertionError as error:
                message = f"{case.expr} | {case.numpy_expr} {case.specs}\nours: {answer}\nreal: {verdict}"
                raise AssertionError(message) from error
            raised += verdict.error is not None
    assert 0.2 * count < raised < 1.2 * count
