"""Makes the trace of the operations of an expression: what each token does, and what broadcasts."""

from collections.abc import Iterable

from segcli.shapes.computed import Computed
from segcli.shapes.indexing import Indexing, Step
from segcli.shapes.reduced import Reduced
from segcli.shapes.result import Broadcast, BroadcastRow, TraceStep
from segcli.shapes.stages import Stage
from segcli.shapes.values import Pair, Parts, Tensor, Value


def trace(stages: Iterable[Stage]) -> tuple[TraceStep, ...]:
    """Return what each token does, operation by operation."""
    steps: list[TraceStep] = []
    for stage in stages:
        if not isinstance(stage.done, str):
            given = _axes(stage.result)
            steps += [_traced(stage, step, given) for step in _steps(stage, stage.done)]
    return tuple(steps)


def _steps(stage: Stage, done: Indexing | Reduced | Computed) -> Iterable[Step]:
    if not isinstance(done, Reduced):
        return done.steps
    rest = _passing(stage, done)
    return (done.step,) if rest is None else (done.step, rest)


def _passing(stage: Stage, done: Reduced) -> Step | None:
    """Return the step of the axes that a reduction leaves alone."""
    if not isinstance(stage.source, Tensor) or (done.flat and done.dims):
        return None
    takes = tuple(axis for axis in range(len(stage.source.shape)) if axis not in done.dims)
    gives = tuple(axis for axis in range(len(done.shape)) if not done.keepdim or axis not in done.dims)
    if not takes or len(takes) != len(gives):
        return None
    return Step(done.step.stage, "", (0, 0), "not reduced", takes, gives, "kept")


def _traced(stage: Stage, step: Step, given: Tensor) -> TraceStep:
    source = stage.inputs[step.operand]
    taken = _axes(source.value)
    # A list that NumPy makes an array of shows no axes of its own.
    takes = step.takes if isinstance(source.value, Tensor | Pair | Parts) else ()
    return TraceStep(
        stage=step.stage,
        on=source.text,
        operand=step.operand,
        source=source.stage,
        token=step.token,
        start=step.span[0],
        end=step.span[1],
        kind=step.kind,
        takes=takes,
        takes_sizes=tuple([taken.shape[axis] for axis in takes]),
        gives=step.gives,
        gives_sizes=tuple([given.shape[axis] for axis in step.gives]),
        effect=step.effect,
        takes_labels=tuple([taken.labels[axis] for axis in takes]) if taken.labels else (),
        gives_labels=tuple([given.labels[axis] for axis in step.gives]) if given.labels else (),
    )


def _axes(value: Value) -> Tensor:
    """Return the tensor whose axes a step is about; of several the first."""
    match value:
        case Tensor():
            return value
        case Pair():
            return value.values
        case Parts(runs) if runs:
            return runs[0].tensor
        case _:
            return Tensor((), "", "")


def broadcasts(stages: Iterable[Stage]) -> tuple[Broadcast, ...]:
    """Return what broadcasts in each operation, or what else is to be said of it."""
    found = []
    for number, stage in enumerate(stages):
        done = stage.done
        if isinstance(done, Indexing) and done.broadcast is not None:
            rows = tuple(BroadcastRow(operand.item.text, operand.shape) for operand in done.operands)
            found.append(Broadcast(number, rows, done.broadcast, done.landing, done.why))
        elif isinstance(done, Computed) and (done.rows or done.why):
            rows = tuple(BroadcastRow(token, shape) for token, shape in done.rows)
            axes = tuple(range(len(done.broadcast)))
            found.append(Broadcast(number, rows, done.broadcast, axes, done.why, "operands"))
    return tuple(found)
