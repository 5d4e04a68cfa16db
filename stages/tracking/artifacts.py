"""Find the artifacts of a SQLite store, which are in a folder beside its file.

Its tables hold absolute paths: stale once the project is moved or copied, or a folder deleted.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

FOLDER = "mlruns"
MODEL = "data/model.keras"  # its path among a logged model's artifacts

# Every column of MLflow's tables that holds an artifact path
COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def beside(database: Path) -> Path:
    """Return the default folder of a SQLite store's artifacts, beside its file."""
    return (database.parent / FOLDER).resolve()


def chosen(location: str) -> bool:
    """Return whether the user chose the location of an experiment's artifacts."""
    return not (location.startswith("file:") and location.endswith(f"/{FOLDER}"))


def relocate(database: Path, before: str) -> bool:
    """Point the artifact paths below `before`, all or none, to the folder beside the store's file.
    Return whether they pointed elsewhere; keep a location that the user chose.

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
    """Return whether the artifacts of a run or a model are gone, even before `relocate` has run.

    Args:
        database: the store's file.
        location: the experiment's artifact location; if the user chose it, the answer is False.
        uri: the artifact location of the run or model.
        file: a file that must exist there.
    """
    if chosen(location) or not uri.startswith(f"{location}/"):
        return False
    folder = beside(database) / unquote(uri.removeprefix(f"{location}/"))
    return not (folder / file).exists()
