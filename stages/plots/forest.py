"""A forest plot: a row for each comparison, its mean as a point and its interval as a line."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from stages.evaluation.intervals import FAILS, HOLDS, UNKNOWN
from stages.plots.figures import png

# Okabe and Ito's blue, orange and grey; the markers tell them apart in grey print as well.
LOOKS = {HOLDS: ("#0072B2", "o"), FAILS: ("#D55E00", "s"), UNKNOWN: ("#777777", "D")}
SHADE = "#56B4E9"
INCH = 0.3  # a row


def claims(rows: dict[str, dict[str, Any]]) -> bytes:
    """The judged claims of `reports/claims.json`, those of one measure on one axis, as PNG."""
    panels: dict[str, list[dict[str, Any]]] = {}
    for row in rows.values():
        panels.setdefault(row["measure"], []).append(row)
    height = INCH * len(rows) + 0.95 * len(panels) + 0.9
    figure = Figure(figsize=(9.5, height), layout="constrained")
    sizes = [INCH * len(panel) + 0.35 for panel in panels.values()]
    every = figure.subplots(len(panels) or 1, 1, height_ratios=sizes or None, squeeze=False)
    for axes, (measure, panel) in zip(every[:, 0], panels.items(), strict=False):
        draw(axes, panel)
        axes.set_xlabel(measure, fontsize=9)
    handles: list[Any] = [
        Line2D([], [], color=colour, marker=marker, label=label)
        for label, (colour, marker) in LOOKS.items()
    ]
    handles.append(Patch(color=SHADE, alpha=0.15, label="where it would be true"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=9)
    return png(figure)


def draw(axes: Any, rows: list[dict[str, Any]]) -> None:
    """Rows from top to bottom; shaded is where the claim would be true."""
    for y, row in enumerate(rows):
        colour, marker = LOOKS[row["verdict"]]
        if row["low"] is not None:
            axes.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=2)
        axes.plot([row["mean"]], [y], color=colour, marker=marker)
    axes.set_yticks(range(len(rows)), [row["says"] for row in rows], fontsize=9)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.margins(x=0.08)
    low, high = axes.get_xlim()
    first, last = rows[0]["true"]
    low, high = min(low, 0 if first is None else first), max(high, 0 if last is None else last)
    low, high = low - 0.02 * (high - low), high + 0.02 * (high - low)
    true = (low if first is None else first, high if last is None else last)
    axes.axvspan(*true, color=SHADE, alpha=0.15)
    axes.set_xlim(low, high)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.grid(axis="x", alpha=0.4)
    axes.tick_params(axis="x", labelsize=9)
