"""What a kind of expression for the tests of rewriting is, and those of features, positions and devices."""

from dataclasses import dataclass, field

Shape = tuple[int, ...]

SHAPES: tuple[Shape, ...] = ((3,), (2, 3), (2, 3, 4), (3, 3), (2, 3, 4, 5), (4, 4, 4), (2, 1, 3), (1, 3), (3, 2, 3))
FLOATING = ("float32", "float32", "float32", "float32", "float64", "float16")
ANY = (*FLOATING, "int64", "int32", "uint8", "bool")


@dataclass(frozen=True)
class Named:
    """What a name stands for: one of several shapes and dtypes; of positions, how many there are to look up."""

    shapes: tuple[Shape, ...] = SHAPES
    dtypes: tuple[str, ...] = FLOATING
    limit: int = 0


@dataclass(frozen=True)
class Kind:
    """Expressions of one kind.

    Attributes:
        texts: Templates: ``{d}`` and ``{e}`` stand for dims of ``x``, ``{k}`` for ``keepdim=True`` or nothing, ``{n}``
            for a small count, ``{s}`` for its sizes, of which some are -1, and ``{t}`` for counts of repeats.
        names: What the names stand for.
    """

    texts: tuple[str, ...]
    names: dict[str, Named] = field(default_factory=lambda: {"x": Named()})


def of(*texts: str, dtypes: tuple[str, ...] = FLOATING, shapes: tuple[Shape, ...] = SHAPES) -> Kind:
    return Kind(texts, {"x": Named(shapes, dtypes)})


_SAME = {"x": Named(((2, 3),), ("float32", "float64", "float32")), "y": Named(((2, 3),), ("float32",))}
_ADDED = {
    "x": Named(((4, 3),), ("float32", "float64", "int64")),
    "i": Named(((4,),), ("int64",), limit=3),
    "y": Named(((4, 3),), ("float32",)),
}
_PICTURES = ((2, 8, 4, 6), (8, 4, 6), (2, 3, 8, 2, 4))
# By the names of their kinds; the caller adds its own.
FEATURES: dict[str, Kind] = {
    "distances": Kind(
        (
            *("F.mse_loss(x, y)", "F.l1_loss(x, y)", "F.mse_loss(x, y, reduction='none')", "nn.L1Loss()(x, y)"),
            *("F.l1_loss(x, y, reduction='sum')", "nn.MSELoss(reduction='sum')(x, y)"),
        ),
        _SAME,
    ),
    "lengths": Kind(
        (
            *("F.normalize(x)", "F.normalize(x, dim=0)", "F.normalize(x, eps=0.5)", "F.normalize(x, dim=-1)"),
            *("F.cosine_similarity(x, y)", "torch.cosine_similarity(x, y, dim=0)"),
        ),
        _SAME,
    ),
    "shuffled": of(
        *("F.pixel_shuffle(x, 2)", "nn.PixelShuffle(2)(x)", "F.pixel_unshuffle(x, 2)", "torch.pixel_unshuffle(x, 2)"),
        dtypes=("float32", "int64"),
        shapes=_PICTURES,
    ),
    "looked up": Kind(
        ("F.embedding(i, x)", "F.embedding(i, x)[0]"),
        {"x": Named(((4, 3), (3, 2)), ("float32",)), "i": Named(((2,), (2, 3)), ("int64",), limit=3)},
    ),
    "put at positions": Kind(
        (
            *("x.index_fill(0, i, 2)", "x.index_fill(1, i, 2)", "torch.index_fill(x, -1, i, 0)"),
            *("x[0].index_fill(0, i, 1)", "x.index_fill(0, i[0], 3)"),
        ),
        _ADDED,
    ),
    "added at positions": Kind(
        (
            "x.index_add(0, i, x)",
            "x.index_add(1, i[:3], x)",
            "torch.index_add(x, -1, i[:3], x)",
            "x[:, 0].index_add(0, i, x[:, 1])",
        ),
        _ADDED,
    ),
    "on a device": of(
        "x.cpu()", "x.to('cpu')", "x.to('cpu', torch.float64)", "x.detach().cpu() + 1", dtypes=("float32",)
    ),
}
