"""Objects are read one by one; a large one is passed over, and a failure is never absence."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.vcs.git import GitError, blobs, git


def stored(content: str) -> str:
    return git("hash-object", "-w", "--stdin", stdin=content.encode())


def test_one_object_that_is_too_large_hides_no_other(repository: Path) -> None:
    objects = {stored(text): text.encode() for text in ("one\n", "large" * 100, "", "two")}
    expected = {sha: content if len(content) < 100 else None for sha, content in objects.items()}
    assert dict(blobs([*objects, *objects], largest=99)) == expected


def test_a_missing_object_and_a_folder_that_is_no_repository_are_errors(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = stored("there")
    with pytest.raises(GitError, match=r"object 0{40} is missing"):
        list(blobs([sha, "0" * 40]))
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(GitError, match="not a git repository"):
        list(blobs([sha]))


def test_an_object_that_git_cannot_read_to_its_end_is_an_error_not_a_shorter_one(
    repository: Path,
) -> None:
    sha = stored("".join(map(str, range(20_000))))
    file = repository / ".git/objects" / sha[:2] / sha[2:]
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-9_000])
    with pytest.raises(GitError, match=r"^git cat-file: \S"):
        list(blobs([sha]))


def test_without_git_an_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(GitError, match="git is not installed"):
        list(blobs(["0" * 40]))
