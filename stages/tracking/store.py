"""Where the MLflow store is, and its first opening.

SQLite in the project's root with the artifacts beside it, whatever folder a command was started
in; `MLFLOW_TRACKING_URI` wins.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stages.tracking.revision import project_root

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "fashion-mnist"
DATABASE, ARTIFACTS = "mlflow.db", "mlruns"


def tracking_uri() -> str:
    """The address of the store: `MLFLOW_TRACKING_URI`, or the project's own SQLite file."""
    return os.environ.get("MLFLOW_TRACKING_URI") or own_uri()


def own_uri() -> str:
    """The address of the project's own SQLite file, which nobody else writes."""
    return f"sqlite:///{project_root() / DATABASE}"


def open_store() -> tuple[MlflowClient, str]:
    """A client of the store, and the id of the project's one experiment in it.

    Raises:
        mlflow.exceptions.MlflowException: the store cannot be reached or opened.
    """
    import logging

    import mlflow
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)  # "Creating initial tables..."
    uri = tracking_uri()
    with first_opening(uri):
        mlflow.set_tracking_uri(uri)
        client = MlflowClient(uri)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment:
            return client, str(experiment.experiment_id)
        # A server keeps artifacts where it was told to; beside a SQLite file, the place is ours.
        beside = Path(uri.removeprefix("sqlite:///")).parent / ARTIFACTS
        location = beside.resolve().as_uri() if uri.startswith("sqlite:///") else None
        try:
            return client, str(client.create_experiment(EXPERIMENT, artifact_location=location))
        except MlflowException:  # on a server, somebody else may have made it just now
            experiment = client.get_experiment_by_name(EXPERIMENT)
            if experiment is None:
                raise
            return client, str(experiment.experiment_id)


@contextmanager
def first_opening(uri: str) -> Iterator[None]:
    """One process at a time while a SQLite file gets its tables: several at once break it."""
    if not uri.startswith("sqlite:///"):
        yield
        return
    from filelock import FileLock

    with FileLock(uri.removeprefix("sqlite:///") + ".lock", timeout=60):
        yield
