"""Runs that say RUNNING, and models that say PENDING, though nobody writes them any more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stages.sync.observed import ObservedState, status
from stages.tracking import liveness


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
    observed: ObservedState, gone: Callable[[Mapping[str, str]], bool] = liveness.gone
) -> list[Orphaned]:
    """Return those of processes that were on this host and are gone; a live one is left alone, and
    so is one of another host, of which nothing is known here."""
    pending: dict[str, list[str]] = {}
    for model in observed.models or ():
        if status(model) == "PENDING":
            pending.setdefault(model.source_run_id, []).append(model.model_id)
    found = []
    for run in observed.runs:
        tags, models = run.data.tags, tuple(pending.get(run.info.run_id, ()))
        if run.info.status == "RUNNING":
            if gone(tags):
                reason = f"process {tags['pid']} on {tags['host']} is gone"
                found.append(Orphaned(run, reason, models))
        elif models:
            found.append(Orphaned(run, "", models))
    return found
