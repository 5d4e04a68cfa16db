"""Which revisions there are, and what git holds of each, without a checkout."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from stages.core.errors import UserError
from stages.vcs import lockfile
from stages.vcs.git import git
from stages.vcs.worktree import working_tree

RUNS, PREPARED = "runs/", "data/prepared"


@dataclass(frozen=True)
class Commit:
    """A commit and what it is called.

    Attributes:
        sha: its full hash.
        time: the committer's, in seconds since 1970.
        author: the author's name.
        names: the branches and tags that end here, as `tips` calls them.
        branch: the one of them that a run made from this commit names, or "".
    """

    sha: str
    time: int
    author: str
    names: frozenset[str]
    branch: str

    def __str__(self) -> str:
        """As a person would call it."""
        return self.branch or min(self.names, default=self.sha[:7])


@dataclass(frozen=True)
class Output:
    """What a stage of a revision left in `runs/`, by the hashes in its `dvc.lock`.

    Attributes:
        stage: e.g. ``train@adam-0.3``; older revisions may have had other names.
        folder: e.g. ``runs/adam-0.3``.
        md5: of DVC's list of the folder's files.
        data: the same of the prepared data that the stage read, or "".
    """

    stage: str
    folder: str
    md5: str
    data: str


def refs() -> list[tuple[str, str]]:
    """Name and commit of every remote branch, local branch and tag, in this order.

    A remote branch goes by its name without the remote's, a tag as ``tag:v1``. `|` separates names
    in a run's tag: as `^`, which git does not allow in names, it cannot be mistaken.
    """
    # The name last: `git` strips what it returns
    fields = ("objectname", "objecttype", "*objectname", "*objecttype", "symref", "refname")
    form = "%09".join(f"%({name})" for name in fields)
    found = []
    for line in git("for-each-ref", f"--format={form}").splitlines():
        sha, kind, target, target_kind, symbolic, ref = line.split("\t")
        if target:  # an annotated tag
            sha, kind = target, target_kind
        _, family, name = [*ref.split("/", 2), ""][:3]
        if symbolic or kind != "commit" or family not in ("remotes", "heads", "tags"):
            continue
        if family == "remotes":
            remote, _, name = name.partition("/")
            rank = 1 if remote == "origin" else 0
        else:
            rank = 2
            name = f"tag:{name}" if family == "tags" else name
        found.append((rank, name.replace("|", "^"), sha))
    return [(name, sha) for _, name, sha in sorted(found)]


def tips() -> dict[str, str]:
    """The commit of every name; a local branch wins over the remote one that is called the same."""
    return dict(refs())


def every() -> list[Commit]:
    """The commits of all local and remote branches and tags, oldest first."""
    return commits({sha for _, sha in refs()})


def current() -> list[Commit]:
    """The commit that is checked out, under its branch; on a detached HEAD CI's variables name it.

    Raises:
        UserError: there is no commit.
    """
    return named(["HEAD"], extra=working_tree().branch)


def named(revisions: Iterable[str], extra: str = "") -> list[Commit]:
    """The commits of revisions as git understands them: branches, tags, hashes, ``HEAD~2``.

    Raises:
        UserError: git knows no such commit.
    """
    shas = []
    for text in revisions:
        sha = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
        if not sha:
            wrong = "there is no commit yet" if text == "HEAD" else "git knows no such revision"
            raise UserError(f"{text}: {wrong}; `git branch --all` lists the branches")
        shas.append(sha)
    return commits(shas, extra.replace("|", "^"))


def commits(shas: Iterable[str], extra: str = "") -> list[Commit]:
    """Commits with what git says of them, oldest first; `extra` is a name of all of them."""
    names: dict[str, set[str]] = {sha: {extra} - {""} for sha in shas}
    for name, sha in tips().items():
        if sha in names:
            names[sha].add(name)
    head = git("symbolic-ref", "--short", "--quiet", "HEAD").replace("|", "^")
    found = []
    for sha, called in names.items():
        time, _, author = git("show", "--no-patch", "--format=%ct %an", sha).partition(" ")
        branches = sorted(name for name in called if not name.startswith("tag:"))
        branch = next((name for name in (extra, head) if name in called), "")
        branch = branch or next(iter(branches), "")
        found.append(Commit(sha, int(time), author, frozenset(called), branch))
    return sorted(found, key=lambda commit: (commit.time, commit.sha))


def outputs(commit: Commit) -> tuple[Output, ...]:
    """What the stages of a revision left in `runs/`; nothing where it has no `dvc.lock`.

    Raises:
        UserError: its `dvc.lock` cannot be read.
    """
    try:
        return locked(git("rev-parse", "--verify", "--quiet", f"{commit.sha}:dvc.lock"))
    except ValueError as error:
        raise UserError(
            f"dvc.lock of {commit} ({commit.sha[:7]}): {error}; run `dvc repro` there and commit it"
        ) from None


@cache
def locked(blob: str) -> tuple[Output, ...]:
    """`outputs` of one content of `dvc.lock`, which most commits share with their neighbours."""
    stages = lockfile.stages(git("cat-file", "blob", blob) if blob else "")
    try:
        return tuple(
            Output(stage, out["path"], out["md5"], prepared(entry))
            for stage, entry in stages.items()
            for out in entry.get("outs") or ()
            if out["path"].startswith(RUNS) and out.get("md5", "").endswith(".dir")
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not what DVC writes ({' '.join(str(error).split())[:80]})") from None


def prepared(entry: Any) -> str:
    """The hash of the prepared data that a stage read, by its entry in `dvc.lock`."""
    found = (dep.get("md5", "") for dep in entry.get("deps") or () if dep["path"] == PREPARED)
    return next(found, "")


@cache
def metrics(commit: Commit) -> dict[str, Any]:
    """`reports/metrics.json` of a revision; empty where it has none."""
    try:
        content = json.loads(git("show", f"{commit.sha}:reports/metrics.json") or "{}")
    except ValueError:  # committed in the middle of a merge: there are no scores in it
        return {}
    return content if isinstance(content, dict) else {}
