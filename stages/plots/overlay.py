"""Draw the curves of two sides over each other, with a panel for each variant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from stages.plots.figures import band, png
from stages.plots.palette import BLUE, GREY

COLUMNS = 4


def curves(
    base: tuple[str, pd.DataFrame],
    head: tuple[str, pd.DataFrame],
    variants: Sequence[str],
    metric: str = "val_accuracy",
    label: str = "validation accuracy",
) -> bytes:
    """Draw base in grey and head in blue, with bands over seeds, as PNG.

    Args:
        base, head: each side's name and its `reports/curves.csv`.
        variants: those to show.
        metric: a column of the curves.
        label: the metric's name in the picture.
    """
    rows = max(1, -(-len(variants) // COLUMNS))
    columns = min(COLUMNS, max(1, len(variants)))
    figure = Figure(figsize=(3.3 * columns + 0.6, 2.5 * rows + 0.7), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat[len(variants) :]:
        axes.set_visible(False)
    sides: list[tuple[str, pd.DataFrame, str, Any]] = [(*base, GREY, "--"), (*head, BLUE, "-")]
    for axes, variant in zip(panels.flat, variants, strict=False):
        for _, table, colour, dash in sides:
            if len(own := table[table["variant"] == variant]):
                band(axes, own, metric, color=colour, linestyle=dash)
        axes.set_title(variant, fontsize=10)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.4)
    figure.supxlabel("epoch", fontsize=10)
    figure.supylabel(label, fontsize=10)
    handles = [
        Line2D([], [], color=colour, linestyle=dash, label=f"{side}: {name}")
        for side, (name, _, colour, dash) in zip(("base", "head"), sides, strict=True)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, fontsize=10)
    return png(figure)
