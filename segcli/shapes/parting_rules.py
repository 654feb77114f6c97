"""The rules by which PyTorch and NumPy differ, and how each is recognised."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from segcli.shapes.records import record
from segcli.shapes.result import Answer

NEGATIVE_STEP = "step must be greater than zero"
INDEX_DTYPES = "tensors used as indices must be"


@record(frozen=True, slots=True)
class Case:
    """Both answers, the rules that were at work, and what NumPy lacks, if anything."""

    torch: Answer
    numpy: Answer
    torch_rules: AbstractSet[str]
    numpy_rules: AbstractSet[str]
    lacking: str = ""

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


# The first that holds is the reason: the ones that change what an index is come before those about where axes land.
RULES: tuple[tuple[Callable[[Case], bool], str], ...] = (
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
    (
        lambda case: case.numpy_says("mismatch") and case.torch.shape is not None and 0 in case.torch.shape,
        "with nothing to write to, PyTorch does not look at the value; NumPy wants a shape that fits",
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
    (
        lambda case: case.numpy_says("unexpected keyword argument 'descending'"),
        "NumPy sorts upwards only: sort, then flip the axis",
    ),
    (
        lambda case: "pair" in case.torch_rules,
        "with a dim, max and min of PyTorch return values and indices, of NumPy the values alone",
    ),
    (
        lambda case: "larger-of-two" in case.torch_rules and case.numpy.error is not None,
        "max and min of PyTorch take a second tensor; NumPy takes it for the axis, and has np.maximum and np.minimum",
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
        lambda case: "divides-by-less" in case.torch_rules,
        "std and var divide by n - 1 in PyTorch, by n in NumPy",
    ),
    (
        lambda case: "lower-median" in case.torch_rules,
        "the median of an even number is the lower of the two in the middle in PyTorch, their mean in NumPy",
    ),
    (
        lambda case: "transpose-swaps" in case.torch_rules,
        "PyTorch's transpose swaps two dims, NumPy's takes all axes in their new order; swapaxes is the same in both",
    ),
    (
        lambda case: "repeat-tiles" in case.torch_rules,
        "PyTorch's repeat puts copies of the whole side by side, as np.tile does; NumPy's repeats each element",
    ),
    (
        lambda case: "squeeze-stays" in case.torch_rules,
        "PyTorch leaves a dim whose size is not 1, NumPy raises",
    ),
    (
        lambda case: "view-takes-dtype" in case.torch_rules,
        "NumPy's view takes a dtype and no shape: x.reshape(...) means the same in both",
    ),
    (
        lambda case: "flatten-dims" in case.torch_rules,
        "NumPy's flatten takes no dims: write x.reshape(...)",
    ),
    (
        lambda case: "size-is-number" in case.torch_rules,
        "size is a method in PyTorch, the number of elements in NumPy: x.shape[...] means the same in both",
    ),
    (
        lambda case: "expand-keeps" in case.torch_rules,
        "-1 keeps a size in PyTorch's expand; np.broadcast_to takes none",
    ),
    (
        lambda case: "contiguous-0d" in case.torch_rules,
        "np.ascontiguousarray makes a 0-d array 1-d",
    ),
    (
        lambda case: (
            "split-size" in case.torch_rules
            and ("sections" in case.numpy_rules or case.numpy_says("array split does not result"))
        ),
        "the number in split is the size of a piece in PyTorch, the number of pieces in NumPy",
    ),
    (
        lambda case: "split-size" in case.torch_rules and "cut-points" in case.numpy_rules,
        "a list in split holds the sizes of the pieces in PyTorch, the positions where to cut in NumPy",
    ),
    (
        lambda case: case.numpy_says("'list' object cannot be interpreted"),
        "several axes are a tuple in NumPy, and a list or a tuple in PyTorch",
    ),
    (
        lambda case: case.torch_says("expected condition to be a boolean tensor") and case.numpy.error is None,
        "PyTorch's where wants a bool condition; for NumPy what is not 0 is True",
    ),
    (
        lambda case: case.numpy_says("nonzero() got an unexpected") or case.numpy_says("nonzero() takes no keyword"),
        "NumPy's nonzero takes no as_tuple, and always gives one array an axis",
    ),
    (
        lambda case: "skips-empty" in case.torch_rules,
        "PyTorch's cat skips a tensor of shape (0,), NumPy wants as many axes of all",
    ),
    (
        lambda case: "sizes-apart" in case.torch_rules and case.numpy_says("as a data type"),
        "NumPy takes the shape as one tuple, np.zeros((2, 3)): its second argument is the dtype",
    ),
    (
        lambda case: case.numpy_says("data type 'bfloat16'"),
        "NumPy has no bfloat16: make an array of x.float()",
    ),
    (
        lambda case: case.numpy_says("data type") and case.torch.error is None,
        "for NumPy, x.to(...) is read as x.astype(...), which takes no device: arrays are nowhere else",
    ),
    (
        lambda case: case.torch_says("inconsistent with step sign"),
        "a range without numbers is an error in PyTorch, empty in NumPy",
    ),
    (
        lambda case: "nonzero-rows" in case.torch_rules,
        "nonzero() gives one row an element in PyTorch, (n, ndim); NumPy one array an axis, as as_tuple=True does",
    ),
    (
        lambda case: "positions-wrap" in case.torch_rules,
        "take_along_dim takes positions modulo the axis in PyTorch, NumPy raises",
    ),
    (
        lambda case: case.torch_says("Index put requires the source"),
        "with positions or masks PyTorch wants the value's dtype to be the target's; NumPy casts",
    ),
    (
        lambda case: case.torch_says("can't assign a "),
        "PyTorch assigns tensors and numbers only; NumPy makes an array of a list",
    ),
    (
        lambda case: case.torch_says("unsupported operation: some elements of the input"),
        "PyTorch refuses a value that shares memory with the place that it is written to; NumPy copies it first",
    ),
    (
        lambda case: case.numpy_says("boolean array indexing assignment"),
        "for a mask of the whole array NumPy wants one value an element, or one",
    ),
    (
        lambda case: case.numpy_says("assignment destination is read-only"),
        "an expanded array is read-only in NumPy",
    ),
    (
        lambda case: case.numpy_says("setting an array element"),
        "one element takes a scalar in NumPy, any tensor of one element in PyTorch",
    ),
    (
        lambda case: case.torch_says("value cannot be converted to type"),
        "PyTorch refuses a number that its dtype cannot hold",
    ),
    (
        lambda case: case.numpy_says("Python integer"),
        "PyTorch lets a Python integer that the dtype does not hold wrap round, NumPy refuses it",
    ),
    (
        lambda case: "compared-with-a-stranger" in case.torch_rules | case.numpy_rules,
        "PyTorch compares a tensor with no list, text or None (== is plain False); NumPy compares each element",
    ),
    (
        lambda case: "0-d-gives-way" in case.torch_rules,
        "a 0-d tensor does not widen the dtype of one that has axes in PyTorch; NumPy counts it in full",
    ),
    (
        lambda case: "integers-with-floats" in case.torch_rules,
        "with integers PyTorch keeps the dtype of the floats; NumPy takes a float wide enough for the integers",
    ),
    (
        lambda case: "default-float" in case.torch_rules,
        "PyTorch makes its default float32, NumPy a float as wide as the integers need: float64 for int32 and int64",
    ),
    (
        lambda case: "bool-as-int8" in case.numpy_rules,
        "NumPy computes bools as int8 here; PyTorch refuses them, or keeps bool",
    ),
    (
        lambda case: case.torch_says("ZeroDivisionError"),
        "PyTorch refuses integers divided by zero, NumPy gives 0 and warns",
    ),
    (
        lambda case: "grid-order" in case.torch_rules | case.numpy_rules,
        "torch.meshgrid walks its first tensor along axis 0 (indexing='ij'), np.meshgrid along axis 1 (indexing='xy')",
    ),
    (
        lambda case: "gather-crops" in case.torch_rules,
        "gather takes the first positions where the index is smaller; np.take_along_axis broadcasts the index",
    ),
    (
        lambda case: "truncated-floats" in case.torch_rules,
        "PyTorch truncates floats in a list to integers, silently; NumPy refuses them",
    ),
)
