"""Stages run side by side in an order that their needs allow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pytest

from stages.repro.schedule import Ended, Outcome, Report, carry_out, heights

WORK: dict[str, set[str]] = {
    "a": set(), "b": set(), "c": set(), "after_b": {"b"}, "last": {"a", "b", "c", "after_b"}
}  # fmt: skip


class Threads:
    """A backend where stages are functions."""

    def __init__(self, jobs: int, run: Callable[[str], int]) -> None:
        self.jobs, self.run = jobs, run
        self.executor: Executor = ThreadPoolExecutor(jobs)

    def slots(self) -> int:
        return self.jobs

    def task(self, stage: str) -> Callable[[], Ended]:
        return lambda: (self.run(stage), "")

    def finish(self, ended: dict[str, Future[Ended]]) -> dict[str, Outcome]:
        return {stage: Outcome.of(*future.result()) for stage, future in ended.items()}

    def epochs(self, stage: str) -> int:
        return 0


def carry(jobs: int, run: Callable[[str], int], fail_fast: bool = False) -> Report:
    return carry_out(WORK, Threads(jobs, run), lambda _: None, lambda *_: None, fail_fast)


def carried(jobs: int, failing: str = "", fail_fast: bool = False) -> tuple[list[str], Report]:
    """The stages in the order in which they began, and the report."""
    began: list[str] = []

    def run(stage: str) -> int:
        began.append(stage)
        time.sleep(0.01)
        return int(stage == failing)

    return began, carry(jobs, run, fail_fast)


def test_a_stage_begins_after_all_that_it_needs() -> None:
    for jobs in (1, 2, 8):
        began, report = carried(jobs)
        assert sorted(began) == sorted(WORK)
        assert began.index("b") < began.index("after_b")
        assert began[-1] == "last"
        assert not report.failed
        assert not report.skipped


def test_the_longest_way_is_begun_first() -> None:
    assert heights(WORK) == {"a": 1, "b": 2, "c": 1, "after_b": 1, "last": 0}
    assert carried(1)[0][0] == "b"


def test_as_many_run_at_once_as_the_backend_has_slots() -> None:
    together = threading.Barrier(3, timeout=120)

    def run(stage: str) -> int:
        if stage in "abc":
            together.wait()  # breaks unless three are there at the same time
        return 0

    assert not carry(3, run).failed


def test_what_needs_a_failed_stage_is_skipped() -> None:
    began, report = carried(1, failing="b")
    assert began == ["b", "a", "c"]
    assert (report.failed, report.skipped) == (["b"], ["after_b", "last"])


def test_with_fail_fast_nothing_begins_after_a_failure() -> None:
    began, report = carried(1, failing="b", fail_fast=True)
    assert began == ["b"]
    assert report.skipped == ["a", "c", "after_b", "last"]


def test_an_exception_of_the_runner_comes_through() -> None:
    def run(stage: str) -> int:
        raise RuntimeError(stage)

    with pytest.raises(RuntimeError):
        carry(1, run)


def test_stages_begin_as_soon_as_there_are_more_slots() -> None:
    """As where a worker joins a cluster while all others are at work."""
    began: list[str] = []
    others = threading.Event()

    def run(stage: str) -> int:
        return 0 if stage != began[0] or others.wait(120) else 1  # the first ends after the second

    def begin(stage: str) -> None:
        began.append(stage)
        if len(began) == 2:
            others.set()

    asked = iter([1, 1])  # then there are two
    backend = Threads(2, run)
    backend.slots = lambda: next(asked, 2)  # type: ignore[method-assign]
    assert not carry_out(WORK, backend, begin, lambda *_: None).failed


@pytest.mark.parametrize(
    ("code", "log", "state"),
    [
        (0, "Running stage 'fetch':\n> python", "done"),
        (0, "Stage 'fetch' didn't change, skipping", "unchanged"),
        (0, "Stage 'fetch' is cached - skipping run, checking out outputs", "restored"),
        (0, "Pulling data for stage 'fetch'", "restored"),
        (0, "the program says: Stage 'x' is cached", "done"),
        (1, "Stage 'fetch' didn't change, skipping", "failed"),
    ],
)
def test_how_a_stage_ended_is_read_from_dvcs_words(code: int, log: str, state: str) -> None:
    assert Outcome.of(code, log) == Outcome(state, log)  # type: ignore[arg-type]
