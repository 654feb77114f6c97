"""What is known of a network once it was counted: plain data, without torch."""

from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(frozen=True)
class ByMode:
    """A number of the network as it trains, and as it is evaluated; None where it could not be counted."""

    train: int | None
    eval: int | None

    def __add__(self, other: "ByMode") -> "ByMode":
        """Return the sum, mode by mode."""
        return ByMode(_sum(self.train, other.train), _sum(self.eval, other.eval))

    def times(self, factor: int) -> "ByMode":
        """Return a multiple."""
        return ByMode(
            None if self.train is None else factor * self.train, None if self.eval is None else factor * self.eval
        )

    @property
    def shown(self) -> int | None:
        """What stands for both where one number has to: that of evaluation, else that of training."""
        return self.train if self.eval is None else self.eval


def _sum(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right


@dataclass(frozen=True)
class Node:
    """A module of the network, with all that lies below it.

    Attributes:
        path: Its name; empty for the network itself.
        type: Its class.
        depth: How many names down it is.
        params: Parameters, each counted once within the module.
        trainable: Those of them that require a gradient.
        buffers: Elements of its buffers.
        macs: Multiply-accumulates where it runs.
        flops: 2 x MACs.
        output_shape: Of its first output when it ran first; None where it did not run, or returns no tensor.
        activation_bytes: Bytes of all tensors that its operations make anew.
        share: Of the network's MACs.
        runs: ``train and eval``, ``train``, ``eval`` or ``never``.
    """

    path: str
    type: str
    depth: int
    params: int
    trainable: int
    buffers: int
    macs: ByMode
    flops: ByMode
    output_shape: tuple[int, ...] | None
    activation_bytes: ByMode
    share: float | None
    runs: str


@dataclass(frozen=True)
class Seen:
    """What of the input one position of an output sees.

    Attributes:
        name: Of the output: empty for the only one, else its place, such as ``[0]`` or ``['out']``.
        shape: Its shape.
        receptive_field: Its extent an axis, borders left aside: the maximum over all paths that pass no global pooling,
            or in front of the pooling where all do. None where it is unknown.
        stride: Pixels of the input from one position to the next, an axis; the largest where paths disagree.
        whole_image_by: The modules through which every position sees the whole input; empty where none does.
        strides: An axis, the strides of paths that disagree.
        unknown: Why it is unknown; empty where it is known.
    """

    name: str
    shape: tuple[int, ...]
    receptive_field: tuple[int, ...] | None
    stride: tuple[Fraction | int, ...] | None
    whole_image_by: tuple[str, ...] = ()
    strides: tuple[tuple[Fraction | int, ...], ...] = ()
    unknown: str = ""


@dataclass(frozen=True)
class Uncounted:
    """An operation that no formula counts, and how often it ran."""

    op: str
    calls: ByMode


@dataclass(frozen=True)
class Beside:
    """What is counted apart from MACs: elements that biases are added to, norms make, and activations make."""

    bias_adds: ByMode
    norms: ByMode
    activations: ByMode


@dataclass(frozen=True)
class Operation:
    """An operation that ran in a forward pass, a parameter, or an input: a node of the network's graph.

    Attributes:
        name: The module's, with slashes, and its own.
        op: What it does; ``parameter`` or ``input``.
        reads: The names of the operations whose results it takes.
        shape: Of what it makes; of the first where these are many.
    """

    name: str
    op: str
    reads: tuple[str, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Network:
    """A network's counts.

    Attributes:
        name: What the user called it.
        source: Where it is from.
        size: Height and width of the input; or its sizes, where it is no image.
        inputs: The shapes of what its forward was given.
        params: All parameters, each tensor once; under ``eval`` without those that only training uses.
        trainable: Those of all that require a gradient.
        param_bytes: What all take.
        buffers: Elements of the buffers, each tensor once.
        buffer_bytes: What they take.
        macs: Multiply-accumulates of a forward pass.
        flops: 2 x MACs.
        beside: What is counted apart.
        activation_bytes: Bytes of all tensors that operations make anew.
        receptive_field: Of the output that sees furthest.
        stride: Of the same output.
        outputs: What every output sees, in evaluation; in training where it cannot be evaluated.
        train_outputs: The same in training, where that has other outputs.
        uncounted: Operations that no formula counts.
        tied: Names of one and the same parameter.
        never_ran: Modules with parameters of their own that no pass ran.
        unknown: Why there are no MACs, by mode.
        tree: Every module, from the network down, each in front of what lies in it.
        graph: Every operation of a pass in evaluation; in training where it cannot be evaluated.
    """

    name: str
    source: str
    size: tuple[int, ...]
    inputs: tuple[tuple[int, ...], ...]
    params: ByMode
    trainable: int
    param_bytes: int
    buffers: int
    buffer_bytes: int
    macs: ByMode
    flops: ByMode
    beside: Beside
    activation_bytes: ByMode
    receptive_field: tuple[int, ...] | None
    stride: tuple[Fraction | int, ...] | None
    outputs: tuple[Seen, ...]
    train_outputs: tuple[Seen, ...]
    uncounted: tuple[Uncounted, ...]
    tied: tuple[tuple[str, ...], ...] = ()
    never_ran: tuple[str, ...] = ()
    unknown: dict[str, str] = field(default_factory=dict)
    tree: tuple[Node, ...] = ()
    graph: tuple[Operation, ...] = ()
