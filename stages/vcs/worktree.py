"""What git says of the tree that a run starts from: branch, commit, and what is not committed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from stages.vcs.git import GitError, find, git

# What decides a result. Outputs (`dvc.lock`, `reports/`) change while the pipeline runs, and a
# README or a notebook changes nothing: they do not make a tree dirty.
INPUTS = ("dvc.yaml", "params.yaml", "pyproject.toml", "requirements.lock", "stages")

# A diff that nobody's own settings change, and that `git apply` takes
DIFF = (
    "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--unified=3",
    "--src-prefix=a/", "--dst-prefix=b/", "--no-relative", "--ignore-submodules=none",
    "--diff-algorithm=myers", "--indent-heuristic", "--inter-hunk-context=0", f"-O{os.devnull}",
)  # fmt: skip

# A detached HEAD has no branch; these say which one CI checked out, the source of a pull request
# first (GitHub, GitLab, Jenkins, Buildkite, CircleCI, Azure).
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
        branch, commit: "" where there is none, or where git does not say.
        experiment: of `dvc exp run`, or "".
        diff: of the inputs, against the commit: "" where the tree is clean, None where git does not
            say.
    """

    branch: str
    commit: str
    experiment: str
    diff: str | None

    @property
    def dirty(self) -> str:
        """Whether an input is other than the commit says: ``true``, ``false`` or ``unknown``."""
        return "unknown" if self.diff is None else str(bool(self.diff)).lower()


def project_root(start: Path | None = None) -> Path:
    """Return the project's folder in the repository's main work tree, from any folder of it, from
    its git work trees and from the temporary folders of `dvc exp run --queue` and `--temp`.

    Without git it is the nearest folder above with a `dvc.yaml`, or else `start`.
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
    """Return the project that a temporary folder of `dvc exp run` belongs to; another folder as it
    is."""
    parts = folder.parts
    for i in range(len(parts) - len(EXPERIMENTS) + 1):
        if parts[i : i + len(EXPERIMENTS)] == EXPERIMENTS:
            return Path(*parts[:i])
    return folder


def branch() -> str:
    """Return the branch that is checked out; on a detached HEAD the one that CI names, and in an
    experiment of DVC that of its project; "" where there is none."""
    here = Path.cwd().resolve()
    name = find("symbolic-ref", "--short", "--quiet", "HEAD")
    if name is None and (project := outside_experiments(here)) != here:
        name = find("symbolic-ref", "--short", "--quiet", "HEAD", cwd=project)
    return name or next((b for n in BRANCH_VARIABLES if (b := os.environ.get(n))), "")


def diff() -> str:
    """Return what of the inputs is not committed; raise GitError where git fails."""
    untracked = git("ls-files", "-z", "--others", "--exclude-standard", "--", *INPUTS)
    changed = git(*DIFF, "HEAD", "--", *INPUTS)
    lines = [f"not in git: {path}" for path in untracked.split("\0") if path]
    return "\n".join(filter(None, [changed, *lines]))


def changed(path: str) -> bool:
    """Whether a file is other than HEAD has it; raise GitError where git fails."""
    return find(*DIFF, "--quiet", "HEAD", "--", path) is None


def working_tree() -> Tree:
    """Return what git says of the current folder's tree. A training needs no git: what git does not
    say is left open."""
    experiment = os.environ.get("DVC_EXP_NAME", "")
    try:
        commit = find("rev-parse", "--verify", "--quiet", "HEAD") or ""
        return Tree(branch(), commit, experiment, diff() if commit else None)
    except GitError:
        return Tree("", "", experiment, None)
