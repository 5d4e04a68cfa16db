"""Compare two revisions and reach a verdict for each changed variant and metric.

Seeds are paired by number: seed 3 of the base with seed 3 of the head. If the sides share no seed,
they are compared as two groups (Welch). `stages.evaluation.verdicts` defines the verdicts and the
correction for many rows. The base's settings apply, so that a branch cannot lower its own bar.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stages.compare import changes
from stages.compare.snapshot import Snapshot
from stages.evaluation import intervals, verdicts
from stages.evaluation.intervals import STEPS, Estimate, Interval
from stages.evaluation.results import Result
from stages.evaluation.verdicts import DIVERGED, FEW, WORSE

METHOD = (
    "Student's t over seeds; Benjamini-Hochberg (scipy.stats.false_discovery_control) among the "
    "rows, and among the overall lines"
)
UNKNOWN_YET = Interval(math.nan, math.nan, math.nan, 0)
NOTHING = Estimate(math.nan, math.nan, 0, 0)
Values = Mapping[int, float]  # by seed


@dataclass(frozen=True)
class Metric:
    """A metric that is judged.

    Attributes:
        name: the name that people read.
        short: a shorter name, for a narrow column.
        score: its name in `reports/results/` and in `compare.min_effect`.
        sign: 1 if more is better, -1 if less is better.
        min_effect: the default smallest effect that matters, in the displayed unit. It applies if
            the base's `params.yaml` names none; old revisions name one for accuracy alone.
        scale: the factor from the score to the displayed unit: 100 for accuracy points.
        digits: the decimals to display.
    """

    name: str
    short: str
    score: str
    sign: int
    min_effect: float
    scale: float = 1
    digits: int = 4


METRICS = (
    Metric("validation accuracy", "accuracy", "validation_accuracy", 1, 0.5, 100, 2),
    Metric("validation loss", "loss", "validation_loss", -1, 0.01),
    Metric("loss gap", "loss gap", "loss_gap", -1, 0.01),
    Metric("epochs to target", "epochs", "epochs_to_target", -1, 1, digits=1),
)


@dataclass(frozen=True)
class Settings:
    """The `compare` section of the base's `params.yaml`: the confidence, and the smallest effect
    that matters by score, in the displayed unit."""

    confidence: float
    min_effect: Mapping[str, float]

    @classmethod
    def of(cls, base: Snapshot) -> Settings:
        """Read the settings; use defaults for missing or invalid values."""
        section = base.params.get("compare")
        section = section if isinstance(section, Mapping) else {}
        effects = section.get("min_effect")
        if not isinstance(effects, Mapping):  # old revisions: one number, for accuracy
            effects = {METRICS[0].score: effects}
        return cls(
            number(section.get("confidence"), 0.5, 1, 0.95),
            {m.score: number(effects.get(m.score), 0, math.inf, m.min_effect) for m in METRICS},
        )


def number(value: Any, low: float, high: float, default: float) -> float:
    """Return the value if it is a number in [`low`, `high`), else the default."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and low <= value < high
    return float(value) if fits else default


@dataclass(frozen=True)
class Row:
    """One metric of one variant, or of all changed variants together, with its verdict.

    Attributes:
        variant: the variant's name; ``all 19 changed`` for an overall line.
        fingerprints: the variant's fingerprints in base and head.
        metric: what was measured.
        values: the values of base and head by seed, in the displayed unit, without diverged seeds.
        estimate: the estimate of head minus base.
        diverged: the number of diverged seeds in base and head.
        interval, verdict: the result, set by `decided`.
        min_effect: the smallest effect that matters, in the displayed unit.
        needed: if the verdict is "cannot tell", about how many seeds would do; None if over 100.
    """

    variant: str
    fingerprints: tuple[str, str]
    metric: Metric
    values: tuple[Values, Values]
    estimate: Estimate
    diverged: tuple[int, int] = (0, 0)
    interval: Interval = UNKNOWN_YET
    verdict: str = FEW
    min_effect: float = 0
    needed: int | None = None

    @property
    def seeds(self) -> list[int]:
        """The seeds that both sides have."""
        return sorted(self.values[0].keys() & self.values[1].keys())

    @property
    def means(self) -> tuple[float, float]:
        """The means of base and head over the paired seeds, or over all seeds if none is paired."""
        base, head = (
            [side[seed] for seed in self.seeds] or list(side.values()) for side in self.values
        )
        return mean(base), mean(head)


@dataclass(frozen=True)
class Conflict:
    """A variant with the same fingerprint but different numbers on the two sides: one side is
    wrong, or something that the fingerprint does not cover changes results.

    `seed` and `score` name the first difference.
    """

    variant: str
    seed: int
    score: str
    base: float | None
    head: float | None


