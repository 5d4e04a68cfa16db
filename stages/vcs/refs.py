"""The revisions that exist, and what git holds of each, without a checkout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from stages.core import untrusted
from stages.core.errors import UserError
from stages.core.text import line as plain
from stages.core.untrusted import LARGEST, WORD, Refused
from stages.vcs import lockfile, worktree
from stages.vcs.git import blobs, find, git
from stages.vcs.lockfile import Lock, Output

LOCK, PARAMS = "dvc.lock", "params.yaml"
RESULTS, METRICS = "reports/results", "reports/metrics.json"  # today's, and old revisions'
SAID = (LOCK, PARAMS, f"{RESULTS}/", METRICS, "reports/curves.csv")  # listed by one git process
MAIN = ("main", "origin/main", "master", "origin/master")
LATEST = 253_402_300_799  # the last second of the year 9999; a commit may claim any time
FILES, FOLDERS = 10_000, 100  # the most that are listed of a commit


@dataclass(frozen=True)
class Commit:
    """A commit and its names.

    Attributes:
        sha: its full hash.
        time: the committer's time, in seconds since 1970.
        author: the author's name.
        names: the branches and tags that point here, named as in `Refs.tips`.
        branch: the branch among them that a run made from this commit names, or "".
    """

    sha: str
    time: int
    author: str
    names: frozenset[str]
    branch: str

    def __str__(self) -> str:
        """Return its branch, or else a tag, or else its short hash."""
        return self.branch or min(self.names, default=self.sha[:7])


# Names


@dataclass(frozen=True)
class Refs:
    """Every remote branch, local branch and tag.

    Attributes:
        commits: the name and commit of each, remote branches first: the last of equal names wins.
        damaged: the names whose object is missing: they exist, but nothing is known of them.
    """

    commits: tuple[tuple[str, str], ...]
    damaged: frozenset[str]

    @property
    def tips(self) -> dict[str, str]:
        """Return the commit of every name; a local branch wins over a remote one of that name."""
        return dict(self.commits)

    @property
    def names(self) -> set[str]:
        """Return every name, damaged ones too."""
        return {name for name, _ in self.commits} | self.damaged


def refs() -> Refs:
    """Return all branches and tags; raise GitError if git cannot list them.

    A remote branch is named without its remote, a tag as ``tag:v1``. `|` separates the names in a
    run's tag, so a name has `^` in its place, which git does not allow in names.
    """
    listed = []
    for line in git("for-each-ref", "--format=%(objectname) %(refname) %(symref)").split("\n"):
        if not line:
            continue
        sha, ref, *symbolic = line.split(" ")
        _, family, name = [*ref.split("/", 2), ""][:3]
        if any(symbolic) or family not in ("remotes", "heads", "tags"):
            continue
        rank = 2
        if family == "remotes":
            remote, _, name = name.partition("/")
            rank = 1 if remote == "origin" else 0
        name = f"tag:{name}" if family == "tags" else name
        listed.append((rank, name.replace("|", "^"), sha))
    listed.sort()
    questions = "".join(f"{sha}\n{sha}^{{commit}}\n" for _, _, sha in listed)
    # Two answers each: for the object, and for the commit that it is or, as a tag, points to
    answered = git("cat-file", "--batch-check", stdin=questions.encode())
    answers = answered.split("\n") if listed else []
    commits, damaged = [], set()
    for (_, name, _), itself, commit in zip(listed, answers[::2], answers[1::2], strict=True):
        if itself.endswith(" missing"):
            damaged.add(name)
        elif not commit.endswith(" missing"):  # otherwise a tag of a file
            commits.append((name, commit.split()[0]))
    return Refs(tuple(commits), frozenset(damaged - {name for name, _ in commits}))


def every() -> list[Commit]:
    """Return the commits of all local and remote branches and tags, oldest first."""
    known = refs()
    return commits({sha for _, sha in known.commits}, known)


def current() -> list[Commit]:
    """Return a list of the checked-out commit, with its branch (on a detached HEAD, the one that
    CI's variables name). Raise UserError if there is no commit."""
    return named(["HEAD"], extra=worktree.branch())


def named(revisions: Iterable[str], extra: str = "") -> list[Commit]:
    """Return the commits of revisions (see `resolve`), oldest first, each also named `extra`.

    Raises:
        UserError: there is no such revision.
    """
    return commits([resolve(text) for text in revisions], refs(), extra.replace("|", "^"))


def commits(shas: Iterable[str], known: Refs, extra: str = "") -> list[Commit]:
    """Return commits with what git knows of them, oldest first, each also named `extra`."""
    names: dict[str, set[str]] = {sha: {extra} - {""} for sha in shas}
    for name, sha in known.tips.items():
        if sha in names:
            names[sha].add(name)
    if not names:
        return []
    head = (find("symbolic-ref", "--short", "--quiet", "HEAD") or "").replace("|", "^")
    form = ("--no-walk=unsorted", "--no-commit-header", "--encoding=UTF-8", "--format=%H %ct %an")
    listing = git("rev-list", *form, "--stdin", stdin="\n".join(names).encode())
    found = []
    for line in listing.split("\n"):  # not at other line breaks, which a name may hold
        sha, time, author = [*line.split(" ", 2), ""][:3]
        called = names[sha]
        branches = sorted(name for name in called if not name.startswith("tag:"))
        branch = next((name for name in (extra, head) if name in called), "")
        branch = branch or next(iter(branches), "")
        at = min(int(time), LATEST) if time.isdecimal() else 0
        found.append(Commit(sha, at, plain(author), frozenset(called), branch))
    return sorted(found, key=lambda commit: (commit.time, commit.sha))


# Revisions


def resolve(revision: str) -> str:
    """Return the hash of the commit that a branch (even if only origin has it), a tag, a hash or a
    DVC experiment names.

    Raises:
        UserError: there is no such commit.
        GitError: git fails.
    """
    for candidate in candidates(revision):
        form = f"{candidate}^{{commit}}"
        if sha := find("rev-parse", "--verify", "--quiet", "--end-of-options", form):
            return sha
    if revision in refs().damaged:
        raise UserError(f"{revision}: its commit is missing; `git fsck` tells what else is")
    if revision == "HEAD":
        raise UserError("HEAD: there is no commit yet; `git commit` makes one")
    raise UserError(
        f"{revision}: no such branch, tag, commit or experiment; `git branch --all` and `dvc exp "
        "list --all-commits` name them, `git fetch` may bring it"
    )


def candidates(revision: str) -> Iterator[str]:
    """Yield what git may call a revision; list experiments last, only if the others fail."""
    yield revision
    yield f"origin/{revision}"
    yield from experiments(revision)


def experiments(name: str) -> list[str]:
    """Return the refs of DVC's experiments with this name: refs/exps/<2 digits>/<38>/<name>."""
    listed = git("for-each-ref", "--format=%(refname)", "refs/exps").split("\n")
    return [ref for ref in listed if ref.count("/") == 4 and ref.endswith(f"/{name}")]


def own() -> list[Commit]:
    """Return the commits that take precedence here over other branches, in that order: those of the
    main branches and the checked-out one, if they exist."""
    mains = (f"refs/{kind}/{name}" for kind in ("heads", "remotes") for name in MAIN)
    found = [
        find("rev-parse", "--verify", "--quiet", f"{each}^{{commit}}") for each in (*mains, "HEAD")
    ]
    return sorted(commits(set(filter(None, found)), refs()), key=lambda each: found.index(each.sha))


def merge_base(head: str | None) -> str:
    """Return the commit at which `head` (None: the working tree) left the main branch, either the
    local one or origin's, whichever is nearer.

    Raises:
        UserError: there is no main branch, or the two have no commit in common.
        GitError: git fails.
    """
    tip = resolve(head or "HEAD")
    for local, remote in (MAIN[:2], MAIN[2:]):
        mains = [
            sha
            for name in (f"refs/heads/{local}", f"refs/remotes/{remote}")
            if (sha := find("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"))
        ]
        if not mains:
            continue
        if base := find("merge-base", tip, *mains):
            return base
        shallow = git("rev-parse", "--is-shallow-repository") == "true"
        hint = "; this clone is shallow: `git fetch --unshallow`" if shallow else ""
        raise UserError(
            f"{head or 'HEAD'} and {local} have no commit in common{hint}; or name the base: "
            "`branchmark compare BASE`"
        )
    raise UserError("there is no branch main or master; name the base: `branchmark compare BASE`")


# What a commit holds


@cache
def listing(commit: str, *paths: str) -> Mapping[str, str]:
    """Return the object hashes of a commit's files by path, relative to the current folder; a path
    that ends with `/` stands for the files directly in that folder.

    This does not descend into subfolders: a few git objects can stand for any number of them.

    Raises:
        UserError: there are too many.
    """
    return {path: sha for path, kind, sha in entries(commit, *paths) if kind == "blob"}


@cache
def tree(commit: str, folder: str) -> Mapping[str, str]:
    """Return the files of a commit in a folder and its subfolders, as `listing` does."""
    found: dict[str, str] = {}
    waiting = [f"{folder}/"]
    for count in range(FOLDERS):
        if not waiting:
            return found
        inner, waiting = waiting, []
        for path in inner[: FOLDERS - count]:
            for name, kind, sha in entries(commit, path):
                if kind == "blob":
                    found[name] = sha
                elif kind == "tree":
                    waiting.append(f"{name}/")
        if len(found) > FILES or len(waiting) > FOLDERS:
            break
    raise UserError(f"{folder} of {commit[:7]}: too many files or folders in it")


def entries(commit: str, *paths: str) -> list[tuple[str, str, str]]:
    """Return the path, kind and object hash of each entry; raise UserError as `listing` does."""
    lines = git("ls-tree", "-z", commit, "--", *paths).split("\0")
    if len(lines) > FILES:
        raise UserError(f"{commit[:7]}: more than {FILES} files in {' or '.join(paths)}")
    parts = [line.partition("\t") for line in lines if line]
    kinds = [(about.split(), path) for about, _, path in parts]
    return [(path, kind, sha) for (_, kind, sha), path in kinds]


def file(commit: str, path: str, largest: int = LARGEST) -> bytes | None:
    """Return the content of a file of a commit; None if it has no such file.

    Raises:
        UserError: it has more than `largest` bytes.
        GitError: git fails.
    """
    sha = listing(commit, *(SAID if path in SAID else (path,))).get(path)
    if sha is None:
        return None
    ((_, content),) = blobs([sha], largest)
    if content is None:
        raise UserError(f"{path} of {commit[:7]}: larger than {largest >> 20} MB")
    return content


def outputs(commit: Commit) -> tuple[Output, ...]:
    """Return what the stages of a revision wrote to `runs/`, except those that `refused` reports;
    nothing if it has no `dvc.lock`.

    Raises:
        UserError: its `dvc.lock` cannot be read.
    """
    try:
        return lock(commit).outputs
    except Refused as error:
        raise UserError(told(commit, str(error))) from None


def refused(commit: Commit) -> list[str]:
    """Return a sentence for each unreadable stage of an otherwise readable `dvc.lock`."""
    return [told(commit, why) for why in lock(commit).refused]


def told(commit: Commit, why: str) -> str:
    """Return a sentence about what is wrong with the `dvc.lock` of a revision."""
    return f"dvc.lock of {commit} ({commit.sha[:7]}): {why}; run `dvc repro` there and commit it"


def tracked(commit: Commit) -> Mapping[str, str]:
    """Return the object hashes, by path, of the files that say what a commit holds."""
    return listing(commit.sha, *SAID)


def lock(commit: Commit) -> Lock:
    """Return the `dvc.lock` of a revision, or an empty one; raise Refused if it cannot be read."""
    sha = tracked(commit).get(LOCK)
    return locked(sha) if sha else Lock({}, (), ())


@cache
def locked(sha: str) -> Lock:
    """Return a `dvc.lock` by its object, read once: most commits share it with their neighbours."""
    return lockfile.read(content(sha))


def content(sha: str) -> bytes:
    """Return the content of an object; raise Refused if it is too large."""
    ((_, found),) = blobs([sha])
    if found is None:
        raise Refused(f"larger than {LARGEST >> 20} MB")
    return found


@cache
def settings(sha: str) -> Mapping[str, Any]:
    """Return a `params.yaml` as plain values, all as text; empty if it cannot be read."""
    try:
        return untrusted.mapping(untrusted.yaml(content(sha)))
    except Refused:
        return {}


def study(commit: Commit, variant: str) -> str:
    """Return a variant's study by the revision's `params.yaml`; "grid" if it names none."""
    sha = tracked(commit).get(PARAMS)
    params = settings(sha) if sha else {}
    for name in ("studies", "reuse"):
        try:
            return untrusted.text(params[name][variant]["study"], WORD, "study")
        except (KeyError, TypeError, Refused):
            continue
    return "grid"
