"""Draw charts of all variants: curves, overfitting gaps, confusion matrix.

The line's dash or the bar's hatching shows the dropout, so that grey print shows it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stages.evaluation.results import Result
from stages.params.schema import Params
from stages.plots.figures import band, png
from stages.plots.palette import BLUE, COLOURS, DASHES, GREEN, ORANGE, PINK


def curves(table: pd.DataFrame, params: Params) -> bytes:
    """Draw validation loss and accuracy by epoch as PNG: the mean over seeds of each variant of the
    grid, with a colour for each optimizer and a dash for each dropout.

    Args:
        table: `reports/curves.csv`: variant, seed, epoch, metrics.
        params: the optimizers and the dropouts.
    """
    groups = {f"{o}-{d}": (o, d) for o in params.optimizers for d in params.dropouts}
    colours = dict(zip(params.optimizers, COLOURS * 9, strict=False))
    dashes = dict(zip(params.dropouts, DASHES * 9, strict=False))
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    both = figure.subplots(1, 2)
    for axes, metric, label in zip(
        both,
        ("val_loss", "val_accuracy"),
        ("validation loss (cross-entropy, log scale)", "validation accuracy"),
        strict=True,
    ):
        mean = table.groupby(["variant", "epoch"])[metric].mean()
        for variant, (colour, dash) in groups.items():
            line = mean[variant]
            style = {"color": colours[colour], "linestyle": dashes[dash], "linewidth": 1.6}
            axes.plot(line.index, line, label=variant, **style)
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        axes.grid(alpha=0.4)
    both[0].set_yscale("log")
    both[0].yaxis.set_major_locator(MaxNLocator(8))
    both[0].yaxis.set_minor_locator(MaxNLocator(1))
    both[0].yaxis.set_major_formatter("{x:.2f}")
    seeds = table["seed"].nunique()
    figure.suptitle(f"Optimizers and dropouts on the validation split (mean of {seeds} seeds)")
    handles, names = both[1].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center", fontsize=9)
    return png(figure)


def studies(table: pd.DataFrame, params: Params) -> bytes:
    """Draw validation accuracy by epoch as PNG: a panel for each study, with bands over seeds, and
    in grey the base that the study changes.

    Args:
        table: `reports/curves.csv`: variant, seed, epoch, metrics.
        params: the studies, the base and the target.
    """
    members: dict[str, list[str]] = {}
    for variant in params.variants():
        if variant.study != "grid":
            members.setdefault(variant.study, []).append(variant.name)
    base = f"{params.base.optimizer}-{params.base.dropout}"
    target = params.target.validation_accuracy
    figure = Figure(figsize=(4.6 * max(len(members), 1), 4.6), layout="constrained")
    panels = figure.subplots(1, max(len(members), 1), sharey=True, squeeze=False)[0]
    for axes, (study, names) in zip(panels, members.items(), strict=False):
        axes.axhline(target, color="black", linewidth=0.8, label=f"target {target}")
        if len(basis := table[table["variant"] == base]):
            band(axes, basis, "val_accuracy", 0, color="#999999", linewidth=4, label=f"base {base}")
        for i, name in enumerate(names):
            style: dict[str, Any] = {"color": COLOURS[i % 7], "linestyle": DASHES[i % 4]}
            band(axes, table[table["variant"] == name], "val_accuracy", 0.1, label=name, **style)
        axes.set_title(f"study: {study}", fontsize=11)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        axes.grid(alpha=0.4)
        axes.legend(fontsize=9, loc="lower right")
    panels[0].set_ylabel("validation accuracy")
    seeds = table["seed"].nunique()
    figure.suptitle(f"Studies on the validation split (mean ± deviation of {seeds} seeds)")
    return png(figure)


def gaps(results: Mapping[str, Result], params: Params) -> bytes:
    """Draw both overfitting gaps by optimizer as PNG: a bar per dropout, error bars over seeds.

    Args:
        results: every variant's result, by name.
        params: the optimizers and the dropouts.
    """
    figure = Figure(figsize=(12, 4.4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    titles = {
        "loss_gap": "as the notebook plots it: training loss with Dropout on",
        "evaluated_gap": "of the finished network: Dropout off on both splits",
    }
    optimizers, dropouts = list(params.optimizers), params.dropouts
    width = 0.8 / len(dropouts)
    for axes, (metric, title) in zip(panels, titles.items(), strict=True):
        for i, dropout in enumerate(dropouts):
            found = [results[f"{optimizer}-{dropout}"] for optimizer in optimizers]
            axes.bar(
                np.arange(len(optimizers)) + (i - (len(dropouts) - 1) / 2) * width,
                np.array([each.mean(metric) for each in found], float),  # NaN where it diverged
                width,
                yerr=np.array([each.deviation(metric) for each in found], float),
                label=f"dropout {dropout}",
                color=(BLUE, ORANGE, GREEN, PINK)[i % 4],
                hatch=("", "//", "..", "xx")[i % 4],
                edgecolor="white",
                capsize=3,
            )
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_xticks(range(len(optimizers)), optimizers)
        axes.set_xlabel("optimizer")
        axes.set_title(title, fontsize=11)
        axes.grid(axis="y", alpha=0.4)
        axes.set_axisbelow(True)
    panels[0].set_ylabel("validation loss − training loss")
    panels[0].legend(loc="upper left")
    figure.suptitle("Overfitting after the last epoch (mean ± standard deviation of the seeds)")
    return png(figure)


def confusion(champion: Mapping[str, Any], classes: tuple[str, ...]) -> bytes:
    """Draw the confusion matrix of `reports/champion.json` as PNG: shape (10, 10), in percent of
    the true class (rows); empty if there is no champion."""
    matrix = np.array(champion["confusion"] or np.full((len(classes),) * 2, np.nan))
    title = f"Test split, champion {champion['variant']} (mean of {champion['seeds']} seeds)"
    if champion["variant"] is None:
        title = "No champion: every variant has a seed that diverged"
    figure = Figure(figsize=(7.6, 6.6), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(matrix, cmap="cividis", vmin=0, vmax=100)
    for (row, column), value in np.ndenumerate(matrix):
        colour = "black" if value > 55 else "white"
        if value >= 0.05:
            axes.text(column, row, f"{value:.1f}", ha="center", va="center", color=colour, size=8)
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(title)
    figure.colorbar(image, ax=axes, label="% of the true class", shrink=0.8)
    return png(figure)
