"""How each of torch's operations moves positions about."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from segcli.counting import fields
from segcli.counting.fields import Field, joined
from segcli.counting.following import Call, Rule
from segcli.counting.rearranging import REARRANGING
from segcli.counting.states import Dim, Part, State, broadcast, constant, gathered

Move = Callable[[Field], Field]


def moved(call: Call, moves: Sequence[Move], *, before: State | None = None) -> State:
    """Return what positions see after a layer that works on the last dimensions, each by its own move."""
    state = call.state(call.source) if before is None else before
    result = call.results[0]
    dims = list(state.dims)
    for place, move in zip(range(-len(moves), 0), moves, strict=True):
        parts = dims[place]
        if not parts:
            continue
        if len(parts) > 1 or parts[0].size != call.source.shape[place]:
            return state.lost(result.dim(), f"{call.name} in {call.where} works on axes that were laid together")
        paths = joined(frozenset(move(path) for path in parts[0].paths))
        dims[place] = (Part(parts[0].axis, result.shape[place], paths),)
    return state.with_dims(dims)


def _convolution(call: Call) -> State:
    bound = call.bound
    n_axes = bound["weight"].dim() - 2
    kernel = bound["weight"].shape[2:]
    stride, padding, dilation = (_each(bound[name], n_axes) for name in ("stride", "padding", "dilation"))
    layer = fields.transposed if bound["transposed"] else fields.windowed
    moves = [_bind(layer, *own) for own in zip(kernel, stride, padding, dilation, strict=True)]
    state = call.state(call.source)
    channels = state.dims[-n_axes - 1]
    if channels and bound["groups"] == 1:
        state = state.pooling(channels, call.where)
    elif channels:
        return state.lost(call.results[0].dim(), f"groups of {call.where} mix a part of an axis")
    return moved(call, moves, before=state.with_dims((*state.dims[: -n_axes - 1], (), *state.dims[-n_axes:])))


def _bind(layer: Callable[..., Field], *settings: int) -> Move:
    return lambda path: layer(path, *settings)


def _each(value: int | Sequence[int], n_axes: int) -> tuple[int, ...]:
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * n_axes if len(values) == 1 else values


def _pooling(call: Call) -> State:
    kernel = tuple(call.bound["kernel_size"])
    n_axes = _axes_of(call.name)
    kernel = _each(kernel, n_axes)
    stride = _each(call.bound["stride"] or kernel, n_axes)
    padding = _each(call.bound["padding"], n_axes)
    dilation = _each(call.bound.get("dilation", 1), n_axes)
    source = call.source
    if all(result == 1 for result in call.results[0].shape[-n_axes:]) and kernel == tuple(source.shape[-n_axes:]):
        return _whole(call, n_axes)
    return moved(call, [_bind(fields.windowed, *own) for own in zip(kernel, stride, padding, dilation, strict=True)])


def _axes_of(name: str) -> int:
    return next(axes for axes in (1, 2, 3) if f"{axes}d" in name)


def _whole(call: Call, n_axes: int) -> State:
    state = call.state(call.source)
    kept, gone = state.dims[:-n_axes], state.dims[-n_axes:]
    return state.with_dims((*kept, *((),) * n_axes)).pooling((part for parts in gone for part in parts), call.where)


def _adaptive(call: Call) -> State:
    n_axes = _axes_of(call.name)
    source, result = call.source.shape[-n_axes:], call.results[0].shape[-n_axes:]
    state = call.state(call.source)
    pooled = [part for place in range(-n_axes, 0) if call.results[0].shape[place] == 1 for part in state.dims[place]]
    dims = [
        () if place >= len(state.dims) - n_axes and size == 1 else parts
        for place, (parts, size) in enumerate(zip(state.dims, call.results[0].shape, strict=True))
    ]
    before = state.with_dims(dims).pooling(pooled, call.where)
    ratios = [Fraction(one, other) for one, other in zip(source, result, strict=True)]
    return moved(call, [_by(fields.adaptive, ratio) for ratio in ratios], before=before)


def _by(layer: Callable[..., Field], *settings: Any, **named: Any) -> Move:  # noqa: ANN401 - what the layer takes
    return lambda path: layer(path, *settings, **named)


def _resizing(call: Call) -> State:
    n_axes = _axes_of(call.name)
    source, result = call.source.shape[-n_axes:], call.results[0].shape[-n_axes:]
    is_nearest, is_aligned = "nearest" in call.name, bool(call.bound.get("align_corners"))
    moves: list[Move] = []
    for old, new, scale in zip(source, result, _scales(call, n_axes), strict=True):
        if is_aligned:
            ratio = Fraction(old - 1, new - 1) if new > 1 and old > 1 else Fraction(1, new)
        else:
            ratio = Fraction(old, new) if scale is None else 1 / Fraction(scale).limit_denominator(1000)
        if is_nearest:
            moves.append(_by(fields.nearest, ratio, exact="exact" in call.name))
        else:
            reach, antialias = 2 if "cubic" in call.name else 1, call.name.endswith("_aa")
            moves.append(_by(fields.interpolated, ratio, reach, aligned=is_aligned, antialias=antialias))
    return moved(call, moves)


def _scales(call: Call, n_axes: int) -> Sequence[float | None]:
    named = [call.bound.get(name) for name in ("scales_d", "scales_h", "scales_w", "scales")]
    given = [scale for scale in named if scale is not None] or list(call.bound.get("scale_factors") or ())
    return given if len(given) == n_axes else [None] * n_axes


def _shuffle(call: Call) -> State:
    ratio = Fraction(1, call.bound["upscale_factor"])
    return moved(call, [_by(fields.nearest, ratio)] * 2)


def _unshuffle(call: Call) -> State:
    factor = call.bound["downscale_factor"]
    return moved(call, [_bind(fields.windowed, factor, factor)] * 2)


def _padding(call: Call) -> State:
    pad = list(call.bound.get("pad") or call.bound["padding"])
    # The last axis stands first.
    starts = pad[::2][::-1]
    return moved(call, [_by(fields.sliced, -start) for start in starts])


def _columns(call: Call) -> State:
    bound = call.bound
    state = call.state(call.source)
    settings = [_each(bound[name], 2) for name in ("kernel_size", "stride", "padding", "dilation")]
    parts: list[Part] = []
    for place, (kernel, stride, padding, dilation) in zip((-2, -1), zip(*settings, strict=True), strict=True):
        size = (call.source.shape[place] + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        for part in state.dims[place]:
            paths = joined(frozenset(fields.windowed(path, kernel, stride, padding, dilation) for path in part.paths))
            parts.append(Part(part.axis, size, paths))
    return state.with_dims((*state.dims[:-3], (), tuple(parts)))


def _reduction(call: Call) -> State:
    state = call.state(call.source)
    dims = _dims(call.bound.get("dim"), len(state.dims))
    gone = [part for place in dims for part in state.dims[place]]
    if len(state.dims) == call.results[0].dim():
        kept: list[Dim] = [() if place in dims else parts for place, parts in enumerate(state.dims)]
    else:
        kept = [parts for place, parts in enumerate(state.dims) if place not in dims]
    return state.with_dims(kept).pooling(gone, call.where)


def _dims(dim: int | Sequence[int] | None, rank: int) -> set[int]:
    if dim is None or dim == []:
        return set(range(rank))
    return {one % rank for one in ([dim] if isinstance(dim, int) else dim)} if rank else set()


def _softmax(call: Call) -> State:
    """Every position along the dimension sees all of it."""
    state = call.state(call.source)
    return state.pooling(state.dims[call.bound["dim"]], call.where) if state.dims else state


def _same(call: Call) -> State:
    return call.state(call.source)


def _made_alike(call: Call) -> State:
    """Only the shape is read."""
    return constant(call.results[0].dim())


def _along(call: Call) -> State:
    """Sorting and the like: as before, unless it is along an axis of the image."""
    state = call.state(call.source)
    if state.dims and state.dims[call.bound["dim"]]:
        return state.lost(len(state.dims), f"{call.name} in {call.where} works along an axis of the image")
    return state


def _product(left: str, right: str, added: str = "") -> Rule:
    def rule(call: Call) -> State:
        one, two = call.bound[left], call.bound[right]
        first, second = call.state(one), call.state(two)
        rank = call.results[0].dim()
        contracted = (*first.dims[-1], *second.dims[-2 if two.dim() > 1 else -1])
        dims = (*first.dims[-2:-1], *second.dims[-1:]) if two.dim() > 1 else first.dims[-2:-1]
        batches = broadcast(
            [(_leading(state), one.shape[:-2]) for state in (first, second)], one.shape[:-2], call.where
        )
        state = gathered((first, second, batches), rank).pooling(contracted, call.where)
        made = state if state.unknown else state.with_dims((*batches.dims, *dims)[-rank:] if rank else ())
        operands = [(made, call.results[0].shape)]
        if added and call.bound[added] is not None:
            operands.append((call.state(call.bound[added]), call.bound[added].shape))
        return broadcast(operands, call.results[0].shape, call.where)

    return rule


def _leading(state: State) -> State:
    return state.with_dims(state.dims[:-2])


def _attention(call: Call) -> State:
    query, *others = (call.state(call.bound[name]) for name in ("query", "key", "value"))
    seen = [part for state in others for part in state.dims[-2]]
    state = gathered((query, *others), len(query.dims)).pooling(seen, call.where)
    return state if state.unknown else state.with_dims((*query.dims[:-1], ()))


def _copy(call: Call) -> State:
    source = call.bound["src"]
    return broadcast([(call.state(source), source.shape)], call.results[0].shape, call.where)


def _rules() -> dict[str, Rule]:
    rules: dict[str, Rule] = {"convolution": _convolution, "im2col": _columns, "copy": _copy, **REARRANGING}
    rules |= dict.fromkeys(("max_pool2d_with_indices", "max_pool3d_with_indices", "avg_pool2d", "avg_pool3d"), _pooling)
    rules |= {"avg_pool1d": _pooling, "pixel_shuffle": _shuffle, "pixel_unshuffle": _unshuffle}
    for axes in (1, 2, 3):
        rules |= {f"_adaptive_avg_pool{axes}d": _adaptive, f"adaptive_max_pool{axes}d": _adaptive}
        rules |= {f"adaptive_avg_pool{axes}d": _adaptive, f"upsample_nearest{axes}d": _resizing}
        rules |= {f"_upsample_nearest_exact{axes}d": _resizing}
        rules |= {f"reflection_pad{axes}d": _padding, f"replication_pad{axes}d": _padding}
    rules |= {"constant_pad_nd": _padding, "upsample_linear1d": _resizing, "upsample_bilinear2d": _resizing}
    rules |= {"upsample_trilinear3d": _resizing, "upsample_bicubic2d": _resizing}
    rules |= {"_upsample_bilinear2d_aa": _resizing, "_upsample_bicubic2d_aa": _resizing}
    names = "mean sum amax amin max min var std prod logsumexp linalg_vector_norm norm any all argmax argmin var_mean"
    rules |= dict.fromkeys(names.split(), _reduction)
    rules |= dict.fromkeys(("_softmax", "_log_softmax", "_safe_softmax"), _softmax)
    rules |= dict.fromkeys(("sort", "topk", "cumsum", "cumprod", "glu"), _along)
    same = """_to_copy clone native_dropout bernoulli detach alias lift_fresh native_batch_norm native_layer_norm
        native_group_norm _fused_rms_norm channel_shuffle native_channel_shuffle rrelu_with_noise log_sigmoid_forward
        uniform normal masked_fill triu tril"""
    rules |= dict.fromkeys(same.split(), _same)
    made = (
        "empty_like zeros_like ones_like full_like rand_like randn_like new_empty new_zeros new_ones new_full fill zero"
    )
    rules |= dict.fromkeys(made.split(), _made_alike)
    rules |= {"mm": _product("self", "mat2"), "bmm": _product("self", "mat2"), "mv": _product("self", "vec")}
    rules |= {"addmm": _product("mat1", "mat2", "self"), "baddbmm": _product("batch1", "batch2", "self")}
    attentions = ("flash_attention", "flash_attention_for_cpu", "efficient_attention", "fused_attention_overrideable")
    rules |= {f"_scaled_dot_product_{name}": _attention for name in attentions}
    return rules


RULES: dict[str, Rule] = _rules()
