"""What becomes of variants whose program, data or machine fails."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest
from rich.console import Console

from stages.repro.schedule import Ended, Outcome
from stages.verify import folders
from stages.verify.command import Attempt
from stages.verify.programs import EVALUATE, MACHINE, PLOT, PREPARE, Programs
from stages.verify.proof import Row
from stages.verify.recorded import METRICS, RESULTS, Recorded
from tests.verify.revisions import Invented

HISTORY = "seed,epoch,loss,accuracy,val_loss,val_accuracy\n"


class Fake:
    """Programs that leave what they should, but for those in `failing`."""

    def __init__(self, root: Path, failing: set[str]) -> None:
        self.root, self.failing = root / "project", failing
        self.scratch = root / "scratch"
        self.root.mkdir()
        self.scratch.mkdir()
        self.executor: Executor = ThreadPoolExecutor(1)
        self.evaluated: list[str] = []
        self.difference = ""
        self.ran: list[str] = []

    def slots(self) -> int:
        return 1

    def epochs(self, step: str) -> int:
        return 0

    def task(self, step: str) -> Callable[[], Ended]:
        return lambda: self.run(step)

    def run(self, step: str) -> Ended:
        self.ran.append(step)
        if step in self.failing or (step == EVALUATE and self.failing & {*self.evaluated}):
            return 1, f"a warning\nerror: {step} broke\n"
        if "@" in step:
            train(self.root / "runs" / step.partition("@")[2])
        return 0, ""

    def made(self) -> dict[str, bytes]:
        files = (f"{s}/{name}.json" for s in (RESULTS, METRICS) for name in self.evaluated)
        return dict.fromkeys(files, b"{}")

    def finish(self, ended: dict[str, Future[Ended]]) -> dict[str, Outcome]:
        results = {step: future.result() for step, future in ended.items()}
        return {s: Outcome("failed" if code else "done", log) for s, (code, log) in results.items()}


def train(folder: Path) -> None:
    """Leave what a training leaves."""
    folder.mkdir(parents=True)
    (folder / "history.csv").write_text(HISTORY)


def tried(root: Path, *failing: str, difference: str = "") -> tuple[list[str], list[Row]]:
    """Try three of four variants, of which the third takes layers of the first; return what ran and
    the rows."""
    train(root / "expected")
    md5 = folders.digest(folders.listing(root / "expected"))
    recorded = {name: Recorded(f"train@{name}", md5) for name in "abd"}
    recorded["c"] = Recorded("reuse@c", md5, source="a")
    texts = {f"{s}/{name}.json": "{}" for s in (RESULTS, METRICS) for name in "abcd"}
    programs = Fake(root, set(failing))
    programs.difference = difference
    revision = Invented(recorded=recorded, texts=texts)
    console = Console(file=io.StringIO())
    rows = Attempt(revision, ["a", "b", "c"], cast(Programs, programs), console).rows()
    return programs.ran, rows


def test_a_source_is_trained_before_what_takes_its_layers_and_all_is_proved(
    tmp_path: Path,
) -> None:
    ran, rows = tried(tmp_path)
    assert rows == [Row("a", "proved"), Row("b", "proved"), Row("c", "proved")]
    assert ran.index("train@a") < ran.index("reuse@c")
    assert ran[-1] == EVALUATE
    assert ran.count(EVALUATE) == 1


def test_a_source_that_fails_takes_only_what_needs_it_with_it(tmp_path: Path) -> None:
    _, rows = tried(tmp_path, "train@a")
    assert rows == [
        Row("a", "could not be tried", "train@a: train@a broke"),
        Row("b", "proved"),
        Row("c", "could not be tried", "its source could not be trained"),
    ]


def test_an_evaluation_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    _, rows = tried(tmp_path, "b")
    assert rows == [
        Row("a", "proved"),
        Row("b", "could not be tried", "evaluate: evaluate broke"),
        Row("c", "proved"),
    ]


def test_a_machine_of_another_arithmetic_trains_nothing_and_claims_nothing(tmp_path: Path) -> None:
    ran, rows = tried(tmp_path, MACHINE)
    assert not [step for step in ran if "@" in step]
    assert {row.state for row in rows} == {"could not be tried"}
    assert {row.detail for row in rows} == {"machine: machine broke"}


def test_other_prepared_data_differ_and_nothing_is_trained_from_them(tmp_path: Path) -> None:
    ran, rows = tried(tmp_path, PREPARE, difference="x.dir in dvc.lock, y.dir here")
    assert not [step for step in ran if "@" in step]
    assert rows[0] == Row("data/prepared", "differs", "x.dir in dvc.lock, y.dir here")
    assert {row.state for row in rows[1:]} == {"could not be tried"}


@pytest.mark.parametrize("failing", ["train@a", EVALUATE, PLOT])
def test_what_is_about_all_is_proved_only_with_all(failing: str, tmp_path: Path) -> None:
    train(tmp_path / "expected")
    md5 = folders.digest(folders.listing(tmp_path / "expected"))
    revision = Invented(recorded={name: Recorded(f"train@{name}", md5) for name in "ab"})
    programs = cast(Programs, Fake(tmp_path, {failing}))
    rows = Attempt(revision, ["a", "b"], programs, Console(file=io.StringIO())).rows()
    assert (rows[-1].variant, rows[-1].state) == ("reports", "could not be tried")
