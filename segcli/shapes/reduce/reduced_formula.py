"""Writes what an element of a reduction is: ``the j where x[i, j, k] is largest``."""

from collections.abc import Sequence

from segcli.shapes.elements import Element, free_letters
from segcli.shapes.reduce.reductions import FUNCTIONS
from segcli.shapes.reduced import Reduced
from segcli.shapes.symbols import times
from segcli.shapes.values import Shape, Size


def write_reduction(
    source: Element, shape: Shape, done: Reduced, member: str | None, names: Sequence[str]
) -> tuple[str, dict[str, Size]]:
    """Write a reduction that ends the expression.

    Args:
        source: How an element of what is reduced is written.
        shape: The shape of what is reduced.
        done: The reduction.
        member: What is picked from the pair that it gives.
        names: The bound names, which no letter may be.

    Returns:
        The formula, and the letters that it goes over with their sizes.
    """
    text, over = (_along if done.form != "over" else _over)(source, shape, done, names)
    return _sides(text, done, member), over


def _sides(parts: tuple[str, str, str], done: Reduced, member: str | None) -> str:
    place, values, indices = parts
    if not done.pair:
        return f"result{place} = {indices if done.form == 'place' else values}"
    if member is not None:
        return f"result{place} = {values if member == 'values' else indices}"
    return f"values{place} = {values}; indices{place} = {indices}"


def _over(
    source: Element, shape: Shape, done: Reduced, names: Sequence[str]
) -> tuple[tuple[str, str, str], dict[str, Size]]:
    """Write what is left of axes that are gone: coordinates, values and positions."""
    letters = free_letters(len(shape), names)
    element = source.written(letters)
    over = [letters[axis] for axis in done.dims]
    sizes = {letters[axis]: shape[axis] for axis in done.dims}
    kept = ["0" if axis in done.dims else letter for axis, letter in enumerate(letters)]
    if not done.keepdim:
        kept = [letter for letter in letters if letter not in over]
    name = done.step.kind
    words = done.words or FUNCTIONS[name].words
    if name == "count_nonzero":
        element = f"({element} != 0)"
    if name.startswith("arg"):
        return (_place(kept), _located(over, element, words, shape if done.flat else ()), ""), sizes
    values = f"{words} over {', '.join(over)} of {element}"
    if words == "nan":
        values, sizes = words, {}
    elif not over and name in ("any", "all"):
        values = f"{element} != 0"
    elif not over and name not in ("std", "var", "norm"):
        values = element
    elif not over:
        values = f"{words} of {element}"
    return (_place(kept), values, _located(over, element, FUNCTIONS[name].place or words, ())), sizes


def _along(
    source: Element, shape: Shape, done: Reduced, names: Sequence[str]
) -> tuple[tuple[str, str, str], dict[str, Size]]:
    """Write what stands along an axis that stays: coordinates, values and positions.

    The result's axes have their letters, and the one that is walked has another: ``sum over l <= j of x[i, l, k]``.
    """
    letters = free_letters(len(shape) + 1, names)
    extra = letters.pop()
    walked = list(letters)
    if done.flat:
        place, kept, over = extra, [extra], letters
        sizes = dict(zip(letters, shape, strict=True))
    else:
        place, kept = letters[done.dims[0]] if done.dims else "", letters
        over = [extra] if done.dims else []
        sizes = {extra: shape[done.dims[0]]} if done.dims else {}
        for axis in done.dims:
            walked[axis] = extra
    element = source.written(walked)
    own = source.written(letters)
    position = _flat_position(over, shape) if done.flat else "".join(over)
    words = done.words or FUNCTIONS[done.step.kind].words
    if done.form == "rank":
        words = f"({place} + 1)-th {words}" if over else words
    match done.form:
        case "running":
            values = f"{words} over {position} <= {place} of {element}"
        case "softmax":
            values = f"exp({own}) / sum over {extra} of exp({element})"
        case "log_softmax":
            values = f"{own} - logsumexp over {extra} of {element}"
        case _:
            words = f"({place} + 1)-th {words}" if done.form == "place" else words
            values = f"{words} over {', '.join(over)} of {element}"
    if not over:
        # Not 1 and 0: of nan it is nan. A bool cannot be taken from itself, but multiplied.
        alone = {"softmax": f"exp({element}) / exp({element})", "log_softmax": f"0 * {element}"}
        values = alone.get(done.form, element)
    return (_place(kept), values, _located(over, element, words, shape if done.flat else ())), sizes


def _place(letters: Sequence[str]) -> str:
    return f"[{', '.join(letters)}]" if letters else ""


def _located(over: Sequence[str], element: str, words: str, flattened: Shape) -> str:
    position = _flat_position(over, flattened) if flattened else "".join(over)
    return f"the {position} where {element} is {words}" if over else "0"


def _flat_position(letters: Sequence[str], shape: Shape) -> str:
    """Write the position in the flattened tensor.

    Examples:
        >>> _flat_position(["i", "j", "k"], (2, 3, 4))
        '12*i + 4*j + k'
        >>> _flat_position(["i", "j", "k"], (2, "H", 4))
        '4*H*i + 4*j + k'
    """
    strides = [times(shape[axis + 1 :]) for axis in range(len(shape))]
    terms = [letter if stride == "1" else f"{stride}*{letter}" for letter, stride in zip(letters, strides, strict=True)]
    return " + ".join(terms)
