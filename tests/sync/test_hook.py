"""The hook's file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stages.core.errors import UserError
from stages.sync import hook
from stages.vcs.git import GitError
from tests.vcs.conftest import own_settings, repository
from tests.vcs.repository import git

__all__ = ["own_settings", "repository"]


def test_the_hook_is_put_in_once_beside_that_of_others_and_taken_out_again(
    repository: Path,
) -> None:
    others = "#!/bin/bash\necho theirs\nexit 0\n"
    path = repository / ".git/hooks/post-commit"
    path.parent.mkdir(exist_ok=True)
    path.write_text(others)
    hook.install()
    once = path.read_text()
    assert once.startswith(f"#!/bin/bash\n{hook.BEGIN}")
    assert once.endswith("echo theirs\nexit 0\n")
    assert "in place already" in hook.install()
    assert path.read_text() == once
    subprocess.run(["bash", "-n", str(path)], check=True)
    assert "taken out" in hook.remove()
    assert path.read_text() == others
    assert "no hook of branchmark" in hook.remove()
    path.unlink()
    hook.install()
    hook.remove()
    assert not path.exists()


def test_the_hook_goes_where_git_looks_for_it(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("worktree", "add", "--quiet", "tree", "-b", "other")
    monkeypatch.chdir(repository / "tree")
    assert hook.file() == repository / ".git/hooks/post-commit"
    monkeypatch.chdir(repository)
    git("config", "core.hooksPath", "own hooks")
    hook.install()
    assert (repository / "own hooks/post-commit").stat().st_mode & 0o111


def test_a_hook_that_is_no_shell_script_is_left_alone(repository: Path) -> None:
    path = repository / ".git/hooks/post-commit"
    path.parent.mkdir(exist_ok=True)
    for content in (b"#!/usr/bin/env python3\nprint(1)\n", b"\x7fELF\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="not a shell script"):
            hook.install()
        assert path.read_bytes() == content


def test_a_git_that_refuses_is_told_in_its_own_words(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(GitError, match="dubious ownership"):
        hook.install()


def test_the_hook_enters_the_project_in_a_folder_of_a_larger_repository(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = repository / "it's here/sub"
    (project / "stages/sync").mkdir(parents=True)
    (project / "stages/sync/command.py").touch()
    (project / "stages/cli.py").write_text("import os; open('called', 'w').write(os.getcwd())")
    monkeypatch.chdir(project)
    hook.install()
    monkeypatch.chdir(repository)
    git("commit", "--allow-empty", "--message", "another")
    assert (project / "called").read_text() == str(project)
