"""What `branchmark repro` does: DVC's stale stages side by side, then MLflow in agreement."""

from __future__ import annotations

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from rich.console import Console

from stages import params, pipeline
from stages.errors import UserError, terminate
from stages.repro import dvc
from stages.repro.children import Children
from stages.repro.schedule import Outcome, Report, carry_out
from stages.repro.screen import Screen

LOGS = Path(".dvc/tmp/repro")
RUNS = Path("runs")


def repro(targets: list[str], jobs: int | None, force: bool, fail_fast: bool) -> Report:
    """Run what `dvc repro` would run, `jobs` stages side by side.

    Raises:
        UserError: params.yaml, dvc.yaml or a target is wrong.
    """
    settings = params.load()
    pipeline.check()
    signal.signal(signal.SIGTERM, terminate)
    plan = dvc.plan(targets, force)
    if not plan.work:
        print("Data and pipelines are up to date.")
        return Report()
    epochs = {v.stage: v.train.epochs * len(v.train.seeds) for v in settings.variants()}
    folders = {v.stage: RUNS / f"{v.name}.partial" for v in settings.variants()}
    jobs = jobs or fitting()
    console = Console(highlight=False)
    screen = Screen(
        {stage: epochs.get(stage, 0) for stage in plan.work},
        lambda stage: ended_epochs(folders[stage]) if stage in folders else 0,
        jobs,
        console,
    )
    children = Children()
    before = dvc.stages_locked()
    one = partial(reproduce, children=children, screen=screen, force=force)
    executor = ThreadPoolExecutor(jobs)
    try:
        with screen.shown():
            report = carry_out(plan.work, executor, lambda: jobs, one, screen.ended, fail_fast)
    finally:
        children.stop()
        executor.shutdown(cancel_futures=True)
        dvc.arrange([*before, *plan.needs])
    for stage in report.failed:
        console.rule(f"{stage} failed", align="left")
        console.print(report.outcomes[stage].log.strip(), markup=False)
    return report


def fitting() -> int:
    """As many as there are cores for this program: each stage computes on one thread."""
    return len(os.sched_getaffinity(0))


def reproduce(stage: str, children: Children, screen: Screen, force: bool) -> Outcome:
    """Run one stage by DVC, which takes it from its cache where it can."""
    screen.started(stage)
    log = LOGS / f"{stage}.log"
    options = ["--force"] if force else []
    command = [*dvc.COMMAND, "--wait-for-lock", "repro", "--single-item", *options, stage]
    code = children.run(command, log, PYTHONUNBUFFERED="1")
    said = log.read_text(encoding="utf-8", errors="replace")
    if code:
        return Outcome("failed", said)
    if re.search(r"^Stage '.*' is cached", said, re.M):
        return Outcome("restored", said)
    return Outcome("unchanged" if "didn't change, skipping" in said else "done", said)


def ended_epochs(folder: Path) -> int:
    """The epochs of all seeds that a training has written by now."""
    try:
        return (folder / "history.csv").read_bytes().count(b"\n") - 1
    except FileNotFoundError:
        return 0


def check(report: Report) -> None:
    """Raise UserError if a stage failed, with what was not begun because of it."""
    lines = [f"{stage}: failed; its output is in {LOGS / stage}.log" for stage in report.failed]
    if report.skipped:
        lines.append(f"not begun: {', '.join(report.skipped)}")
    if lines:
        raise UserError("\n       ".join(lines))
