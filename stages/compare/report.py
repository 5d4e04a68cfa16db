"""Report a comparison as text: for the terminal, as Markdown for a pull request, as JSON.

Terminal and Markdown have one order: the answer in a line, all variants together, variants by
metric, what the verdicts do not say, what changed, and each row with its interval.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stages.compare.changes import Changes
from stages.compare.comparison import METRICS, Comparison, Metric, Row
from stages.compare.snapshot import not_run
from stages.core import text as escape
from stages.evaluation import tables, verdicts
from stages.evaluation.verdicts import BETTER, DIVERGED, FEW, SAME, UNKNOWN, WORSE

MARKS = {BETTER: "▲", WORSE: "▼", SAME: "=", UNKNOWN: "?", FEW: "…", DIVERGED: "×"}
STYLES = {
    BETTER: "bold dodger_blue1", WORSE: "bold dark_orange", DIVERGED: "bold dark_orange",
    SAME: "default", UNKNOWN: "dim", FEW: "dim",
}  # fmt: skip
OTHER_NUMBERS = "with the same fingerprint and other numbers"
COLUMNS = ("variant", "metric", "base", "head", "difference [interval]", "verdict")
SHOWN = 5  # changed inputs: without `--all` the terminal cuts a longer list; Markdown folds it


@dataclass(frozen=True)
class Pages:
    """MLflow's pages of a row: the run of each side, and both compared; None if there is none."""

    base: str | None = None
    head: str | None = None
    both: str | None = None

    def each(self) -> tuple[str | None, ...]:
        """Return the page of each cell of a row, in the order of `COLUMNS`."""
        return (None, None, self.base, self.head, None, self.both)


PagesOf = Callable[[Row], Pages]


def nowhere(row: Row) -> Pages:
    """Return no pages, for use without a store."""
    return Pages()


# Words


def verdict(row: Row) -> str:
    """Return ``? cannot tell, about 38 seeds would`` or ``▼ worse: seeds diverge, 2 of head``."""
    text = f"{MARKS[row.verdict]} {row.verdict}"
    if any(row.diverged):
        sides = zip(("base", "head"), row.diverged, strict=True)
        lost = " and ".join(f"{count} of {side}" for side, count in sides if count)
        return f"{text}: seeds diverge, {lost}"
    return f"{text}, {verdicts.many(row.needed)} seeds would" if row.verdict == UNKNOWN else text


def difference(row: Row) -> str:
    """Return ``+0.66 [+0.13, +1.18]``; for a single seed, the mean without an interval."""
    digits, interval = row.metric.digits, row.interval
    if math.isnan(interval.low):
        return number(interval.mean, digits, "+")
    return f"{interval.mean:+.{digits}f} [{interval.low:+.{digits}f}, {interval.high:+.{digits}f}]"


def number(value: float, digits: int, sign: str = "") -> str:
    """Return a formatted number, or a dash for NaN."""
    return "—" if math.isnan(value) else f"{value:{sign}.{digits}f}"


def cells(row: Row) -> list[str]:
    """Return the cells of a row, in the order of `COLUMNS`."""
    means = [number(value, row.metric.digits) for value in row.means]
    unpaired = "" if row.seeds or math.isnan(row.estimate.error) else " (not paired)"
    return [row.variant, row.metric.short, *means, difference(row) + unpaired, verdict(row)]


def cell(row: Row | None) -> str:
    """Return a row's cell in the matrix: ``▲ +0.66``, or ``? +2.4 ~38`` if 38 seeds would do."""
    if row is None:
        return ""
    shown = number(row.estimate.mean, row.metric.digits, "+")
    return f"{MARKS[row.verdict]} {shown} {enough(row)}".rstrip()


def mark(row: Row) -> str:
    """Return the short verdict: ``▲ better`` or ``? ~38``."""
    return f"{MARKS[row.verdict]} {enough(row) or row.verdict}"


def enough(row: Row) -> str:
    """Return ``~38`` or ``>100``, the seeds that a row needs, if it cannot tell; else ""."""
    if row.verdict != UNKNOWN:
        return ""
    return f"~{row.needed}" if row.needed else f">{verdicts.MOST}"


def legend() -> str:
    """Return the legend of the matrix."""
    words = "  ".join(f"{mark} {word}" for word, mark in MARKS.items())
    return f"{words}  (~38: about 38 seeds would tell)"


def unit(metric: Metric) -> str:
    """Return `` points`` for a metric in percentage points, else ""."""
    return " points" if metric.scale == 100 else ""


def line(row: Row) -> tuple[str, str, str]:
    """Return the cells of an overall line: ``accuracy points``, the difference and the verdict."""
    return row.metric.short + unit(row.metric), difference(row), verdict(row)


def summary(found: Comparison) -> tuple[str, str, str]:
    """Return the header of the overall lines."""
    return found.overall[0].variant, "difference [interval]", "verdict"


