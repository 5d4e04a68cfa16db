"""Two revisions compared: what changed, and for each variant and metric a verdict.

Seeds are paired: seed 3 of the base with seed 3 of the head. Student's t test of the differences
gives a p-value for each variant and metric; `scipy.stats.false_discovery_control` (Benjamini and
Hochberg, 1995) decides which of the many to believe, and the intervals are widened to match
(Benjamini and Yekutieli, 2005), so that an interval excludes 0 exactly where the test says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scipy import stats

from stages.compare import changes
from stages.compare.snapshot import Snapshot
from stages.evaluation import intervals
from stages.evaluation.intervals import Interval
from stages.evaluation.results import Result

METHOD = "paired t test over seeds; Benjamini-Hochberg (scipy.stats.false_discovery_control)"
BETTER, WORSE, NOISE, FEW = "better", "worse", "within noise", "too few seeds"
ENOUGH = 3  # seeds that both sides have


@dataclass(frozen=True)
class Metric:
    """Something that is judged.

    Attributes:
        name: for people.
        score: its name in `reports/results/`.
        sign: 1 where more is better, -1 where less is.
        scale: from there to what is shown: 100 for accuracy points.
        digits: decimals that are shown.
        threshold: whether `compare.min_effect` (accuracy points) is its threshold.
    """

    name: str
    score: str
    sign: int
    scale: float = 1
    digits: int = 4
    threshold: bool = False


METRICS = (
    Metric("validation accuracy", "validation_accuracy", 1, 100, 2, threshold=True),
    Metric("validation loss", "validation_loss", -1),
    Metric("loss gap", "loss_gap", -1),
    Metric("epochs to target", "epochs_to_target", -1, digits=1),
)


@dataclass(frozen=True)
class Row:
    """One variant and metric: means of both sides, the difference, and what it says."""

    variant: str
    fingerprints: tuple[str, str]  # base, head
    metric: Metric
    base: float
    head: float
    differences: tuple[float, ...]  # head minus base, by seed
    interval: Interval
    verdict: str


@dataclass(frozen=True)
class Conflict:
    """A result that has one fingerprint on both sides, and other numbers: one of them is wrong, or
    something that the fingerprint does not cover changes results.

    `seed` and `score` say where the numbers differ first.
    """

    variant: str
    seed: int
    score: str
    base: float | None
    head: float | None


@dataclass(frozen=True)
class Comparison:
    """All that is told of two sides.

    Attributes:
        rows: of the variants that both sides have and whose results differ.
        conflicts: of the variants with the same fingerprint and other numbers.
        unchanged: variants with the same fingerprint and numbers, in all seeds that both have.
        unpaired: variants of which the sides have no seed in common.
        added, removed: variants of one side.
        confidence, min_effect: the settings of the head.
    """

    base: Snapshot
    head: Snapshot
    rows: tuple[Row, ...]
    conflicts: tuple[Conflict, ...]
    unchanged: tuple[str, ...]
    unpaired: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    confidence: float
    min_effect: float

    @property
    def worse(self) -> bool:
        """Whether a gate has to close: something is worse, or not to be believed."""
        return bool(self.conflicts) or any(row.verdict == WORSE for row in self.rows)


def compare(base: Snapshot, head: Snapshot) -> Comparison:
    """Judge `head` against `base`."""
    settings = head.params.get("compare", {})
    confidence = float(settings.get("confidence", 0.95))
    min_effect = float(settings.get("min_effect", 0.0))
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
    rows = [
        row
        for name in both
        if name not in strange and name not in unchanged
        for metric in METRICS
        if (row := measured(name, metric, base, head)) is not None
    ]
    return Comparison(
        base,
        head,
        rows=tuple(judged(rows, confidence, min_effect)),
        conflicts=tuple(conflicts),
        unchanged=tuple(unchanged),
        unpaired=tuple(unpaired),
        added=tuple(name for name in ours if name not in theirs),
        removed=tuple(name for name in theirs if name not in ours),
        confidence=confidence,
        min_effect=min_effect,
    )


def common(base: Result, head: Result) -> list[int]:
    """Return the numbers of the seeds that both sides have."""
    return sorted(base.seeds.keys() & head.seeds.keys())


def equal(base: Result, head: Result) -> list[int]:
    """Return the seeds that have the same fingerprint on both sides; where an old side has none of
    seeds, that of the variant counts."""
    if base.fingerprint == head.fingerprint:
        return common(base, head)
    ours, theirs = head.fingerprints, base.fingerprints
    return [seed for seed in common(base, head) if seed in ours and ours[seed] == theirs.get(seed)]


def covered(base: Snapshot, head: Snapshot) -> set[str]:
    """Return the scores of all results that follow from their fingerprints alone: not from a target
    or test data that differ between the sides."""
    names = {name for side in (base, head) for each in side.results.values() for name in each.names}
    if base.params.get("target") != head.params.get("target"):
        names -= {"epochs_to_target"}
    if changes.digest(base) != changes.digest(head):
        names = {name for name in names if not name.startswith("test_")}
    return names


def conflict(name: str, base: Snapshot, head: Snapshot, scores: set[str]) -> Conflict | None:
    """Return the first number of a variant that differs though the fingerprint does not."""
    before, after = base.results[name], head.results[name]
    for seed in equal(before, after):
        one, other = before.seeds[seed], after.seeds[seed]
        for score in other:
            if score in scores and score in one and one[score] != other[score]:
                return Conflict(name, seed, score, one[score], other[score])
    return None


def measured(name: str, metric: Metric, base: Snapshot, head: Snapshot) -> Row | None:
    """Return the difference of the seeds that both sides have a number of, not judged yet; None
    where there is none."""
    before, after = values(base, name, metric), values(head, name, metric)
    seeds = sorted(before.keys() & after.keys())
    if not seeds:
        return None
    a, b = ([metric.scale * side[seed] for seed in seeds] for side in (before, after))
    differences = [y - x for x, y in zip(a, b, strict=True)]
    unsure = intervals.of_mean(differences, 0.95)  # until all of the family are known
    verdict = NOISE if len(seeds) >= ENOUGH else FEW
    means = (sum(a) / len(a), sum(b) / len(b))
    prints = (base.results[name].fingerprint, head.results[name].fingerprint)
    return Row(name, prints, metric, *means, tuple(differences), unsure, verdict)


def values(side: Snapshot, name: str, metric: Metric) -> dict[int, float]:
    """Return a metric by seed; a seed that never reaches the target counts as one epoch after the
    last, one that has no number otherwise (it diverged, or the side is older) is left out."""
    never = side.params.get("train", {}).get("epochs", 0) + 1
    found: dict[int, float] = {}
    for seed, scores in side.results[name].seeds.items():
        value = scores.get(metric.score)
        if value is None and metric.score == "epochs_to_target" and metric.score in scores:
            value = never
        if value is not None:
            found[seed] = value
    return found


def judged(rows: list[Row], confidence: float, min_effect: float) -> list[Row]:
    """The rows with intervals and verdicts that allow for how many they are."""
    p_values = [p_value(row.differences) for row in rows if row.verdict != FEW]
    if not p_values:
        return rows
    rate = 1 - confidence
    believed = int((stats.false_discovery_control(p_values) <= rate).sum())
    level = 1 - rate * max(believed, 1) / len(p_values)
    return [row if row.verdict == FEW else decided(row, level, min_effect) for row in rows]


def p_value(differences: Sequence[float]) -> float:
    """Of Student's t test that their mean is 0."""
    if len(set(differences)) == 1:  # no scatter, which SciPy cannot divide by
        return float(differences[0] == 0)
    return float(stats.ttest_1samp(differences, 0).pvalue)


def decided(row: Row, level: float, min_effect: float) -> Row:
    """The row with its interval of `level`, and what that says."""
    interval = intervals.of_mean(row.differences, level)
    sure = interval.low > 0 or interval.high < 0
    trivial = row.metric.threshold and abs(interval.mean) < min_effect
    if not sure or trivial:
        return replace(row, interval=interval, verdict=NOISE)
    better = interval.mean * row.metric.sign > 0
    return replace(row, interval=interval, verdict=BETTER if better else WORSE)
