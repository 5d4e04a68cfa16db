"""Pictures of a comparison: both sides' curves over each other, and the differences."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from stages.compare.comparison import BETTER, FEW, NOISE, WORSE, Comparison, Row
from stages.plots.figures import band, png

LOOKS = {
    BETTER: ("#0072B2", "o"),
    WORSE: ("#D55E00", "s"),
    NOISE: ("#777777", "D"),
    FEW: ("#BBBBBB", "x"),
}
BASE, HEAD = "#777777", "#0072B2"
COLUMNS = 4


def curves(found: Comparison, metric: str = "val_accuracy") -> bytes:
    """A panel for each changed variant: base in grey, head in blue, bands over seeds; as PNG."""
    variants = list(dict.fromkeys(row.variant for row in found.rows)) or list(found.unchanged)
    rows = max(1, -(-len(variants) // COLUMNS))
    columns = min(COLUMNS, max(1, len(variants)))
    figure = Figure(figsize=(3.3 * columns + 0.6, 2.5 * rows + 0.7), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat[len(variants) :]:
        axes.set_visible(False)
    for axes, variant in zip(panels.flat, variants, strict=False):
        for side, colour, dash in ((found.base, BASE, "--"), (found.head, HEAD, "-")):
            table = side.curves[side.curves["variant"] == variant]
            if len(table):
                band(axes, table, metric, color=colour, linestyle=dash)
        axes.set_title(variant, fontsize=10)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.4)
    figure.supxlabel("epoch", fontsize=10)
    figure.supylabel("validation accuracy", fontsize=10)
    handles = [
        Line2D([], [], color=BASE, linestyle="--", label=f"base: {found.base.name}"),
        Line2D([], [], color=HEAD, label=f"head: {found.head.name}"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, fontsize=10)
    return png(figure)


def differences(found: Comparison) -> bytes:
    """A forest plot: a panel for each metric, a row for each changed variant; as PNG."""
    panels: dict[str, list[Row]] = {}
    for row in found.rows:
        panels.setdefault(row.metric.name, []).append(row)
    most = max((len(rows) for rows in panels.values()), default=1)
    width = 2.9 * max(1, len(panels)) + 1.6
    figure = Figure(figsize=(width, 0.27 * most + 1.6), layout="constrained")
    every = figure.subplots(1, max(1, len(panels)), squeeze=False)[0]
    for axes, (name, rows) in zip(every, panels.items(), strict=False):
        draw(axes, rows)
        unit = ", points" if rows[0].metric.scale == 100 else ""
        arrow = "better →" if rows[0].metric.sign > 0 else "← better"
        axes.set_xlabel(f"{name}{unit}\n{arrow}", fontsize=9)
        if axes is not every[0]:
            axes.set_yticklabels([])
    handles: list[Any] = [
        Line2D([], [], color=colour, marker=marker, label=label)
        for label, (colour, marker) in LOOKS.items()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=9)
    return png(figure)


def draw(axes: Any, rows: list[Row]) -> None:
    """The rows of a metric from top to bottom."""
    for y, row in enumerate(rows):
        colour, marker = LOOKS[row.verdict]
        axes.plot([row.interval.low, row.interval.high], [y, y], color=colour, linewidth=1.8)
        axes.plot([row.interval.mean], [y], color=colour, marker=marker, markersize=5)
    axes.set_yticks(range(len(rows)), [row.variant for row in rows], fontsize=9)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.grid(axis="x", alpha=0.4)
    axes.tick_params(axis="x", labelsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(5))
