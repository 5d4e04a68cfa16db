"""What `branchmark repro` does: DVC's stale stages side by side, then MLflow in agreement."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

from rich.console import Console

from stages.core.errors import UserError, terminate
from stages.params import schema as params
from stages.params.schema import Params
from stages.repro import pipeline
from stages.repro.local import LOGS, Local
from stages.repro.progress import Screen
from stages.repro.schedule import Place, Report, carry_out
from stages.vcs import dvc
from stages.vcs.dvc import Plan


def repro(
    targets: list[str], jobs: int | None, force: bool, fail_fast: bool, cluster: str | None
) -> Report:
    """Run what `dvc repro` would run: `jobs` stages side by side, or as many as a cluster's workers
    have threads.

    Raises:
        UserError: params.yaml, dvc.yaml or a target is wrong, or the cluster cannot be used.
    """
    signal.signal(signal.SIGTERM, terminate)
    with ThreadPoolExecutor(1) as beside:  # these checks take as long as DVC takes to start
        looked = beside.submit(dvc.status, targets)
        settings = params.load()
        pipeline.check()
    if cluster:
        from stages.repro.cluster import check_shared

        if force:
            raise UserError("--force: not with --cluster, which takes results that are there")
        check_shared()
    plan = dvc.plan(targets, looked.result(), force, pull=bool(cluster))
    if not plan.work:
        print("Data and pipelines are up to date.")
        return Report()
    console = Console(highlight=False)
    before = dvc.stages_locked()
    try:
        with chosen(plan, settings, jobs, force, cluster) as place:
            total = {v.stage: v.train.epochs * len(v.train.seeds) for v in settings.variants()}
            stages = {stage: total.get(stage, 0) for stage in plan.work}
            screen = Screen(stages, place.epochs, console)
            with screen.shown():
                report = carry_out(plan.work, place, screen.started, screen.ended, fail_fast)
    finally:
        dvc.arrange([*before, *plan.needs])
    for stage in report.failed:
        console.rule(f"{stage} failed", align="left")
        console.print(report.outcomes[stage].log.strip(), markup=False)
    return report


@contextmanager
def chosen(
    plan: Plan, settings: Params, jobs: int | None, force: bool, cluster: str | None
) -> Iterator[Place]:
    """This machine or the cluster, ready for the plan; all that still runs at the end is ended."""
    if cluster:
        from stages.repro.cluster import Cluster, push_inputs

        libraries = settings.libraries.model_dump(by_alias=True)
        with closing(Cluster(cluster, libraries, plan.needs, jobs)) as place:
            push_inputs(plan)
            yield place
    else:
        with closing(Local(jobs, ["--force"] if force else [])) as place:
            yield place


def check(report: Report) -> None:
    """Raise UserError if a stage failed, with what was not begun because of it."""
    lines = [f"{stage}: failed; its output is in {LOGS / stage}.log" for stage in report.failed]
    if report.skipped:
        lines.append(f"not begun: {', '.join(report.skipped)}")
    if lines:
        raise UserError("\n       ".join(lines))
