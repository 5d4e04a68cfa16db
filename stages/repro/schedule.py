"""Stages side by side, each as soon as those that it needs have ended well.

Any executor will do (`concurrent.futures.Executor`): threads that each wait for a program on this
machine, or a cluster's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Literal

State = Literal["done", "restored", "unchanged", "failed"]


@dataclass(frozen=True)
class Outcome:
    """How a stage ended, and what it printed."""

    state: State
    log: str = ""


@dataclass
class Report:
    """How it all ended."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)  # because one before them failed

    @property
    def failed(self) -> list[str]:
        """The stages that failed."""
        return [stage for stage, outcome in self.outcomes.items() if outcome.state == "failed"]


def carry_out(
    work: Mapping[str, set[str]],
    executor: Executor,
    room: Callable[[], int],
    run: Callable[[str], Outcome],
    ended: Callable[[str, Outcome], None],
    fail_fast: bool = False,
) -> Report:
    """Run every stage of `work` in its turn.

    Args:
        work: the stages, each with those that it waits for.
        executor: runs them.
        room: how many it can run at once.
        run: runs one of them to its end.
        ended: is told of every end.
        fail_fast: begin nothing more when one has failed.
    """
    order = TopologicalSorter(work)
    order.prepare()
    height = heights(work)
    report = Report()
    ready: list[str] = []
    running: dict[Future[Outcome], str] = {}
    while order.is_active():
        # Those first that the longest way leads on from: no core is idle at the end
        ready = sorted([*ready, *order.get_ready()], key=lambda stage: -height[stage])
        while ready and len(running) < room() and not (fail_fast and report.failed):
            stage = ready.pop(0)
            running[executor.submit(run, stage)] = stage
        if not running:
            break
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            stage = running.pop(future)
            outcome = report.outcomes[stage] = future.result()
            ended(stage, outcome)
            if outcome.state != "failed":
                order.done(stage)
    report.skipped = [stage for stage in work if stage not in report.outcomes]
    return report


def heights(work: Mapping[str, set[str]]) -> dict[str, int]:
    """By stage, how many stages follow from it one after the other."""
    found = dict.fromkeys(work, 0)
    for stage in reversed(list(TopologicalSorter(work).static_order())):
        for before in work[stage]:
            found[before] = max(found[before], found[stage] + 1)
    return found
