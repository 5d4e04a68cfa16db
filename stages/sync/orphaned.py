"""Runs still marked RUNNING, and models still PENDING, that no process writes any more.

Sync ends a run whose process is known to be gone. Nothing is known of a process of another machine,
boot or container, so a person must end its run: `branchmark sync --end RUN`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stages.core.errors import UserError
from stages.sync.observed import ObservedState, status
from stages.tracking import liveness
from stages.tracking.liveness import State

BY_HAND = "ended by `branchmark sync --end`"
MOST = 5  # runs that get a line each; the rest are counted
StateOf = Callable[[Mapping[str, str]], State]


@dataclass(frozen=True)
class Orphaned:
    """A run whose process is gone, or that has ended with unfinished models.

    Attributes:
        run: the run, as MLflow returns it.
        reason: why it is set to KILLED; "" if it has ended already.
        models: the ids of models that will never be finished.
    """

    run: Any
    reason: str
    models: tuple[str, ...]

    @property
    def variant(self) -> str:
        """Return the run's name."""
        return str(self.run.info.run_name)

    def __str__(self) -> str:
        """Return the step in words."""
        return f"killed: {self.reason}" if self.reason else "a model that was never written: failed"

    def end(self, client: Any) -> None:
        """Set the models to FAILED, and the run to KILLED if it has not ended."""
        for model_id in self.models:
            client.finalize_logged_model(model_id, "FAILED")
        if self.reason:
            client.set_tag(self.run.info.run_id, "reason", self.reason)
            client.set_terminated(self.run.info.run_id, "KILLED")


def orphaned(
    observed: ObservedState, state: StateOf = liveness.state, ended: Collection[str] = ()
) -> list[Orphaned]:
    """Return the runs whose process is gone, those that a person says have ended, and ended runs
    with PENDING models; leave all others alone.

    Args:
        observed: what the store holds.
        state: returns the state of the process that a run's tags name.
        ended: the ids of variants' runs that a person ends together with their seeds' runs.
    """
    pending: dict[str, list[str]] = {}
    for model in observed.models or ():
        if status(model) == "PENDING":
            pending.setdefault(model.source_run_id, []).append(model.model_id)
    found = []
    for run in observed.runs:
        tags, models = run.data.tags, tuple(pending.get(run.info.run_id, ()))
        if run.info.status == "RUNNING":
            if state(tags) == "gone":
                reason = f"process {tags['pid']} on {tags.get('host', 'this machine')} is gone"
                found.append(Orphaned(run, reason, models))
            elif variants_run(run) in ended:
                found.append(Orphaned(run, BY_HAND, models))
        elif models:
            found.append(Orphaned(run, "", models))
    return found


def variants_run(run: Any) -> str:
    """Return the id of the variant's run that a run is or belongs to."""
    return str(run.data.tags.get("mlflow.parentRunId") or run.info.run_id)


def named(
    observed: ObservedState, words: Collection[str], state: StateOf = liveness.state
) -> frozenset[str]:
    """Return the ids of the variants' runs that a person names by run ids or prefixes of them.

    Raises:
        UserError: no run or more than one matches, it has ended already, or the process that writes
            it is alive on this machine.
    """
    ids = set()
    for word in words:
        fitting = {
            variants_run(run) for run in observed.runs if word and run.info.run_id.startswith(word)
        }
        if len(fitting) != 1:
            many = "more than one run id starts with this" if fitting else "MLflow has no such run"
            raise UserError(f"--end {word}: {many}; `branchmark sync` names those that do not end")
        (own,) = fitting
        group = [run for run in observed.runs if variants_run(run) == own]
        running = [run for run in group if run.info.status == "RUNNING"]
        if not running:
            raise UserError(f"--end {word}: this run has ended already")
        for run in running:
            if state(run.data.tags) == "alive":
                raise UserError(
                    f"--end {word}: process {run.data.tags['pid']} on this machine writes it; end "
                    "that, and its run ends with it"
                )
        ids.add(own)
    return frozenset(ids)


def unknown(observed: ObservedState, state: StateOf = liveness.state) -> Iterator[str]:
    """Yield a line for each RUNNING run whose process is unknown; after `MOST`, count the rest."""
    found: dict[str, Any] = {}
    for run in observed.runs:
        if run.info.status == "RUNNING" and state(run.data.tags) == "unknown":
            found.setdefault(variants_run(run), run)
    for own, run in list(found.items())[:MOST]:
        tags = run.data.tags
        pid, host = tags.get("pid", "?"), tags.get("host", "a machine without a name")
        yield (
            f"{run.info.run_name}: says RUNNING; whether process {pid} on {host} still writes it "
            f"is not known here: if it has ended, `branchmark sync --end {own[:8]}` ends the run"
        )
    if len(found) > MOST:
        yield f"and {len(found) - MOST} more runs that say RUNNING, of other machines or containers"
