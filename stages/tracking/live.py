"""The live record of a training: a run for the variant, and nested in it one for each seed.

Tracking never decides whether a training lives: the first failure of the store ends the record
with one warning, and the training goes on. A store that comes back later does not bring it back:
`branchmark sync` makes the whole record from the outputs.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from stages.data.arrays import Prepared
from stages.interrupts import held
from stages.tracking import process, runs
from stages.tracking.patience import Patience
from stages.tracking.provenance import Provenance
from stages.tracking.reasons import reason, redacted
from stages.tracking.revision import revision

Method = TypeVar("Method", bound=Callable[..., Any])


def shielded(method: Method) -> Method:
    """Let no failure of the store out of `method`: it is told once, and later calls do nothing.

    Ctrl-C and SIGTERM wait for its end: a KeyboardInterrupt within a transaction leaves the
    database locked for the calls that would end the run properly.
    """

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        record: Record = getattr(self, "record", self)
        if record.lost:
            return None
        begin = time.perf_counter()
        with held():
            try:
                return record.patience.call(method, self, *args, **kwargs)
            except Exception as error:
                record.lose(error)
                return None
            finally:
                record.seconds += time.perf_counter() - begin

    return call  # type: ignore[return-value]


class Record:
    """The run of a variant; `with record.seed(3) as run:` gives those of its seeds.

    Args:
        provenance: what is trained, from what.
        data: the prepared data, named by their digest as the run's input.
    """

    def __init__(self, provenance: Provenance, data: Prepared) -> None:
        self.provenance, self.data = provenance, data
        self.summary = provenance.summary()
        self.patience = Patience()
        self.lost = False
        self.seconds = 0.0  # spent on tracking
        self.run_id = ""

    def lose(self, error: Exception) -> None:
        """Say once that the record ends here, and why."""
        self.lost = True
        print(
            f"warning: MLflow's store cannot be written ({reason(error)}); the training goes on "
            "without it and its outputs are whole: when the store is back, `branchmark sync` "
            "brings them in",
            file=sys.stderr,
        )

    def __enter__(self) -> Record:
        try:
            self.begin()
        except BaseException as error:  # a signal that waited: `__exit__` will not be called
            self.end(runs.status_after(type(error)))
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.end(runs.status_after(kind))

    @shielded
    def begin(self) -> None:
        """Open the store and start the variant's run."""
        from stages.tracking.store import open_store

        client, self.experiment = open_store()
        self.client = self.patience.guarded(client)
        self.tree = revision()
        name = self.provenance.variant.name
        self.run_id = self.start(name, {})
        if self.tree.dirty:
            diff = redacted(self.tree.diff) + "\n"
            self.client.log_text(self.run_id, diff, "uncommitted.diff")

    def start(self, name: str, tags: dict[str, str], **params: Any) -> str:
        """Start a run with the tags, parameters and dataset that all runs of the variant have."""
        user = os.environ.get("USER", "")
        tags = runs.tags(self.summary, self.tree, user) | process.tags() | tags
        run = self.client.create_run(self.experiment, tags=tags, run_name=name)
        run_id = str(run.info.run_id)
        runs.log_params(self.client, run_id, self.summary, **params)
        runs.log_dataset(self.client, run_id, self.data.train, self.data.digest)
        return run_id

    @contextmanager
    def seed(self, seed: int) -> Iterator[SeedRun]:
        """The nested run of one seed; it ends as its `with` block ends."""
        run = SeedRun(self, seed)
        try:
            run.begin()
            yield run
        except BaseException as error:
            run.end(runs.status_after(type(error)))
            raise
        run.end("FINISHED")

    @shielded
    def finish(self, history: Any, picture: bytes, seconds: dict[str, float]) -> None:
        """Log what holds for all seeds: the mean history, the loss plot, seconds by phase."""
        runs.log_mean_history(self.client, self.run_id, history)
        runs.log_picture(self.client, self.run_id, picture)
        seconds = {**seconds, "tracking": self.seconds}
        timings = {f"system/seconds_{phase}": value for phase, value in seconds.items()}
        runs.log_metrics(self.client, self.run_id, timings)

    @shielded
    def end(self, status: str) -> None:
        """Close the variant's run, if it was begun."""
        if not self.run_id:
            return
        self.client.set_terminated(self.run_id, status)


class SeedRun:
    """The run of one seed."""

    def __init__(self, record: Record, seed: int) -> None:
        self.record, self.seed = record, seed
        self.run_id = self.model_id = ""

    @shielded
    def begin(self) -> None:
        """Start the run and the model that its metrics will belong to."""
        record, variant = self.record, self.record.provenance.variant
        self.client = record.client
        tags = {"seed": str(self.seed), "mlflow.parentRunId": record.run_id}
        self.run_id = record.start(f"{variant.name} seed {self.seed}", tags, seed=self.seed)
        summary = record.summary
        self.model_id = runs.create_model(self.client, record.experiment, self.run_id, summary)

    @shielded
    def epoch(self, epoch: int, logs: dict[str, float], seconds: float) -> None:
        """Log the metrics of an epoch (from 1) as soon as it ends."""
        rate = len(self.record.data.train.labels) / seconds
        timings = {"epoch_seconds": seconds, "samples_per_second": rate}
        runs.log_metrics(self.client, self.run_id, logs | timings, epoch, self.model_id)

    @shielded
    def finish(self, network: Any, picture: bytes) -> None:
        """Log the trained network and the seed's loss plot."""
        record, summary = self.record, self.record.summary
        train = record.data.train
        runs.log_model(self.client, self.run_id, self.model_id, network, train, summary)
        runs.link_model(self.client, record.run_id, self.model_id, summary)
        runs.log_picture(self.client, self.run_id, picture)

    @shielded
    def end(self, status: str) -> None:
        """Close the run; a model that was not logged whole is marked as failed."""
        if status != "FINISHED" and self.model_id:
            self.client.finalize_logged_model(self.model_id, "FAILED")
        if self.run_id:
            self.client.set_terminated(self.run_id, status)
