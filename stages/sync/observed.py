"""The observed state: what the store holds, and which run of each result counts."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from stages.tracking import artifacts, runs, store

Key = tuple[str, str]  # a variant and a fingerprint
PAGE = 1000


@dataclass(frozen=True)
class Recorded:
    """A variant's run and its seeds' runs.

    Attributes:
        run: the variant's run, as MLflow returns it.
        seeds: the seeds' runs, which are nested in it.
        complete: whether nothing is missing: all these runs finished, each seed has a ready model,
            and no artifacts were deleted.
    """

    run: Any
    seeds: tuple[Any, ...]
    complete: bool

    @property
    def runs(self) -> tuple[Any, ...]:
        """Return all these runs, the variant's first."""
        return (self.run, *self.seeds)

    @property
    def age(self) -> tuple[int, str]:
        """Return a key that sorts by age, in the same order for everybody."""
        return self.run.info.start_time, self.run.info.run_id

    @property
    def at_work(self) -> bool:
        """Return whether one of these runs is still being written."""
        return any(run.info.status == "RUNNING" for run in self.runs)

    @property
    def numbers(self) -> str:
        """Return the hash of its models and histories; "" if an earlier version recorded it."""
        return str(self.run.data.tags.get("numbers", ""))

    def __str__(self) -> str:
        """Return, for example, ``MLflow's run elu of main (076fcad)``."""
        tags = self.run.data.tags
        commit = tags.get("commit", "")[:7]
        branch = tags.get("branch", "")
        where = f" of {branch} ({commit})" if branch and commit else f" of {branch or commit}"
        return f"MLflow's run {tags['variant']}{where if branch or commit else ''}"


@dataclass
class ObservedState:
    """The runs and models of the project's experiment, as they were when they were read.

    Attributes:
        runs: all runs, as MLflow returns them.
        models: all models, likewise; None if the server does not know models. Then every finished
            run has its model among its files.
        tags: the experiment's tags.
        bare: the ids of runs and models whose artifacts were deleted.
    """

    runs: list[Any] = field(default_factory=list)
    models: list[Any] | None = field(default_factory=list)
    tags: Mapping[str, str] = field(default_factory=dict)
    bare: Collection[str] = ()

    def __post_init__(self) -> None:
        nested: dict[str, list[Any]] = defaultdict(list)
        for run in self.runs:
            nested[run.data.tags.get("mlflow.parentRunId", "")].append(run)
        ready = {
            model.source_run_id
            for model in self.models or ()
            if status(model) == "READY" and model.model_id not in self.bare
        }
        if self.models is None:
            ready = {run.info.run_id for run in self.runs}
        self.groups: dict[Key, list[Recorded]] = defaultdict(list)
        for run in nested[""]:
            tags = run.data.tags
            if "variant" not in tags or "fingerprint" not in tags:
                continue  # not made by this project
            seeds = tuple(nested[run.info.run_id])
            whole = complete(run, seeds, ready) and not any(
                each.info.run_id in self.bare for each in (run, *seeds)
            )
            self.groups[tags["variant"], tags["fingerprint"]].append(Recorded(run, seeds, whole))

    def chosen(self, key: Key) -> Recorded | None:
        """Return the newest complete run of a result, which is the one that counts, or None."""
        found = [recorded for recorded in self.groups.get(key, ()) if recorded.complete]
        return max(found, key=lambda recorded: recorded.age, default=None)

    @property
    def at_work(self) -> bool:
        """Return whether any run is still being written."""
        return any(run.info.status == "RUNNING" for run in self.runs)


def read(client: Any, experiment: str) -> ObservedState:
    """Return what the store holds; nothing if `client` is None, because there is no store yet."""
    if not client:
        return ObservedState()
    found = list(pages(client.search_runs, [experiment], max_results=PAGE))
    logged = models(client, experiment)
    about = client.get_experiment(experiment)
    return ObservedState(found, logged, about.tags, bare(about.artifact_location, found, logged))


def models(client: Any, experiment: str) -> list[Any] | None:
    """Return the experiment's models; None if the server is too old to know models."""
    try:
        return list(pages(client.search_logged_models, [experiment], max_results=100))
    except MlflowException as error:
        if not runs.unknown(error):
            raise
        return None


def bare(location: str, found: list[Any], logged: list[Any] | None) -> set[str]:
    """Return the ids of runs and models whose artifacts were deleted. This covers only the
    project's own store, because this machine cannot see a server's files."""
    if (database := store.own_database()) is None:
        return set()
    gone = partial(artifacts.deleted, database, location)
    return {run.info.run_id for run in found if gone(run.info.artifact_uri)} | {
        model.model_id for model in logged or () if gone(model.artifact_location, artifacts.MODEL)
    }


def complete(run: Any, seeds: Iterable[Any], ready: set[str]) -> bool:
    """Return whether a variant's run and all its seeds' runs finished, each seed's with a model."""
    wanted = {str(seed) for seed in json.loads(run.data.params.get("train.seeds", "[]"))}
    whole = {
        seed.data.tags.get("seed")
        for seed in seeds
        if seed.info.status == "FINISHED" and seed.info.run_id in ready
    }
    return bool(run.info.status == "FINISHED" and wanted and wanted <= whole)


def status(model: Any) -> str:
    """Return a model's status: READY, PENDING or FAILED."""
    return str(getattr(model.status, "value", model.status))


def pages(search: Any, *arguments: Any, **options: Any) -> Iterator[Any]:
    """Yield all results of a search that MLflow returns page by page."""
    token = None
    while True:
        found = search(*arguments, page_token=token, **options)
        yield from found
        token = found.token
        if not token:
            return


def peek() -> tuple[Any, str]:
    """Return a client of the store and the id of the project's experiment; (None, "") if either
    does not exist yet. Create neither."""
    uri = store.tracking_uri()
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():
        return None, ""
    client = MlflowClient(uri)
    experiment = store.project_experiment(client)
    return (client, str(experiment.experiment_id)) if experiment else (None, "")
