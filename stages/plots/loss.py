"""Draw the notebook's loss plot: training and validation loss by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stages.plots.figures import png
from stages.training.history import Row

LINES = (("loss", "b", "-", "train"), ("val_loss", "r", ":", "validation"))


def picture(rows: Sequence[Row], title: str) -> bytes:
    """Draw the mean over seeds, a band of one standard deviation around it, and a thin line for
    each seed, as PNG.

    Args:
        rows: the epochs of one or several seeds of a variant.
        title: the name of the variant.
    """
    seeds = sorted({row["seed"] for row in rows})
    figure = Figure(figsize=(6, 4))  # fixed margins: an automatic layout draws twice
    figure.subplots_adjust(left=0.11, right=0.98, bottom=0.12, top=0.92)
    axes = figure.subplots()
    with np.errstate(invalid="ignore"):  # a training may have diverged
        draw(axes, rows, seeds)
    many = f"mean ± standard deviation of {len(seeds)} seeds"
    axes.set_title(f"{title}   ({many if len(seeds) > 1 else f'seed {seeds[0]}'})", fontsize=11)
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss (cross-entropy)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid()
    axes.legend()
    return png(figure)


def draw(axes: Any, rows: Sequence[Row], seeds: Sequence[int]) -> None:
    """Draw the lines of `picture`."""
    for metric, colour, dash, label in LINES:
        values: Any = [[row[metric] for row in rows if row["seed"] == seed] for seed in seeds]  # type: ignore[literal-required]
        epochs, mean = range(1, len(values[0]) + 1), np.mean(values, axis=0)
        axes.plot(epochs, mean, color=colour, linestyle=dash, marker="o", markersize=4, label=label)
        if len(seeds) > 1:
            deviation = np.std(values, axis=0, ddof=1)
            axes.fill_between(
                epochs, mean - deviation, mean + deviation, color=colour, alpha=0.2, lw=0
            )
            axes.plot(epochs, np.transpose(values), color=colour, linewidth=0.5, alpha=0.6)
