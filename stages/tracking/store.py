"""Find and open the MLflow store; create it on first use.

It is a SQLite file in the project's root with the artifacts beside it, whatever folder a command
starts in, unless `MLFLOW_TRACKING_URI` names another store.
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
    relative SQLite path starts at the project's root, wherever a stage runs."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or own_uri()
    file = uri.removeprefix(SQLITE)
    return f"{SQLITE}{project_root() / file}" if uri.startswith(SQLITE) else uri


def own_uri() -> str:
    """Return the address of the project's own SQLite file, which nobody else writes."""
    return f"{SQLITE}{project_root() / DATABASE}"


def own_database() -> Path | None:
    """Return the project's own SQLite file, None if `MLFLOW_TRACKING_URI` names another store,
    whose artifacts we leave alone."""
    uri = own_uri()
    return Path(uri.removeprefix(SQLITE)) if tracking_uri() == uri else None


def project_experiment(client: MlflowClient) -> Experiment | None:
    """Return the project's one experiment in a store, None if there is none yet.

    Raises:
        UserError: it was deleted, but can still be restored.
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
    """Open the store; return its client and the id of the project's one experiment.

    Raises:
        UserError: the experiment was deleted.
        mlflow.exceptions.MlflowException: the store cannot be reached or opened.
        sqlite3.Error: the project was moved, and its store cannot be written.
    """
    import mlflow
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    uri = tracking_uri()
    # A server decides where it keeps artifacts; for a SQLite file we do: beside it.
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
    """Return what `call` returns; repeat it if another process has just added the same row.

    MLflow checks whether a dataset or an experiment's tag exists before it adds it. If two
    processes do so at the same time, the database accepts one. The second call finds the row.

    Raises:
        mlflow.exceptions.MlflowException: the second call fails too, or the first for another
            reason.
    """
    from mlflow.exceptions import MlflowException

    try:
        return call(*args)
    except MlflowException as error:
        if error.error_code != "BAD_REQUEST":  # MLflow's code for "duplicate key"
            raise
        return call(*args)


def create(database: Path) -> None:
    """Create a SQLite file with MLflow's tables, if there is none.

    One process at a time does so, because several at once break the file. It builds the file under
    another name, because a killed process would leave one that no later process can use.
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
        # Files that SQLite left beside an unfinished or a deleted database would damage the new one
        for leftover in (
            *database.parent.glob(f"{partial.name}*"),
            *database.parent.glob(f"{database.name}-*"),
        ):
            leftover.unlink()
        location = artifacts.beside(database).as_uri()
        SqlAlchemyStore(f"{SQLITE}{partial}", location).engine.dispose()
        with closing(sqlite3.connect(partial)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")  # the file keeps this: see `quicken`
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.rename(database)


def quicken() -> None:
    """Keep SQLite from waiting for the disk at every commit. An epoch has three commits, which on a
    slow disk took as long as the epoch itself.

    With a write-ahead log (`create`), the file stays intact whatever happens. If the machine goes
    down, the last seconds of a record may be lost; `branchmark sync` brings them back.
    """
    from sqlalchemy import Engine, event

    if not event.contains(Engine, "connect", asynchronous):
        event.listen(Engine, "connect", asynchronous)


def asynchronous(connection: Any, _: object) -> None:
    """Set `synchronous`, which SQLite keeps only per connection, not in the file. It is OFF for a
    store that is being created, which has nothing to lose."""
    if isinstance(connection, sqlite3.Connection):
        file = connection.execute("PRAGMA database_list").fetchone()[2]
        mode = "OFF" if file.endswith(".partial") else "NORMAL"
        connection.execute(f"PRAGMA synchronous = {mode}")
