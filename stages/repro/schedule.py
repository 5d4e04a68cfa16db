"""Run stages side by side, each as soon as the stages it needs have succeeded: on this machine
(`stages.repro.local`) or on a cluster (`stages.repro.cluster`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Literal, Protocol

from stages.core.redact import redacted

State = Literal["done", "restored", "unchanged", "failed"]
Ended = tuple[int, str]  # the exit code of a stage, and what it printed


@dataclass(frozen=True)
class Outcome:
    """How a stage ended, and what it printed, without credentials."""

    state: State
    log: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "log", redacted(self.log))

    @property
    def diverged(self) -> list[str]:
        """The seeds (or variants, in an evaluation) that diverged: a result."""
        return re.findall(r"^(seed \d+|[a-z]\S*): .*\bdiverged\b", self.log, re.M)

    @classmethod
    def of(cls, code: int, log: str) -> Outcome:
        """Read the outcome from the exit code and the output of `dvc repro`."""
        if code:
            return cls("failed", log)
        if re.search(r"^Stage '.*' is cached|^Pulling data for", log, re.M):
            return cls("restored", log)
        return cls("unchanged" if "didn't change, skipping" in log else "done", log)


@dataclass
class Report:
    """How all stages ended."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)  # not begun, because another failed

    @property
    def failed(self) -> list[str]:
        """The stages that failed."""
        return [stage for stage, outcome in self.outcomes.items() if outcome.state == "failed"]


class Backend(Protocol):
    """Something that runs stages."""

    executor: Executor

    def slots(self) -> int:
        """Return how many stages can run at once right now; at least 1."""

    def task(self, stage: str) -> Callable[[], Ended]:
        """Return the function that the executor calls to run a stage."""

    def finish(self, ended: dict[str, Future[Ended]]) -> dict[str, Outcome]:
        """Return how stages ended; the workspace then has the results of successful ones."""

    def epochs(self, stage: str) -> int:
        """Return how many epochs a running stage has finished, over all seeds."""


def carry_out(
    work: Mapping[str, set[str]],
    backend: Backend,
    began: Callable[[str], None],
    ended: Callable[[str, Outcome], None],
    fail_fast: bool = False,
) -> Report:
    """Run every stage of `work` once those it waits for have succeeded.

    Args:
        work: the stages, each with those it waits for.
        backend: runs them.
        began: called when a stage begins.
        ended: called when a stage ends.
        fail_fast: begin nothing more once one has failed.
    """
    order = TopologicalSorter(work)
    order.prepare()
    height = heights(work)
    report = Report()
    ready: list[str] = []
    running: dict[Future[Ended], str] = {}
    while order.is_active():
        # The longest chain of dependents goes first, so that no core idles at the end
        ready = sorted([*ready, *order.get_ready()], key=lambda stage: -height[stage])
        while ready and len(running) < backend.slots() and not (fail_fast and report.failed):
            stage = ready.pop(0)
            began(stage)
            running[backend.executor.submit(backend.task(stage))] = stage
        if not running:
            break
        # Look again every second: there may be more slots by then
        over = wait(running, timeout=1, return_when=FIRST_COMPLETED).done
        for stage, outcome in backend.finish({running.pop(end): end for end in over}).items():
            report.outcomes[stage] = outcome
            ended(stage, outcome)
            if outcome.state != "failed":
                order.done(stage)
    report.skipped = [stage for stage in work if stage not in report.outcomes]
    return report


def heights(work: Mapping[str, set[str]]) -> dict[str, int]:
    """Return by stage the length of the longest chain of its dependents."""
    longest = dict.fromkeys(work, 0)
    for stage in reversed(list(TopologicalSorter(work).static_order())):
        for before in work[stage]:
            longest[before] = max(longest[before], longest[stage] + 1)
    return longest
