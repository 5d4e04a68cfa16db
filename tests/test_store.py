"""One store for the repository, wherever a command was started."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from stages.vcs import worktree as revision
from stages.tracking import store


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


def test_a_git_worktree_uses_the_store_of_its_repository(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "worktree", "add", "--quiet", "../tree", "-b", "other"], check=True)
    monkeypatch.chdir(repository.parent / "tree")
    assert revision.project_root() == repository
    assert revision.revision().branch == "other"


def test_a_temporary_folder_of_dvc_uses_the_store_of_its_repository(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = repository / ".dvc/tmp/exps/tmpabc"
    temporary.mkdir(parents=True)
    subprocess.run(["git", "clone", "--quiet", str(repository), str(temporary)], check=True)
    monkeypatch.chdir(temporary)
    subprocess.run(["git", "checkout", "--quiet", "--detach"], check=True)
    assert revision.project_root() == repository
    assert revision.revision().branch == "main"


def test_a_tracking_uri_in_the_environment_wins(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert store.tracking_uri() == "http://127.0.0.1:5000"


def test_only_inputs_make_a_tree_dirty(repository: Path) -> None:
    assert not revision.revision().dirty
    (repository / "dvc.lock").write_text("an output")
    (repository / "notes.txt").write_text("a note")
    assert not revision.revision().dirty
    (repository / "params.yaml").write_text("a: 2\n")
    assert "+a: 2" in revision.revision().diff
    (repository / "stages").mkdir()
    (repository / "stages/new.py").touch()
    assert "not in git: stages/new.py" in revision.revision().diff


def test_many_processes_open_a_fresh_store_at_once(repository: Path) -> None:
    """Without a lock all but one of them fail, and the file may stay unusable."""
    program = "from stages.tracking.store import open_store; print(open_store()[1])"
    started = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    ids = [process.communicate(timeout=120)[0].strip() for process in started]
    assert [process.returncode for process in started] == [0] * 4
    assert len(set(ids)) == 1
    assert "0" not in ids  # MLflow's Default experiment


@pytest.mark.parametrize("seconds", [0.0, 0.3, 0.8])
def test_a_store_killed_while_it_was_made_is_made_again(repository: Path, seconds: float) -> None:
    """Half of the tables would make the file unusable for ever."""
    program = "from stages.tracking.store import open_store; open_store()"
    process = subprocess.Popen([sys.executable, "-c", program])
    while not (repository / "mlflow.db.partial").exists() and process.poll() is None:
        time.sleep(0.005)
    time.sleep(seconds)
    process.kill()
    process.wait()
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert not (repository / "mlflow.db.partial").exists()


def test_a_store_that_cannot_be_written_does_not_end_a_training(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from stages.params import schema as params
    from stages.tracking.recorder import Record
    from stages.training.identity import Provenance

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    variant = params.load(Path(__file__).parent.parent / "params.yaml").grid("adam", 0.3)
    provenance = Provenance(variant, "0" * 64, {})
    with Record(provenance, None) as record:  # type: ignore[arg-type]
        for seed in (1, 2):
            with record.seed(seed) as run:
                run.epoch(1, {"loss": 1.0}, 1.0)
    said = capsys.readouterr().err
    assert said.count("warning:") == 1
    assert "Traceback" not in said
    assert record.seconds < 10
