"""Apply plans to the store until there is nothing left to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from stages.core.errors import UserError
from stages.sync import observed as observation
from stages.sync.desired import NOT_CACHED, DesiredState, Holding, Outputs
from stages.sync.labels import Change
from stages.sync.observed import ObservedState
from stages.sync.orphaned import Orphaned
from stages.sync.plan import AddViews, Plan, Restore, Score, Step
from stages.sync.restore import restore
from stages.tracking import evaluation, runs, views
from stages.vcs.cache import Files
from stages.vcs.lockfile import PREPARED

# Restored runs get their labels in a second round. If two people sync at once, one may overwrite
# the tags that the other has just written, so every round reads the store again.
ROUNDS = 4


class Store:
    """The store that steps are applied to.

    Args:
        client: MLflow's client of the store.
        experiment: the id of the project's experiment.
        desired: missing outputs are noted in it.
        outputs: finds the files of outputs.
    """

    def __init__(
        self, client: Any, experiment: str, desired: DesiredState, outputs: Outputs
    ) -> None:
        self.client, self.experiment = client, experiment
        self.desired, self.outputs = desired, outputs

    def converge(
        self,
        observed: ObservedState,
        plan: Callable[[ObservedState], Plan],
        progress: Callable[[list[Step]], Iterator[Step]],
    ) -> tuple[list[Step], Plan]:
        """Apply up to `ROUNDS` plans until one is empty; return the steps done and the last plan.

        Args:
            observed: what the store holds.
            plan: makes the plan for what the store holds.
            progress: yields steps and shows the progress.
        """
        done: list[Step] = []
        for _ in range(ROUNDS):
            planned = plan(observed)
            if not planned.steps:
                break
            done += [step for step in progress(planned.steps) if self.apply(step)]
            observed = observation.read(self.client, self.experiment)
        return done, planned

    def apply(self, step: Step) -> bool:
        """Carry out one step; return whether that was possible."""
        match step:
            case Restore():
                return self.restore(step.holding)
            case Score():
                found = evaluation.missing(self.client, step.recorded.runs, step.values)
                for run_id, values in found.items():
                    runs.log_metrics(self.client, run_id, values)
            case Orphaned():
                step.end(self.client)
            case Change():
                step.apply(self.client)
            case AddViews():
                views.write(self.client, self.experiment)
        return True

    def restore(self, holding: Holding) -> bool:
        """Make a result's run from its files. If they are missing or damaged, note that instead;
        return whether the run was made."""
        commit, output = holding.commit, holding.output
        try:
            files = self.outputs.files(output.md5)
            data = self.prepared(output.data)
            restore(self.client, self.experiment, commit, output, files, data)
        except UserError as error:
            self.desired.missing[commit][output] = str(error)
            return False
        return True

    def prepared(self, md5: str) -> Files:
        """Return the prepared data's files; raise UserError, which names them, if one is missing or
        damaged."""
        try:
            return self.outputs.files(md5)
        except UserError as error:
            raise UserError(f"{PREPARED}: {str(error) or NOT_CACHED}") from None
