"""Which revisions there are, and what git holds of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.core.errors import UserError
from stages.vcs import refs
from stages.vcs.git import GitError
from tests.vcs.repository import git


def test_every_branch_and_tag_is_found_under_its_own_name_and_a_local_branch_wins(
    repository: Path,
) -> None:
    first, second = git("rev-parse", "HEAD~1"), git("rev-parse", "HEAD")
    git("tag", "light", first)
    git("tag", "--annotate", "--message", "x", "heavy", first)
    git("tag", "a-file", git("hash-object", "-w", "params.yaml"))
    git("update-ref", "refs/remotes/origin/main", first)
    git("update-ref", "refs/remotes/origin/theirs", first)
    git("update-ref", "refs/remotes/fork/theirs", second)
    git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    git("branch", "a|b", first)
    assert refs.refs().tips == {
        "main": second, "theirs": first, "a^b": first, "tag:light": first, "tag:heavy": first,
    }  # fmt: skip
    one, two = refs.every()
    assert (one.sha, two.sha) == (first, second)
    assert one.names == {"theirs", "a^b", "tag:light", "tag:heavy"}
    assert two.branch == "main"


def test_a_detached_head_has_the_branch_that_ci_names(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("checkout", "--quiet", "--detach", "HEAD~1")
    assert refs.current()[0].names == set()
    monkeypatch.setenv("GITHUB_HEAD_REF", "feature/x")
    assert refs.current()[0].branch == "feature/x"


def test_without_a_commit_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    with pytest.raises(UserError, match="there is no commit yet"):
        refs.current()


def test_a_name_whose_object_is_missing_is_there_and_the_others_are_read(repository: Path) -> None:
    (repository / ".git/refs/heads/broken").write_text("1" * 40 + "\n")
    known = refs.refs()
    assert known.damaged == {"broken"}
    assert known.names == {"broken", "main"}
    assert [commit.branch for commit in refs.every()] == ["main"]


def test_a_git_that_fails_is_not_a_repository_without_branches(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    for call in (refs.refs, refs.every, refs.current, lambda: refs.resolve("main")):
        with pytest.raises(GitError, match="dubious ownership"):
            call()


def test_a_revision_is_a_branch_of_origin_a_tag_a_hash_or_an_experiment(repository: Path) -> None:
    first, second = git("rev-parse", "HEAD~1"), git("rev-parse", "HEAD")
    git("update-ref", "refs/remotes/origin/theirs", first)
    git("update-ref", f"refs/exps/{second[:2]}/{second[2:]}/tame-pigs", first)
    git("tag", "--annotate", "--message", "x", "v1", first)
    for name in ("theirs", "v1", first[:8], "HEAD~1", "tame-pigs"):
        assert refs.resolve(name) == first
    for name in ("nowhere", "--all", "HEAD:params.yaml", ""):
        with pytest.raises(UserError, match="no such branch, tag, commit or experiment"):
            refs.resolve(name)


def test_a_branch_left_main_where_the_newer_of_mains_two_copies_has_it(repository: Path) -> None:
    git("switch", "--create", "feature")
    git("commit", "--allow-empty", "--message", "others'")
    theirs = git("rev-parse", "HEAD")
    git("update-ref", "refs/remotes/origin/main", theirs)  # main is behind it
    git("commit", "--allow-empty", "--message", "mine")
    assert refs.merge_base(None) == refs.merge_base("feature") == theirs
    git("update-ref", "-d", "refs/remotes/origin/main")
    assert refs.merge_base("feature") == git("rev-parse", "main")
    git("switch", "--orphan", "alone")
    git("commit", "--allow-empty", "--message", "x")
    with pytest.raises(UserError, match="no commit in common"):
        refs.merge_base("alone")


def test_a_file_of_a_commit_is_there_or_not_or_git_fails(repository: Path) -> None:
    head = git("rev-parse", "HEAD")
    assert refs.file(head, "params.yaml") == "a: 1\n"
    assert refs.file(head, "nothing.yaml") is None
    with pytest.raises(GitError):
        refs.file("0" * 40, "params.yaml")


def test_a_project_in_a_folder_of_a_larger_repository_is_read_there(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "sub").mkdir()
    (repository / "sub/params.yaml").write_text("studies: {elu: {study: activation}}\n")
    git("add", ".")
    git("commit", "--message", "sub")
    monkeypatch.chdir(repository / "sub")
    (commit,) = refs.current()
    assert refs.study(commit, "elu") == "activation"
    assert refs.study(commit, "adam-0.0") == "grid"


def test_a_signature_that_git_shows_is_no_time_of_a_commit(repository: Path) -> None:
    git("config", "log.showSignature", "true")
    (commit,) = refs.current()
    assert (commit.time, commit.author) == (1577836802, "tester")
