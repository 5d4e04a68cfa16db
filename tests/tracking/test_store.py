"""One store for the repository, wherever a command was started."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from stages.tracking import store
from tests import preloaded


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with one commit, entered, and no address of a store in the environment."""
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GITHUB_HEAD_REF", "GITHUB_REF_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(folder)
    (folder / "params.yaml").write_text("a: 1\n")
    for command in (
        ["init", "--quiet", "--initial-branch=main"],
        ["config", "user.name", "tester"],
        ["config", "user.email", "tester@example.org"],
        ["add", "."],
        ["commit", "--quiet", "--message", "first"],
    ):
        subprocess.run(["git", *command], check=True)
    return folder


def test_the_store_is_in_the_root_from_any_folder(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "a/b").mkdir(parents=True)
    monkeypatch.chdir(repository / "a/b")
    assert store.tracking_uri() == f"sqlite:///{repository}/mlflow.db"


def test_a_tracking_uri_in_the_environment_wins(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert store.tracking_uri() == "http://127.0.0.1:5000"


def test_a_file_without_a_folder_is_in_the_root_wherever_a_stage_runs(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///own.db")
    (repository / "a").mkdir()
    monkeypatch.chdir(repository / "a")
    assert store.tracking_uri() == f"sqlite:///{repository}/own.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/x.db")
    assert store.tracking_uri() == f"sqlite:///{tmp_path}/x.db"


def test_an_experiment_in_a_temporary_folder_leaves_its_runs_in_the_project(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / ".dvc/tmp/exps/tmp1").mkdir(parents=True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    monkeypatch.chdir(repository / ".dvc/tmp/exps/tmp1")
    assert store.tracking_uri() == f"sqlite:///{repository}/mlflow.db"


def env() -> dict[str, str]:
    """The variables of preloaded programs that start in this folder."""
    return os.environ | preloaded.env() | {"PYTHONPATH": os.getcwd()}


def test_many_processes_open_a_fresh_store_at_once(repository: Path) -> None:
    """Without a lock all but one of them fail, and the file may stay unusable."""
    program = "from stages.tracking.store import open_store; print(open_store()[1])"
    started = [
        subprocess.Popen(["python", "-c", program], env=env(), stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    ids = [process.communicate(timeout=300)[0].strip() for process in started]
    assert [process.returncode for process in started] == [0] * 4
    assert len(set(ids)) == 1
    assert "0" not in ids  # MLflow's Default experiment


@pytest.mark.parametrize("seconds", [0.0, 0.3, 0.8])
def test_a_store_killed_while_it_was_made_is_made_again(repository: Path, seconds: float) -> None:
    """Half of the tables would make the file unusable for ever."""
    program = "from stages.tracking.store import open_store; open_store()"
    process = subprocess.Popen(["python", "-c", program], env=env())
    while not (repository / "mlflow.db.partial").exists() and process.poll() is None:
        time.sleep(0.005)
    time.sleep(seconds)
    process.kill()
    process.wait()
    subprocess.run(["python", "-c", program], env=env(), check=True, timeout=300)
    assert not (repository / "mlflow.db.partial").exists()
