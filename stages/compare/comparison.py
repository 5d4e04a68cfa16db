"""Two revisions compared: what changed, and for each variant and metric a verdict.

Seeds are paired: seed 3 of the base with seed 3 of the head. Student's t test of the differences
gives a p-value for each variant and metric; `scipy.stats.false_discovery_control` (Benjamini and
Hochberg, 1995) decides which of the many to believe, and the intervals are widened to match
(Benjamini and Yekutieli, 2005), so that an interval excludes 0 exactly where the test says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scipy import stats

from stages.compare.snapshot import Side
from stages.evaluation import intervals as statistics
from stages.evaluation.intervals import Interval

METHOD = "paired t test over seeds; Benjamini-Hochberg (scipy.stats.false_discovery_control)"
BETTER, WORSE, NOISE, FEW = "better", "worse", "within noise", "too few seeds"
ENOUGH = 3  # seeds that both sides have


@dataclass(frozen=True)
class Metric:
    """Something that is judged.

    Attributes:
        name: for people.
        path: where it is in a variant of `reports/metrics.json`.
        sign: 1 where more is better, -1 where less is.
        scale: from there to what is shown: 100 for accuracy points.
        digits: decimals that are shown.
        threshold: whether `compare.min_effect` (accuracy points) is its threshold.
    """

    name: str
    path: tuple[str, ...]
    sign: int
    scale: float = 1
    digits: int = 4
    threshold: bool = False


METRICS = (
    Metric("validation accuracy", ("validation", "accuracy"), 1, 100, 2, threshold=True),
    Metric("validation loss", ("validation", "loss"), -1),
    Metric("loss gap", ("loss_gap",), -1),
    Metric("epochs to target", ("epochs_to_target",), -1, digits=1),
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
class Comparison:
    """All that is said about two sides.

    Attributes:
        rows: of the variants that both sides have and whose fingerprints differ.
        unchanged, added, removed: the other variants.
        confidence, min_effect: the settings of the head.
    """

    base: Side
    head: Side
    rows: tuple[Row, ...]
    unchanged: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    confidence: float
    min_effect: float


def compare(base: Side, head: Side) -> Comparison:
    """Judge `head` against `base`."""
    settings = head.params.get("compare", {})
    confidence = float(settings.get("confidence", 0.95))
    min_effect = float(settings.get("min_effect", 0.0))
    ours, theirs = head.variants, base.variants
    both = [key for key in ours if key in theirs]
    changed = [key for key in both if ours[key]["fingerprint"] != theirs[key]["fingerprint"]]
    rows = [
        row
        for key in changed
        for metric in METRICS
        if (row := measured(key, metric, base, head)) is not None
    ]
    names = base.names | head.names
    return Comparison(
        base,
        head,
        rows=tuple(judged(rows, confidence, min_effect)),
        unchanged=tuple(names.get(key, key) for key in both if key not in changed),
        added=tuple(names.get(key, key) for key in ours if key not in theirs),
        removed=tuple(names.get(key, key) for key in theirs if key not in ours),
        confidence=confidence,
        min_effect=min_effect,
    )


def measured(key: str, metric: Metric, base: Side, head: Side) -> Row | None:
    """The difference of the seeds that both sides have, not judged yet; None where one side does
    not know the metric."""
    before, after = values(base, key, metric), values(head, key, metric)
    common = [seed for seed in after if seed in before]
    if not common:
        return None
    a, b = ([metric.scale * side[seed] for seed in common] for side in (before, after))
    differences = [y - x for x, y in zip(a, b, strict=True)]
    unsure = statistics.of_mean(differences, 0.95)  # until all of the family are known
    verdict = NOISE if len(common) >= ENOUGH else FEW
    means = (sum(a) / len(a), sum(b) / len(b))
    name = (base.names | head.names).get(key, key)
    prints = (str(base.variants[key]["fingerprint"]), str(head.variants[key]["fingerprint"]))
    return Row(name, prints, metric, *means, tuple(differences), unsure, verdict)


def values(side: Side, key: str, metric: Metric) -> dict[int, float]:
    """A metric by seed; a seed that never reaches the target counts as one epoch after the last.
    Empty where the side does not know the metric."""
    found: Any = side.variants[key]
    for part in metric.path:
        found = found.get(part) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or "seeds" not in found:
        return {}
    never = side.params.get("train", {}).get("epochs", 0) + 1
    numbers = [never if value is None else value for value in found["seeds"]]
    return dict(zip(side.seeds, numbers, strict=False))


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
    interval = statistics.of_mean(row.differences, level)
    sure = interval.low > 0 or interval.high < 0
    trivial = row.metric.threshold and abs(interval.mean) < min_effect
    if not sure or trivial:
        return replace(row, interval=interval, verdict=NOISE)
    better = interval.mean * row.metric.sign > 0
    return replace(row, interval=interval, verdict=BETTER if better else WORSE)
