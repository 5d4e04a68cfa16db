"""Plan what `dvc repro` would do: which stages run, and what each of them waits for."""

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
        needs: every stage that it looks at, in DVC's order, with those it needs.
        stale: the stages that have changed, or whose inputs or outputs have.
    """

    needs: dict[str, list[str]]
    stale: frozenset[str]

    @cached_property
    def work(self) -> dict[str, set[str]]:
        """The stages to run, each with those it waits for: the stale ones and all that depend on
        them, whose inputs may change."""
        work: dict[str, set[str]] = {}
        for stage, needs in self.needs.items():
            if stage in self.stale or not work.keys().isdisjoint(needs):
                work[stage] = work.keys() & needs
        return work


def stale(targets: list[str]) -> frozenset[str]:
    """Return the stale stages among the targets and all that they need, or among all stages if
    `dvc.lock` lacks a target.

    Raises:
        UserError: DVC cannot read its files.
    """
    return dvc.status(targets if locked(targets) else ())


def plan(targets: list[str], stale_now: frozenset[str], force: bool, pull: bool = False) -> Plan:
    """Check out what DVC has, then return what `dvc repro` would do.

    Do not ask `dvc repro --dry`, which fails if a stage's input does not exist yet.

    Args:
        targets: stages or groups of stages; all if empty.
        stale_now: what `stale` returned.
        force: run all of them.
        pull: also take what the DVC remote has.

    Raises:
        UserError: there is no such target, or DVC cannot read its files.
    """
    if not (stale_now or force) and locked(targets):
        return Plan({}, stale_now)
    needs = closure(targets, dvc.graph())
    if not force and not stale_now.isdisjoint(needs) and dvc.checkout(pull):
        stale_now = stale(targets)  # after a switch of branches, nothing may be left to do
    return Plan(needs, frozenset(needs) if force else stale_now)


def locked(targets: list[str]) -> bool:
    """Return whether `dvc.lock` has results of all targets."""
    stages = dvc.stages_locked()
    return all(named(target, stages) for target in targets)


def closure(targets: list[str], needs: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the targets, by default all stages, and all that they need, in the order DVC runs
    them. A target is a stage (`train@adam-0.3`) or a group of stages (`train`).

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
