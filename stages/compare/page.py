"""Render a comparison as one HTML file that opens offline: the answer, a matrix, and curves.

The file holds plotly's own script (about 5 MB), so that the page makes no requests. It follows the
light or dark setting of the reader's system. Marks repeat what colours say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from stages.compare.changes import Changes
from stages.compare.comparison import METRICS, Comparison, Row
from stages.compare.report import (
    COLUMNS,
    MARKS,
    PagesOf,
    cell,
    cells,
    command,
    difference,
    first,
    headline,
    inputs,
    legend,
    line,
    matrix,
    method,
    nowhere,
    summary,
    title,
    warnings,
)
from stages.core.text import html
from stages.evaluation.verdicts import BETTER, WORSE
from stages.plots.palette import BLACK, BLUE, COLOURS, GREEN, RED

# The page makes no requests, whatever a name in it says
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
STYLE = f"""
:root {{ color-scheme: light dark; --line: rgba(128,128,128,.35); }}
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 76rem;
  padding: 0 1rem; }}
h1 {{ font-size: 1.25rem; overflow-wrap: anywhere; }} h2 {{ font-size: 1.1rem; }}
.wide {{ overflow-x: auto; margin: 1rem 0; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: left;
  white-space: nowrap; }}
th:first-child, td:first-child {{ position: sticky; left: 0; background: Canvas; }}
td {{ font-variant-numeric: tabular-nums; }} a {{ color: inherit; }}
th button {{ all: unset; cursor: pointer; font-weight: 600; }}
th button:focus-visible {{ outline: 2px solid {BLUE}; }}
th[aria-sort=ascending] button::after {{ content: " ↑"; }}
th[aria-sort=descending] button::after {{ content: " ↓"; }}
.better, .worse {{ font-weight: 600; }}
.better {{ background: {BLUE}38; }} .worse {{ background: {RED}42; }}
.diverged {{ background: {RED}42; outline: 2px dashed {RED}; outline-offset: -3px; }}
.same {{ background: {GREEN}24; }}
.cannot, .too {{ color: color-mix(in srgb, CanvasText 68%, Canvas); }}
.answer {{ font-size: 1.2rem; font-weight: 600; }} .method {{ opacity: .75; font-size: .85rem;
  overflow-wrap: anywhere; }}
summary {{ cursor: pointer; }}
@media (max-width: 600px) {{
  body {{ font-size: 13px; padding: 0 .5rem; }}
  table {{ font-size: 11px; }} details table {{ font-size: 10px; }}
  th, td {{ padding: .2rem .15rem; white-space: normal; }}
}}
"""
SCRIPT = """
for (const button of document.querySelectorAll("th button")) button.onclick = () => {
  const head = button.parentElement, table = head.closest("table"), place = head.cellIndex;
  const up = head.getAttribute("aria-sort") !== "ascending";
  for (const each of head.parentElement.children) each.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const value = row => row.cells[place].dataset.value ?? row.cells[place].textContent;
  const order = (a, b) => a - b || String(a).localeCompare(b, undefined, {numeric: true});
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => (up ? 1 : -1) * order(value(a), value(b)));
  table.tBodies[0].append(...rows);
};
const chart = document.getElementById("curves");
for (const link of document.querySelectorAll("a[data-variant]")) link.onclick = () => {
  const {variant, curve} = link.dataset;
  Plotly.restyle(chart, {visible: chart.data.map(trace => trace.meta[0] !== curve ? false
    : trace.legendgroup === variant ? true : "legendonly")});
  Plotly.relayout(chart, {"yaxis.title.text": link.dataset.label + ", mean of the seeds",
    "updatemenus[0].active": Number(link.dataset.place)});
};
const dark = matchMedia("(prefers-color-scheme: dark)");
function dress() {
  Plotly.relayout(chart, {"font.color": dark.matches ? "#ddd" : "#222"});
  const black = chart.data.flatMap((trace, i) => trace.meta[1] ? [i] : []);
  if (black.length) Plotly.restyle(chart, {"line.color": dark.matches ? "#fff" : "BLACK"}, black);
}
if (chart) { dress(); dark.addEventListener("change", dress); }
""".replace("BLACK", BLACK)
CURVES = {
    "val_accuracy": "validation accuracy",
    "val_loss": "validation loss",
    "accuracy": "training accuracy",
    "loss": "training loss",
}
CURVE_OF = {"validation_loss": "val_loss", "loss_gap": "val_loss"}  # by score; others: val_accuracy
GRID = "rgba(128,128,128,.3)"
SHOWN = 4  # variants whose curves are visible at first; a click in the legend shows the others


def page(found: Comparison, changes: Changes, pages: PagesOf = nowhere, proof: str = "") -> str:
    """Return the whole file as HTML."""
    name = html(title(found))
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{name}</title><style>{STYLE}</style>",
        *(f"<p class='answer'>{html(sentence)}</p>" for sentence in first(found, proof)),
        f"<h1>{name}</h1>",
        f"<p class='answer'>{html(headline(found))}</p>",
        overall(found),
        verdicts(found.rows),
        *(f"<p>{html(sentence)}</p>" for sentence in warnings(found)),
    ]
    if rows := inputs(changes):
        lines = [[html(text) for text in row] for row in rows]
        parts += ["<h2>What changed</h2>", table(("what", "base", "head"), lines)]
    parts += [details(found.rows, pages), "<h2>Curves</h2>", curves(found)]
    how = f": {html(method(found))}" if found.rows else ""
    parts.append(f"<p class='method'><code>{html(command(found))}</code>{how}</p>")
    return "\n".join([*parts, f"<script>{SCRIPT}</script>"]) + "\n"


def overall(found: Comparison) -> str:
    """Return a table of all changed variants together, one line per metric."""
    if not found.overall:
        return ""
    lines = [
        f"<tr><td>{metric}</td><td>{html(size)}</td><td{look(row)}>{html(said)}</td></tr>"
        for row in found.overall
        for metric, size, said in [line(row)]
    ]
    return framed([html(text) for text in summary(found)], lines)


def verdicts(rows: Sequence[Row]) -> str:
    """Return the matrix of variants by metrics; each cell links to the variant's curves."""
    if not rows:
        return ""
    lines = [
        f"<tr><td>{html(name)}</td>{''.join(linked(by_score.get(m.score)) for m in METRICS)}</tr>"
        for name, by_score in matrix(rows).items()
    ]
    columns = ("variant", *(metric.short for metric in METRICS))
    return framed(columns, lines) + f"<p class='method'>{legend()}</p>"


