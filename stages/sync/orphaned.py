"""Runs that say RUNNING, and models that say PENDING, though nobody writes them any more.

A run whose process is known to be gone ends. Where nothing is known of it, because it is of another
machine, boot or container, a person's word ends it: `branchmark sync --end RUN`.
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
MOST = 5  # runs that one line names
StateOf = Callable[[Mapping[str, str]], State]


@dataclass(frozen=True)
class Orphaned:
    """A run whose process is gone, or models that outlived the writing of their run.

    Attributes:
        run: the run, as MLflow gives it.
        reason: why it is to become KILLED, or "" where it has ended already.
        models: those that will never be whole.
    """

    run: Any
    reason: str
    models: tuple[str, ...]

    @property
    def variant(self) -> str:
        """What the run is called."""
        return str(self.run.info.run_name)

    def __str__(self) -> str:
        """In words."""
        return f"killed: {self.reason}" if self.reason else "a model that was never written: failed"

    def end(self, client: Any) -> None:
        """Close them."""
        for model_id in self.models:
            client.finalize_logged_model(model_id, "FAILED")
        if self.reason:
            client.set_tag(self.run.info.run_id, "reason", self.reason)
            client.set_terminated(self.run.info.run_id, "KILLED")


def orphaned(
    observed: ObservedState, state: StateOf = liveness.state, ended: Collection[str] = ()
) -> list[Orphaned]:
    """Return those of processes that are gone, and those that a person says have ended; all others
    are left alone.

    Args:
        observed: what the store holds.
        state: of the process that a run's tags name.
        ended: the ids of variants' runs that a person ends, with those of their seeds.
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
    """Return the id of the variant's run that a run belongs to, or is."""
    return str(run.data.tags.get("mlflow.parentRunId") or run.info.run_id)


def named(
    observed: ObservedState, words: Collection[str], state: StateOf = liveness.state
) -> frozenset[str]:
    """Return the ids of the variants' runs that a person names by ids of runs, or their beginnings.

    Raises:
        UserError: there is no such run or more than one, it has ended already, or the process that
            writes it is alive on this machine.
    """
    ids = set()
    for word in words:
        fitting = {
            variants_run(run) for run in observed.runs if word and run.info.run_id.startswith(word)
        }
        if len(fitting) != 1:
            many = "more than one run begins so" if fitting else "MLflow has no such run"
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
    """Go through what is said of runs that say RUNNING and of whose processes nothing is known."""
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
