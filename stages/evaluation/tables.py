"""Write the results as Markdown tables into docs/results.md."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from stages.core.errors import UserError
from stages.core.folders import write
from stages.evaluation import intervals, results, verdicts
from stages.evaluation.results import Result
from stages.params.schema import Params

PAGE, REPORTS = Path("docs/results.md"), Path("reports")
COLUMNS = {  # scores, with the decimals to print
    "validation_accuracy": 4,
    "test_accuracy": 4,
    "loss_gap": 3,
    "evaluated_gap": 3,
    "best_epoch": 1,
    "epochs_to_target": 1,
}


def blocks(params: Params, reports: Path = REPORTS) -> dict[str, str]:
    """Return the parts of docs/results.md that come from the reports, by name.

    Raises:
        UserError: there are no results yet, or a variant has none.
    """
    for file in ("results", "champion.json", "claims.json"):
        if not (reports / file).exists():
            raise UserError(f"{reports / file}: no results yet; run `dvc repro`")
    found = results.read(reports / "results")
    champion = json.loads((reports / "champion.json").read_text(encoding="utf-8"))["variant"]
    judged = json.loads((reports / "claims.json").read_text(encoding="utf-8"))
    if missing := [v.name for v in params.variants() if v.name not in found]:
        raise UserError(f"{reports}: no results of {', '.join(missing)} yet; run `dvc repro`")
    return {
        "results": grid(params, found, champion),
        "studies": studies(params, found, champion),
        "claims": claims(params, judged["claims"]),
        "tables": tables(params, judged["tables"]),
    }


def grid(params: Params, found: Mapping[str, Result], champion: str | None) -> str:
    """Return a row for each optimizer and dropout, and what the columns mean."""
    names = [variant.name for variant in params.variants() if variant.study == "grid"]
    target = params.target.validation_accuracy
    text = (
        f"Mean ± standard deviation of {len(params.train.seeds)} seeds after the last epoch. Loss "
        "gap: validation loss minus training loss as the notebook plots them, the latter measured "
        "with Dropout on; evaluated gap: the same of the finished network, Dropout off. Best "
        "epoch: the one with the lowest validation loss. Epochs to target: the first epoch with a "
        f"validation accuracy of {target}; if some seeds never reach it, those that do are listed. "
    )
    if champion:
        accuracy = cell(found[champion], "test_accuracy", 4)
        text += f"Champion, chosen on validation: **{champion}**, test accuracy {accuracy}."
    else:
        text += "No champion: every variant has a seed that diverged."
    return (
        markdown(header(target), [row(name, found, champion) for name in names])
        + "\n"
        + text
        + "\n"
    )


def studies(params: Params, found: Mapping[str, Result], champion: str | None) -> str:
    """Return a row for each variant of the studies, and one for the base that they change."""
    base = f"{params.base.optimizer}-{params.base.dropout}"
    variants = {variant.name: variant for variant in params.variants()}
    rows = [["(base)", *row(base, found, champion)]] if base in variants else []
    names = dict.fromkeys(v.study for v in variants.values() if v.study != "grid")
    rows += [
        [study, *row(v.name, found, champion)]
        for study in names
        for v in variants.values()
        if v.study == study
    ]
    return markdown(["study", *header(params.target.validation_accuracy)], rows)


def header(target: float) -> list[str]:
    """Return the column titles for `row`."""
    scores = ["variant", "validation accuracy", "test accuracy", "loss gap", "evaluated gap"]
    return [*scores, "best epoch", f"epochs to {target}"]


def row(name: str, found: Mapping[str, Result], champion: str | None) -> list[str]:
    """Return the scores of a variant, the champion's in bold."""
    cells = [name, *(cell(found[name], score, digits) for score, digits in COLUMNS.items())]
    bold = "**" if name == champion else ""
    return [f"{bold}{text}{bold}" for text in cells]


def cell(found: Result, score: str, digits: int) -> str:
    """Return ``0.8912 ± 0.0021``. If seeds diverged, return how many; if there is no mean for
    another reason, the values that there are: ``2 of 5: 18, 19``, or ``never``."""
    if found.diverged:
        return f"diverged: {len(found.diverged)} of {len(found.seeds)}"
    mean, values = found.mean(score), found.values(score)
    if mean is not None:
        return f"{mean:.{digits}f} ± {found.deviation(score):.{digits}f}"
    known = [f"{value:g}" for value in values if value is not None]
    return f"{len(known)} of {len(values)}: {', '.join(known)}" if known else "never"


