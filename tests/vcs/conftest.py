"""A repository to look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vcs.repository import git


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variables of the machine's that tell git or this project where it is."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GITHUB_HEAD_REF", "GITHUB_REF_NAME"):
        monkeypatch.delenv(name, raising=False)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "tester")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "tester@example.org")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with two commits, entered."""
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    git("init", "--initial-branch=main")
    (folder / "params.yaml").write_text("a: 1\n")
    for second in ("1", "2"):
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"2020-01-01T00:00:0{second}Z")
        git("add", ".")
        git("commit", "--allow-empty", "--message", second)
    return folder
