"""The branches and tags that this clone has put into a store that others use too.

A store that only this clone uses holds no other names. In a shared store, a name that git does not
know here may be somebody else's branch that is not pushed yet. So sync removes only names that this
clone put there itself, and keeps a list of them beside git's own files.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from stages.core.folders import write
from stages.tracking import store
from stages.vcs.git import own_file


def own() -> set[str] | None:
    """Return the names that this clone put into a shared store; None for a store of its own."""
    if not shared():
        return None
    try:
        return set(json.loads(memory().read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return set()


def remember(live: Collection[str], refs: Collection[str]) -> None:
    """Add `live` to the names put into a shared store, and forget those no longer in `refs`."""
    before = own()
    if before is None:
        return
    after = set(live) | (before & set(refs))
    if after != before:
        write(memory(), json.dumps(sorted(after)) + "\n")


def memory() -> Path:
    """Return the file with the names: one for all work trees of the clone."""
    return own_file("listed.json")


def shared() -> bool:
    """Return whether others may use the store too, because it is not the project's own."""
    return store.tracking_uri() != store.own_uri()
