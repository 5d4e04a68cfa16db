"""A comparison as one HTML file that opens offline: verdicts, and curves to explore.

The charts' script is inside the file (plotly's own, from its package): some 5 MB, and no request
to anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import pandas as pd

from stages.compare.changes import Changes
from stages.compare.comparison import BETTER, WORSE, Comparison
from stages.compare.report import (
    COLUMNS,
    PagesOf,
    cells,
    command,
    conflicts,
    headline,
    inputs,
    method,
    nowhere,
    title,
)
from stages.plots.palette import COLOURS

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #ddd; text-align: left; }
td { font-variant-numeric: tabular-nums; } a { color: inherit; }
tr.better { background: #d6e9f5; } tr.worse { background: #fbe3d1; }
.answer { font-size: 1.3rem; font-weight: 600; } .method { color: #555; font-size: .9rem; }
"""
CURVES = {
    "val_accuracy": "validation accuracy",
    "val_loss": "validation loss",
    "accuracy": "training accuracy",
    "loss": "training loss",
}
SHOWN = 4  # variants whose curves are to be seen at first; the legend shows the others


def page(found: Comparison, changes: Changes, pages: PagesOf = nowhere, proof: str = "") -> str:
    """The whole file."""
    name = escape(title(found))
    parts = [
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{name}</title>",
        f"<style>{STYLE}</style>",
        f"<p class='answer'>{escape(proof)}</p>" if proof else "",
        f"<h1>{name}</h1>",
        f"<p class='answer'>{escape(headline(found))}</p>",
        *(f"<p class='answer'>{escape(line)}</p>" for line in conflicts(found)),
        verdicts(found, pages),
        f"<p class='method'><code>{escape(command(found))}</code>: {escape(method(found))}</p>",
    ]
    if rows := inputs(changes):
        lines = [[escape(cell) for cell in row] for row in rows]
        parts += ["<h2>What changed</h2>", table(("what", "base", "head"), lines)]
    for heading, keys in (("Added", found.added), ("Removed", found.removed)):
        if keys:
            parts.append(f"<p>{heading}: {escape(', '.join(keys))}</p>")
    parts += ["<h2>Curves</h2>", curves(found)]
    return "\n".join(parts) + "\n"


def verdicts(found: Comparison, pages: PagesOf) -> str:
    """The rows, those with a verdict first."""
    first = [row for row in found.rows if row.verdict in (BETTER, WORSE)]
    rows = first + [row for row in found.rows if row.verdict not in (BETTER, WORSE)]
    if not rows:
        return ""
    lines = [
        [linked(cell, url) for cell, url in zip(cells(row), pages(row).each(), strict=True)]
        for row in rows
    ]
    return table(COLUMNS, lines, [row.verdict for row in rows])


def linked(text: str, url: str | None) -> str:
    """Escaped text, as a link where it leads somewhere."""
    return f"<a href='{escape(url)}'>{escape(text)}</a>" if url else escape(text)


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], classes: Sequence[str] = ()
) -> str:
    """An HTML table of cells that are escaped already."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    lines = [f"<table><tr>{head}</tr>"]
    for i, row in enumerate(rows):
        look = f" class='{classes[i].split()[0]}'" if classes else ""
        line = "".join(f"<td>{cell}</td>" for cell in row)
        lines.append(f"<tr{look}>{line}</tr>")
    return "\n".join([*lines, "</table>"])


def curves(found: Comparison) -> str:
    """A chart of the changed variants: a colour a variant, base dashed, head solid, with a menu of
    metrics."""
    from plotly import graph_objects
    from plotly.io import to_html

    order = sorted(found.rows, key=lambda row: row.verdict not in (BETTER, WORSE))
    variants = list(dict.fromkeys(row.variant for row in order)) or list(found.unchanged)
    traces, metrics = [], []
    for metric in CURVES:
        for i, variant in enumerate(variants):
            colour = COLOURS[i % len(COLOURS)]
            for side, look in ((found.base, "dash"), (found.head, "solid")):
                mean = means(side.curves, variant, metric)
                traces.append(
                    graph_objects.Scatter(
                        x=list(mean.index),
                        y=[float(value) for value in mean],
                        name=f"{variant} {'base' if look == 'dash' else 'head'}",
                        legendgroup=variant,
                        line={"dash": look, "color": colour},
                        visible=shown(metric, metric == "val_accuracy", i),
                    )
                )
                metrics.append((metric, i))
    buttons = [
        {
            "label": label,
            "method": "update",
            "args": [
                {"visible": [shown(m, m == metric, i) for m, i in metrics]},
                {"yaxis.title.text": f"{label}, mean of the seeds"},
            ],
        }
        for metric, label in CURVES.items()
    ]
    figure = graph_objects.Figure(traces)
    figure.update_layout(
        template="plotly_white",
        height=560,
        xaxis_title="epoch",
        yaxis_title="validation accuracy, mean of the seeds",
        updatemenus=[{"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.12}],
    )
    return str(to_html(figure, include_plotlyjs=True, full_html=False, div_id="curves"))


def shown(metric: str, chosen: bool, place: int) -> Any:
    """Whether a trace is to be seen: of the chosen metric, the first variants."""
    return False if not chosen else (True if place < SHOWN else "legendonly")


def means(table: pd.DataFrame, variant: str, metric: str) -> Any:
    """The mean over seeds by epoch; empty where the side has no such variant."""
    rows = table[table["variant"] == variant]
    return rows.groupby("epoch")[metric].mean()
