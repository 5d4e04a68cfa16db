"""Artifacts of a store in a SQLite file: in a folder beside it, by absolute paths in its tables.

So the tables are wrong when the project was moved or copied, and know nothing of deleted folders.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

FOLDER = "mlruns"
MODEL = "data/model.keras"  # among the artifacts of a logged model

# Every column of MLflow's tables that says where artifacts are
COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def beside(database: Path) -> Path:
    """Return where the artifacts of a SQLite file are, unless a person has chosen another place."""
    return (database.parent / FOLDER).resolve()


def chosen(location: str) -> bool:
    """Whether a person has chosen the location of an experiment's artifacts."""
    return not (location.startswith("file:") and location.endswith(f"/{FOLDER}"))


def relocate(database: Path, before: str) -> bool:
    """Let the artifacts that a store has below the location `before` be beside its file, all of
    them or none; return whether they were elsewhere.

    Raises:
        sqlite3.Error: the file cannot be written.
    """
    now = beside(database).as_uri()
    if before == now or chosen(before):
        return False
    with closing(sqlite3.connect(database, timeout=20)) as connection, connection:
        for table, column in COLUMNS:
            connection.execute(
                f"UPDATE {table} SET {column} = :now || substr({column}, length(:before) + 1) "  # noqa: S608
                f"WHERE {column} = :before OR substr({column}, 1, length(:before) + 1) = :below",
                {"now": now, "before": before, "below": f"{before}/"},
            )
    return True


def deleted(database: Path, location: str, uri: str, file: str = ".") -> bool:
    """Whether the artifacts of a run or a model are gone, also in a store still to `relocate`.

    Args:
        database: the store's file.
        location: of the experiment's artifacts.
        uri: of the run's or the model's.
        file: one that must be among them.
    """
    if chosen(location) or not uri.startswith(f"{location}/"):
        return False
    folder = beside(database) / unquote(uri.removeprefix(f"{location}/"))
    return not (folder / file).exists()
