"""Run DVC's stale stages side by side, as `branchmark repro` does before it syncs MLflow."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

from rich.console import Console

from stages.core.errors import UserError
from stages.params import schema as params
from stages.params.schema import Params
from stages.repro import plan as planning
from stages.repro import preflight
from stages.repro.local import LOGS, Local
from stages.repro.plan import Plan
from stages.repro.progress import Screen
from stages.repro.schedule import Backend, Report, carry_out
from stages.vcs import dvc


def repro(
    targets: list[str], jobs: int | None, force: bool, fail_fast: bool, cluster: str | None
) -> Report:
    """Run what `dvc repro` would run, at most `jobs` stages at once; by default as many as fit
    here, or as a cluster's workers have threads.

    Raises:
        UserError: params.yaml, dvc.yaml or a target is wrong, or the cluster cannot be used.
    """
    with ThreadPoolExecutor(1) as beside:  # the checks below take as long as DVC's start
        stale = beside.submit(planning.stale, targets)
        settings = params.load()
        preflight.check(settings, everything=False)  # other code changes no output
    if cluster:
        from stages.repro.cluster import check_shared

        if force:
            raise UserError("--force: not with --cluster, which takes results that are there")
        check_shared()
    plan = planning.plan(targets, stale.result(), force, pull=bool(cluster))
    if not plan.work:
        print("Data and pipelines are up to date.")
        return Report()
    console = Console(highlight=False)
    before = dvc.stages_locked()
    try:
        with chosen(plan, settings, jobs, force, cluster) as backend:
            total = {v.stage: v.train.epochs * len(v.train.seeds) for v in settings.variants()}
            stages = {stage: total.get(stage, 0) for stage in plan.work}
            screen = Screen(stages, backend.epochs, console)
            with screen.shown():
                report = carry_out(plan.work, backend, screen.started, screen.ended, fail_fast)
    finally:
        dvc.arrange([*before, *plan.needs])
    for stage in report.failed:
        console.rule(f"{stage} failed", align="left")
        console.print(report.outcomes[stage].log.strip(), markup=False)
    return report


@contextmanager
def chosen(
    plan: Plan, settings: Params, jobs: int | None, force: bool, cluster: str | None
) -> Iterator[Backend]:
    """Yield this machine or the cluster, ready for the plan; on exit, end all that still runs."""
    if cluster:
        from stages.repro.cluster import Cluster, push_inputs

        libraries = settings.libraries.model_dump(by_alias=True)
        with closing(Cluster(cluster, libraries, plan.needs, jobs)) as backend:
            push_inputs(plan)
            yield backend
    else:
        with closing(Local(jobs, force)) as backend:
            yield backend


def check(report: Report) -> None:
    """Raise UserError if a stage failed; name the stages not begun because of it."""
    lines = [f"{stage}: failed; its output is in {LOGS / stage}.log" for stage in report.failed]
    if report.skipped:
        lines.append(f"not begun: {', '.join(report.skipped)}")
    if lines:
        raise UserError("\n       ".join(lines))
