"""The loop over groups: draw tensors, compare with float64, time what is right, keep to the budget."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from segcli.bench.kernel import Kernel, Mode, Suite
from segcli.bench.measuring.correctness import Prepared, prepare
from segcli.bench.measuring.sampling import Rule, measure
from segcli.bench.results import Result, Status, timed, untimed

if TYPE_CHECKING:
    import torch

    from segcli.bench.measuring.timer import Timer
    from segcli.bench.plan import Group, Request

STEPS_A_KERNEL = 2
_INTERRUPTED = "interrupted before it had enough samples"
_NO_TIME = "the time budget was spent before"


@dataclass
class Session:
    """A run in the making.

    Attributes:
        request: What was asked for.
        device: Where the kernels run.
        timer: What times them.
        rule: When enough is enough.
        advance: Called with the steps done.
        results: One a kernel and mode, in the groups' order.
        interrupted: Whether Ctrl-C came.
    """

    request: "Request"
    device: "torch.device"
    timer: "Timer"
    rule: Rule
    advance: Callable[[int], None]
    results: list[Result] = field(default_factory=list)
    interrupted: bool = False
    _end_ns: int = 0
    _drawn: tuple[str, Mapping[str, "torch.Tensor"]] | None = None

    def run(self, groups: Sequence["Group"]) -> None:
        """Time every group, sharing out what is left of the budget by the kernels still to come."""
        self._end_ns = self._now_ns() + round(self.request.budget_s * 1e9)
        kernels_left = sum(len(group.kernels) for group in groups)
        for group in groups:
            found: dict[str, Result] = {}
            # The first group is timed however small the budget: a run always says something.
            if not self.interrupted and (self._left_ns() or not self.results):
                self._run_group(group, len(group.kernels) / kernels_left, found)
            reason = _INTERRUPTED if self.interrupted else _NO_TIME
            for kernel in group.kernels:
                self.results.append(found.get(kernel.name) or self._untimed(group, kernel, Status.SKIPPED, reason))
            kernels_left -= len(group.kernels)

    def _run_group(self, group: "Group", share: float, found: dict[str, Result]) -> None:
        import torch

        try:
            with torch.set_grad_enabled(group.mode is Mode.TRAINING):
                right = self._compare(group, found)
                # Only now: what a slow comparison took is missing to all groups alike.
                self._time(group, right, self._now_ns() + round(self._left_ns() * share), found)
        except KeyboardInterrupt:
            self.interrupted = True

    def _compare(self, group: "Group", found: dict[str, Result]) -> list[tuple[Kernel, Prepared]]:
        """Return the kernels that answer right; what is wrong or cannot be goes to ``found``."""
        tensors = self._tensors(group)
        right: list[tuple[Kernel, Prepared]] = []
        for kernel in group.kernels:
            if right and not self._left_ns():
                break
            try:
                prepared = prepare(kernel, group.mode, tensors)
            except (RuntimeError, ValueError) as error:
                found[kernel.name] = self._untimed(group, kernel, *_words_of(error))
            else:
                if prepared.reason:
                    wrong = self._untimed(group, kernel, Status.WRONG, prepared.reason)
                    found[kernel.name] = replace(wrong, error=prepared.error, tolerance=prepared.tolerance)
                else:
                    right.append((kernel, prepared))
            self.advance(STEPS_A_KERNEL if kernel.name in found else 1)
        return right

    def _time(
        self, group: "Group", right: list[tuple[Kernel, Prepared]], deadline_ns: int, found: dict[str, Result]
    ) -> None:
        samplings = measure([prepared.work for _, prepared in right], self.timer, deadline_ns, self.rule)
        for (kernel, prepared), sampling in zip(right, samplings, strict=True):
            self.interrupted |= sampling.stopped == "interrupt"
            if not self.interrupted or len(sampling.samples_s) >= self.rule.min_samples:
                bare = self._untimed(group, kernel, Status.TIMED, "")
                found[kernel.name] = timed(bare, prepared, sampling)
        self.advance(len(right))

    def _tensors(self, group: "Group") -> Mapping[str, "torch.Tensor"]:
        """Return the suite's tensors: drawn once, the same for all its modes and on every device."""
        if self._drawn is None or self._drawn[0] != group.suite.name:
            self._drawn = None
            self._drawn = group.suite.name, draw(group.suite, group, self.request.seed, self.device)
        return self._drawn[1]

    def _untimed(self, group: "Group", kernel: Kernel, status: Status, reason: str) -> Result:
        return untimed(group, kernel, str(self.device), status, reason)

    def _left_ns(self) -> int:
        return max(0, self._end_ns - self._now_ns())

    def _now_ns(self) -> int:
        return self.timer.clock.now_ns()


def draw(suite: Suite, group: "Group", seed: int, device: "torch.device") -> dict[str, "torch.Tensor"]:
    """Draw a suite's tensors on the host, in float32, and take them to their device and dtype."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    dtype = getattr(torch, group.case.dtype)
    return {
        name: tensor.to(device, dtype if tensor.is_floating_point() else tensor.dtype)
        for name, tensor in suite.tensors(group.case, generator).items()
    }


def _words_of(error: Exception) -> tuple[Status, str]:
    """Tell what torch lacks from what went wrong, and keep its first line."""
    words = str(error).strip().partition("\n")[0]
    lacks = isinstance(error, NotImplementedError) or any(
        lack in words.lower() for lack in ("not implemented", "not support", "unsupported")
    )
    return Status.UNSUPPORTED if lacks else Status.FAILED, words
