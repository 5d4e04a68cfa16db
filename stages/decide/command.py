"""Run `branchmark decide`: train further seeds of both sides in groups until rows are decided, and
judge the rows at each look by the levels of `stages.decide.sequential`."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace

from rich.console import Console

from stages.compare import comparison as judge
from stages.compare.comparison import Comparison, Row
from stages.compare.snapshot import Snapshot
from stages.core.errors import UserError
from stages.core.signals import catch_termination
from stages.decide.sequential import Looks
from stages.decide.sides import Backend, Side, checked_out, failed, trainable
from stages.evaluation import verdicts
from stages.evaluation.verdicts import FEW, UNKNOWN
from stages.repro import capacity
from stages.repro.progress import Screen
from stages.repro.schedule import carry_out

GROUP = 5  # seeds to train before the next look
OPEN = (UNKNOWN, FEW)
METHOD = (
    "rows with more seeds: judged after each group of {} seeds, by intervals that are all right at "
    "once (Jennison and Turnbull 1989; error spent as by O'Brien and Fleming, Lan and DeMets 1983)"
)


@dataclass
class Judged:
    """The rows of a comparison as judged so far.

    Attributes:
        rows: the rows by variant and score; a decided one is never judged again.
        p_values: the p-values of rows with at least three seeds, by the same keys; for a row that
            was judged at a look, the smallest repeated p-value so far.
        open: the keys of the undecided rows for which seeds are trained.
    """

    rows: dict[tuple[str, str], Row]
    p_values: dict[tuple[str, str], float] = field(default_factory=dict)
    open: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def of(cls, rows: Iterable[Row], variants: Collection[str] = ()) -> Judged:
        """Start from the rows of `compare`; open undecided rows of `variants`, or all if empty."""
        begun = cls({key(row): row for row in rows})
        for each, row in begun.rows.items():
            if row.verdict in OPEN and (row.variant in variants or not variants):
                begun.open.add(each)
            elif row.estimate.seeds >= verdicts.ENOUGH:
                begun.p_values[each] = row.estimate.p_value
        return begun

    @property
    def variants(self) -> list[str]:
        """The variants that need more seeds."""
        return list(dict.fromkeys(row.variant for k, row in self.rows.items() if k in self.open))

    def look(self, now: Iterable[Row], looks: Looks, number: int, settings: judge.Settings) -> None:
        """Judge the open rows by their current values `now`, and close those that are decided;
        `number` is the look, counted from 0."""
        found = {key(row): row for row in now if key(row) in self.open}
        for each, row in found.items():
            if row.estimate.seeds >= verdicts.ENOUGH:
                repeated = looks.p_value(number, row.estimate.p_value)
                self.p_values[each] = min(repeated, self.p_values.get(each, 1.0))
        error = 1 - verdicts.level(list(self.p_values.values()), settings.confidence)
        level = looks.level(number, error)
        for each, row in found.items():
            effect = settings.min_effect[row.metric.score]
            self.rows[each] = judge.decided(row, level, effect)
            if self.rows[each].verdict not in OPEN:
                self.open.remove(each)


def key(row: Row) -> tuple[str, str]:
    """Return the key of a row: its variant and score."""
    return row.variant, row.metric.score


def decide(
    base: Snapshot, head: Snapshot, variants: Sequence[str], up_to: int, console: Console
) -> tuple[Comparison, list[int]]:
    """Train seeds until every row of `variants` (of all if empty) is decided, or there are `up_to`.

    Returns:
        The comparison with the rows as last judged, and all seeds (none if no row was open).

    Raises:
        UserError: a variant is not compared, a training fails, or `up_to` allows no more seeds.
    """
    catch_termination()
    before = judge.compare(base, head)
    known = {row.variant for row in before.rows}
    if unknown := sorted(set(variants) - known):
        changed = ", ".join(known) or "none"
        raise UserError(f"{', '.join(unknown)}: not among the variants that changed ({changed})")
    judged = Judged.of(before.rows, variants)
    seeds = sorted({n for v in judged.variants for s in (base, head) for n in s.results[v].seeds})
    if not judged.open:
        console.print("every row is decided: no more seeds are needed")
        return before, []
    if up_to <= len(seeds):
        raise UserError(f"--up-to {up_to}: there are {len(seeds)} seeds already; choose more")
    new = (number for number in range(1, up_to + len(seeds) + 1) if number not in seeds)
    counts = [*range(len(seeds), up_to, GROUP), up_to]
    looks = Looks(tuple(counts), max(judge.overlap(base), judge.overlap(head)))
    begin = time.monotonic()
    with trainable(), ExitStack() as stack:
        jobs = capacity.jobs()
        places = [(each, *stack.enter_context(checked_out(each))) for each in (base, head)]
        sides = (Side(*places[0], jobs), Side(*places[1], jobs))
        backend = stack.enter_context(closing(Backend(sides)))
        now = before
        for number, count in enumerate(counts):
            if number or any(len(row.seeds) < count for row in opened(judged)):
                seeds += [next(new) for _ in range(count - len(seeds))]
                train(backend, judged.variants, sorted(seeds), console)
                now = judge.compare(*(side.trained(judged.variants) for side in sides))
                for side, latest in zip(sides, (now.base, now.head), strict=True):
                    side.snapshot = latest
            judged.look(now.rows, looks, number, before.settings)
            if number:
                told(judged, count, up_to, time.monotonic() - begin, counts[0], console)
            if not judged.open:
                break
    rows = tuple(judged.rows[key(row)] for row in before.rows)
    return replace(now, rows=rows, overall=before.overall), sorted(seeds)


def opened(judged: Judged) -> list[Row]:
    """Return the open rows."""
    return [judged.rows[each] for each in judged.open]


def told(
    judged: Judged, count: int, up_to: int, seconds: float, first: int, console: Console
) -> None:
    """Print the progress, and how many minutes the rest takes at most."""
    left = len(judged.open)
    line = f"{count} of {up_to} seeds: {left} row{'s' * (left != 1)} still undecided"
    if left and count < up_to:
        most = seconds / (count - first) * (up_to - count) / 60
        line += f", {most:.0f} min more at most"
    console.print(line)


def train(backend: Backend, variants: list[str], seeds: list[int], console: Console) -> None:
    """Train seeds of variants on both sides; raise UserError if a training fails."""
    work: dict[str, set[str]] = {}
    steps: dict[str, int] = {}
    for name, side in zip(("base", "head"), backend.sides, strict=True):
        for step, needs in side.work(variants, seeds).items():
            work[f"{name} {step}"] = {f"{name} {each}" for each in needs}
            epochs = side.snapshot.params.get("train", {}).get("epochs", 0)
            steps[f"{name} {step}"] = int(epochs) * len(seeds) if "@" in step else 0
    screen = Screen(steps, backend.epochs, console)
    with screen.shown():
        report = carry_out(work, backend, screen.started, screen.ended, fail_fast=True)
    if report.failed:
        raise UserError(failed(report.outcomes))
