"""What git says of the tree, whatever a person has set, and where it says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.vcs import worktree
from tests.vcs.repository import git


def test_a_git_worktree_uses_the_store_of_its_repository(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("worktree", "add", "../tree", "-b", "other")
    monkeypatch.chdir(repository.parent / "tree")
    assert worktree.project_root() == repository
    assert worktree.working_tree().branch == "other"


def test_a_temporary_folder_of_dvc_uses_the_store_of_its_repository(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = repository / ".dvc/tmp/exps/tmpabc"
    temporary.mkdir(parents=True)
    git("clone", str(repository), str(temporary))
    monkeypatch.chdir(temporary)
    git("checkout", "--detach")
    assert worktree.project_root() == repository
    assert worktree.working_tree().branch == "main"


def test_only_inputs_make_a_tree_dirty(repository: Path) -> None:
    assert worktree.working_tree().dirty == "false"
    (repository / "dvc.lock").write_text("an output")
    (repository / "notes.txt").write_text("a note")
    assert worktree.working_tree().dirty == "false"
    (repository / "params.yaml").write_text("a: 2\n")
    assert "+a: 2" in str(worktree.working_tree().diff)
    (repository / "stages").mkdir()
    (repository / "stages/new.py").touch()
    assert "not in git: stages/new.py" in str(worktree.working_tree().diff)


def test_ones_own_settings_of_git_change_no_diff(repository: Path, tmp_path: Path) -> None:
    (repository / "params.yaml").write_text("a: 2\n")
    before = worktree.working_tree().diff
    for setting in (
        "diff.external=true", "color.ui=always", "diff.noprefix=true", "diff.mnemonicPrefix=true",
        "log.showSignature=true", "diff.context=9",
    ):  # fmt: skip
        git("config", *setting.split("="))
    (repository / ".git/info/attributes").write_text("*.yaml diff=upper\n")
    git("config", "diff.upper.textconv", "tr a-z A-Z <")
    assert worktree.working_tree().diff == before
    patch = tmp_path / "patch"
    patch.write_text(str(before) + "\n")
    git("apply", "--reverse", str(patch))
    assert (repository / "params.yaml").read_text() == "a: 1\n"


def test_a_repository_of_somebody_else_is_unknown_and_not_clean(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    tree = worktree.working_tree()
    assert (tree.commit, tree.dirty) == ("", "unknown")
    assert worktree.project_root() == repository


def test_without_git_and_outside_a_repository_a_training_has_its_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "dvc.yaml").touch()
    for path in (None, str(tmp_path)):
        if path:
            monkeypatch.setenv("PATH", path)  # no git there
        assert worktree.working_tree().dirty == "unknown"
        assert worktree.project_root() == tmp_path


def test_before_the_first_commit_nothing_is_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    git("init", "--initial-branch=main")
    tree = worktree.working_tree()
    assert (tree.branch, tree.commit, tree.dirty) == ("main", "", "unknown")


def test_a_project_in_a_folder_of_a_larger_repository_has_its_own_root(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "sub/inner").mkdir(parents=True)
    (repository / "sub/dvc.yaml").touch()
    git("add", ".")
    git("commit", "--message", "a project in it")
    monkeypatch.chdir(repository / "sub/inner")
    assert worktree.project_root() == repository / "sub"
    git("worktree", "add", str(repository.parent / "tree"), "-b", "other")
    monkeypatch.chdir(repository.parent / "tree/sub")
    assert worktree.project_root() == repository / "sub"


def test_a_file_has_changed_or_not(repository: Path) -> None:
    assert not worktree.changed("params.yaml")
    (repository / "params.yaml").write_text("a: 2\n")
    assert worktree.changed("params.yaml")
