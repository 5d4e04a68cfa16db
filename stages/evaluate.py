"""Score every variant, choose the champion, judge the notebook's claims: `runs/` -> `reports/`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from typer import Argument

from stages import params
from stages.core.errors import UserError, run
from stages.core.folders import replaced, write
from stages.data import arrays
from stages.evaluation import claims, scores
from stages.evaluation.measure import Guesses, Measure
from stages.evaluation.results import Result
from stages.tracking.evaluation import join
from stages.training import arithmetic, history, result
from stages.training.history import Row
from stages.training.result import Summary
from stages.training.variants import Variant
from stages.vcs import lockfile

RUNS, REPORTS, NOTEBOOK = Path("runs"), Path("reports"), Path("data/notebook.csv")
LOCK = Path("dvc.lock")


def main(
    only: Annotated[
        list[str] | None,
        Argument(help="Variants; by default all, and what is said of all of them."),
    ] = None,
) -> None:
    """Score every variant, choose the champion, judge the notebook's claims."""
    settings = params.load()
    variants = {variant.name: variant for variant in settings.variants()}
    if unknown := set(only or ()) - variants.keys():
        raise UserError(f"{', '.join(sorted(unknown))}: params.yaml has no such variant")
    arithmetic.check_libraries(next(iter(variants.values())).libraries)
    data = arrays.load(Path("data/prepared"))
    measure, target = Measure(data), settings.target.validation_accuracy
    results: dict[str, Result] = {}
    rows: dict[str, list[Row]] = {}
    guesses: dict[str, list[Guesses]] = {}
    for name in only or variants:
        results[name], rows[name], guesses[name] = evaluated(variants[name], measure, target)

    with replaced(REPORTS / "results") as full, replaced(REPORTS / "metrics") as headline:
        for name, found in results.items():
            (full / f"{name}.json").write_text(found.text(), encoding="utf-8")
            (headline / f"{name}.json").write_text(found.headline(), encoding="utf-8")
    if not only:
        remove_former(variants)
        about_all(settings, results, rows, guesses, data)
        join(results)


def evaluated(
    variant: Variant, measure: Measure, target: float
) -> tuple[Result, list[Row], list[Guesses]]:
    """Return the scores of a variant, its history and its guesses on test, seed by seed."""
    folder = RUNS / variant.name
    if not folder.exists():
        raise UserError(f"{folder}: missing; run `dvc repro {variant.stage}`")
    summary, rows = Summary.read(folder / result.SUMMARY), history.read(folder / result.HISTORY)
    by_seed, guesses = {}, []
    for seed in sorted(variant.train.seeds):
        measured, guessed = measure(variant, folder / result.model_name(seed))
        by_seed[seed] = scores.of_seed(measured, rows[seed], target)
        guesses.append(guessed)
    found = Result(summary.fingerprint, by_seed, summary.fingerprints)
    return found, [row for seed in sorted(rows) for row in rows[seed]], guesses


def about_all(
    settings: params.Params,
    results: dict[str, Result],
    rows: dict[str, list[Row]],
    guesses: dict[str, list[Guesses]],
    data: arrays.Prepared,
) -> None:
    """Write what is said of all variants together."""
    table = pd.concat(
        pd.DataFrame(rows[name]).assign(variant=name)[["variant", *history.COLUMNS]]
        for name in rows
    )
    champion = scores.champion(results)
    content = {
        "variant": champion,
        "validation_accuracy": results[champion].mean("validation_accuracy"),
        "test_accuracy": results[champion].mean("test_accuracy"),
        "seeds": len(results[champion].seeds),
        "confusion": confusion(guesses[champion], data.test.labels),
    }
    judged = claims.judge(settings, results, table)
    tables = claims.tables(settings, table, pd.read_csv(NOTEBOOK))
    claimed = {"claims": judged, "tables": tables}
    write(REPORTS / "champion.json", json.dumps(content, indent=2) + "\n")
    write(REPORTS / "claims.json", json.dumps(claimed, indent=2) + "\n")
    write(REPORTS / "curves.csv", table.to_csv(index=False, lineterminator="\n"))


def confusion(guesses: list[Guesses], labels: arrays.Labels) -> list[list[float]]:
    """Return the mean confusion matrix of the seeds: percent of the true class, a row each."""
    counts = np.zeros((10, 10))
    for guessed in guesses:
        np.add.at(counts, (labels, guessed), 1)
    return np.round(100 * counts / counts.sum(axis=1, keepdims=True), 4).tolist()  # type: ignore[no-any-return]


def remove_former(variants: Collection[str]) -> None:
    """Remove the outputs of variants that are no more: DVC leaves them, and a fresh clone, where
    they are not, would have another `runs` than this stage took. What is not of DVC stays."""
    stages = lockfile.stages(LOCK.read_text(encoding="utf-8")) if LOCK.exists() else {}
    outputs = {out["path"] for stage in stages.values() for out in stage.get("outs", ())}
    for path in RUNS.iterdir():
        if path.name not in variants and path.as_posix() in outputs and path.is_dir():
            shutil.rmtree(path)
            print(
                f"{path}: removed; params.yaml has no such variant, and DVC's cache has its files"
            )


if __name__ == "__main__":
    run(main)
