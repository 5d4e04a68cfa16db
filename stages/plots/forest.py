"""Draw forest plots: a row for each comparison, its mean as a point, its interval as a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from stages.evaluation.verdicts import FAILS, FEW, HOLDS, UNKNOWN
from stages.plots.figures import png
from stages.plots.palette import BLUE, GREY, PALE, RED, SKY

Looks = Mapping[str, tuple[str, str]]  # colour and marker, by verdict
CLAIMS = {HOLDS: (BLUE, "o"), FAILS: (RED, "s"), UNKNOWN: (GREY, "D"), FEW: (PALE, "x")}


@dataclass(frozen=True)
class Point:
    """One row: its label, mean, interval (None for a single seed) and verdict."""

    label: str
    mean: float
    low: float | None
    high: float | None
    verdict: str


@dataclass(frozen=True)
class Panel:
    """Rows on one axis.

    Attributes:
        label: what the axis measures, with its unit.
        points: from top to bottom.
        true: the range where a claim would be true, which is shaded; None for infinity.
    """

    label: str
    points: Sequence[Point]
    true: tuple[float | None, float | None] | None = None


def claims(rows: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Draw the judged claims of `reports/claims.json` as PNG, with one axis for each measure."""
    by_measure: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows.values():
        by_measure.setdefault(row["measure"], []).append(row)
    panels = [
        Panel(
            measure,
            [Point(r["says"], r["mean"], r["low"], r["high"], r["verdict"]) for r in panel],
            tuple(panel[0]["true"]),
        )
        for measure, panel in by_measure.items()
    ]
    sizes = [0.3 * len(panel.points) + 0.35 for panel in panels]
    height = 0.3 * len(rows) + 0.95 * len(panels) + 0.9
    figure = Figure(figsize=(9.5, height), layout="constrained")
    every = figure.subplots(len(panels) or 1, 1, height_ratios=sizes or None, squeeze=False)
    for axes, panel in zip(every[:, 0], panels, strict=False):
        draw(axes, panel, CLAIMS)
    shade = Patch(color=SKY, alpha=0.15, label="where it would be true")
    legend(figure, CLAIMS, shade)
    return png(figure)


def beside(panels: Sequence[Panel], looks: Looks) -> bytes:
    """Draw panels side by side as PNG; if their rows are the same, label them only once."""
    most = max((len(panel.points) for panel in panels), default=1)
    width = 2.9 * max(1, len(panels)) + 1.6
    figure = Figure(figsize=(width, 0.27 * most + 1.6), layout="constrained")
    every = figure.subplots(1, max(1, len(panels)), squeeze=False)[0]
    first = [point.label for point in panels[0].points] if panels else []
    for axes, panel in zip(every, panels, strict=False):
        draw(axes, panel, looks)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        if axes is not every[0] and [point.label for point in panel.points] == first:
            axes.set_yticklabels([])
    legend(figure, looks)
    return png(figure)


def draw(axes: Any, panel: Panel, looks: Looks) -> None:
    """Draw the rows of a panel from top to bottom."""
    for y, point in enumerate(panel.points):
        colour, marker = looks[point.verdict]
        if point.low is not None:
            axes.plot([point.low, point.high], [y, y], color=colour, linewidth=2)
        axes.plot([point.mean], [y], color=colour, marker=marker, markersize=5)
    axes.set_yticks(range(len(panel.points)), [p.label for p in panel.points], fontsize=9)
    axes.set_ylim(len(panel.points) - 0.5, -0.5)
    axes.margins(x=0.08)
    if panel.true is not None:
        low, high = axes.get_xlim()
        first, last = panel.true
        low, high = min(low, first or 0), max(high, last or 0)
        low, high = low - 0.02 * (high - low), high + 0.02 * (high - low)
        true = (low if first is None else first, high if last is None else last)
        axes.axvspan(*true, color=SKY, alpha=0.15)
        axes.set_xlim(low, high)
    axes.set_xlabel(panel.label, fontsize=9)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.grid(axis="x", alpha=0.4)
    axes.tick_params(axis="x", labelsize=9)


def legend(figure: Figure, looks: Looks, *others: Any) -> None:
    """Draw the legend of the verdicts above the panels."""
    handles: list[Any] = [
        Line2D([], [], color=colour, marker=marker, label=verdict)
        for verdict, (colour, marker) in looks.items()
    ]
    handles.extend(others)
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=9)
