"""Pictures of a comparison: both sides' curves over each other, and the differences."""

from __future__ import annotations

import math

from stages.compare.comparison import BETTER, FEW, NOISE, WORSE, Comparison, Row
from stages.plots import forest, overlay
from stages.plots.forest import Panel, Point
from stages.plots.palette import BLUE, GREY, PALE, RED

LOOKS = {BETTER: (BLUE, "o"), WORSE: (RED, "s"), NOISE: (GREY, "D"), FEW: (PALE, "x")}


def curves(found: Comparison) -> bytes:
    """Return a panel for each changed variant; for all where none changed; as PNG."""
    variants = list(dict.fromkeys(row.variant for row in found.rows)) or list(found.unchanged)
    base, head = found.base, found.head
    return overlay.curves((base.name, base.curves), (head.name, head.curves), variants)


def differences(found: Comparison) -> bytes:
    """Return a forest plot: a panel for each metric, a row for each changed variant; as PNG."""
    rows: dict[str, list[Row]] = {}
    for row in found.rows:
        rows.setdefault(row.metric.name, []).append(row)
    panels = []
    for name, each in rows.items():
        metric = each[0].metric
        unit = ", points" if metric.scale == 100 else ""
        arrow = "better →" if metric.sign > 0 else "← better"
        panels.append(Panel(f"{name}{unit}\n{arrow}", [point(row) for row in each]))
    return forest.beside(panels, LOOKS)


def point(row: Row) -> Point:
    """Return a row of the plot; a single seed has no interval."""
    mean, low, high = row.interval.mean, row.interval.low, row.interval.high
    if math.isnan(low):
        return Point(row.variant, mean, None, None, row.verdict)
    return Point(row.variant, mean, low, high, row.verdict)
