"""`branchmark sync`: MLflow brought into agreement with git and DVC.

First everything is read, then told what must change, then changed: `--dry-run` ends in the middle.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from stages.core.errors import UserError
from stages.core.redact import reason, redacted
from stages.sync import deleted_refs as departed
from stages.sync import observed as recorded
from stages.sync import up_to_date as settled
from stages.sync.desired import Missing, Outputs, complaints
from stages.sync.plan import Plan, Step
from stages.tracking import store
from stages.vcs import refs as revisions


def sync(which: list[str], everything: bool, pulling: bool, dry_run: bool, quiet: bool) -> None:
    """Bring MLflow into agreement with git and DVC, and print what was done.

    Args:
        which: revisions; none means the current branch.
        everything: every local and remote branch and tag.
        pulling: fetch outputs that are not in the cache from DVC's remote.
        dry_run: say what would be done, and do nothing.
        quiet: say nothing where there is nothing to do.

    Raises:
        UserError: git knows no such revision, or the store is out of reach.
        Missing: of some results, as `Missing` says; all others have been brought in.
    """
    commits = revisions.every() if everything else []
    commits = commits or (revisions.named(which) if which else revisions.current())
    with TemporaryDirectory() as folder, in_words(), alone(dry_run):
        outputs = Outputs(pulling, Path(folder))
        before = settled.state()
        work = Plan(commits, outputs, *(recorded.peek() if dry_run else store.open_store()))
        done = work.steps() if dry_run else work.carry_out(shown)
        if not dry_run:
            departed.remember(work.held.live)
        problems = list(complaints(work.held, pulling))
        if not (which or done or problems or work.store.at_work):
            settled.remember(before)
        if done:
            show(done, dry_run)
        elif not quiet and not problems:
            names = ", ".join(str(commit) for commit in commits[-3:])
            more = f" and {len(commits) - 3} more" if len(commits) > 3 else ""
            print(
                f"nothing to do: MLflow has the {len(work.held.results)} results of {names}{more}"
            )
        if problems:
            raise Missing(redacted("\n       ".join(problems)))


def shown(steps: list[Step]) -> Iterator[Step]:
    """Steps one by one with a bar, on a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    description = steps[0].what if steps else ""
    disable = not steps or not console.is_terminal
    yield from track(steps, description, console=console, transient=True, disable=disable)


def show(done: list[Step], dry_run: bool) -> None:
    """Print what was done, or would be, as a table; a restored run goes without its tags."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    fresh = {(step.variant, step.fingerprint) for step in done if step.what == "restored"}
    table = Table(title="what would be done" if dry_run else None, title_justify="left")
    for heading in ("", "variant", "fingerprint", "how"):
        table.add_column(heading, overflow="fold")
    for step in done:
        if step.what in ("tagged", "scores") and (step.variant, step.fingerprint) in fresh:
            continue
        cells = (step.what, step.variant, step.fingerprint, step.detail)
        table.add_row(*(Text(redacted(cell)) for cell in cells))
    Console().print(table)


@contextmanager
def alone(dry_run: bool) -> Iterator[None]:
    """One sync at a time on a store of one's own; a server has no such lock, and needs none."""
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
    """A store that cannot be reached or written is one sentence."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        address = redacted(store.tracking_uri())
        raise UserError(
            f"{address}: MLflow's store fails ({reason(error)}); see that it is there and may be "
            "written, then run `branchmark sync` again: it goes on where it was"
        ) from None