@dataclass(frozen=True)
class Comparison:
    """The complete comparison of two sides.

    Attributes:
        overall: one row per metric: the mean over all changed variants.
        rows: one row per metric of each variant that both sides have and whose numbers changed.
        conflicts: the variants with the same fingerprint but different numbers.
        unchanged: the variants with the same fingerprint and numbers in all common seeds.
        same_numbers: the variants with another fingerprint, the same seeds and the same numbers, as
            after a change of code that changes no result: there is nothing to judge.
        incomparable: sentences that say which variants and metrics are not judged, and why.
        unpaired: the variants without a common seed.
        fewer: the variants with fewer seeds in the head.
        added, removed: the variants that only the head, or only the base, has.
        diverged: the changed or added variants that diverge in the head.
        settings: the base's settings.
    """

    base: Snapshot
    head: Snapshot
    overall: tuple[Row, ...]
    rows: tuple[Row, ...]
    conflicts: tuple[Conflict, ...]
    unchanged: tuple[str, ...]
    same_numbers: tuple[str, ...]
    incomparable: tuple[str, ...]
    unpaired: tuple[str, ...]
    fewer: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    diverged: tuple[str, ...]
    settings: Settings

    @property
    def alike(self) -> list[str]:
        """The variants with the same numbers on both sides."""
        return [*self.unchanged, *self.same_numbers]

    @property
    def method(self) -> str:
        """How the intervals are computed, in statistical terms."""
        splits = max(overlap(self.base), overlap(self.head)) > 0
        return METHOD + "; corrected for overlapping splits (Nadeau and Bengio 2003)" * splits


def compare(base: Snapshot, head: Snapshot) -> Comparison:
    """Judge `head` against `base`."""
    settings = Settings.of(base)
    ours, theirs = head.results, base.results
    both = [name for name in ours if name in theirs]
    conflicts = [
        found for name in both if (found := conflict(name, base, head, covered(base, head)))
    ]
    strange = {found.variant for found in conflicts}
    unpaired = [name for name in both if not common(theirs[name], ours[name])]
    unchanged = [
        name
        for name in both
        if name not in strange
        and name not in unpaired
        and common(theirs[name], ours[name]) == equal(theirs[name], ours[name])
    ]
    same_numbers = [
        name
        for name in both
        if name not in {*strange, *unchanged}
        and ours[name].seeds == theirs[name].seeds
        and not ours[name].diverged
    ]
    settled = {*strange, *unchanged, *same_numbers}
    changed = [name for name in both if name not in settled]
    added = [name for name in ours if name not in theirs and name not in base.unread]
    targets = [side.params.get("target") for side in (base, head)]
    metrics = [m for m in METRICS if m.score != "epochs_to_target" or targets[0] == targets[1]]
    rows, incomparable = [], [*base.unread.values(), *head.unread.values()]
    if changed and len(metrics) < len(METRICS):
        incomparable.append("epochs to target: the sides have different targets")
    for name in changed:
        for metric in metrics:
            row = measured(name, metric, base, head)
            if (row.values[0] and row.values[1]) or any(row.diverged):
                rows.append(row)
            elif row.values[0] or row.values[1]:
                side = (base if row.values[1] else head).name
                incomparable.append(f"{name}: {side} has no {metric.name}")
    return Comparison(
        base,
        head,
        overall=tuple(judged([r for m in METRICS if (r := overall(m, rows))], settings)),
        rows=tuple(judged(rows, settings)),
        conflicts=tuple(conflicts),
        unchanged=tuple(unchanged),
        same_numbers=tuple(same_numbers),
        incomparable=tuple(incomparable),
        unpaired=tuple(unpaired),
        fewer=tuple(name for name in both if len(ours[name].seeds) < len(theirs[name].seeds)),
        added=tuple(added),
        removed=tuple(n for n in theirs if n not in ours and n not in head.unread),
        diverged=tuple(name for name in [*changed, *added] if ours[name].diverged),
        settings=settings,
    )


def common(base: Result, head: Result) -> list[int]:
    """Return the seeds that both sides have, in order."""
    return sorted(base.seeds.keys() & head.seeds.keys())


def equal(base: Result, head: Result) -> list[int]:
    """Return the seeds with the same fingerprint on both sides; if the variant's fingerprint is the
    same, return all common seeds, because old revisions have no fingerprints of seeds."""
    if base.fingerprint == head.fingerprint:
        return common(base, head)
    ours, theirs = head.fingerprints, base.fingerprints
    return [seed for seed in common(base, head) if seed in ours and ours[seed] == theirs.get(seed)]


def covered(base: Snapshot, head: Snapshot) -> set[str]:
    """Return the scores that fingerprints alone determine: leave out those that depend on the
    target or on the test data, if these differ between the sides."""
    names = {name for side in (base, head) for each in side.results.values() for name in each.names}
    if base.params.get("target") != head.params.get("target"):
        names -= {"epochs_to_target"}
    if changes.digest(base) != changes.digest(head):
        names = {name for name in names if not name.startswith("test_")}
    return names