def headline(found: Comparison) -> str:
    """Return the answer in one line: ``3 better, 1 worse, 12 same, 48 cannot tell``."""
    count = Counter(row.verdict for row in found.rows)
    parts = [variants(len(found.conflicts), OTHER_NUMBERS)] if found.conflicts else []
    parts += [f"{count[verdict]} {verdict}" for verdict in MARKS if count[verdict]]
    others = {
        "unchanged": found.unchanged,
        "with another fingerprint and the same numbers": found.same_numbers,
        "without a common seed": found.unpaired,
        "added": found.added,
        "removed": found.removed,
    }
    parts += [variants(len(names), what) for what, names in others.items() if names]
    return ", ".join(parts) or "no variant in common"


def variants(count: int, what: str) -> str:
    """Return ``1 variant added`` or ``2 variants added``."""
    return f"{count} variant{'s' * (count != 1)} {what}"


def tags(found: Comparison) -> dict[str, str]:
    """Return the overall lines as MLflow tags: ``compare.loss_gap: ▲ better, -0.0126 [...]``."""
    lines = {
        row.metric.score: f"{verdict(row)}, {difference(row)}{unit(row.metric)}, {row.variant}"
        for row in found.overall
    }
    lines["with"] = title(found)
    return {f"compare.{name}": escape.line(text) for name, text in lines.items()}


def first(found: Comparison, proof: str) -> list[str]:
    """Return what comes before the answer: that the head has not been run, and what was proved."""
    return [*not_run(found.head), *([proof] if proof else [])]


def warnings(found: Comparison) -> list[str]:
    """Return a sentence for each thing that the verdicts do not say."""
    conflicts = [
        f"{each.variant}: same fingerprint, other numbers: {each.score} of seed {each.seed} is "
        f"{each.base} in {found.base.name} and {each.head} in {found.head.name}"
        for each in found.conflicts
    ]
    lines = [*conflicts, *(f"not compared: {each}" for each in found.incomparable)]
    lists = {
        "no seed in common, so the sides are compared as two groups (Welch)": found.unpaired,
        "fewer seeds than in the base": found.fewer,
        "seeds that diverge": found.diverged,
        "added": found.added,
        "removed": found.removed,
    }
    lines += [f"{what}: {', '.join(names)}" for what, names in lists.items() if names]
    return lines


def method(found: Comparison) -> str:
    """Return a sentence on how the verdicts are reached."""
    seeds = sorted({row.estimate.seeds for row in found.rows})
    many = " or ".join(map(str, seeds)) or "no"
    effects = ", ".join(
        f"{metric.short} {found.settings.min_effect[metric.score]:g}" for metric in METRICS
    )
    return (
        f"{found.method}; {100 * found.settings.confidence:g} % for all {len(found.rows)} rows "
        f"together; {many} seeds; same: the whole interval within ± {effects}."
    )


def command(found: Comparison) -> str:
    """Return the command that gives the same report at any time, in any clone."""
    return " ".join(["branchmark compare", found.base.commit, found.head.commit]).strip()


def inputs(changes: Changes) -> list[list[str]]:
    """Return what changed, as rows of what, base and head; long values are cut."""
    rows = [[place, *pair] for place, pair in changes.params.items()]
    rows += [[place, *pair] for place, pair in changes.libraries.items()]
    if changes.data:
        rows.append(["data/prepared", *changes.data])
    rows += [[path, what, ""] for path, what in changes.code.items()]
    return [[escape.cut(text) for text in row] for row in rows]


def title(found: Comparison) -> str:
    """Return ``main (1a2b3c4) → working tree``; a side without a name shows only its hash."""
    return " → ".join(
        side.name if side.commit[:7] in ("", side.name) else f"{side.name} ({side.commit[:7]})"
        for side in (found.base, found.head)
    )


def matrix(rows: Iterable[Row]) -> dict[str, dict[str, Row]]:
    """Return the rows by variant and by the metric's score."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        found.setdefault(row.variant, {})[row.metric.score] = row
    return found


# Terminal


def terminal(
    found: Comparison,
    changes: Changes,
    console: Console,
    pages: PagesOf = nowhere,
    proof: str = "",
    every: bool = False,
) -> None:
    """Print the answer, the matrix and what changed; if `every`, also each row's interval."""
    for sentence in first(found, proof):
        console.print(told(sentence, "bold" if sentence == proof else STYLES[WORSE]))
    console.print(told(title(found), "bold"))
    console.print(told(headline(found), "bold"))
    if found.overall:
        table = plain_table(*summary(found))
        for row in found.overall:
            table.add_row(*map(told, line(row)), style=STYLES[row.verdict])
        console.print(table)
    if found.rows:
        table = plain_table("variant", *(metric.short for metric in METRICS))
        for name, by_score in matrix(found.rows).items():
            shown = [by_score.get(metric.score) for metric in METRICS]
            table.add_row(told(name), *(colored(row, pages) for row in shown))
        console.print(table)
        console.print(told(legend(), "dim"))
    for sentence in warnings(found):
        console.print(told(sentence, STYLES[WORSE]))
    rows = inputs(changes)
    for what, before, after in rows if every else rows[:SHOWN]:
        console.print(told(f"{what}: {before}{f' → {after}' if after else ''}"))
    if len(rows) > SHOWN and not every:
        console.print(told(f"and {len(rows) - SHOWN} more changes: `--all` lists them", "dim"))
    if found.rows and every:
        table = plain_table(*COLUMNS, gap=1)
        for row in found.rows:
            linked = zip([*cells(row)[:-1], mark(row)], pages(row).each(), strict=True)
            texts = [told(text, f"link {url}" if url else "") for text, url in linked]
            table.add_row(*texts, style=STYLES[row.verdict])
        console.print(table)
    if found.rows:
        console.print(Text(method(found), style="dim"))


