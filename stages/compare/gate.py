"""Decide what closes the gate of `branchmark compare --fail-on worse`, and with which exit code.

The gate fails closed: what cannot be judged does not pass. The first failed check sets the code.
"""

from __future__ import annotations

from collections.abc import Callable

from stages.compare import changes
from stages.compare.comparison import Comparison
from stages.compare.snapshot import not_run
from stages.evaluation.verdicts import FEW, WORSE


def closed(found: Comparison) -> list[tuple[int, str]]:
    """Return the exit code and the sentence of each check that fails, the most serious first."""
    checks: list[tuple[int, str, Callable[[Comparison], list[str]]]] = [
        (3, "equal fingerprints, other numbers", lambda c: [x.variant for x in c.conflicts]),
        (4, "diverged", lambda c: list(c.diverged)),
        (1, "worse", worse),
        (5, "removed", lambda c: list(c.removed)),
        (6, "cannot be compared", incomparable),
        (7, "fewer seeds", lambda c: list(c.fewer)),
    ]
    return [
        (code, f"{what}: {', '.join(names)}")
        for code, what, of in checks
        if (names := list(dict.fromkeys(of(found))))
    ]


def worse(found: Comparison) -> list[str]:
    """Return the metrics that are worse overall, then the variants that are worse in a metric."""
    overall = [f"{row.metric.name} overall" for row in found.overall if row.verdict == WORSE]
    return [*overall, *(row.variant for row in found.rows if row.verdict == WORSE)]


def incomparable(found: Comparison) -> list[str]:
    """Return what has no verdict, or one that cannot be trusted (outdated numbers, other data)."""
    few = [f"{row.variant} (too few seeds)" for row in found.rows if row.verdict == FEW]
    data = ["the data differ"] if changes.digest(found.base) != changes.digest(found.head) else []
    return [*not_run(found.head), *data, *found.incomparable, *few]
