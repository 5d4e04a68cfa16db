"""Record a training in MLflow: one run for the variant and, nested in it, one for each seed.

`Recorder` writes what it is told, by `LiveRecorder` during a training or by `branchmark sync` from
the outputs. So the same code writes live and restored runs.

Tracking never stops a training: when the store first fails, the record ends with one warning and
the training goes on. The record does not resume when the store comes back: `branchmark sync` makes
the whole record from the outputs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.core.errors import say
from stages.core.redact import reason, redacted
from stages.core.signals import deferred
from stages.data.arrays import Prepared, Split
from stages.tracking import liveness, machine
from stages.tracking.time_budget import TimeBudget
from stages.tracking.training import Training, diverged
from stages.training.history import Row
from stages.vcs.worktree import Tree, working_tree

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

LOST = (
    "warning: MLflow's store cannot be written ({}); the training goes on without it and its "
    "outputs are complete: once the store is back, `branchmark sync` records them"
)
FAREWELL = 1.0  # extra seconds to tell a store that has failed that a run is over
FLUSH = 2.0  # seconds that an epoch's metrics may wait for those of others


class Recorder:
    """Writes the runs of one variant.

    Args:
        client: the store's.
        experiment: the id of the project's experiment in that store.
        training: the variant, as its runs describe it.
        train: the training split, logged as the runs' input under its digest.
        tree: the state of the work tree, or the commit, that the results belong to.
        tags: more tags for every run.
        at: the time of everything written, in milliseconds since 1970; None for a live record,
            which uses the present. Other records take as few calls as MLflow allows.
    """

    def __init__(
        self,
        client: MlflowClient,
        experiment: str,
        training: Training,
        train: Split,
        tree: Tree,
        tags: Mapping[str, str],
        at: int | None = None,
    ) -> None:
        self.client, self.experiment, self.training = client, experiment, training
        self.train, self.tree, self.tags, self.at = train, tree, tags, at
        self.run_id = self.seed_run_id = self.model_id = ""
        self.rows: list[Row] = []  # of seeds that have ended
        self.pending: list[Metric] = []
        self.flushed = 0.0
        self.hashes: dict[int, tuple[str, str]] = {}  # by seed, of model and history
        self.runs: list[str] = []  # all that were started
        self.models: list[str] = []
        self.ended: set[str] = set()

    def begin(self) -> None:
        """Start the variant's run."""
        self.run_id = self.start(self.training.variant, {})

    def start(self, name: str, tags: dict[str, str], **params: Any) -> str:
        """Start a run with what all runs of the variant have: tags, parameters and dataset."""
        from stages.tracking import runs

        tags = runs.tags(self.training, self.tree) | dict(self.tags) | tags
        tags = {key: redacted(value) for key, value in tags.items()}
        run = self.client.create_run(self.experiment, self.at, tags=tags, run_name=name)
        run_id = str(run.info.run_id)
        self.runs.append(run_id)
        runs.log_params(self.client, run_id, self.training, **params)
        runs.log_dataset(self.client, run_id, self.train, self.training.data)
        return run_id

    def seed_begins(self, seed: int) -> None:
        """Start a seed's run, and create the model that its metrics will belong to."""
        from stages.tracking import runs

        tags = {
            "seed": str(seed),
            "mlflow.parentRunId": self.run_id,
        }
        if fingerprint := self.training.seeds[seed]:  # an old revision had none
            tags["seed_fingerprint"] = fingerprint
        name = f"{self.training.variant} seed {seed}"
        self.seed_run_id = self.start(name, tags, seed=seed)
        self.model_id = runs.create_model(
            self.client, self.experiment, self.seed_run_id, self.training
        )
        self.models += filter(None, [self.model_id])

    def epoch_ends(self, row: Row, seconds: float) -> None:
        """Collect an epoch's metrics; log all collected ones if the last call was over `FLUSH`
        seconds ago, because a call costs more than its metrics."""
        from mlflow.entities import Metric

        from stages.tracking import runs

        rate = len(self.train.labels) / seconds
        timings = {"epoch_seconds": seconds, "samples_per_second": rate}
        at = runs.now()
        self.pending += runs.metrics_of(row, self.model_id, at)
        self.pending += [Metric(name, each, at, row["epoch"]) for name, each in timings.items()]
        if time.monotonic() - self.flushed > FLUSH:
            self.flush()

    def flush(self) -> None:
        """Log the collected metrics."""
        if self.pending:
            self.client.log_batch(self.seed_run_id, metrics=self.pending)
        self.pending, self.flushed = [], time.monotonic()

    def seed_ends(self, seed: int, rows: Sequence[Row], model: Path, origin: str) -> None:
        """Log a seed's model and loss plot, and end its run. If its result was taken over, log the
        metrics of all epochs too."""
        from stages.plots import loss
        from stages.tracking import runs

        self.flush()
        if origin:
            runs.log_history(self.client, self.seed_run_id, rows, self.at, self.model_id)
        runs.log_model(
            self.client, self.seed_run_id, self.model_id, model, self.train, self.training
        )
        runs.link_model(self.client, self.run_id, self.model_id, self.training)
        picture = loss.picture(rows, self.training.variant)
        runs.log_picture(self.client, self.seed_run_id, picture, self.at)
        if diverged(rows):
            for each in (self.seed_run_id, self.run_id):
                self.client.set_tag(each, "diverged", "true")
        self.rows += rows
        self.hashes[seed] = runs.hashes(model, rows)
        run_id, self.seed_run_id, self.model_id = self.seed_run_id, "", ""
        self.terminate(run_id, "FINISHED")

    def finish(self) -> None:
        """Log what covers all seeds: the hash of their results, mean history and loss plot."""
        from stages.plots import loss
        from stages.tracking import runs

        self.client.set_tag(self.run_id, "numbers", runs.numbers(self.hashes))
        runs.log_history(self.client, self.run_id, runs.mean_history(self.rows), self.at)
        picture = loss.picture(self.rows, self.training.variant)
        runs.log_picture(self.client, self.run_id, picture, self.at)

    def took(self, seconds: Mapping[str, float]) -> None:
        """Log the seconds that each phase of the training took."""
        from stages.tracking import runs

        timings = {f"system/seconds_{phase}": value for phase, value in seconds.items()}
        runs.log_metrics(self.client, self.run_id, timings)

    def end(self, status: str) -> None:
        """End all open runs; set a model that was not completely logged to FAILED."""
        for run_id in reversed(self.runs):  # also one that did not start completely
            if run_id not in self.ended:
                self.terminate(run_id, status)
        if self.model_id:
            self.client.finalize_logged_model(self.model_id, "FAILED")
        self.run_id = self.seed_run_id = self.model_id = ""

    def discard(self) -> None:
        """Delete everything that was started; the outputs can be recorded again."""
        for run_id in self.runs:
            self.client.delete_run(run_id)
        for model_id in self.models:
            self.client.delete_logged_model(model_id)

    def terminate(self, run_id: str, status: str) -> None:
        """End one run; if it is not live, remove the tags of the process that wrote it."""
        for tag in liveness.TAGS if self.at is not None else ():
            self.client.delete_tag(run_id, tag)
        self.client.set_terminated(run_id, status, self.at)
        self.ended.add(run_id)


