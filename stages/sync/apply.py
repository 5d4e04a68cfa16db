"""The steps of a plan carried out, until there is nothing left to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from stages.core.errors import UserError
from stages.sync import observed as observation
from stages.sync.desired import DesiredState, Holding, Outputs
from stages.sync.labels import Change
from stages.sync.observed import ObservedState
from stages.sync.orphaned import Orphaned
from stages.sync.plan import AddViews, Plan, Restore, Score, Step
from stages.sync.restore import restore
from stages.tracking import evaluation, runs, views
from stages.vcs.lockfile import PREPARED, Output

# Restored runs are labelled in a second round. Two people's sync at once may each write a tag that
# the other has just changed, and what the first one wrote is lost: so it is looked at again.
ROUNDS = 4


class Store:
    """What steps are applied to.

    Args:
        client: of the store.
        experiment: the project's, in that store.
        desired: what is missing is noted there.
        outputs: where the files of results are.
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
        """Apply plans until one is empty; return the steps that were done, and the last plan.

        Args:
            observed: what the store holds.
            plan: what must change, then.
            progress: goes through steps and shows them.
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
        """Carry out one step; whether it could be."""
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
        """Make the run of a result from its files; whether they are there. What is missing is
        noted."""
        commit, output = holding.commit, holding.output
        prepared = Output("prepare", PREPARED, output.data, "", "")
        lacking = output
        try:
            files = self.outputs.files(output.md5)
            lacking = prepared
            data = self.outputs.files(output.data)
            lacking = output
            restore(self.client, self.experiment, commit, output, files, data)
        except UserError as error:
            self.desired.missing[commit][output] = (
                str(error) if lacking is output else f"{PREPARED} is not in DVC's cache"
            )
            return False
        return True