def conflict(name: str, base: Snapshot, head: Snapshot, scores: set[str]) -> Conflict | None:
    """Return the variant's first score that differs despite equal fingerprints, or None."""
    before, after = base.results[name], head.results[name]
    for seed in equal(before, after):
        one, other = before.seeds[seed], after.seeds[seed]
        for score in other:
            if score in scores and score in one and one[score] != other[score]:
                return Conflict(name, seed, score, one[score], other[score])
    return None


def measured(name: str, metric: Metric, base: Snapshot, head: Snapshot) -> Row:
    """Return the row of a variant and metric, not judged yet."""
    before, after = base.results[name], head.results[name]
    values = (known(base, name, metric), known(head, name, metric))
    diverged = (len(before.diverged), len(after.diverged))
    prints = (before.fingerprint, after.fingerprint)
    found = estimate(*values, STEPS[metric.score], max(overlap(base), overlap(head)))
    return Row(name, prints, metric, values, found, diverged)


def overlap(side: Snapshot) -> float:
    """Return the side's `Estimate.overlap`: 0 unless each seed draws its own split."""
    prepare = side.params.get("prepare")
    prepare = prepare if isinstance(prepare, Mapping) else {}
    most = intervals.PICTURES
    size = number(prepare.get("validation_size"), 1, most, most / 5)
    return intervals.overlap(prepare.get("split"), size)


def estimate(base: Values, head: Values, step: float, overlap: float = 0.0) -> Estimate:
    """Estimate head minus base: paired if the sides share a seed, else as two groups."""
    if seeds := sorted(base.keys() & head.keys()):
        pairs = [base[s] for s in seeds], [head[s] for s in seeds]
        return intervals.of_pairs(*pairs, step, overlap)
    if base and head:
        return intervals.of_sides(list(base.values()), list(head.values()), step, overlap)
    return NOTHING


def known(side: Snapshot, name: str, metric: Metric) -> Values:
    """Return a metric by seed, in the displayed unit. A seed that never reaches the target counts
    as one epoch after the last. Leave out diverged seeds, and those whose side lacks the metric."""
    train = side.params.get("train")
    epochs = train.get("epochs") if isinstance(train, Mapping) else None
    never = epochs + 1 if type(epochs) is int else None
    result = side.results[name]
    found: dict[int, float] = {}
    for seed, scores in result.seeds.items():
        if seed in result.diverged:
            continue
        value = scores.get(metric.score)
        if value is None and metric.score == "epochs_to_target" and metric.score in scores:
            value = never
        if value is not None:
            found[seed] = metric.scale * value
    return found


def overall(metric: Metric, rows: Sequence[Row]) -> Row | None:
    """Return one row for all variants together, or None if the metric has no rows.

    Each seed's value is its mean over the variants, so that a seed's effect on all of them counts
    once. Only seeds that all variants have count. Unpaired variants count only if none is paired.
    Diverged variants do not count; the verdict tells of them.
    """
    own = [row for row in rows if row.metric.score == metric.score]
    sound = [row for row in own if not any(row.diverged)]
    sound = [row for row in sound if row.seeds] or sound
    if not own:
        return None
    before, after = (averaged([row.values[i] for row in sound]) for i in (0, 1))
    lost = (sum(row.diverged[0] for row in own), sum(row.diverged[1] for row in own))
    name = f"all {len(own)} changed" if len(own) > 1 else own[0].variant
    found = estimate(before, after, STEPS[metric.score], own[0].estimate.overlap)
    return Row(name, ("", ""), metric, (before, after), found, lost)


def averaged(values: Sequence[Values]) -> Values:
    """Return the mean over variants, by seed, for the seeds that all variants have."""
    seeds = set.intersection(*(set(each) for each in values)) if values else set()
    return {seed: mean([each[seed] for each in values]) for seed in sorted(seeds)}


def mean(values: Sequence[float]) -> float:
    """Return the mean, or NaN if there are no values."""
    return float(np.mean(values)) if values else math.nan


def judged(rows: Iterable[Row], settings: Settings) -> list[Row]:
    """Return the rows of one family with intervals and verdicts, corrected for their number."""
    rows = list(rows)
    tested = [row.estimate.p_value for row in rows if row.estimate.seeds >= verdicts.ENOUGH]
    level = verdicts.level(tested, settings.confidence)
    return [decided(row, level, settings.min_effect[row.metric.score]) for row in rows]


def decided(row: Row, level: float, min_effect: float) -> Row:
    """Return the row with its interval of `level` and its verdict.

    A diverged seed has no number, so the other seeds look better than the variant is. The verdict
    is therefore "worse" if seeds of the head alone diverge, and "diverged" if any of the base do.
    """
    interval = row.estimate.interval(level)
    found = verdicts.verdict(interval, min_effect, row.metric.sign)
    if any(row.diverged):
        found = DIVERGED if row.diverged[0] else WORSE
    needed = None
    if found == verdicts.UNKNOWN:
        each = row.estimate
        needed = verdicts.needed(each.scatter, min_effect, level, each.seeds, each.overlap)
    return replace(row, interval=interval, verdict=found, min_effect=min_effect, needed=needed)
