"""What `dvc repro` would do: which stages are to run, and what each of them waits for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from stages.core.errors import UserError
from stages.vcs import dvc


@dataclass(frozen=True)
class Plan:
    """What `dvc repro` would look at and run.

    Attributes:
        needs: every stage that it looks at, after those that it takes outputs of.
        stale: the stages that have changed, or whose inputs or outputs have.
    """

    needs: dict[str, list[str]]
    stale: frozenset[str]

    @cached_property
    def work(self) -> dict[str, set[str]]:
        """The stages to run and what they wait for: the stale ones, and all that follow from them,
        whose inputs may change."""
        work: dict[str, set[str]] = {}
        for stage, needs in self.needs.items():
            if stage in self.stale or not work.keys().isdisjoint(needs):
                work[stage] = work.keys() & needs
        return work


def stale(targets: list[str]) -> frozenset[str]:
    """Return the stale stages: of the targets and all that they need, or of all stages where DVC
    does not know a target yet.

    Raises:
        UserError: DVC cannot read its files.
    """
    return dvc.status(targets if locked(targets) else ())


def plan(targets: list[str], stale_now: frozenset[str], force: bool, pull: bool = False) -> Plan:
    """Return what `dvc repro` would do.

    Not from `dvc repro --dry`, which fails where a stage's input is still to be made.

    Args:
        targets: stages or groups of stages; none for all.
        stale_now: as `stale` returned them.
        force: run all of them.
        pull: take what the DVC remote has.

    Raises:
        UserError: there is no such target, or DVC cannot read its files.
    """
    if not (stale_now or force) and locked(targets):
        return Plan({}, stale_now)
    needs = closure(targets, dvc.graph())
    if not force and not stale_now.isdisjoint(needs) and dvc.checkout(pull):
        stale_now = stale(targets)  # on another branch that was all there is to do
    return Plan(needs, frozenset(needs) if force else stale_now)


def locked(targets: list[str]) -> bool:
    """Return whether `dvc.lock` has results of all targets."""
    stages = dvc.stages_locked()
    return all(named(target, stages) for target in targets)


def closure(targets: list[str], needs: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the targets, by default all stages, and all that they need, in the order in which DVC
    runs them. A target is a stage (`train@adam-0.3`) or a group of stages (`train`).

    Raises:
        UserError: there is no such target.
    """
    ordered: dict[str, list[str]] = {}

    def visit(stage: str) -> None:
        if stage not in ordered:
            for other in needs[stage]:
                visit(other)
            ordered[stage] = needs[stage]

    for target in targets or needs:
        if not (stages := named(target, needs)):
            raise UserError(f"{target}: there is no such stage; `dvc stage list` names them")
        for stage in stages:
            visit(stage)
    return ordered


def named(target: str, stages: Iterable[str]) -> list[str]:
    """Return the stages that a target names."""
    return [stage for stage in stages if target in (stage, stage.split("@")[0])]
