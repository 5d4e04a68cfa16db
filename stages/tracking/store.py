"""Where the MLflow store is, and its first opening.

SQLite in the project's root with the artifacts beside it, whatever folder a command was started
in; `MLFLOW_TRACKING_URI` wins.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.core.errors import UserError, say
from stages.core.redact import redacted
from stages.tracking import artifacts
from stages.vcs.worktree import project_root

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

EXPERIMENT = "fashion-mnist"
DATABASE = "mlflow.db"
SQLITE = "sqlite:///"


def tracking_uri() -> str:
    """Return the address of the store: `MLFLOW_TRACKING_URI`, or the project's own SQLite file. A
    SQLite file without a folder is in the project's root, wherever a stage runs."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or own_uri()
    file = uri.removeprefix(SQLITE)
    return f"{SQLITE}{project_root() / file}" if uri.startswith(SQLITE) else uri


def own_uri() -> str:
    """The address of the project's own SQLite file, which nobody else writes."""
    return f"{SQLITE}{project_root() / DATABASE}"


def own_database() -> Path | None:
    """Return the project's own SQLite file; None where `MLFLOW_TRACKING_URI` names another store,
    whose artifacts are its own affair."""
    uri = own_uri()
    return Path(uri.removeprefix(SQLITE)) if tracking_uri() == uri else None


def project_experiment(client: MlflowClient) -> Experiment | None:
    """Return the project's one experiment in a store; None where there is none yet.

    Raises:
        UserError: it was deleted, but not for good.
        mlflow.exceptions.MlflowException: the store cannot be reached or read.
    """
    found = client.get_experiment_by_name(EXPERIMENT)
    if found and found.lifecycle_stage == "deleted":
        raise UserError(
            f"MLflow's experiment {EXPERIMENT} is deleted; "
            f"`MLFLOW_TRACKING_URI={shlex.quote(redacted(client.tracking_uri))} mlflow experiments "
            f"restore --experiment-id {found.experiment_id}` brings it back with its runs"
        )
    return found


def open_store() -> tuple[MlflowClient, str]:
    """A client of the store, and the id of the project's one experiment in it.

    Raises:
        UserError: the experiment was deleted.
        mlflow.exceptions.MlflowException: the store cannot be reached or opened.
        sqlite3.Error: the project was moved, and its store cannot be written.
    """
    import mlflow
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    uri = tracking_uri()
    # A server keeps artifacts where it was told to; beside a SQLite file, the place is ours.
    location = None
    if uri.startswith(SQLITE):
        database = Path(uri.removeprefix(SQLITE))
        location = artifacts.beside(database).as_uri()
        quicken()
        create(database)
    mlflow.set_tracking_uri(uri)
    client = MlflowClient(uri)
    if experiment := project_experiment(client):
        own = own_database()
        if own and artifacts.relocate(own, experiment.artifact_location):
            say(
                f"note: the project was moved or copied here; {own.name} now has its artifacts in "
                f"{artifacts.beside(own)}"
            )
        return client, str(experiment.experiment_id)
    try:
        return client, str(client.create_experiment(EXPERIMENT, artifact_location=location))
    except MlflowException:  # another process was first
        if not (experiment := project_experiment(client)):
            raise
        return client, str(experiment.experiment_id)


def insisting(call: Callable[..., Any], *args: Any) -> Any:
    """Call once more where another process has just added the row that `call` would add.

    MLflow looks whether a dataset or a tag of an experiment is there before it adds it; of two
    processes that do so at the same time, the database lets one through. The row is there then.

    Raises:
        mlflow.exceptions.MlflowException: the second call fails too, or the first for another
            reason.
    """
    from mlflow.exceptions import MlflowException

    try:
        return call(*args)
    except MlflowException as error:
        if error.error_code != "BAD_REQUEST":  # what MLflow makes of "duplicate key"
            raise
        return call(*args)


def create(database: Path) -> None:
    """Make a SQLite file with MLflow's tables, if there is none.

    By one process at a time, for several at once break it, and beside its place, because one that
    was killed on the way would leave a file that no later one can use.
    """
    import logging

    from filelock import FileLock
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    if database.exists():
        return
    logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)  # "Creating initial tables..."
    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{database}.lock", timeout=60):
        if database.exists():
            return
        partial = database.with_name(f"{database.name}.partial")
        # What SQLite left beside a file that was killed in the making, or deleted, would damage
        # the new one
        for leftover in (
            *database.parent.glob(f"{partial.name}*"),
            *database.parent.glob(f"{database.name}-*"),
        ):
            leftover.unlink()
        location = artifacts.beside(database).as_uri()
        SqlAlchemyStore(f"{SQLITE}{partial}", location).engine.dispose()
        with closing(sqlite3.connect(partial)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")  # stays so: see `quicken`
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.rename(database)


def quicken() -> None:
    """Let SQLite not wait for the disk at every commit: of three an epoch, which took as long as
    the epoch itself on a slow disk.

    With a write-ahead log (`create`) the file stays whole whatever happens; when the machine dies
    the last seconds of a record may be lost, which `branchmark sync` brings back.
    """
    from sqlalchemy import Engine, event

    if not event.contains(Engine, "connect", asynchronous):
        event.listen(Engine, "connect", asynchronous)


def asynchronous(connection: Any, _: object) -> None:
    """Set what holds for a connection alone; of a store in the making nothing is to be lost."""
    if isinstance(connection, sqlite3.Connection):
        file = connection.execute("PRAGMA database_list").fetchone()[2]
        mode = "OFF" if file.endswith(".partial") else "NORMAL"
        connection.execute(f"PRAGMA synchronous = {mode}")
