"""Branches and tags that are no more, so that their names can be taken off the runs.

A store of this clone alone knows just the names of this clone. In a shared one, a name that git
does not know here may be somebody else's branch, not pushed yet: only names that this clone itself
put there are taken off, and it keeps a list of them beside git's own files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from stages.core.folders import write
from stages.tracking import store
from stages.vcs.git import git
from stages.vcs.refs import tips


def names(listed: Iterable[str], live: Iterable[str]) -> set[str]:
    """Those of `listed` that are no more.

    Args:
        listed: the names that runs say they are live on.
        live: names that are known to be there, whatever git's list of branches says.
    """
    absent = set(listed) - tips().keys() - set(live)
    return absent & remembered() if shared() else absent


def remember(live: Iterable[str]) -> None:
    """Keep in mind which names this clone has put into a shared store, until they are no more."""
    if not shared():
        return
    before, live = remembered(), set(live)
    after = live | (before & tips().keys())
    if after != before:
        write(memory(), json.dumps(sorted(after)) + "\n")


def remembered() -> set[str]:
    """The names that this clone has put into a shared store."""
    try:
        return set(json.loads(memory().read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return set()


def memory() -> Path:
    """Where they stand: one file for all work trees of the clone."""
    common = git("rev-parse", "--path-format=absolute", "--git-common-dir")
    return Path(common) / "branchmark" / "listed.json"


def shared() -> bool:
    """Whether the store may be others' as well: one that is named, instead of the project's own."""
    return store.tracking_uri() != store.own_uri()
