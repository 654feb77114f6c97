"""Times kernels, each compared with a float64 reference first.

Examples:
    >>> from segcli.bench import Request, run
    >>> found = run(Request(suites=("index",), kernel="argmax", sizes=((8, 8),), budget_s=0.05))
    >>> found.results[0].status.value, found.results[0].bytes
    ('timed', 10752)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segcli.bench.comparing.comparing import Comparison, Question, compare
    from segcli.bench.comparing.sides import side_of
    from segcli.bench.comparing.stored import read_run
    from segcli.bench.listing import catalogue
    from segcli.bench.measuring.sampling import Rule, Sampling, measure
    from segcli.bench.plan import Request
    from segcli.bench.results import Result, Status
    from segcli.bench.runs import Run, run

_HOMES = {
    "Comparison": "comparing.comparing",
    "Question": "comparing.comparing",
    "Request": "plan",
    "Result": "results",
    "Rule": "measuring.sampling",
    "Run": "runs",
    "Sampling": "measuring.sampling",
    "Status": "results",
    "catalogue": "listing",
    "compare": "comparing.comparing",
    "measure": "measuring.sampling",
    "read_run": "comparing.stored",
    "run": "runs",
    "side_of": "comparing.sides",
}

__all__ = [
    "Comparison",
    "Question",
    "Request",
    "Result",
    "Rule",
    "Run",
    "Sampling",
    "Status",
    "catalogue",
    "compare",
    "measure",
    "read_run",
    "run",
    "side_of",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562: whatever the core holds
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"segcli.bench.{_HOMES[name]}"), name)
