"""Notes what else a reader should know: of SPECs, of names that NumPy has not, of a message that misleads."""

import re
from collections.abc import Mapping

from segcli.shapes.result import Failure
from segcli.shapes.stages import Evaluation
from segcli.shapes.text.file_spec import describe
from segcli.shapes.values import Tensor, Value


def note_specs(specs: Mapping[str, str], bindings: Mapping[str, Value]) -> list[str]:
    """Say what files hold, and of numbers that they are no shapes: the two are one comma apart.

    Args:
        specs: What each name stands for, as given.
        bindings: What that is.

    Examples:
        >>> note_specs({"n": "3"}, {"n": 3})
        ['n=3 is the number 3; a tensor of that size is n=3,']
    """
    files = []
    numbers = []
    for name, value in bindings.items():
        if isinstance(value, Tensor):
            if specs[name].lstrip().startswith("@"):
                files.append(describe(value, specs[name]))
        elif isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            spec = specs[name]
            numbers.append(f"{name}={spec} is the number {value}; a tensor of that size is {name}={spec},")
    return files + numbers


def note_answers(
    torch: Evaluation,
    error: Failure | None,
    numpy: Evaluation,
    read_as: Mapping[str, str],
    lead: str,
    in_torch: str | None,
) -> tuple[str, ...]:
    """Say what the libraries' ways through an expression ask for.

    Args:
        torch: PyTorch's way.
        error: What PyTorch raises, if anything.
        numpy: NumPy's way.
        read_as: What NumPy calls what else the expression uses.
        lead: The library that leads.
        in_torch: The expression in PyTorch's words, where it is written in NumPy's.
    """
    notes = list(torch.notes)
    if error is not None and error.axis is not None and lead == "torch":
        named = re.search(r"for dimension (-?[0-9]+) with|tensor \[.*\] at index ([0-9]+)$", error.message)
        dimension = int(named[1] or named[2]) if named else error.axis
        if dimension != error.axis:
            notes.append(f"PyTorch's message says {dimension}, but it is axis {error.axis} that is at fault")
    # Most expressions have no dim at all: the search is slower.
    if "dim" in torch.expr and not numpy.lacking and re.search(r"\b(?:keep)?dim\s*=", torch.expr):
        notes.append("for NumPy, dim= is read as axis=, and keepdim= as keepdims=")
    if lead == "numpy":
        notes += numpy.notes
    if in_torch is not None:
        notes = [note for note in notes if not note.startswith("for NumPy")]
        return tuple(dict.fromkeys([*notes, f"for PyTorch it is read as {in_torch}"]))
    notes += [f"for NumPy, {name} is read as {meaning}" for name, meaning in {**numpy.read_as, **read_as}.items()]
    return tuple(dict.fromkeys(notes))
