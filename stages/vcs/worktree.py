"""What git says of the tree that a run starts from: branch, commit, and what is not committed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from stages.vcs.git import git

# What decides a result. Outputs (`dvc.lock`, `reports/`) change while the pipeline runs, and a
# README or a notebook changes nothing: they do not make a tree dirty.
INPUTS = ("dvc.yaml", "params.yaml", "pyproject.toml", "requirements.lock", "stages")

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


@dataclass(frozen=True)
class Tree:
    """The state of the tree; empty strings where git does not say."""

    branch: str
    commit: str
    experiment: str  # of `dvc exp run`
    diff: str  # of the inputs, against the commit; empty where the tree is clean

    @property
    def dirty(self) -> bool:
        """Whether an input is other than the commit says."""
        return bool(self.diff)


def project_root(start: Path | None = None) -> Path:
    """The root of the repository's main work tree, from any folder of it, from its git work trees
    and from the temporary folders of `dvc exp run --queue` and `--temp`.

    Without git it is the nearest folder above with a `dvc.yaml`, or else `start`.
    """
    start = (start or Path.cwd()).resolve()
    parts = start.parts
    for i in range(len(parts) - 2):
        if parts[i : i + 3] == (".dvc", "tmp", "exps"):
            start = Path(*parts[:i])
            break
    common = git("rev-parse", "--path-format=absolute", "--git-common-dir", cwd=start)
    if common and Path(common).name == ".git":
        return Path(common).parent
    return next((p for p in (start, *start.parents) if (p / "dvc.yaml").exists()), start)


def working_tree() -> Tree:
    """What git says of the current folder's tree."""
    untracked = git("ls-files", "--others", "--exclude-standard", "--", *INPUTS)
    diff = git("diff", "HEAD", "--", *INPUTS)
    if untracked:
        diff += "".join(f"\nnot in git: {path}" for path in untracked.splitlines())
    branch = git("symbolic-ref", "--short", "--quiet", "HEAD")
    if (
        not branch
        and Path.cwd().resolve() != (root := project_root())
        and "exps" in str(Path.cwd())
    ):
        branch = git("symbolic-ref", "--short", "--quiet", "HEAD", cwd=root)
    return Tree(
        branch=branch or next((b for n in BRANCH_VARIABLES if (b := os.environ.get(n))), ""),
        commit=git("rev-parse", "--verify", "--quiet", "HEAD"),
        experiment=os.environ.get("DVC_EXP_NAME", ""),
        diff=diff.strip(),
    )
