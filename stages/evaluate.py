"""Score every variant and choose the champion: `runs/` -> `reports/`."""

from __future__ import annotations

import json
from pathlib import Path

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
from stages.review import charts, scores
from stages.tracking.join import join

RUNS, REPORTS = Path("runs"), Path("reports")


def main() -> None:
    """Score every variant and choose the champion."""
    settings = params.load()
    variants = settings.variants()
    backend.check_libraries(variants[0].libraries)
    names = [variant.name for variant in variants]
    data = arrays.load(Path("data/prepared"))
    splits = {split: arrays.scaled(getattr(data, split)) for split in scores.SPLITS}
    sweep(RUNS, keep=names)

    metrics, found, curves, confusions = {}, {}, [], {}
    for name in track(names, description="evaluate"):
        folder = RUNS / name
        if not folder.exists():
            raise UserError(f"{folder}: missing; run `dvc repro train@{name}`")
        table = history.read(folder / "history.csv")
        by_seed, matrices = {}, []
        for seed in settings.train.seeds:
            network = keras_file.load(folder / f"seed-{seed}.keras")
            network.layers[-1].activation = None  # logits instead of probabilities
            logits = {
                split: network.predict(pixels, batch_size=10_000, verbose=0)
                for split, (pixels, _) in splits.items()
            }
            by_split = {s: scores.score(logits[s], splits[s][1]) for s in splits}
            by_seed[seed] = scores.of_seed(by_split, table[table["seed"] == seed])
            guessed, labels = logits["test"].argmax(axis=1), splits["test"][1]
            matrices.append(confusion_matrix(labels, guessed, labels=range(10), normalize="true"))
        fingerprint = json.loads((folder / "summary.json").read_text())["fingerprint"]
        summary = scores.summary(list(by_seed.values()))
        metrics[scores.key(name)] = {"fingerprint": fingerprint, **summary}
        found[name] = (fingerprint, by_seed)
        curves.append(table.assign(variant=name)[["variant", *history.COLUMNS]])
        confusions[name] = 100 * np.mean(matrices, axis=0)

    champion = scores.champion({name: metrics[scores.key(name)] for name in names})
    report = {"champion": scores.praise(champion, metrics), **metrics}
    table = pd.concat(curves)
    grid = {
        o: {str(d): scores.key(f"{o}-{d}") for d in settings.dropouts} for o in settings.optimizers
    }
    groups = {f"{o}-{d}": (o, str(d)) for o in settings.optimizers for d in settings.dropouts}
    title = f"Test split, champion {champion} (mean of {len(settings.train.seeds)} seeds)"
    write(REPORTS / "metrics.json", json.dumps(report, indent=2) + "\n")
    write(REPORTS / "curves.csv", table.to_csv(index=False, lineterminator="\n"))
    write(REPORTS / "validation.png", charts.curves(table, groups))
    write(REPORTS / "overfitting.png", charts.gaps(metrics, grid))
    write(REPORTS / "confusion.png", charts.confusion(confusions[champion], arrays.CLASSES, title))
    join(found)


if __name__ == "__main__":
    run(main)
