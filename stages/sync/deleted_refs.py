"""Which branches and tags this clone has put into a store that others use too.

A store of this clone alone knows just the names of this clone. In a shared one, a name that git
does not know here may be somebody else's branch, not pushed yet: only names that this clone itself
put there are taken off, and it keeps a list of them beside git's own files.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from stages.core.folders import write
from stages.tracking import store
from stages.vcs.git import git


def own() -> set[str] | None:
    """Return the names that this clone has put into a shared store; None for a store of its own."""
    if not shared():
        return None
    try:
        return set(json.loads(memory().read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return set()


def remember(live: Collection[str], refs: Collection[str]) -> None:
    """Keep in mind which names this clone has put into a shared store, until they are no more."""
    before = own()
    if before is None:
        return
    after = set(live) | (before & set(refs))
    if after != before:
        write(memory(), json.dumps(sorted(after)) + "\n")


def memory() -> Path:
    """Return where they stand: one file for all work trees of the clone."""
    common = git("rev-parse", "--path-format=absolute", "--git-common-dir")
    return Path(common) / "branchmark" / "listed.json"


def shared() -> bool:
    """Whether the store may be others' as well: one that is named, instead of the project's own."""
    return store.tracking_uri() != store.own_uri()
