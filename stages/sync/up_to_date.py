"""Tell whether anything that `branchmark sync` reads has changed since it last had nothing to do.

If nothing has, sync need not read it again, which takes seconds. This works only for the project's
own store: what others do to a server can only be seen by asking it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from stages.core.folders import write
from stages.tracking import artifacts, store
from stages.vcs.git import GitError, find, git, own_file


def state() -> str:
    """Return the current state of branches, tags and store as text; "" if it cannot be known."""
    if (uri := store.tracking_uri()) != store.own_uri():
        return ""
    try:
        parts = [
            git("rev-parse", "HEAD"),
            find("symbolic-ref", "--quiet", "HEAD") or "",
            git("for-each-ref", "--format=%(objectname) %(refname) %(symref)"),
        ]
    except GitError:
        return ""
    database = Path(uri.removeprefix("sqlite:///"))
    parts.append(f"{database} {artifacts.beside(database).is_dir()}")
    if database.exists():
        try:  # otherwise the next reader moves the log into the file and changes both
            with closing(sqlite3.connect(database)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            return ""
    for file in (database, database.with_name(f"{database.name}-wal")):
        if file.exists() and (stat := file.stat()).st_size:
            parts.append(f"{file.name} {stat.st_size} {stat.st_mtime_ns}")
    return "\n".join(parts)


def up_to_date() -> bool:
    """Return whether there is certainly nothing to do."""
    try:
        return state() == memory().read_text(encoding="utf-8") != ""
    except (OSError, GitError):
        return False


def remember(before: str) -> None:
    """Note that in this `state` there was nothing to do, and no run in progress that may die."""
    write(memory(), before)


def memory() -> Path:
    """Return the file with that note."""
    return own_file("up_to_date")
