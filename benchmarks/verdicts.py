"""How often verdicts are right, on real trainings: `python -m benchmarks.verdicts`.

`train` trains 40 seeds of three variants whose seeds scatter by different amounts, and some with a
split for each seed; it may be ended at any time and goes on where it was. `table` draws seeds out
of those and prints how often each verdict is wrong; docs/verdicts.md has what it printed.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from stages.data import arrays
from stages.data.arrays import Prepared
from stages.params import schema as params
from stages.training import history
from stages.training.history import Row
from stages.training.trainer import Trainer

VARIANTS = {"sgd-0.0": "train", "adam-0.0": "train", "batch_normalization": "study"}
FIXED, PER_SEED = range(1, 41), range(1, 11)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def train(
    folder: Annotated[Path, typer.Argument(help="Where histories are kept.")],
    prepared: Path = Path("data/prepared"),
    minutes: Annotated[float, typer.Option(help="After which no further seed is begun.")] = 600,
) -> None:
    """Train what is not there yet, seed by seed."""
    end, data = time.monotonic() + 60 * minutes, arrays.load(prepared)
    trainers: dict[str, Trainer] = {}
    settings = params.load()
    work = [(s, n, data) for s in FIXED for n in VARIANTS]
    free = replace(data, split_seed=settings.prepare.split_seed)
    work[15:15] = [(s, n, free) for s in PER_SEED for n in ("sgd-0.0", "adam-0.0") if s < 6]
    work += [(s, n, free) for s in PER_SEED for n in VARIANTS]
    for seed, name, splits in work:
        file = kept(folder, name, splits)
        if file.exists() and seed in history.read(file):
            continue
        if time.monotonic() > end:
            return
        variant = settings.variant(f"{VARIANTS[name]}@{name}")
        if splits.split_seed is not None or name not in trainers:
            trainer = Trainer(variant, splits.of_seed(seed))
        else:
            trainer = trainers[name]
        if splits.split_seed is None:
            trainers[name] = trainer
        begin = time.monotonic()
        rows: list[Row] = trainer.train(seed, None, Path(os.devnull), lambda *_: None)
        file.parent.mkdir(parents=True, exist_ok=True)
        history.append(rows, file)
        print(f"{file.stem} {seed}: {time.monotonic() - begin:.0f} s", flush=True)


def kept(folder: Path, name: str, data: Prepared) -> Path:
    """Return the history of a variant, with the split of all seeds or one for each."""
    return folder / f"{name}{'' if data.split_seed is None else '.per_seed'}.csv"


if __name__ == "__main__":
    app()
