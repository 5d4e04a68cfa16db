"""What the store holds: the runs of each fingerprint, and which of them is the one."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from stages.tracking import store

Key = tuple[str, str]  # a variant and a fingerprint
PAGE = 1000


@dataclass(frozen=True)
class Recorded:
    """A variant's run with those of its seeds.

    Attributes:
        run: the variant's, as MLflow gives it.
        seeds: those nested in it.
        complete: whether it says all: finished, as are all its seeds, each with a ready model.
    """

    run: Any
    seeds: tuple[Any, ...]
    complete: bool

    @property
    def runs(self) -> tuple[Any, ...]:
        """All of them."""
        return (self.run, *self.seeds)

    @property
    def age(self) -> tuple[int, str]:
        """What sorts by age, for everybody in the same way."""
        return self.run.info.start_time, self.run.info.run_id

    @property
    def at_work(self) -> bool:
        """Whether one of them is still being written."""
        return any(run.info.status == "RUNNING" for run in self.runs)


class Store:
    """The runs and models of the project's experiment, as they were when it was read; none where
    there is no client, because there is no store yet."""

    def __init__(self, client: Any, experiment: str) -> None:
        self.runs: list[Any] = []
        self.models: list[Any] = []
        if client:
            self.runs += pages(client.search_runs, [experiment], max_results=PAGE)
            self.models += pages(client.search_logged_models, [experiment], max_results=100)
        nested: dict[str, list[Any]] = defaultdict(list)
        for run in self.runs:
            nested[run.data.tags.get("mlflow.parentRunId", "")].append(run)
        ready = {model.source_run_id for model in self.models if status(model) == "READY"}
        self.groups: dict[Key, list[Recorded]] = defaultdict(list)
        for run in nested[""]:
            tags = run.data.tags
            if "variant" not in tags or "fingerprint" not in tags:
                continue  # not of this project's making
            seeds = tuple(nested[run.info.run_id])
            recorded = Recorded(run, seeds, complete(run, seeds, ready))
            self.groups[tags["variant"], tags["fingerprint"]].append(recorded)

    def chosen(self, key: Key) -> Recorded | None:
        """The newest complete run of a fingerprint: the one that counts."""
        found = [recorded for recorded in self.groups.get(key, ()) if recorded.complete]
        return max(found, key=lambda recorded: recorded.age, default=None)

    @property
    def at_work(self) -> bool:
        """Whether any run is still being written."""
        return any(run.info.status == "RUNNING" for run in self.runs)


def complete(run: Any, seeds: tuple[Any, ...], ready: set[str]) -> bool:
    """Whether a variant's run and those of all its seeds ended well, each seed with its model."""
    wanted = {str(seed) for seed in json.loads(run.data.params.get("train.seeds", "[]"))}
    whole = {
        seed.data.tags.get("seed")
        for seed in seeds
        if seed.info.status == "FINISHED" and seed.info.run_id in ready
    }
    return bool(run.info.status == "FINISHED" and wanted and wanted <= whole)


def status(model: Any) -> str:
    """READY, PENDING or FAILED."""
    return str(getattr(model.status, "value", model.status))


def pages(search: Any, *arguments: Any, **options: Any) -> Iterator[Any]:
    """All results of a search that MLflow gives page by page."""
    token = None
    while True:
        found = search(*arguments, page_token=token, **options)
        yield from found
        token = found.token
        if not token:
            return


def peek() -> tuple[Any, str]:
    """A client of the store and the project's experiment, without making either where there is
    none: then it is (None, "")."""
    uri = store.tracking_uri()
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():
        return None, ""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(store.EXPERIMENT)
    return (client, str(experiment.experiment_id)) if experiment else (None, "")
