"""A moved project takes its artifacts along; deleted ones are missed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from stages.tracking import artifacts

RUN, MODEL = "1/artifacts", "models/m-1/artifacts"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A store that was made in /old/place, with the artifacts of one run and one model."""
    for folder in (RUN, f"{MODEL}/data"):
        (tmp_path / "mlruns" / folder).mkdir(parents=True)
    (tmp_path / "mlruns" / MODEL / artifacts.MODEL).touch()
    file = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        for table in dict(artifacts.COLUMNS):
            columns = ", ".join(column for name, column in artifacts.COLUMNS if name == table)
            connection.execute(f"CREATE TABLE {table} ({columns})")
        for table, column in artifacts.COLUMNS:
            for path in (BEFORE, f"{BEFORE}/{RUN}", f"{BEFORE}-other/{RUN}", "s3://bucket/a", None):
                connection.execute(f"INSERT INTO {table} ({column}) VALUES (?)", [path])
    return file


BEFORE = "file:///old/the%20place/mlruns"


def test_a_moved_store_has_its_artifacts_beside_it_and_others_where_they_were(
    database: Path,
) -> None:
    now = (database.parent / "mlruns").as_uri()
    assert artifacts.relocate(database, BEFORE)
    with closing(sqlite3.connect(database)) as connection:
        for table, column in artifacts.COLUMNS:
            rows = connection.execute(f"SELECT {column} FROM {table} WHERE {column} NOT NULL")
            assert [row[0] for row in rows] == [
                now, f"{now}/{RUN}", f"{BEFORE}-other/{RUN}", "s3://bucket/a",
            ]  # fmt: skip
    assert not artifacts.relocate(database, now)


@pytest.mark.parametrize(
    "place", ["s3://bucket/mlruns", "mlflow-artifacts:/1", "file:///big/disk/artifacts"]
)
def test_a_place_that_a_person_chose_stays(database: Path, place: str) -> None:
    before = database.read_bytes()
    assert not artifacts.relocate(database, place)
    assert database.read_bytes() == before
    assert not artifacts.deleted(database, place, f"{place}/{RUN}")


def test_deleted_artifacts_are_missed_also_before_a_store_is_relocated(database: Path) -> None:
    here = (database.parent / "mlruns").as_uri()
    for location in (BEFORE, here):
        assert not artifacts.deleted(database, location, f"{location}/{RUN}")
        assert not artifacts.deleted(database, location, f"{location}/{MODEL}", artifacts.MODEL)
        assert artifacts.deleted(database, location, f"{location}/2/artifacts")
    (database.parent / "mlruns" / MODEL / artifacts.MODEL).unlink()
    assert artifacts.deleted(database, here, f"{here}/{MODEL}", artifacts.MODEL)


def test_the_columns_are_all_of_mlflows_that_name_a_place() -> None:
    """So that a newer MLflow with one more is noticed."""
    from mlflow.store.db.base_sql_model import Base
    from mlflow.store.model_registry.dbmodels import models as _registry  # noqa: F401
    from mlflow.store.tracking.dbmodels import models as _tracking  # noqa: F401

    named = {
        (table.name, column.name)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if any(word in column.name for word in ("artifact", "location", "uri"))
        if table.name != "workspaces"  # of servers with several; its module may not be imported
    }
    assert named - {*artifacts.COLUMNS} == set()
