"""The table of operations that select: by positions along an axis, by masks, by a condition."""

from segcli.shapes.calls import Operation
from segcli.shapes.select.adding import index_add_torch, index_fill_torch
from segcli.shapes.select.aligning import along_numpy, along_torch, gather_numpy
from segcli.shapes.select.choosing import where_numpy, where_torch
from segcli.shapes.select.gathering import gather_torch
from segcli.shapes.select.masking import (
    argwhere_numpy,
    argwhere_torch,
    masked_fill_torch,
    masked_select_torch,
    nonzero_numpy,
    nonzero_torch,
)
from segcli.shapes.select.scattering import scatter_add_torch, scatter_reduce_torch, scatter_torch
from segcli.shapes.select.taking import select_numpy, select_torch

OPERATIONS = {
    "gather": Operation(gather_torch, gather_numpy, read_as="np.take_along_axis"),
    "take_along_dim": Operation(along_torch, along_numpy, read_as="np.take_along_axis"),
    "index_select": Operation(select_torch, select_numpy, read_as="np.take"),
    "scatter": Operation(
        scatter_torch, advice="write np.put_along_axis(x, index, src, axis), which writes to x itself"
    ),
    "scatter_add": Operation(
        scatter_add_torch, advice="write np.add.at(x, (index, ...), src), which adds to x itself and counts repeats"
    ),
    "scatter_reduce": Operation(
        scatter_reduce_torch, advice="write np.maximum.at(x, (index, ...), src) and the like, which write to x itself"
    ),
    "index_add": Operation(
        index_add_torch, advice="write np.add.at(x, index, source), which adds to x itself and counts repeats"
    ),
    "index_fill": Operation(index_fill_torch, advice="write x[:, index] = value, which writes to x itself"),
    "masked_select": Operation(masked_select_torch, advice="write x[mask], where the shapes are equal"),
    "masked_fill": Operation(masked_fill_torch, advice="write np.where(mask, value, x)"),
    "nonzero": Operation(nonzero_torch, nonzero_numpy),
    "torch.argwhere": Operation(argwhere_torch, argwhere_numpy),
    "method.argwhere": Operation(argwhere_torch, argwhere_numpy, read_as="np.argwhere"),
    "torch.where": Operation(where_torch, where_numpy),
    "method.where": Operation(where_torch, advice="write np.where(condition, x, other)"),
}
