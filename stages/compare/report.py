"""A comparison as text: for the terminal, as Markdown for a pull request, as JSON."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stages.compare.changes import Changes
from stages.compare.comparison import BETTER, FEW, METHOD, NOISE, WORSE, Comparison, Row
from stages.evaluation.tables import markdown

MARKS = {BETTER: "▲", WORSE: "▼", NOISE: "·", FEW: "?"}
STYLES = {BETTER: "bold blue", WORSE: "bold dark_orange", NOISE: "dim", FEW: "dim"}
SAME = "with the same fingerprint and other numbers"
COLUMNS = ("variant", "metric", "base", "head", "difference [interval]", "verdict")


@dataclass(frozen=True)
class Pages:
    """Where a row leads to in MLflow: the run of each side, and both compared; None: nowhere."""

    base: str | None = None
    head: str | None = None
    both: str | None = None

    def each(self) -> tuple[str | None, ...]:
        """For the cells of a row, in the order of `COLUMNS`."""
        return (None, None, self.base, self.head, None, self.both)


PagesOf = Callable[[Row], Pages]


def nowhere(row: Row) -> Pages:
    """Without a store there are no pages."""
    return Pages()


def cells(row: Row) -> list[str]:
    """A row of the table."""
    digits = row.metric.digits
    interval = row.interval
    difference = f"{interval.mean:+.{digits}f}"
    if not math.isnan(interval.low):
        difference += f" [{interval.low:+.{digits}f}, {interval.high:+.{digits}f}]"
    means = [f"{value:.{digits}f}" for value in (row.base, row.head)]
    verdict = f"{MARKS[row.verdict]} {row.verdict}"
    return [row.variant, row.metric.name, *means, difference, verdict]


def headline(found: Comparison) -> str:
    """The answer in one line: ``3 better, 1 worse, 48 within noise``."""
    count = Counter(row.verdict for row in found.rows)
    parts = [variants(len(found.conflicts), SAME)] if found.conflicts else []
    parts += [f"{count[verdict]} {verdict}" for verdict in MARKS if count[verdict]]
    others = {
        "unchanged": found.unchanged,
        "without a common seed": found.unpaired,
        "added": found.added,
        "removed": found.removed,
    }
    parts += [variants(len(names), what) for what, names in others.items() if names]
    return ", ".join(parts) or "no variant in common"


def variants(count: int, what: str) -> str:
    """``1 variant added``, ``2 variants added``."""
    return f"{count} variant{'s' * (count != 1)} {what}"


def conflicts(found: Comparison) -> list[str]:
    """A sentence for each result whose numbers are not to be believed."""
    return [
        f"{each.variant}: same fingerprint, other numbers: {each.score} of seed {each.seed} is "
        f"{each.base} in {found.base.name} and {each.head} in {found.head.name}"
        for each in found.conflicts
    ]


def method(found: Comparison) -> str:
    """How the verdicts came about."""
    seeds = sorted({row.interval.seeds for row in found.rows})
    many = " or ".join(map(str, seeds)) or "no"
    return (
        f"{METHOD}; {100 * found.confidence:g} % for all {len(found.rows)} rows together; {many} "
        f"seeds; accuracy differences below {found.min_effect:g} points count as noise."
    )


def command(found: Comparison) -> str:
    """What gives the same report at any time, in any clone."""
    return " ".join(["branchmark compare", found.base.commit, found.head.commit]).strip()


def inputs(changes: Changes) -> list[list[str]]:
    """What changed, as rows: what, base, head."""
    rows = [[place, *pair] for place, pair in changes.params.items()]
    rows += [[place, *pair] for place, pair in changes.libraries.items()]
    if changes.data:
        rows.append(["data/prepared", *changes.data])
    return rows + [[path, what, ""] for path, what in changes.code.items()]


def title(found: Comparison) -> str:
    """``main (1a2b3c4) → working tree``; a commit without a name stands there once."""
    return " → ".join(
        side.name if side.commit[:7] in ("", side.name) else f"{side.name} ({side.commit[:7]})"
        for side in (found.base, found.head)
    )


def terminal(
    found: Comparison,
    changes: Changes,
    console: Console,
    pages: PagesOf = nowhere,
    proof: str = "",
) -> None:
    """Print tables of what changed and of the verdicts."""
    if proof:
        console.print(Text(proof, style="bold"))
    console.print(Text(title(found), style="bold"))
    if rows := inputs(changes):
        table = Table("changed", "base", "head")
        for line in rows:
            table.add_row(*map(Text, line))
        console.print(table)
    if found.rows:
        table = Table(*COLUMNS)
        for row in found.rows:
            linked = zip(cells(row), pages(row).each(), strict=True)
            texts = [Text(cell, style=f"link {url}" if url else "") for cell, url in linked]
            table.add_row(*texts, style=STYLES[row.verdict])
        console.print(table)
    for name, keys in (("added", found.added), ("removed", found.removed)):
        if keys:
            console.print(Text(f"{name}: {', '.join(keys)}"))
    for conflict in conflicts(found):
        console.print(Text(conflict, style=STYLES[WORSE]))
    console.print(Text(headline(found), style="bold"))
    console.print(Text(method(found), style="dim"))


def as_markdown(
    found: Comparison, changes: Changes, pages: PagesOf = nowhere, proof: str = ""
) -> str:
    """For a job summary or a comment: what was proved and the answer first, tables below."""
    parts = [f"**{proof}**"] if proof else []
    parts += [f"### {title(found)}", f"**{headline(found)}**"]
    if found.conflicts:
        parts.append("\n".join(f"- {line}" for line in conflicts(found)))
    decided = [row for row in found.rows if row.verdict in (BETTER, WORSE)]
    rest = [row for row in found.rows if row.verdict not in (BETTER, WORSE)]
    if decided:
        parts.append(table(decided, pages))
    if rest:
        noise = f"<details><summary>{len(rest)} rows within noise</summary>\n\n"
        parts.append(f"{noise}{table(rest, pages)}\n</details>")
    if rows := inputs(changes):
        lines = [[f"`{what}`", before, after] for what, before, after in rows]
        parts.append(markdown(["changed", "base", "head"], lines))
    for name, keys in (("Added", found.added), ("Removed", found.removed)):
        if keys:
            parts.append(f"{name}: {', '.join(keys)}")
    return "\n\n".join([*parts, f"<sub>`{command(found)}`: {method(found)}</sub>"]) + "\n"


def table(rows: Sequence[Row], pages: PagesOf) -> str:
    """Rows as a Markdown table."""
    lines = [
        [
            f"[{cell}]({url})" if url else cell
            for cell, url in zip(cells(row), pages(row).each(), strict=True)
        ]
        for row in rows
    ]
    return markdown(COLUMNS, lines)


def as_json(found: Comparison, changes: Changes, pages: PagesOf = nowhere, proof: str = "") -> str:
    """Everything, for other programs."""
    rows: list[dict[str, Any]] = [
        {
            "variant": row.variant,
            "metric": row.metric.name,
            "base": row.base,
            "head": row.head,
            "difference": row.interval.mean,
            "low": None if math.isnan(row.interval.low) else row.interval.low,
            "high": None if math.isnan(row.interval.high) else row.interval.high,
            "seeds": row.interval.seeds,
            "verdict": row.verdict,
            "pages": asdict(pages(row)),
        }
        for row in found.rows
    ]
    content = {
        "base": {"name": found.base.name, "commit": found.base.commit},
        "head": {"name": found.head.name, "commit": found.head.commit},
        "changed": [dict(zip(("what", "base", "head"), r, strict=True)) for r in inputs(changes)],
        "headline": headline(found),
        "proof": proof or None,
        "conflicts": [asdict(each) for each in found.conflicts],
        "rows": rows,
        "unchanged": found.unchanged,
        "unpaired": found.unpaired,
        "added": found.added,
        "removed": found.removed,
        "method": method(found),
    }
    return json.dumps(content, indent=2) + "\n"
