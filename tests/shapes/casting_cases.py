"""Random conversions."""

import random

from tests.shapes.cases import Case
from tests.shapes.elementwise_cases import DTYPES, bind, finished

_NAMED = {
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "bfloat16": "",
    "int": "int32",
    "long": "int64",
    "short": "int16",
    "bool": "bool",
    "byte": "uint8",
    "char": "int8",
}


_TYPES = ["'torch.FloatTensor'", "'torch.LongTensor'", "'torch.BoolTensor'", "'foo'", "1", "None", "y"]


_DEVICES = ["'cpu'", "'cpu'", "'cpu:0'", "'meta'", "'foo'", "''", "'float32'", "None"]


# What else is there on a machine without a GPU, cannot be asked.
_NO_CUDA = ["'cpu'", "'gpu'", "''", "1.5", "device='meta'", "beta=1", "None, 1, 2", "[]"]
_FLAGS = ["True", "False", "copy=True", "copy=False", "non_blocking=True", "copy=None", "memory_format=None"]


def random_cast(rng: random.Random) -> Case:
    case = Case()
    x = bind(rng, case, DTYPES)
    form = rng.choice(["named", "to", "to", "device", "tensor", "type", "type_as"])
    dtype = rng.choice(DTYPES) if rng.random() < 0.6 else str(case.tensors["x"].dtype).removeprefix("torch.")
    flag = f", {rng.choice(_FLAGS)}" if rng.random() < 0.25 else ""
    known = dtype != "bfloat16" and not flag
    if form == "named":
        name = rng.choice(list(_NAMED))
        extra = rng.choice(["", "", "", "", "1", "memory_format=None", "beta=1"])
        if rng.random() < 0.05:
            name, extra = "cuda", rng.choice(_NO_CUDA)
        return finished(
            case, f"{x}.{name}({extra})", f"{x}.astype(np.{_NAMED[name]})" if _NAMED.get(name) and not extra else ""
        )
    if form == "to":
        keyword = rng.choice(["", "", "dtype="])
        flag = "" if keyword and "=" not in flag else flag
        numpy_expr = f"{x}.astype(np.{dtype})" if known else ""
        return finished(case, f"{x}.to({keyword}torch.{dtype}{flag})", numpy_expr)
    if form == "device":
        device = rng.choice(_DEVICES)
        rest = rng.choice(["", "", f", torch.{dtype}", f", dtype=torch.{dtype}", ", 1", ", x"]) + flag
        if "=" in rest.partition(", ")[2].partition(",")[0] and flag and "=" not in flag:
            rest = ""
        return finished(case, f"{x}.to({device}{rest})", "")
    y = bind(rng, case, DTYPES)
    bfloat = "bfloat16" in case.specs["y"]
    if form == "tensor":
        return finished(case, f"{x}.to({y}{flag})", f"{x}.astype({y}.dtype)" if not flag and not bfloat else "")
    if form == "type_as":
        return finished(case, f"{x}.type_as({y})", f"{x}.astype({y}.dtype)")
    given = rng.choice([*_TYPES, *[f"torch.{dtype}"] * 4])
    if given != "y":
        del case.tensors["y"], case.specs["y"]
    numpy_expr = f"{x}.astype(np.{dtype})" if given.startswith("torch.") and known else ""
    return finished(case, f"{x}.type({given})", numpy_expr)