def linked(row: Row | None) -> str:
    """Return a cell of the matrix."""
    if row is None:
        return "<td></td>"
    curve = CURVE_OF.get(row.metric.score, "val_accuracy")
    data = {
        "variant": row.variant,
        "curve": curve,
        "label": CURVES[curve],
        "place": str(list(CURVES).index(curve)),
    }
    said = " ".join(f"data-{key}='{html(text)}'" for key, text in data.items())
    tip = html(f"{row.variant}, {row.metric.name}: {difference(row)}, {row.verdict}")
    text = html(cell(row)).replace(" ", "&nbsp;", 1)  # lets the line break only after the number
    link = f"<a href='#curves' title='{tip}' {said}>{text}</a>"
    return f"<td{look(row)} data-value='{sortable(row)}'>{link}</td>"


def look(row: Row) -> str:
    """Return the class attribute of a cell: the first word of its verdict."""
    return f" class='{row.verdict.split()[0]}'"


def sortable(row: Row) -> str:
    """Return the number that a cell is sorted by; a missing one sorts as the largest."""
    return "1e308" if math.isnan(row.estimate.mean) else repr(row.estimate.mean)


def details(rows: Sequence[Row], pages: PagesOf) -> str:
    """Return a folded table of each row with its interval, in the order of `MARKS`."""
    if not rows:
        return ""
    lines = []
    for row in sorted(rows, key=lambda each: list(MARKS).index(each.verdict)):
        texts = [
            f"<a href='{html(url)}'>{html(text)}</a>" if url else html(text)
            for text, url in zip(cells(row), pages(row).each(), strict=True)
        ]
        plain = "".join(f"<td>{text}</td>" for text in texts[:4])
        last = f"<td data-value='{sortable(row)}'>{texts[4]}</td><td{look(row)}>{texts[5]}</td>"
        lines.append(f"<tr>{plain}{last}</tr>")
    count = f"<summary>{len(rows)} rows with their intervals</summary>"
    return f"<details>{count}{framed(COLUMNS, lines)}</details>"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an HTML table of cells that are already escaped."""
    return framed(columns, [f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in rows])


def framed(columns: Sequence[str], lines: Sequence[str]) -> str:
    """Return a sortable table in its own frame, which scrolls on a narrow screen."""
    head = "".join(f"<th><button>{html(column)}</button></th>" for column in columns)
    body = "\n".join(lines)
    return (
        f"<div class='wide'><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody>"
        "</table></div>"
    )


def curves(found: Comparison) -> str:
    """Return a chart of the changed variants (of the unchanged ones if none changed), with a menu
    of metrics. Each variant has a colour; the base is dashed, the head solid."""
    from plotly import graph_objects
    from plotly.io import to_html

    order = sorted(found.rows, key=lambda row: row.verdict not in (BETTER, WORSE))
    variants = list(dict.fromkeys(row.variant for row in order)) or found.alike
    traces, metrics = [], []
    for metric in CURVES:
        for i, variant in enumerate(variants):
            colour = COLOURS[i % len(COLOURS)]
            for side, dash in ((found.base, "dash"), (found.head, "solid")):
                mean = means(side.curves, variant, metric)
                traces.append(
                    graph_objects.Scatter(
                        x=list(mean.index),
                        y=[float(value) for value in mean],
                        name=f"{html(variant)} {'base' if dash == 'dash' else 'head'}",
                        legendgroup=variant,
                        meta=[metric, colour == BLACK],
                        line={"dash": dash, "color": colour},
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
        height=600,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        xaxis={"gridcolor": GRID, "zerolinecolor": GRID},
        yaxis={"gridcolor": GRID, "zerolinecolor": GRID},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
        margin={"l": 60, "r": 10, "t": 70},
        xaxis_title="epoch",
        yaxis_title="validation accuracy, mean of the seeds",
        updatemenus=[
            {
                "buttons": buttons,
                "x": 0,
                "xanchor": "left",
                "y": 1.12,
                "bgcolor": "#eee",
                "font": {"color": "#222"},
            }
        ],
    )
    text = to_html(
        figure,
        include_plotlyjs=True,
        full_html=False,
        div_id="curves",
        config={"responsive": True, "displayModeBar": False},
    )
    return str(text)


def shown(metric: str, chosen: bool, place: int) -> Any:
    """Return plotly's `visible` of a trace: only the chosen metric, its first `SHOWN` variants."""
    return False if not chosen else (True if place < SHOWN else "legendonly")


def means(table: pd.DataFrame, variant: str, metric: str) -> Any:
    """Return the mean over seeds by epoch; empty if the side does not have the variant."""
    rows = table[table["variant"] == variant]
    return rows.groupby("epoch")[metric].mean()