def claims(params: Params, rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a row for each claim, and the method in words."""
    confidence = f"{100 * params.compare.confidence:g} %"
    lines = [
        [
            name.split()[0],
            claim["says"],
            claim["measure"],
            interval(claim),
            str(claim["seeds"]),
            judged(claim),
        ]
        for name, claim in rows.items()
    ]
    columns = ["", "the notebook says", "measured", "mean [interval]", "seeds", "verdict"]
    method = (intervals.__doc__ or "").split("The method, in words:\n\n")[1]
    note = (
        f"Intervals: {confidence} for all of one number together, {intervals.CORRECTION}. "
        f"A seed that never reaches the target counts as epoch {params.train.epochs + 1}. "
        "In words:\n\n"
    )
    return markdown(columns, lines) + "\n" + note + method


def judged(claim: Mapping[str, Any]) -> str:
    """Return the verdict, such as ``**cannot tell**, about 38 seeds would``. If a claim fails
    because the difference is too small to matter, say so."""
    verdict = f"**{claim['verdict']}**"
    if claim["verdict"] == verdicts.UNKNOWN:
        return f"{verdict}, {verdicts.many(claim['needed'])} seeds would"
    effect, low, high = (claim[name] for name in ("min_effect", "low", "high"))
    if (
        claim["verdict"] == verdicts.FAILS
        and effect is not None
        and -effect <= low <= high <= effect
    ):
        return f"{verdict}: the same, within ±{effect:g}"
    return verdict


def interval(found: Mapping[str, Any]) -> str:
    """Return ``+0.12 [-0.03, +0.27]``; values that are no difference get no plus sign."""
    sign = "" if None not in found["true"] else "+"
    form = f"{sign}.{found['digits']}f"
    if found["low"] is None:
        return f"{found['mean']:{form}} (a single seed has no interval)"
    return f"{found['mean']:{form}} [{found['low']:{form}}, {found['high']:{form}}]"


def tables(params: Params, found: Mapping[str, Any]) -> str:
    """Return the notebook's numbers, each with the range where one more of our runs would be."""
    rows, epochs, lines = [], [], []
    for name, table in found.items():
        for curve, group in groupby(table["rows"], key=lambda each: each["curve"]):
            line = list(group)
            epochs = [each["epoch"] for each in line]
            rows.append([name, curve, *(beside(each) for each in line)])
        many = len(table["rows"])
        lines.append(
            f"- {name}: {table['inside']} of {many} numbers inside; that the notebook's run "
            f"is one like ours **{table['verdict']}**."
        )
    confidence = f"{100 * params.compare.confidence:g} %"
    note = (
        f"± is where one more run falls with {confidence} (Student's t prediction interval); "
        f"the verdict allows for the many numbers of a table ({intervals.CORRECTION}).\n"
    )
    columns = ["variant", "curve", *(f"epoch {epoch}" for epoch in epochs)]
    return markdown(columns, rows) + "\n" + "\n".join(lines) + "\n\n" + note


def beside(found: Mapping[str, Any]) -> str:
    """Return ``0.3954 in 0.4021 ± 0.0310``, or in bold with ``not in`` if it is outside."""
    if found["low"] is None:
        return f"{found['notebook']:.4f}, ours {found['mean']:.4f}"
    half = (found["high"] - found["low"]) / 2
    ours = f"{found['mean']:.4f} ± {half:.4f}"
    value = f"{found['notebook']:.4f}"
    return f"{value} in {ours}" if found["inside"] else f"**{value} not in {ours}**"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in GitHub's Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def update(page: Path, found: Mapping[str, str]) -> bool:
    """Put each of `blocks` between its markers in a page; return whether the page changed.

    Raises:
        UserError: the page lacks a marker.
    """
    old = new = page.read_text(encoding="utf-8")
    for name, text in found.items():
        begin, end = f"<!-- {name}: written by `branchmark results` -->\n", f"<!-- /{name} -->"
        if begin not in new or end not in new:
            raise UserError(f"{page}: {begin.strip()!r} or {end!r} is missing; put it back")
        head, rest = new.split(begin, 1)
        new = f"{head}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}"
    if new != old:
        write(page, new)
    return new != old
