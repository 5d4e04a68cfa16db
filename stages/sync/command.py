"""`branchmark sync`: bring MLflow into agreement with git and DVC.

It reads everything, plans what must change, then changes it. `--dry-run` stops after the plan.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from stages.core.errors import UserError
from stages.core.redact import reason, redacted
from stages.core.text import plain
from stages.sync import deleted_refs, desired, labels, observed, orphaned, plan, up_to_date
from stages.sync.apply import Store
from stages.sync.desired import Missing, Outputs
from stages.sync.disputes import Disputed
from stages.sync.plan import Step
from stages.tracking import store
from stages.vcs import refs
from stages.vcs.refs import Commit


def sync(
    which: list[str],
    everything: bool,
    pulling: bool,
    dry_run: bool,
    quiet: bool,
    ended: Collection[str] = (),
) -> None:
    """Bring MLflow into agreement with git and DVC, and print what was done.

    Args:
        which: revisions; if empty, the current branch.
        everything: sync every local and remote branch and tag.
        pulling: fetch outputs that are not in the cache from DVC's remote.
        dry_run: print what would be done, and change nothing.
        quiet: print nothing except what was done.
        ended: ids of runs that a person knows to have ended, or prefixes of such ids.

    Raises:
        UserError: git fails or has no such revision, the store cannot be reached, another sync
            holds its lock, or a run in `ended` cannot be ended.
        Missing: outputs are missing or a revision cannot be read; all else was synced.
        Disputed: a fingerprint has different numbers in two places; all else was synced.
    """
    known = refs.refs()
    commits = revisions(which, everything)
    with TemporaryDirectory() as folder, in_words(), alone(dry_run):
        outputs = Outputs(pulling, Path(folder))
        before = up_to_date.state()
        client, experiment = observed.peek() if dry_run else store.open_store()
        there = observed.read(client, experiment)
        wanted = desired.read(commits, labels.known_outputs(there), outputs, refs.own())
        by_hand = orphaned.named(there, ended)
        planned = partial(
            plan.plan, wanted, refs=known.names, own=deleted_refs.own(), ended=by_hand
        )
        if dry_run:
            final = planned(there)
            done = final.steps
        else:
            target = Store(client, experiment, wanted, outputs)
            done, final = target.converge(there, planned, shown)
            deleted_refs.remember(wanted.names, known.names)
        missing = list(desired.complaints(wanted, pulling))
        if everything:
            missing += [f"{name}: its commit is missing; `git fsck`" for name in known.damaged]
        problems = [*map(str, final.disputes), *missing]
        if not (which or done or problems or there.at_work or dry_run):
            up_to_date.remember(before)
        for line in plan.told(done):
            print(plain(redacted(f"would be done: {line}" if dry_run else line)))
        for line in () if quiet or by_hand else orphaned.unknown(there):
            print(plain(redacted(line)))
        if not (done or quiet or problems):
            print(plain(nothing_to_do(len(wanted.results), commits)))
        if problems:
            kind = Disputed if final.disputes else Missing
            raise kind(redacted("\n       ".join(problems)))


def revisions(which: list[str], everything: bool) -> list[Commit]:
    """Return the commits to sync."""
    if which:
        return refs.named(which)
    return (refs.every() if everything else []) or refs.current()


def nothing_to_do(results: int, commits: list[Commit]) -> str:
    """Return the message that there is nothing to do."""
    names = ", ".join(str(commit) for commit in commits[-3:])
    more = f" and {len(commits) - 3} more" if len(commits) > 3 else ""
    return f"nothing to do: MLflow has the {results} results of {names}{more}"


def shown(steps: list[Step]) -> Iterator[Step]:
    """Yield the steps; on a terminal, show a progress bar."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    disable = not console.is_terminal
    yield from track(steps, "bringing in", console=console, transient=True, disable=disable)


@contextmanager
def alone(dry_run: bool) -> Iterator[None]:
    """Let only one sync at a time change a SQLite store; a server needs no such lock."""
    from filelock import FileLock, Timeout

    uri = store.tracking_uri()
    if dry_run or not uri.startswith("sqlite:///"):
        yield
        return
    lock = FileLock(uri.removeprefix("sqlite:///") + ".sync.lock", timeout=600)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"{lock.lock_file}: another sync holds it; wait for its end") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def in_words() -> Iterator[None]:
    """Raise UserError with one sentence if the store cannot be reached or written."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error) as error:
        address = redacted(store.tracking_uri())
        raise UserError(
            f"{address}: MLflow's store fails ({reason(error)}); see that it is there and may be "
            "written, then run `branchmark sync` again: it continues where it stopped"
        ) from None
