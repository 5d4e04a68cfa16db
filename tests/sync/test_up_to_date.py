"""`branchmark sync` looks again exactly when something that it looks at has changed."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from stages.sync import up_to_date


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a store, of which `sync` has found that there is nothing to do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    git("init", "--quiet")
    (tmp_path / "mlruns").mkdir()
    database = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE runs (name TEXT)")
        connection.commit()
    git("commit", "--quiet", "--allow-empty", "--message", "first")
    up_to_date.remember(up_to_date.state())
    assert up_to_date.up_to_date()
    return database


def git(*arguments: str) -> None:
    names = ["-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    subprocess.run(["git", *names, *arguments], check=True)


def test_who_only_reads_the_store_changes_nothing(store: Path) -> None:
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("SELECT * FROM runs").fetchall()
        assert up_to_date.up_to_date()
    assert up_to_date.up_to_date()


def test_what_is_written_is_seen_while_the_writer_is_there_and_after(store: Path) -> None:
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("INSERT INTO runs VALUES ('a')")
        connection.commit()
        assert not up_to_date.up_to_date()
    assert not up_to_date.up_to_date()


def test_a_commit_a_branch_and_deleted_artifacts_are_seen(store: Path) -> None:
    git("branch", "other")
    assert not up_to_date.up_to_date()
    git("branch", "--delete", "--quiet", "other")
    assert up_to_date.up_to_date()
    (store.parent / "mlruns").rmdir()
    assert not up_to_date.up_to_date()


def test_a_store_of_others_is_always_asked(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example.org")
    assert not up_to_date.up_to_date()
