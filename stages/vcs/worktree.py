"""What git knows of the tree that a run starts from: branch, commit and uncommitted changes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from stages.vcs.git import GitError, find, git

# These decide a result. Outputs (`dvc.lock`, `reports/`) change while the pipeline runs, and a
# README or a notebook affects no result: they do not make a tree dirty.
INPUTS = ("dvc.yaml", "params.yaml", "pyproject.toml", "requirements.lock", "stages")

# A diff that no user's settings change and that `git apply` accepts
DIFF = (
    "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--unified=3",
    "--src-prefix=a/", "--dst-prefix=b/", "--no-relative", "--ignore-submodules=none",
    "--diff-algorithm=myers", "--indent-heuristic", "--inter-hunk-context=0", f"-O{os.devnull}",
)  # fmt: skip

# A detached HEAD has no branch. These name the one that CI checked out, preferably the source of a
# pull request (GitHub, GitLab, Jenkins, Buildkite, CircleCI, Azure).
BRANCH_VARIABLES = (
    "GITHUB_HEAD_REF",
    "GITHUB_REF_NAME",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
    "CI_COMMIT_REF_NAME",
    "CHANGE_BRANCH",
    "BRANCH_NAME",
    "BUILDKITE_BRANCH",
    "CIRCLE_BRANCH",
    "BUILD_SOURCEBRANCHNAME",
)
EXPERIMENTS = (".dvc", "tmp", "exps")  # where `dvc exp run --queue` and `--temp` work


@dataclass(frozen=True)
class Tree:
    """The state of the tree.

    Attributes:
        branch, commit: "" if there is none or git does not tell.
        experiment: the name of the DVC experiment, or "".
        diff: of the inputs against the commit: "" if the tree is clean, None if git does not tell.
    """

    branch: str
    commit: str
    experiment: str
    diff: str | None

    @property
    def dirty(self) -> str:
        """Return whether an input differs from the commit: ``true``, ``false`` or ``unknown``."""
        return "unknown" if self.diff is None else str(bool(self.diff)).lower()


def project_root(start: Path | None = None) -> Path:
    """Return the project's folder in the repository's main work tree. `start` may be any folder in
    a work tree or in a temporary folder of `dvc exp run --queue` or `--temp`.

    Without git, return the nearest folder from `start` up that has a `dvc.yaml`, or else `start`.
    """
    start = outside_experiments((start or Path.cwd()).resolve())
    project = next((p for p in (start, *start.parents) if (p / "dvc.yaml").exists()), None)
    folder = project or start
    try:
        common = Path(git("rev-parse", "--path-format=absolute", "--git-common-dir", cwd=folder))
        prefix = git("rev-parse", "--show-prefix", cwd=folder) if project else ""
    except GitError:
        return folder
    return common.parent / prefix if common.name == ".git" else folder


def outside_experiments(folder: Path) -> Path:
    """Return the project that a temporary folder of `dvc exp run` belongs to, or else `folder`."""
    parts = folder.parts
    for i in range(len(parts) - len(EXPERIMENTS) + 1):
        if parts[i : i + len(EXPERIMENTS)] == EXPERIMENTS:
            return Path(*parts[:i])
    return folder


def branch() -> str:
    """Return the checked-out branch; on a detached HEAD, that of the project if this is a DVC
    experiment, or else the one that CI names; "" if there is none."""
    here = Path.cwd().resolve()
    name = find("symbolic-ref", "--short", "--quiet", "HEAD")
    if name is None and (project := outside_experiments(here)) != here:
        name = find("symbolic-ref", "--short", "--quiet", "HEAD", cwd=project)
    return name or next((b for n in BRANCH_VARIABLES if (b := os.environ.get(n))), "")


def diff() -> str:
    """Return the uncommitted changes to the inputs; raise GitError if git fails."""
    untracked = git("ls-files", "-z", "--others", "--exclude-standard", "--", *INPUTS)
    changed = git(*DIFF, "HEAD", "--", *INPUTS)
    lines = [f"not in git: {path}" for path in untracked.split("\0") if path]
    return "\n".join(filter(None, [changed, *lines]))


def changed(path: str) -> bool:
    """Return whether a file differs from the one in HEAD; raise GitError if git fails."""
    return find(*DIFF, "--quiet", "HEAD", "--", path) is None


def working_tree() -> Tree:
    """Return what git knows of the current folder's tree. A training needs no git, so what git does
    not tell stays unknown."""
    experiment = os.environ.get("DVC_EXP_NAME", "")
    try:
        commit = find("rev-parse", "--verify", "--quiet", "HEAD") or ""
        return Tree(branch(), commit, experiment, diff() if commit else None)
    except GitError:
        return Tree("", "", experiment, None)
