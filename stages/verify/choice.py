"""Choose the variants to prove: those that a branch changes, or a few by the commit's hash."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from stages.verify.recorded import METRICS, RESULTS, Revision


def sample(names: Collection[str], number: int, commit: str) -> list[str]:
    """Return a sample of `number` variants; a commit's author and reviewer get the same ones."""

    def drawn(name: str) -> str:
        return hashlib.sha256(f"{commit}{name}".encode()).hexdigest()

    return sorted(sorted(names, key=drawn)[:number])


def changed(before: Revision, after: Revision) -> list[str]:
    """Return the variants of `after` whose output, fingerprint or reported numbers differ from
    `before`, and those that `before` does not have."""
    return [name for name in after.names if said(before, name) != said(after, name)]


def said(revision: Revision, name: str) -> tuple[object, ...]:
    """Return everything that a revision records about a variant's result."""
    variant = revision.variants.get(name)
    files = (f"{folder}/{name}.json" for folder in (RESULTS, METRICS))
    return (
        variant.md5 if variant else "",
        *(revision.reports.get(path) for path in files),
        revision.curves.get(name),
    )


def others(before: Revision, after: Revision) -> list[str]:
    """Return the changed files that stages write about all variants together."""
    return [
        path
        for path in sorted(after.outputs & (before.reports.keys() | after.reports.keys()))
        if before.reports.get(path) != after.reports.get(path)
    ]
