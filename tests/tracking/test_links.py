"""Links into MLflow: the run of each result, read from the store's file without MLflow."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from stages.tracking import links

RUNS = (  # id, status, start, tags
    ("old", "FINISHED", 1, {"variant": "adam-0.0", "fingerprint": "f"}),
    ("new", "FINISHED", 2, {"variant": "adam-0.0", "fingerprint": "f"}),
    ("half", "FAILED", 3, {"variant": "adam-0.0", "fingerprint": "f"}),
    ("seed", "FINISHED", 4, {"variant": "adam-0.0", "fingerprint": "f", "seed": "1"}),
    ("equal", "FINISHED", 5, {"variant": "relu", "fingerprint": "f"}),
)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store's file, as far as links read it."""
    file = tmp_path / "mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE runs (run_uuid, experiment_id, status, lifecycle_stage,"
                         " start_time)")  # fmt: skip
        database.execute("CREATE TABLE tags (run_uuid, key, value)")
        for name, status, start, tags in RUNS:
            row = (name, 7, status, "active", start)
            database.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?)", row)
            for tag in tags.items():
                database.execute("INSERT INTO tags VALUES (?, ?, ?)", (name, *tag))
    return file


def test_of_several_runs_the_newest_whole_one_and_of_equal_results_each_variants_own(
    store: Path,
) -> None:
    adam, relu = ("adam-0.0", "f"), ("relu", "f")
    found = links.links([adam, relu, ("adam-0.0", "unknown")])
    assert found is not None
    assert found.runs == {adam: "new", relu: "equal"}
    assert "/experiments/7/runs/equal?" in str(found.run(relu))
    assert found.run(("adam-0.0", "unknown")) is None
    assert found.together([adam]) is None
    assert "%22new%22" in str(found.together([adam, relu]))


def test_without_a_store_there_are_no_links_and_none_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none.db")
    assert links.links([("adam-0.0", "f")]) is None
    assert not list(tmp_path.iterdir())


def test_the_address_of_a_server_holds_no_password() -> None:
    assert links.server("https://me:secret@host:81/x/") == "https://host:81/x"
    assert links.server("postgresql://me:secret@host/runs") == links.HOST
