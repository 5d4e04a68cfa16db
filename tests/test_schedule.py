"""Stages run side by side in an order that their needs allow; a person sees how far they are."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from rich.console import Console

from stages.core.errors import UserError
from stages.repro import dvc
from stages.repro.dvc import Plan
from stages.repro.schedule import Ended, Outcome, Report, carry_out, heights
from stages.repro.progress import Screen

WORK: dict[str, set[str]] = {
    "a": set(), "b": set(), "c": set(), "after_b": {"b"}, "last": {"a", "b", "c", "after_b"}
}  # fmt: skip


class Threads:
    """A place where stages are functions."""

    def __init__(self, jobs: int, run: Callable[[str], int]) -> None:
        self.jobs, self.run = jobs, run
        self.executor: Executor = ThreadPoolExecutor(jobs)

    def room(self) -> int:
        return self.jobs

    def task(self, stage: str) -> Callable[[], Ended]:
        return lambda: (self.run(stage), "")

    def settle(self, ended: dict[str, Future[Ended]]) -> dict[str, Outcome]:
        return {stage: dvc.outcome(*future.result()) for stage, future in ended.items()}

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


def test_as_many_run_at_once_as_the_executor_has_room_for() -> None:
    together = threading.Barrier(3, timeout=10)

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


def test_stages_begin_as_soon_as_there_is_more_room() -> None:
    """As where a worker joins a cluster while all others are at work."""

    def run(stage: str) -> int:
        time.sleep(0 if stage == "after_b" else 1.5)
        return 0

    place = Threads(2, run)
    place.room = lambda: 1 if time.monotonic() < begin + 0.5 else 2  # type: ignore[method-assign]
    begin = time.monotonic()
    began: list[float] = []
    carry_out(WORK, place, lambda _: began.append(time.monotonic() - begin), lambda *_: None)
    assert began[0] < 0.5
    assert 0.5 < began[1] < 1.4


def test_what_follows_from_a_stale_stage_is_run_too_and_nothing_else() -> None:
    needs = {stage: sorted(before) for stage, before in WORK.items()}
    plan = Plan(needs, frozenset({"b"}))
    assert plan.work == {"b": set(), "after_b": {"b"}, "last": {"b", "after_b"}}
    assert Plan(needs, frozenset()).work == {}


def test_a_target_brings_what_it_needs_and_a_group_all_of_its_stages() -> None:
    needs = {"last": ["t@2", "t@1"], "t@1": ["a"], "t@2": [], "a": []}
    assert list(dvc.before(["t"], needs)) == ["a", "t@1", "t@2"]
    assert list(dvc.before(["t@2"], needs)) == ["t@2"]
    assert list(dvc.before([], needs)) == ["t@2", "a", "t@1", "last"]
    with pytest.raises(UserError, match="t@3: there is no such stage"):
        dvc.before(["t@3"], needs)


def test_the_lock_file_is_put_in_order_without_changing_a_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    head = "schema: '2.0'\nstages:\n"
    b, a = "  b@0.3:\n    cmd: x\n    outs:\n    - path: b\n", "  a:\n    cmd: y\n"
    dvc.LOCK.write_text(head + b + a)
    assert dvc.stages_locked() == ["b@0.3", "a"]
    dvc.arrange(["a", "not there"])
    assert dvc.LOCK.read_text() == head + a + b
    dvc.arrange(["b@0.3", "a"])
    assert dvc.LOCK.read_text() == head + b + a


def screen(terminal: bool, height: int = 25) -> tuple[Screen, Console]:
    console = Console(
        file=io.StringIO(), force_terminal=terminal, width=100, height=height, highlight=False
    )
    stages = {"prepare": 0, "train@a": 100, "train@b": 100, "train@c": 100}
    return Screen(stages, {"train@a": 30, "train@b": 0}.__getitem__, console), console


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_without_a_terminal_there_are_plain_lines() -> None:
    view, console = screen(terminal=False)
    with view.shown():
        view.started("prepare")
        view.ended("prepare", Outcome("restored"))
        view.started("train@a")
    said = printed(console)
    assert "\x1b" not in said
    assert said.splitlines()[0] == "prepare: running"
    assert said.splitlines()[1].startswith("prepare: restored from cache after 0 s (1 of 4")


def test_on_a_terminal_there_is_a_line_a_stage_with_its_epoch() -> None:
    view, console = screen(terminal=True)
    view.started("train@a")
    view.began["train@a"] -= 15
    view.started("train@b")
    with console.capture() as capture:
        console.print(view.now())
    lines = capture.get().splitlines()
    assert lines[0].split()[:5] == ["train@a", "epoch", "30", "of", "100"]
    assert lines[0].endswith("15 s")
    assert "epoch 0 of 100" in lines[1]
    assert any(line.startswith("prepare") and "waiting" in line for line in lines)
    # 270 epochs at half a second each, two at once
    assert "0 of 4, 68 s left" in lines[-1] or "0 of 4, 67 s left" in lines[-1]


def test_a_low_terminal_shows_what_runs_and_counts_what_waits() -> None:
    view, console = screen(terminal=True, height=5)
    view.started("train@a")
    with console.capture() as capture:
        console.print(view.now())
    assert len(capture.get().splitlines()) <= 4
    assert "2 more waiting" in capture.get()
