"""Score every variant, choose the champion, judge the notebook's claims: `runs/` -> `reports/`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import pandas as pd
from typer import Argument

from stages import params
from stages.core.errors import UserError, run
from stages.core.folders import replaced, write
from stages.data import arrays
from stages.data.arrays import Prepared
from stages.evaluation import claims, scores
from stages.evaluation.results import Result
from stages.tracking.evaluation import recorder
from stages.training import history, result
from stages.training.history import Row
from stages.training.result import Summary
from stages.training.variants import Variant
from stages.vcs import lockfile

if TYPE_CHECKING:
    from stages.evaluation.measure import Measured

PREPARED, RUNS, REPORTS = Path("data/prepared"), Path("runs"), Path("reports")
NOTEBOOK = Path("data/notebook.csv")
LOCK = Path("dvc.lock")


def main(
    only: Annotated[
        list[str] | None,
        Argument(help="Variants; by default all, and the reports on all of them."),
    ] = None,
) -> None:
    """Score every variant, choose the champion, judge the notebook's claims."""
    settings = params.load()
    variants = {variant.name: variant for variant in settings.variants()}
    if unknown := set(only or ()) - variants.keys():
        raise UserError(f"{', '.join(sorted(unknown))}: params.yaml has no such variant")
    chosen = {name: variants[name] for name in only or variants}
    summaries = {name: summary(variant) for name, variant in chosen.items()}
    # Variants with equal results are measured once
    files = {summaries[name].fingerprint: models(variant) for name, variant in chosen.items()}
    with recorder(off=bool(only)) as record:
        measured = measure(arrays.load(PREPARED), files)
        results: dict[str, Result] = {}
        rows: dict[str, list[Row]] = {}
        for name, variant in chosen.items():
            trained, target = summaries[name], settings.target.validation_accuracy
            found, rows[name] = scored(variant, trained, measured[trained.fingerprint], target)
            results[name] = found
            if found.diverged:
                which = f"{len(found.diverged)} of {len(found.seeds)} seeds"
                print(f"{name}: {which} diverged, so it has no mean scores")

        with replaced(REPORTS / "results") as full, replaced(REPORTS / "metrics") as headline:
            for name, found in results.items():
                (full / f"{name}.json").write_text(found.text(), encoding="utf-8")
                (headline / f"{name}.json").write_text(found.headline(), encoding="utf-8")
        if not only:
            remove_former(variants)
            about_all(settings, results, rows, measured)
        record(results)


def measure(
    data: Prepared, files: dict[str, tuple[Variant, list[Path]]]
) -> dict[str, list[Measured]]:
    """Measure each model file, by fingerprint: all at once if seeds share a split, else seed by
    seed."""
    # Here, because MLflow is imported by another process meanwhile
    from stages.evaluation.measure import Measure
    from stages.training import arithmetic

    arithmetic.check_libraries(next(iter(files.values()))[0].libraries)
    if data.split_seed is None:
        return Measure(data).all(files)
    measured: dict[str, list[Measured]] = {name: [] for name in files}
    (seeds,) = {tuple(sorted(variant.train.seeds)) for variant, _ in files.values()}
    for i, seed in enumerate(seeds):
        one = {name: (variant, [models[i]]) for name, (variant, models) in files.items()}
        for name, found in Measure(data.of_seed(seed)).all(one).items():
            measured[name] += found
    return measured


def summary(variant: Variant) -> Summary:
    """Return the summary of a variant's training; raise UserError if its folder is missing."""
    folder = RUNS / variant.name
    if not folder.exists():
        raise UserError(f"{folder}: missing; run `dvc repro {variant.stage}`")
    return Summary.read(folder / result.SUMMARY)


def models(variant: Variant) -> tuple[Variant, list[Path]]:
    """Return a variant and its model files, by seed."""
    folder = RUNS / variant.name
    return variant, [folder / result.model_name(seed) for seed in sorted(variant.train.seeds)]


def scored(
    variant: Variant, summary: Summary, measured: list[Measured], target: float
) -> tuple[Result, list[Row]]:
    """Return a variant's scores, and its history by seed."""
    rows = history.read(RUNS / variant.name / result.HISTORY)
    seeds = {
        seed: scores.of_seed(each.scores, rows[seed], target)
        for seed, each in zip(sorted(variant.train.seeds), measured, strict=True)
    }
    found = Result(summary.fingerprint, seeds, summary.fingerprints)
    return found, [row for seed in sorted(rows) for row in rows[seed]]


def about_all(
    settings: params.Params,
    results: dict[str, Result],
    rows: dict[str, list[Row]],
    measured: dict[str, list[Measured]],
) -> None:
    """Write champion, claims and curves, which need all variants."""
    table = pd.concat(
        pd.DataFrame(rows[name]).assign(variant=name)[["variant", *history.COLUMNS]]
        for name in rows
    )
    champion = scores.champion(results)
    best = results[champion] if champion else None
    content = {
        "variant": champion,
        "validation_accuracy": best and best.mean("validation_accuracy"),
        "test_accuracy": best and best.mean("test_accuracy"),
        "seeds": len(best.seeds) if best else 0,
        "confusion": confusion(measured[best.fingerprint]) if best else None,
    }
    judged = claims.judge(settings, results, table)
    tables = claims.tables(settings, table, pd.read_csv(NOTEBOOK))
    claimed = {"claims": judged, "tables": tables}
    write(REPORTS / "champion.json", json.dumps(content, indent=2, allow_nan=False) + "\n")
    write(REPORTS / "claims.json", json.dumps(claimed, indent=2, allow_nan=False) + "\n")
    write(REPORTS / "curves.csv", table.to_csv(index=False, lineterminator="\n"))


def confusion(measured: list[Measured]) -> list[list[float]]:
    """Return the confusion matrix of all seeds: a row per true class, in percent of it."""
    counts = np.sum([each.confusion for each in measured], axis=0)
    return np.round(100 * counts / counts.sum(axis=1, keepdims=True), 4).tolist()  # type: ignore[no-any-return]


def remove_former(variants: Collection[str]) -> None:
    """Remove the outputs of variants that no longer exist: DVC leaves them, so `runs` would differ
    from that of a fresh clone, which lacks them. Keep what is not DVC's."""
    stages = lockfile.read(LOCK.read_bytes()).stages if LOCK.exists() else {}
    outputs = {out["path"] for stage in stages.values() for out in stage.get("outs", ())}
    for path in RUNS.iterdir():
        if path.name not in variants and path.as_posix() in outputs and path.is_dir():
            shutil.rmtree(path)
            print(
                f"{path}: removed; params.yaml has no such variant, and DVC's cache has its files"
            )


if __name__ == "__main__":
    run(main)