def status_after(error: type[BaseException] | None) -> str:
    """Return a run's status: KILLED after Ctrl-C or SIGTERM, FAILED after any other exception."""
    if error is None:
        return "FINISHED"
    return "KILLED" if issubclass(error, KeyboardInterrupt | SystemExit) else "FAILED"


class LiveRecorder:
    """Records a training while it runs. If the store fails, it warns once and does nothing more.

    Args:
        training: the variant, as its runs describe it.
        data: the prepared data.
        seconds: by phase; read when the training ends.
    """

    def __init__(self, training: Training, data: Prepared, seconds: Mapping[str, float]) -> None:
        self.training, self.data, self.phases = training, data, seconds
        self.budget = TimeBudget()
        self.recorder: Recorder | None = None
        self.client: MlflowClient | None = None
        self.lost = False
        self.seconds = 0.0  # that the training waited for tracking

    def __enter__(self) -> LiveRecorder:
        try:
            self.start()
        except BaseException as error:  # a deferred signal: `__exit__` will not be called
            self.end(status_after(type(error)))
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.end(status_after(kind))

    def start(self) -> None:
        """Open the store and start the variant's run."""
        self.load()
        self.shielded(self.begin)

    def load(self) -> None:
        """Import what recording needs, without charging the store's time budget: on a busy machine
        the imports may take longer than all of it."""
        begin = time.perf_counter()
        try:
            import mlflow.store.tracking.sqlalchemy_store
            import mlflow.tensorflow  # noqa: F401

            from stages.plots import loss  # noqa: F401
            from stages.tracking import runs, store  # noqa: F401
        except Exception as error:  # an installation can be broken in any way
            self.lose(error)
        self.seconds += time.perf_counter() - begin

    def lose(self, error: Exception) -> None:
        """Warn that the record ends here, and why."""
        self.lost = True
        say(LOST.format(reason(error)))

    def begin(self) -> None:
        """Do what `start` does, once everything is loaded."""
        from stages.tracking.store import open_store

        self.client, experiment = self.budget.call(open_store)
        tree = working_tree()
        tags = liveness.tags() | {"cpu": machine.cpu(), "mlflow.user": os.environ.get("USER", "")}
        self.recorder = Recorder(
            self.budget.guarded(self.client), experiment, self.training, self.data.train, tree, tags
        )
        self.recorder.begin()
        if tree.diff:
            self.recorder.client.log_text(
                self.recorder.run_id, redacted(tree.diff) + "\n", "uncommitted.diff"
            )

    def seed_begins(self, seed: int) -> None:
        """Do what `Recorder` does."""
        self.tell(lambda recorder: recorder.seed_begins(seed))

    def epoch_ends(self, row: Row, seconds: float) -> None:
        """Do what `Recorder` does."""
        self.tell(lambda recorder: recorder.epoch_ends(row, seconds))

    def seed_ends(self, seed: int, rows: Sequence[Row], model: Path, origin: str) -> None:
        """Do what `Recorder` does."""
        self.tell(lambda recorder: recorder.seed_ends(seed, rows, model, origin))

    def training_ends(self) -> None:
        """Log what covers all seeds, and the seconds of each phase."""
        self.tell(lambda recorder: recorder.finish())
        self.tell(lambda recorder: recorder.took({**self.phases, "tracking": self.seconds}))

    def end(self, status: str) -> None:
        """End all open runs. If the record was lost, try to set them to FAILED: nothing else would
        end them where no `branchmark sync` sees this process."""
        self.tell(lambda recorder: recorder.end(status))
        if self.lost and self.recorder:
            self.recorder.client = TimeBudget(FAREWELL).guarded(self.client)
            with deferred(), suppress(Exception):
                self.recorder.end("FAILED")

    def tell(self, action: Callable[[Recorder], object]) -> None:
        """Carry out an action with the recorder, if there is one."""
        if self.recorder:
            recorder = self.recorder
            self.shielded(lambda: action(recorder))

    def shielded(self, action: Callable[[], object]) -> None:
        """Carry out an action on the store; do nothing after the first failure.

        Defer Ctrl-C and SIGTERM until it ends: a KeyboardInterrupt within a transaction leaves the
        database locked for the calls that would end the run properly.
        """
        if self.lost:
            return
        begin = time.perf_counter()
        with deferred():
            try:
                action()
            except Exception as error:
                self.lose(error)
            finally:
                self.seconds += time.perf_counter() - begin
