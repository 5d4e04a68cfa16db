"""The hook's file."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from stages.core.errors import UserError
from stages.sync import hook
from stages.vcs.git import GitError
from tests.processes import until
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


# What it does


@pytest.fixture
def calls(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hook in a repository that has a project's files, of a harmful branch, in a folder. What
    its program is called with is in this file."""
    called, program = tmp_path / "calls", tmp_path / "a program"
    program.write_text(f'#!/bin/sh\necho "$@ in $(pwd)" >>{called}\n. {tmp_path}/more\n')
    program.chmod(0o755)
    (tmp_path / "more").write_text("")
    project = repository / "a project"
    (project / "stages").mkdir(parents=True)
    (project / "dvc.yaml").write_text("stages: {}\n")
    (project / "stages/cli.py").write_text("open('pwned', 'w')\n")
    git("add", ".")
    git("commit", "--message", "a project")
    monkeypatch.setattr("sys.executable", str(program))
    monkeypatch.chdir(project)
    hook.install()
    called.touch()
    return called


def commit(message: str, *options: str) -> str:
    """Commit something; what git and the hook print."""
    with Path("params.yaml").open("a") as file:
        file.write(f"# {message}\n")
    git("add", ".")
    command = ["git", "commit", "--quiet", "--message", message, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def test_an_ordinary_commit_calls_the_installed_command_and_no_code_of_the_folder(
    calls: Path,
) -> None:
    commit("one")
    commit("two", "--amend")
    called = f"-P -m stages.cli sync --quiet in {Path.cwd()}"
    assert calls.read_text().splitlines() == [called] * 2


def test_what_git_itself_commits_calls_nothing(calls: Path) -> None:
    git("switch", "--quiet", "--create", "evil")
    commit("evil 1")
    git("switch", "--quiet", "main")
    git("commit", "--allow-empty", "--quiet", "--message", "main goes on")
    calls.write_text("")
    git("rebase", "--quiet", "main", "evil")
    git("rebase", "--quiet", "--force-rebase", "--apply", "main", "evil")
    git("switch", "--quiet", "main")
    git("merge", "--quiet", "--no-ff", "--no-edit", "evil")
    git("revert", "--no-edit", "-m", "1", "HEAD")
    git("reset", "--quiet", "--hard", "HEAD~2")
    git("cherry-pick", "evil")
    git("checkout", "--quiet", "--detach", "evil")
    commit("on no branch")
    assert calls.read_text() == ""
    assert not list(Path().rglob("pwned"))


def test_a_commit_waits_briefly_and_succeeds_whatever_the_command_does(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = calls.parent / "more"
    more.write_text("echo one sentence >&2; exit 7\n")
    assert commit("fails") == "one sentence\n"
    monkeypatch.setattr(hook, "WAIT", 3)
    hook.install()
    more.write_text(f"sleep 4; touch {calls.parent}/over\n")
    begin = time.monotonic()
    assert "goes on by itself" in commit("slow")
    assert time.monotonic() - begin < 3
    until((calls.parent / "over").exists, 20)


def test_the_hooks_of_others_run_beside_it(calls: Path) -> None:
    path = hook.file()
    assert hook.remove()
    path.write_text("#!/bin/sh\necho theirs\nexit 3\n")
    path.chmod(0o755)
    hook.install()
    assert "theirs" in commit("both")
    git("config", "core.hooksPath", "own hooks")
    hook.install()
    commit("by core.hooksPath")
    assert len(calls.read_text().splitlines()) == 2
