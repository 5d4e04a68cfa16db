"""How often `compare` cries wolf, and what it finds: `python -m benchmarks.false_alarms`.

Trains one variant with 20 seeds, for real, and compares disjoint sets of five of them with each
other, many times over: nothing differs but luck, so every *better* or *worse* is a false alarm.
The same with dropout 0.3 against 0.0 shows whether a real effect on the loss gap is found.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.progress import track

from stages.compare.comparison import METRICS, Row, Settings, judged
from stages.data import arrays
from stages.evaluation.intervals import STEPS, of_pairs
from stages.evaluation.verdicts import BETTER, WORSE
from stages.params import schema as params
from stages.training import epoch, layers
from stages.training.trainer import Log, scaled

SEEDS, SET, RESAMPLINGS = 20, 5, 1000
BASE, CHANGED = "train@adam-0.0", "train@adam-0.3"
Table = dict[str, list[float]]  # by metric, the values of the seeds


def trained(stage: str) -> Table:
    """The judged metrics of `SEEDS` trainings of a variant."""
    settings = params.load()
    variant = settings.variant(stage)
    data = arrays.load(Path("data/prepared"))
    train, validation = scaled(data.train), scaled(data.validation)
    trainer = epoch.compiled(*layers.seeded(variant, 0), *train, variant.train.batch_size)
    found: Table = {metric.name: [] for metric in METRICS}
    for seed in track(range(1, SEEDS + 1), description=stage):
        log = Log(seed, Path(os.devnull), each_epoch=lambda *_: None)
        epoch.restart(trainer, *layers.seeded(variant, seed))
        order = epoch.orders(len(train[1]), variant.train.epochs, seed)
        epoch.fit(trainer, order, validation, [log])
        table = pd.DataFrame(log.rows)
        last = table.iloc[-1]
        reached = table["epoch"][table["val_accuracy"] >= settings.target.validation_accuracy]
        values = {
            "validation accuracy": 100 * last["val_accuracy"],
            "validation loss": last["val_loss"],
            "loss gap": last["val_loss"] - last["loss"],
            "epochs to target": reached.iloc[0] if len(reached) else variant.train.epochs + 1,
        }
        for name, value in values.items():
            found[name].append(float(value))
    return found


def rows(base: Table, head: Table, before: Any, after: Any) -> list[Row]:
    """A comparison of the seeds `before` of one table with the seeds `after` of the other."""
    made = []
    for metric in METRICS:
        one = [base[metric.name][i] for i in before]
        other = [head[metric.name][i] for i in after]
        made.append(Row("", ("", ""), metric, ({}, {}), of_pairs(one, other, STEPS[metric.score])))
    compare = params.load().compare
    return judged(made, Settings(compare.confidence, compare.min_effect.model_dump()))


def main() -> None:
    """Train, resample, and print the two rates."""
    base, changed = trained(BASE), trained(CHANGED)
    random = np.random.default_rng(0)
    alarms = found = 0
    for _ in range(RESAMPLINGS):
        chosen = random.permutation(SEEDS)
        one, other = chosen[:SET], chosen[SET : 2 * SET]
        alarms += any(row.verdict in (BETTER, WORSE) for row in rows(base, base, one, other))
        effect = {row.metric.name: row.verdict for row in rows(base, changed, one, one)}
        found += effect["loss gap"] == "better"
    print(f"{RESAMPLINGS} resamplings of {SET} seeds out of {SEEDS}, {len(METRICS)} metrics each")
    print(f"{BASE} against itself, disjoint seeds: an alarm in {alarms / RESAMPLINGS:.1%}")
    print(f"{CHANGED} against {BASE}: the smaller loss gap is found in {found / RESAMPLINGS:.1%}")


if __name__ == "__main__":
    main()
