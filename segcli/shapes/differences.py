"""Names the rule by which PyTorch and NumPy differ, where they do."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from segcli.shapes.reductions import LACKING
from segcli.shapes.result import Answer

NEGATIVE_STEP = "step must be greater than zero"
INDEX_DTYPES = "tensors used as indices must be"


@dataclass(frozen=True, slots=True)
class Case:
    """Both answers, and the rules that were at work."""

    torch: Answer
    numpy: Answer
    torch_rules: AbstractSet[str]
    numpy_rules: AbstractSet[str]

    def torch_says(self, words: str) -> bool:
        """Tell whether PyTorch raises with these words."""
        return self.torch.error is not None and words in self.torch.error.message

    def numpy_says(self, words: str) -> bool:
        """Tell whether NumPy raises with these words."""
        return self.numpy.error is not None and words in self.numpy.error.message


_INTEGERS = (
    "PyTorch selects with an integer first, so its axis is gone and separates nothing; NumPy makes an integer an "
    "advanced index as soon as another index is one, and moves them to the front where something stands between"
)


def _lacks(name: str) -> Callable[[Case], bool]:
    return lambda case: case.numpy_says(f"has no attribute '{name}'")


# The first that holds is the reason: the ones that change what an index is come before those about where axes land.
_RULES: tuple[tuple[Callable[[Case], bool], str], ...] = (
    (
        lambda case: "legacy-tuple" in case.torch_rules,
        "PyTorch takes a list of lists or tensors for a tuple of indices, NumPy makes one array of it",
    ),
    (
        lambda case: "uint8-mask" in case.torch_rules,
        "PyTorch takes uint8 for a mask, NumPy for positions",
    ),
    (
        lambda case: "second-ellipsis" in case.torch_rules,
        "PyTorch lets a second `...` pass, as wide as the first; NumPy allows one",
    ),
    (
        lambda case: "dropped-index" in case.torch_rules,
        "PyTorch counts a mask that is written as a list for one axis, whatever it takes; NumPy for all it takes",
    ),
    (lambda case: case.torch_says(NEGATIVE_STEP), "PyTorch has no negative steps, NumPy walks backwards"),
    (
        lambda case: case.torch_says(INDEX_DTYPES) and case.numpy.error is None,
        "PyTorch takes int64, int32, uint8 and bool as indices, NumPy integers of any width",
    ),
    (
        lambda case: {"integer-is-advanced", "front"} <= case.numpy_rules and "front" not in case.torch_rules,
        _INTEGERS,
    ),
    (
        lambda case: {"empty-ellipsis", "front"} <= case.numpy_rules and "front" not in case.torch_rules,
        "an ellipsis that stands for no axis separates advanced indices in NumPy, not in PyTorch",
    ),
    *((_lacks(name), f"NumPy has no {name}: {advice}") for name, advice in LACKING.items()),
    (
        lambda case: case.numpy_says("unexpected keyword argument 'descending'"),
        "NumPy sorts upwards only: sort, then flip the axis",
    ),
    (
        lambda case: "pair" in case.torch_rules,
        "with a dim, max and min of PyTorch return values and indices, of NumPy the values alone",
    ),
    (
        lambda case: "ordered-pair" in case.torch_rules,
        "PyTorch returns values and indices, NumPy the values alone",
    ),
    (
        lambda case: "flattens" in case.numpy_rules,
        "without an axis, or with None, NumPy goes along the flattened array; PyTorch needs a dim",
    ),
    (
        lambda case: "empty-dims" in case.torch_rules,
        "an empty tuple of dimensions reduces everything in PyTorch, nothing in NumPy",
    ),
    (
        lambda case: case.torch_says("does not support bool input"),
        "PyTorch has no argmax and argmin of bool, NumPy counts False as 0 and True as 1",
    ),
    (
        lambda case: case.torch_says("could not infer output dtype"),
        "PyTorch takes no mean of integers, NumPy gives float64",
    ),
    (
        lambda case: case.torch_says("std and var only support"),
        "PyTorch takes no std and var of integers, NumPy gives float64",
    ),
    (
        lambda case: "truncated-floats" in case.torch_rules,
        "PyTorch truncates floats in a list to integers, silently; NumPy refuses them",
    ),
)


def name_difference(case: Case) -> str:
    """Return the rule that makes two answers differ; empty where they do not."""
    if not _differ(case.torch, case.numpy):
        return ""
    for holds, rule in _RULES:
        if holds(case):
            return rule
    if case.torch.error is not None and case.numpy.error is not None:
        return ""
    if case.torch.error is not None:
        return f"PyTorch raises {case.torch.error.type} where NumPy does not"
    if case.numpy.error is not None:
        return f"NumPy raises {case.numpy.error.type} where PyTorch does not"
    return f"PyTorch gives {case.torch.dtype}, NumPy {case.numpy.dtype}"


def is_same(torch: Answer, numpy: Answer) -> bool:
    """Tell whether both give the same shape, of as many tensors, or both raise."""
    return torch.shape == numpy.shape and len(torch.members) == len(numpy.members)


def _differ(torch: Answer, numpy: Answer) -> bool:
    if torch.error is not None and numpy.error is not None:
        return torch.error.type != numpy.error.type
    return not is_same(torch, numpy) or torch.dtype != numpy.dtype
