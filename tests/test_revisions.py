"""Which revisions there are, and what git holds of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stages.core.errors import UserError
from stages.sync import hook, labels
from stages.vcs import refs as revisions


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with two commits, entered."""
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GITHUB_HEAD_REF", "GITHUB_REF_NAME"):
        monkeypatch.delenv(name, raising=False)
    git("init", "--quiet", "--initial-branch=main")
    git("config", "user.name", "tester")
    git("config", "user.email", "tester@example.org")
    for second in ("1", "2"):
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"2020-01-01T00:00:0{second}Z")
        git("commit", "--quiet", "--allow-empty", "--message", second)
    return tmp_path


def git(*arguments: str) -> str:
    result = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True)
    return result.stdout.strip()


def test_every_branch_and_tag_is_found_under_its_own_name_and_a_local_branch_wins(
    repository: Path,
) -> None:
    first, second = git("rev-parse", "HEAD~1"), git("rev-parse", "HEAD")
    git("tag", "light", first)
    git("tag", "--annotate", "--message", "x", "heavy", first)
    git("tag", "a-file", git("hash-object", "-w", "--stdin"))
    git("update-ref", "refs/remotes/origin/main", first)
    git("update-ref", "refs/remotes/origin/theirs", first)
    git("update-ref", "refs/remotes/fork/theirs", second)
    git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    git("branch", "a|b", first)
    assert revisions.tips() == {
        "main": second, "theirs": first, "a^b": first, "tag:light": first, "tag:heavy": first,
    }  # fmt: skip
    one, two = revisions.every()
    assert (one.sha, two.sha) == (first, second)
    assert one.names == {"theirs", "a^b", "tag:light", "tag:heavy"}
    assert two.branch == "main"


def test_a_detached_head_has_the_branch_that_ci_names(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("checkout", "--quiet", "--detach", "HEAD~1")
    assert revisions.current()[0].names == set()
    monkeypatch.setenv("GITHUB_HEAD_REF", "feature/x")
    assert revisions.current()[0].branch == "feature/x"


def test_without_a_commit_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    with pytest.raises(UserError, match="there is no commit yet"):
        revisions.current()


def test_outputs_of_stages_by_any_name_are_found_and_other_locks_hold_none(
    repository: Path,
) -> None:
    lock = """
schema: '2.0'
stages:
  once@old:
    deps: [{path: data/prepared, md5: abc.dir}, {path: params.yaml}]
    outs: [{path: runs/old, md5: '12345678901234567890123456789012.dir'}]
  uncached:
    outs: [{path: runs/no_hash}, {path: reports/x, md5: fed.dir}]
  nothing: {cmd: echo}
"""
    for text in (lock, "", "once: {cmd: the format of old}"):
        (repository / "dvc.lock").write_text(text)
        git("add", ".")
        git("commit", "--quiet", "--message", "lock")
    new, old = revisions.named(["HEAD"]), revisions.named(["HEAD~2", "HEAD~3"])
    assert revisions.outputs(new[0]) == ()
    found = {commit.sha: revisions.outputs(commit) for commit in old}
    (output,) = found[git("rev-parse", "HEAD~2")]
    assert output.md5 == "12345678901234567890123456789012.dir"
    assert (output.stage, output.folder, output.data) == ("once@old", "runs/old", "abc.dir")
    assert found[git("rev-parse", "HEAD~3")] == ()


def test_names_in_a_tag_come_back_and_too_many_are_cut_between_two() -> None:
    assert labels.text(["b", "a"]) == "|a|b|"
    assert labels.text([]) is None
    assert labels.names("|a|b|") == ["a", "b"]
    many = [f"branch-{i:05}" for i in range(1000)]
    text = labels.text(many) or ""
    assert len(text) <= labels.LONGEST
    assert labels.names(text) == many[: len(labels.names(text))]


# The hook's file


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
