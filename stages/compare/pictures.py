"""Draw a comparison: the curves of both sides overlaid, and a forest plot of the differences."""

from __future__ import annotations

import math

from stages.compare.comparison import Comparison, Row
from stages.evaluation.verdicts import BETTER, DIVERGED, FEW, SAME, UNKNOWN, WORSE
from stages.plots import forest, overlay
from stages.plots.forest import Panel, Point
from stages.plots.palette import BLUE, GREEN, GREY, PALE, RED

LOOKS = {
    BETTER: (BLUE, "^"), WORSE: (RED, "v"), SAME: (GREEN, "o"), UNKNOWN: (GREY, "D"),
    FEW: (PALE, "x"), DIVERGED: (RED, "x"),
}  # fmt: skip


def curves(found: Comparison) -> bytes:
    """Return a PNG with one panel per changed variant, or one per other variant if none changed."""
    variants = list(dict.fromkeys(row.variant for row in found.rows)) or found.alike
    base, head = found.base, found.head
    return overlay.curves((base.name, base.curves), (head.name, head.curves), variants)


def differences(found: Comparison) -> bytes:
    """Return a forest plot as PNG: one panel per metric and one row per changed variant. Shading
    marks the differences that are too small to matter."""
    rows: dict[str, list[Row]] = {}
    seen = {row.verdict for row in found.rows}
    for row in found.rows:
        rows.setdefault(row.metric.name, []).append(row)
    panels = []
    for name, each in rows.items():
        metric = each[0].metric
        unit = ", points" if metric.scale == 100 else ""
        arrow = "better →" if metric.sign > 0 else "← better"
        region = (-each[0].min_effect, each[0].min_effect)
        points = [point(row) for row in each if not math.isnan(row.estimate.mean)]
        panels.append(Panel(f"{name}{unit}\n{arrow}", points, region))
    return forest.beside(panels, {word: LOOKS[word] for word in LOOKS if word in seen})


def point(row: Row) -> Point:
    """Return one row of the plot, without an interval if there is only a single seed."""
    mean, low, high = row.interval.mean, row.interval.low, row.interval.high
    if math.isnan(low):
        return Point(row.variant, mean, None, None, row.verdict)
    return Point(row.variant, mean, low, high, row.verdict)
