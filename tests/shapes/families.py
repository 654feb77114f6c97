"""Every generator of random cases, by what its operations do; together they cover the table of operations."""

from tests.shapes import (
    adding_cases,
    arithmetic_cases,
    assigning_cases,
    cases,
    casting_cases,
    convolution_cases,
    criteria_cases,
    cutting_cases,
    diagonal_cases,
    distance_cases,
    encoding_cases,
    feature_cases,
    finding_cases,
    folding_cases,
    grid_making_cases,
    inquiry_cases,
    joining_cases,
    linear_cases,
    making_cases,
    module_cases,
    normalizing_cases,
    padding_cases,
    picking_cases,
    plain_cases,
    pointwise_cases,
    pooling_cases,
    product_cases,
    repeating_cases,
    resampling_cases,
    reshaping_cases,
    selection_cases,
    updating_cases,
    view_cases,
    windowing_cases,
)
from tests.shapes.agreement import Draw, Family

_BOTH = ("torch", "numpy")
# Which of two dtypes a kernel calls the expected one, hangs on how it lays out their memory.
_OF_PRODUCTS = "expected scalar type|m1 and m2|setStorage"


def _selection(name: str, draw: Draw, formulas: int = 0) -> Family:
    return Family(name, draw, 625, varying=_OF_PRODUCTS, formulas=formulas)


INDEXING = Family("indexing and reductions", cases.random_case, 20_000, _BOTH, raised=(0.1, 0.9), formulas=3000)
FAMILIES = (
    INDEXING,
    Family("assignments", assigning_cases.random_assignment, 5000, (), raised=(0.2, 0.8), formulas=300),
    Family("changes in place", updating_cases.random_update, 1500, (), known=False, formulas=300),
    Family("operators", arithmetic_cases.random_operator, 5000, _BOTH, known=False, formulas=300),
    Family("functions of two", arithmetic_cases.random_call, 4000, (), known=False, formulas=300),
    Family("functions of one", pointwise_cases.random_function, 2000, (), known=False, formulas=300),
    Family("clamp", pointwise_cases.random_clamp, 1600, (), known=False, formulas=300),
    Family("clone and detach", pointwise_cases.random_keeping, 1000, (), known=False, formulas=150),
    Family("conversions", casting_cases.random_cast, 1600, (), known=False, formulas=150),
    Family("questions", inquiry_cases.random_question, 2500, _BOTH),
    Family("numbers and sizes", plain_cases.random_arithmetic, 2000, _BOTH),
    Family("views", view_cases.random_view, 5000, (), known=False, raised=(0.1, 0.85), formulas=300),
    Family("reshapes", reshaping_cases.random_reshape, 5000, _BOTH, known=False, raised=(0.1, 0.85), formulas=300),
    Family("repeats", repeating_cases.random_repeat, 5000, _BOTH, known=False, raised=(0.1, 0.85), formulas=300),
    Family("windows and differences", windowing_cases.random_window, 2500, raised=(0.1, 0.9), formulas=100),
    Family("diagonals", diagonal_cases.random_diagonal, 2500, raised=(0.1, 0.9), formulas=100),
    Family("joins", joining_cases.draw_join, 5000, formulas=300),
    Family("cuts", cutting_cases.draw_cut, 5000, formulas=2000),
    Family("picks", picking_cases.draw_pick, 2500, formulas=600),
    Family("makings", making_cases.draw_made, 5000, formulas=400),
    Family("coordinates", grid_making_cases.draw_coordinates, 2500, varying="linspace only|tensor list but got"),
    Family("products", product_cases.draw_product, 5000, varying=_OF_PRODUCTS, formulas=300),
    Family("einsum", product_cases.draw_einsum, 5000, varying=_OF_PRODUCTS, formulas=300),
    _selection("gather", selection_cases.draw_gather, 200),
    _selection("take_along_dim", selection_cases.draw_along, 300),
    _selection("index_select", selection_cases.draw_select, 200),
    _selection("scatter", selection_cases.draw_scatter, 400),
    _selection("scatter_reduce", adding_cases.draw_meeting),
    _selection("index_add", adding_cases.draw_addition),
    _selection("masks", selection_cases.draw_mask, 200),
    _selection("where", selection_cases.draw_where, 200),
    _selection("nonzero", selection_cases.draw_nonzero, 600),
    # With one thread, kernels of 1 x 1 are PyTorch's own and refuse what oneDNN's take.
    Family(
        "convolution functions", convolution_cases.function_case, 1250, (), raised=(0.15, 0.85), threads=2, formulas=500
    ),
    Family("convolution layers", convolution_cases.layer_case, 1250, (), raised=(0.15, 0.85), threads=2, formulas=600),
    Family("linear functions", linear_cases.function_case, 1250, (), formulas=200),
    Family("linear layers", linear_cases.layer_case, 1250, (), formulas=200),
    Family("pooling by a window", pooling_cases.window_case, 2000, (), raised=(0.15, 0.85), formulas=300),
    Family("pooling to a size", pooling_cases.adaptive_case, 2000, (), raised=(0.15, 0.85), formulas=400),
    Family(
        "batch and instance norms",
        normalizing_cases.batch_or_instance,
        2500,
        varying=normalizing_cases.VARYING,
        formulas=350,
    ),
    Family("layer norms", normalizing_cases.layer, 1250, varying=normalizing_cases.VARYING, formulas=250),
    Family("group norms", normalizing_cases.group, 1250, varying=normalizing_cases.VARYING, formulas=300),
    Family("interpolations", resampling_cases.interpolation, 2500, varying=resampling_cases.VARYING, formulas=1500),
    Family("grids", resampling_cases.grid, 1250),
    Family("pads", padding_cases.pad, 2500, varying=padding_cases.VARYING, formulas=400),
    Family("unfold", padding_cases.window, 1250, formulas=600),
    Family("modules", module_cases.random_module, 1250, (), raised=(0.05, 0.8)),
    Family("shuffles and counts", module_cases.random_shuffle, 1250, (), raised=(0.05, 0.8)),
    Family("one-hot", encoding_cases.encoded, 1250, formulas=300),
    Family("functional softmax", encoding_cases.softmax, 1250, formulas=200),
    Family("fold", folding_cases.fold, 1250, varying=folding_cases.VARYING),
    Family("attention", folding_cases.attention, 1250, varying=folding_cases.VARYING),
    Family("unique", finding_cases.found, 1250, varying="_return_|_unique_impl"),
    Family("embedding", feature_cases.embedding, 1250, varying=feature_cases.VARYING, formulas=100),
    Family("affine grids", feature_cases.affine_grid, 1250, varying=feature_cases.VARYING),
    Family("normalize", feature_cases.normalized, 1250, varying=feature_cases.VARYING, formulas=100),
    Family("pixel_unshuffle", feature_cases.unshuffled, 1250, formulas=100),
    Family(
        "distances", distance_cases.distance, 1250, varying=distance_cases.VARYING, raised=(0.05, 0.8), formulas=100
    ),
    Family("log-likelihoods", distance_cases.likelihood, 1250, varying=distance_cases.VARYING, formulas=100),
    Family("cross entropies", criteria_cases.cross, 2500, varying=criteria_cases.VARYING, formulas=900),
    Family("binary cross entropies", criteria_cases.binary, 1250, varying=criteria_cases.VARYING, formulas=500),
)
