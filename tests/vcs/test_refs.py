"""Which revisions there are, and what git holds of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stages.core.errors import UserError
from stages.vcs import refs
from stages.vcs.git import GitError, blobs
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
    with pytest.raises(UserError, match=r"^broken: its commit is missing; `git fsck`"):
        refs.resolve("broken")


def test_odd_names_of_branches_and_authors_are_read_as_they_are(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some hold what Python, and not git, takes for a line break."""
    monkeypatch.setenv("GIT_AUTHOR_NAME", "a\u2028b\x0bc\x1b[2J")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "@99999999999 +0000")
    git("commit", "--allow-empty", "--message", "x")
    names = {"a\u2028b", "$(touch${IFS}x)", "\u202etxt", "<b>", "a;b"}
    for name in names:
        git("branch", name)
    commit = refs.every()[-1]
    assert commit.names == {*names, "main"}
    assert commit.author == "a\N{REPLACEMENT CHARACTER}b" + commit.author[3:]
    assert commit.author.isprintable()
    assert commit.time == 99999999999


def test_what_is_too_large_or_too_many_is_one_sentence(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "reports/results").mkdir(parents=True)
    (repository / "dvc.lock").write_text("#" * 3000)
    for i in range(30):
        (repository / f"reports/results/v{i}.json").touch()
    git("add", ".")
    git("commit", "--message", "large")
    (commit,) = refs.current()
    assert len(refs.tree(commit.sha, "reports")) == 30
    with pytest.raises(UserError, match="larger than"):
        refs.file(commit.sha, "dvc.lock", largest=2000)
    assert dict(blobs([refs.tracked(commit)["dvc.lock"]], 2000)) == {
        refs.tracked(commit)["dvc.lock"]: None
    }
    for cached in (refs.listing, refs.tree):
        cached.cache_clear()
    monkeypatch.setattr(refs, "FILES", 20)
    with pytest.raises(UserError, match=r"more than 20 files in .*reports/results/"):
        refs.tracked(commit)


def test_folders_that_stand_for_millions_of_folders_are_one_sentence(repository: Path) -> None:
    """Ten levels of ten folders each, of eleven objects: git itself would list them for days."""
    blob = git("hash-object", "-w", "params.yaml")
    tree = make_tree(f"100644 blob {blob}\tx")
    for _ in range(10):
        tree = make_tree("\n".join(f"040000 tree {tree}\td{i}" for i in range(10)))
    top = make_tree(f"040000 tree {tree}\treports")
    commit = git("commit-tree", "-m", "bomb", top)
    assert refs.listing(commit, "reports/results/") == {}
    with pytest.raises(UserError, match=r"^reports of .*: too many files or folders in it"):
        refs.tree(commit, "reports")


def make_tree(entries: str) -> str:
    made = subprocess.run(
        ["git", "mktree"], input=entries + "\n", capture_output=True, text=True, check=True
    )
    return made.stdout.strip()


def test_a_git_that_fails_is_not_a_repository_without_branches(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    for call in (refs.refs, refs.every, refs.current, lambda: refs.resolve("main")):
        with pytest.raises(GitError, match=r"dubious ownership.*; `git config .*safe.directory"):
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
    assert refs.file(head, "params.yaml") == b"a: 1\n"
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
