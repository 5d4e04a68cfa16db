"""The results table, in Markdown, and its place in the README."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stages.errors import UserError
from stages.outputs.folder import write
from stages.review.scores import key


def table(names: list[str], metrics: dict[str, Any]) -> str:
    """A row for each variant, the champion in bold; mean ± standard deviation over seeds.

    Args:
        names: the variants, in the order of the rows.
        metrics: the content of `reports/metrics.json`.
    """
    chosen = metrics["champion"]["variant"]
    seeds = len(metrics[key(names[0])]["test"]["accuracy"]["seeds"])
    lines = [
        "| variant | validation accuracy | test accuracy | loss gap | evaluated gap | best epoch |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in names:
        variant = metrics[key(name)]
        cells = [
            cell(variant["validation"]["accuracy"], 4),
            cell(variant["test"]["accuracy"], 4),
            cell(variant["loss_gap"], 3),
            cell(variant["evaluated_gap"], 3),
            cell(variant["best_epoch"], 1),
        ]
        bold = "**" if name == chosen else ""
        lines.append(f"| {' | '.join(f'{bold}{text}{bold}' for text in [name, *cells])} |")
    lines += [
        "",
        f"Mean ± standard deviation of {seeds} seeds after the last epoch. Loss gap: validation "
        "loss minus training loss as the notebook plots them, the latter measured with Dropout "
        "on; evaluated gap: the same of the finished network, Dropout off. Best epoch: the one "
        "with the lowest validation loss. "
        f"Champion, chosen on validation: **{chosen}**, test accuracy "
        f"{cell(metrics['champion']['test_accuracy'], 4)}.",
    ]
    return "\n".join(lines) + "\n"


def cell(spread: dict[str, Any], digits: int) -> str:
    """``0.8912 ± 0.0021``."""
    return f"{spread['mean']:.{digits}f} ± {spread['std']:.{digits}f}"


def update(readme: Path, metrics: Path, names: list[str]) -> bool:
    """Put the table of `metrics` between the README's markers; whether that changed it.

    Raises:
        UserError: there are no results yet, or the README has no place for them.
    """
    begin, end = "<!-- results: written by `branchmark readme` -->\n", "<!-- /results -->"
    text = readme.read_text(encoding="utf-8")
    if begin not in text or end not in text:
        raise UserError(f"{readme}: the line {begin.strip()!r} or {end!r} is missing; put it back")
    if not metrics.exists():
        raise UserError(f"{metrics}: no results yet; run `dvc repro`")
    head, rest = text.split(begin, 1)
    _, tail = rest.split(end, 1)
    new = f"{head}{begin}\n{table(names, json.loads(metrics.read_text()))}\n{end}{tail}"
    if new != text:
        write(readme, new)
    return new != text