def told(text: str, style: str = "") -> Text:
    """Return a branch's text, made safe for the terminal."""
    return Text(escape.line(text), style=style)


def plain_table(*columns: str, gap: int = 2) -> Table:
    """Return a narrow table, with a line only below the header and `gap` between columns."""
    return Table(
        *columns, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, gap - 1, 0, 0), show_edge=False
    )


def colored(row: Row | None, pages: PagesOf) -> Text:
    """Return a cell of the matrix, linked to its page if it has one."""
    if row is None:
        return Text()
    url = pages(row).both
    return Text(cell(row), style=STYLES[row.verdict] + (f" link {url}" if url else ""))


# Markdown


def as_markdown(
    found: Comparison, changes: Changes, pages: PagesOf = nowhere, proof: str = ""
) -> str:
    """Return Markdown for a job summary or a comment, with the details folded."""
    safe = escape.markdown
    parts = [f"**{safe(sentence)}**" for sentence in first(found, proof)]
    parts += [f"### {safe(title(found))}", f"**{safe(headline(found))}**"]
    if found.overall:
        lines = [(metric, size, f"**{said}**") for metric, size, said in map(line, found.overall)]
        which, *columns = summary(found)
        parts.append(tables.markdown([safe(which), *columns], lines))
    if found.rows:
        names = ["variant", *(metric.short for metric in METRICS)]
        by_variant = [
            [safe(name), *(cell(by_score.get(metric.score)) for metric in METRICS)]
            for name, by_score in matrix(found.rows).items()
        ]
        parts += [tables.markdown(names, by_variant), legend()]
    if sentences := warnings(found):
        parts.append("\n".join(f"- {safe(sentence)}" for sentence in sentences))
    if rows := inputs(changes):
        changed = [[safe(text) for text in row] for row in rows]
        table = tables.markdown(["changed", "base", "head"], changed)
        parts.append(table if len(rows) <= SHOWN else folded(f"{len(rows)} changes", table))
    if found.rows:
        each = [
            [
                f"[{safe(text)}]({url})" if url else safe(text)
                for text, url in zip(cells(row), pages(row).each(), strict=True)
            ]
            for row in found.rows
        ]
        count = f"{len(each)} rows with their intervals"
        parts.append(folded(count, tables.markdown(COLUMNS, each)))
    how = f": {method(found)}" if found.rows else ""
    return "\n\n".join([*parts, f"<sub>`{command(found)}`{how}</sub>"]) + "\n"


def folded(summary: str, text: str) -> str:
    """Return text that a click unfolds."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n</details>"


# JSON


def as_json(found: Comparison, changes: Changes, pages: PagesOf = nowhere, proof: str = "") -> str:
    """Return everything for other programs, including each seed's values on both sides."""
    content = {
        "base": {"name": found.base.name, "commit": found.base.commit},
        "head": {"name": found.head.name, "commit": found.head.commit},
        "headline": headline(found),
        "overall": [content_of(row) for row in found.overall],
        "changed": [dict(zip(("what", "base", "head"), r, strict=True)) for r in inputs(changes)],
        "proof": proof or None,
        "not_run": not_run(found.head),
        "settings": asdict(found.settings),
        "conflicts": [asdict(each) for each in found.conflicts],
        "rows": [{**content_of(row), "pages": asdict(pages(row))} for row in found.rows],
        "unchanged": found.unchanged,
        "same_numbers": found.same_numbers,
        "unpaired": found.unpaired,
        "incomparable": found.incomparable,
        "diverged": found.diverged,
        "fewer_seeds": found.fewer,
        "added": found.added,
        "removed": found.removed,
        "method": method(found),
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def content_of(row: Row) -> dict[str, Any]:
    """Return a row for JSON, with None for NaN."""
    numbers: Sequence[float] = (
        *row.means, row.estimate.mean, row.interval.low, row.interval.high, row.estimate.scatter,
    )  # fmt: skip
    names = ("base", "head", "difference", "low", "high", "scatter")
    return {
        "variant": row.variant,
        "metric": row.metric.name,
        **{n: None if math.isnan(x) else x for n, x in zip(names, numbers, strict=True)},
        "seeds": row.estimate.seeds,
        "paired": bool(row.seeds),
        "min_effect": row.min_effect,
        "verdict": row.verdict,
        "needed_seeds": row.needed,
        "diverged": dict(zip(("base", "head"), row.diverged, strict=True)),
        "values": dict(zip(("base", "head"), row.values, strict=True)),
    }
