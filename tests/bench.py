"""`make bench`: an epoch in five ways, a training stage by phase, and the whole grid by DVC alone
and by `branchmark repro`.

The ways take turns, some epochs each in every round, so that whatever else the machine does meets
them alike; the medians of the rounds are compared.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from stages.params import schema as params
from stages.data import arrays
from stages.training import epoch, layers
from stages.training.arithmetic import keras, tf
from tests.project import Project

import numpy as np  # isort: skip  (after backend, which tells it to use one thread)

ROOT = Path(__file__).parent.parent
ROUNDS, EPOCHS = 5, 3  # turns of each way, epochs of a turn
STAGE = "train@adam-0.3"
VARIANT = params.load(ROOT / "params.yaml").variant(STAGE)
BATCH = VARIANT.train.batch_size


def fitting(data: arrays.Prepared, **compiled: Any) -> Iterator[None]:
    """Keras' `fit`, as the notebook calls it."""
    network, optimizer = layers.seeded(VARIANT, seed=1)
    network.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], **compiled)
    train, validation = arrays.scaled(data.train), arrays.scaled(data.validation)
    while True:
        network.fit(*train, batch_size=BATCH, epochs=EPOCHS, validation_data=validation, verbose=0)
        yield


class EqualBatches(epoch.WholeEpoch):
    """For XLA, which needs to know the size of each batch: 48,000 rows are 1,500 equal ones."""

    def train_step(self, order: Any) -> dict[str, Any]:
        """As `WholeEpoch`, without a smaller last batch."""
        keras_step = super(epoch.WholeEpoch, self).train_step

        def step(i: Any) -> Any:
            rows = tf.slice(order, [i * BATCH], [BATCH])
            keras_step((tf.gather(self.pixels, rows), tf.gather(self.labels, rows)))
            return i + 1

        tf.while_loop(lambda i: i < order.shape[0] // BATCH, step, [0])
        return self.get_metrics_result()  # type: ignore[no-any-return]


def ours(data: arrays.Prepared) -> Iterator[None]:
    """A whole epoch in one graph call."""
    train, validation = arrays.scaled(data.train), arrays.scaled(data.validation)
    trainer = epoch.compiled(*layers.seeded(VARIANT, seed=1), *train, BATCH)
    return epochs_of(trainer, len(train[1]), validation)


def ours_under_xla(data: arrays.Prepared) -> Iterator[None]:
    """The same, compiled by XLA."""
    train, validation = arrays.scaled(data.train), arrays.scaled(data.validation)
    network, optimizer = layers.seeded(VARIANT, seed=1)
    trainer = EqualBatches(network, *train, BATCH)
    trainer.compile(
        optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=True
    )
    return epochs_of(trainer, len(train[1]), validation)


def epochs_of(trainer: Any, rows: int, validation: Any) -> Iterator[None]:
    """A turn each time."""
    for seed in range(1000):
        epoch.fit(trainer, epoch.orders(rows, EPOCHS, seed), validation, [])
        yield


def products(data: arrays.Prepared) -> Iterator[None]:
    """The six matrix products of every step, in NumPy: two forward, four back."""
    x, _ = arrays.scaled(data.train)
    pixels = x.reshape(len(x), 784)
    random = np.random.default_rng(0)
    w1 = random.random((784, 100), dtype=np.float32)
    w2 = random.random((100, 10), dtype=np.float32)
    error = random.random((BATCH, 10), dtype=np.float32)
    while True:
        for _ in range(EPOCHS):
            for i in range(0, len(pixels) - BATCH + 1, BATCH):
                batch = pixels[i : i + BATCH]
                hidden = batch @ w1
                hidden @ w2
                hidden.T @ error
                back = error @ w2.T
                batch.T @ back
                back @ w1.T
        yield


def epochs(data: arrays.Prepared) -> dict[str, float]:
    """The median seconds of an epoch, by way."""
    ways: dict[str, Iterator[None]] = {
        "the notebook's fit": fitting(data),
        "fit with steps_per_execution=500": fitting(data, steps_per_execution=500),
        "a whole epoch in one call (this project)": ours(data),
        "the same under XLA (other bits)": ours_under_xla(data),
        "the matrix products alone (NumPy)": products(data),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        next(way)  # the first call traces and compiles
    for _ in range(ROUNDS):
        for name, way in ways.items():
            took[name].append(timed(way) / EPOCHS)
    return {name: median(values) for name, values in took.items()}


def timed(way: Iterator[None]) -> float:
    """The seconds that a turn takes."""
    begin = time.perf_counter()
    next(way)
    return time.perf_counter() - begin


def stage() -> tuple[dict[str, float], float, float]:
    """Seconds by phase, all seconds, and peak memory in GB of a training stage, in a
    folder of its own with a store of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for link in ("stages", "data", "params.yaml", "dvc.yaml"):
            (folder / link).symlink_to(ROOT / link)
        uri = f"sqlite:///{folder}/mlflow.db"
        os.environ["MLFLOW_TRACKING_URI"] = uri
        from stages.tracking.store import open_store

        client, experiment = open_store()  # made once for a project, not once for a stage
        command = [sys.executable, "-m", "stages.train", STAGE]
        begin = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)
        total = time.perf_counter() - begin
        assert status == 0, "the stage failed"
        (run,) = client.search_runs([experiment], "tags.`mlflow.runName` = 'adam-0.3'")
    prefix = "system/seconds_"
    found = run.data.metrics.items()
    phases = {name.removeprefix(prefix): value for name, value in found if name.startswith(prefix)}
    phases["exit and the rest"] = total - sum(phases.values())
    return phases, total, usage.ru_maxrss / 1e6


def grid() -> dict[str, tuple[float, float]]:
    """The seconds that all optimizers and dropouts take from the prepared data on, with a quarter
    of the epochs, and those that it takes to find everything up to date (the median of five): by
    DVC alone, and by `branchmark repro`."""
    found = {}
    for program in ("dvc", "branchmark"):
        with tempfile.TemporaryDirectory() as name:
            project = Project(Path(name))
            with project.params() as content:
                content["train"]["epochs"] = 5
            for data in ("raw", "prepared"):
                shutil.copytree(ROOT / "data" / data, project.root / "data" / data)
            project.ok("dvc", "commit", "--force", "fetch", "prepare")
            project.commit("data")
            repro = partial(seconds, project, program, "repro", "train")
            whole = repro()
            project.commit("results")
            repro()  # MLflow learns of the commit
            repro()
            found[program] = whole, median(repro() for _ in range(5))
    return found


def seconds(project: Project, *command: str) -> float:
    """The seconds that a command takes."""
    begin = time.perf_counter()
    project.ok(*command)
    return time.perf_counter() - begin


def main() -> None:
    """Measure and print."""
    console = Console()
    # First the stage: a process counts as its own the memory of the one that started it.
    phases, total, memory = stage()
    found = epochs(arrays.load(ROOT / "data/prepared"))
    mine = found["a whole epoch in one call (this project)"]
    table = Table("an epoch of adam with dropout 0.3, one thread", "seconds", "times ours")
    for name, each in found.items():
        table.add_row(name, f"{each:.3f}", f"{each / mine:.2f}")
    console.print(table)
    table = Table(f"stage {STAGE}", "seconds", "share")
    for name, each in (*phases.items(), ("all", total)):
        table.add_row(name, f"{each:.2f}", f"{100 * each / total:.1f} %")
    console.print(table)
    rest = total - phases["epochs"]
    console.print(f"all that is not epochs: {rest:.2f} s; peak memory {memory:.2f} GB")
    table = Table("14 variants, 5 epochs", "seconds", "up to date")
    for program, (whole, nothing) in grid().items():
        table.add_row(f"{program} repro train", f"{whole:.0f}", f"{nothing:.2f}")
    console.print(table)
    console.print(f"{keras.__name__} {keras.__version__}, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
