"""A clone of its own: nothing leads from it to the project's store, cache or code."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from stages import tracking
from stages.core.errors import UserError
from stages.vcs import dvc
from stages.vcs.worktree import project_root
from stages.verify.clone import cloned, scrubbed


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A repository, entered, and its one commit; the temporary folder is `tmp_path/temporary`."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    (project / "a.txt").write_text("a\n")
    for command in (
        "init --quiet",
        "add --all",
        "-c user.name=tester -c user.email=tester@example.org commit --quiet --message a",
    ):
        subprocess.run(["git", *command.split()], check=True)
    return subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()


@pytest.mark.parametrize("end", [None, KeyboardInterrupt, SystemExit])
def test_a_clone_is_removed_however_the_block_ends(
    end: type[BaseException] | None, repository: str, tmp_path: Path
) -> None:
    with suppress(KeyboardInterrupt, SystemExit), cloned(repository) as (root, _):
        assert (root / "a.txt").read_text() == "a\n"
        assert project_root(root) == root.resolve()  # its cache is not the project's
        if end:
            raise end
    assert not list((tmp_path / "temporary").iterdir())


def test_a_clone_of_a_work_tree_is_none_of_that_repository(
    repository: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    subprocess.run(["git", "worktree", "add", "--quiet", str(other)], check=True)
    monkeypatch.chdir(other)
    with cloned(repository) as (root, _):
        assert project_root(root) == root.resolve()


def test_a_project_within_a_larger_repository_is_found_in_its_clone(
    repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("inner").mkdir()
    monkeypatch.chdir("inner")
    with cloned(repository) as (root, _):
        assert root.name == "inner"


def test_settings_of_the_user_change_no_byte_and_run_nothing(
    repository: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = tmp_path / "hooks/post-checkout"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/planted\n")
    hook.chmod(0o755)
    settings = tmp_path / "config"
    settings.write_text(f"[core]\nautocrlf = true\nhooksPath = {hook.parent}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    with cloned(repository) as (root, _):
        assert (root / "a.txt").read_bytes() == b"a\n"
    assert not (tmp_path / "planted").exists()


def test_a_commit_that_cannot_be_cloned_is_one_sentence(repository: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^git checkout: "), cloned("d" * 40):
        pass
    assert not list((tmp_path / "temporary").iterdir())


def test_the_environment_leads_nowhere_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLFLOW_TRACKING_URI", "GIT_DIR", "DVC_STAGE", "PYTHONSAFEPATH", "PYTHONPATH"):
        monkeypatch.setenv(name, "elsewhere")
    monkeypatch.setenv("FASHION_MNIST_DIR", "data")
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    with scrubbed():
        assert not [v for v in os.environ.values() if v == "elsewhere"]
        assert tracking.is_off()
        assert dvc.forced()
        assert os.environ["FASHION_MNIST_DIR"] == str(tmp_path / "data")
    assert dict(os.environ) == before
    assert not tracking.is_off()
