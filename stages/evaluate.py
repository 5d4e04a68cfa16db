"""Score every variant, choose the champion, judge the notebook's claims: `runs/` -> `reports/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.progress import track
from sklearn.metrics import confusion_matrix

from stages import params
from stages.data import arrays
from stages.errors import UserError, run
from stages.network import backend
from stages.outputs import history, keras_file
from stages.outputs.folder import sweep, write
from stages.params import Variant
from stages.review import charts, claims, forest, formulas, scores
from stages.tracking.join import join

RUNS, REPORTS, NOTEBOOK = Path("runs"), Path("reports"), Path("data/notebook.csv")


def main() -> None:
    """Score every variant, choose the champion, judge the notebook's claims."""
    settings = params.load()
    variants = settings.variants()
    backend.check_libraries(variants[0].libraries)
    data = arrays.load(Path("data/prepared"))
    splits = {split: arrays.scaled(getattr(data, split)) for split in scores.SPLITS}
    sweep(RUNS, keep=[variant.name for variant in variants])

    metrics, found, curves, confusions = {}, {}, [], {}
    for variant in track(variants, description="evaluate"):
        name = variant.name
        table, fingerprint = outputs(variant)
        target = settings.target.validation_accuracy
        by_seed, confusions[name] = evaluated(variant, table, splits, target)
        summary = scores.summary(list(by_seed.values()))
        metrics[scores.key(name)] = {"fingerprint": fingerprint, **summary}
        found[name] = (fingerprint, by_seed)
        curves.append(table.assign(variant=name)[["variant", *history.COLUMNS]])

    champion = scores.champion({v.name: metrics[scores.key(v.name)] for v in variants})
    report = {"champion": scores.praise(champion, metrics), **metrics}
    table = pd.concat(curves)
    judged = claims.judge(settings, metrics, table)
    tables = claims.tables(settings, table, pd.read_csv(NOTEBOOK))
    title = f"Test split, champion {champion} (mean of {len(settings.train.seeds)} seeds)"
    pictures = {
        "validation": charts.curves(table, settings),
        "studies": charts.studies(table, settings),
        "overfitting": charts.gaps(metrics, settings),
        "confusion": charts.confusion(confusions[champion], arrays.CLASSES, title),
        "claims": forest.claims(judged),
        "activations": formulas.picture(),
    }
    write(REPORTS / "metrics.json", json.dumps(report, indent=2) + "\n")
    said = {"claims": judged, "tables": tables}
    write(REPORTS / "claims.json", json.dumps(said, indent=2) + "\n")
    write(REPORTS / "curves.csv", table.to_csv(index=False, lineterminator="\n"))
    for name, picture in pictures.items():
        write(REPORTS / f"{name}.png", picture)
    join(found)


def outputs(variant: Variant) -> tuple[pd.DataFrame, str]:
    """The history and the fingerprint that the training left."""
    folder = RUNS / variant.name
    if not folder.exists():
        raise UserError(f"{folder}: missing; run `dvc repro {variant.stage}`")
    fingerprint = json.loads((folder / "summary.json").read_text())["fingerprint"]
    return history.read(folder / "history.csv"), str(fingerprint)


def evaluated(
    variant: Variant, table: pd.DataFrame, splits: dict[str, Any], target: float
) -> tuple[dict[int, Any], Any]:
    """The scores of each seed, and the mean confusion matrix on test in percent of each class."""
    by_seed, matrices = {}, []
    for seed in variant.train.seeds:
        network = keras_file.load(RUNS / variant.name / f"seed-{seed}.keras")
        network.layers[-1].activation = None  # logits instead of probabilities
        logits = {
            split: network.predict(pixels, batch_size=10_000, verbose=0)
            for split, (pixels, _) in splits.items()
        }
        by_split = {s: scores.score(logits[s], splits[s][1]) for s in splits}
        by_seed[seed] = scores.of_seed(by_split, table[table["seed"] == seed], target)
        guessed, labels = logits["test"].argmax(axis=1), splits["test"][1]
        matrices.append(confusion_matrix(labels, guessed, labels=range(10), normalize="true"))
    return by_seed, 100 * np.mean(matrices, axis=0)


if __name__ == "__main__":
    run(main)
