"""Listen to a training: with MLflow's recorder, the lines on the screen, and the clock."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from stages.core.errors import say
from stages.data.arrays import Prepared
from stages.tracking import is_off, training
from stages.tracking.beside import Beside
from stages.tracking.listener import Listener, Listeners
from stages.tracking.machine import features
from stages.tracking.recorder import LiveRecorder
from stages.training.history import Row
from stages.training.identity import Identity
from stages.training.variants import Variant


@contextmanager
def listeners(
    variant: Variant, data: Prepared, identities: Mapping[int, Identity]
) -> Iterator[Listener]:
    """Listen to a training while the block runs; MLflow's runs end when the block does."""
    clock = Clock()
    if is_off():
        yield Listeners(clock, Lines(identities))
        return
    described = training.of_variant_in_training(variant, identities)
    recorder = LiveRecorder(described, data, clock.seconds)
    # A process that has loaded TensorFlow can fork safely only on Linux
    with Beside(recorder) if sys.platform == "linux" else recorder as listener:
        yield Listeners(clock, Lines(identities), listener)


class Lines:
    """Prints a line for each seed, after a note if other machines would get other results."""

    def __init__(self, identities: Mapping[int, Identity]) -> None:
        from stages.training.arithmetic import another_arithmetic

        self.identities = identities
        if why := another_arithmetic(features()):
            say(
                f"note: {why}, so these results hold on this machine only: `branchmark verify` "
                "gets different ones elsewhere (docs/reproducibility.md)"
            )

    def seed_begins(self, seed: int) -> None:
        """Print nothing yet."""

    def epoch_ends(self, row: Row, seconds: float) -> None:
        """Print nothing: `branchmark repro` reads the progress from the history."""

    def seed_ends(self, seed: int, rows: Sequence[Row], model: Path, origin: str) -> None:
        """Print the last epoch's validation scores and how the seed ended."""
        last = rows[-1]
        how = f"after {last['epoch']} epochs"
        if training.diverged(rows):
            how = f"diverged, {how}"
        if origin:
            how = f"taken over from {origin} ({self.identities[seed].fingerprint[:8]}…)"
        print(
            f"seed {seed}: val_loss {last['val_loss']:.4f}, val_accuracy "
            f"{last['val_accuracy']:.4f} {how}"
        )

    def training_ends(self) -> None:
        """Print nothing more."""


class Clock:
    """Adds up the seconds of each phase of a training, for MLflow: outputs hold no durations.

    `startup` is the time before the first seed, mostly imports. `first_call` is how much longer a
    process's first epoch takes than its second: the time to trace the graph.
    """

    def __init__(self) -> None:
        startup = time.time() - psutil.Process().create_time()
        self.seconds = {"startup": startup, "first_call": 0.0, "epochs": 0.0, "saving": 0.0}
        self.epochs: list[float] = []
        self.last = time.perf_counter()

    def seed_begins(self, seed: int) -> None:
        """Count nothing yet."""

    def epoch_ends(self, row: Row, seconds: float) -> None:
        """Count an epoch."""
        self.epochs.append(seconds)
        if len(self.epochs) == 2:
            self.seconds["first_call"] = max(0.0, self.epochs[0] - seconds)
        self.seconds["epochs"] = sum(self.epochs) - self.seconds["first_call"]
        self.last = time.perf_counter()

    def seed_ends(self, seed: int, rows: Sequence[Row], model: Path, origin: str) -> None:
        """Count the time to save the model; a result taken over has none."""
        if not origin:
            self.seconds["saving"] += time.perf_counter() - self.last

    def training_ends(self) -> None:
        """Count nothing more."""
