"""A Keras callback that writes the history of a training, epoch by epoch, and passes it on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from stages.network.backend import keras
from stages.outputs import history


class Log(keras.callbacks.Callback):  # type: ignore[misc]
    """Collects a row an epoch: seed, epoch (from 1) and Keras' metrics.

    Args:
        seed: stands in each row.
        file: the rows are added to this CSV.
        each: called at the end of every epoch with its number, metrics and seconds.
    """

    def __init__(
        self, seed: int, file: Path, each: Callable[[int, dict[str, float], float], None]
    ) -> None:
        super().__init__()
        self.seed, self.file, self.each = seed, file, each
        self.rows: list[dict[str, float]] = []
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        """Start the clock."""
        self.begin = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Keep, write and pass on what Keras measured."""
        self.seconds.append(time.perf_counter() - self.begin)
        metrics = {name: tidy(value) for name, value in (logs or {}).items()}
        self.rows.append({"seed": self.seed, "epoch": epoch + 1, **metrics})
        history.append(self.rows[-1], self.file)
        self.each(epoch + 1, metrics, self.seconds[-1])

    def first_call(self) -> float:
        """The seconds that the first epoch took longer than the others: tracing its graph."""
        return max(0.0, self.seconds[0] - float(np.median(self.seconds[1:] or self.seconds)))


def tidy(value: float) -> float:
    """The shortest decimal number that is this 32-bit float: 0.86475 for 0.8647500276565552."""
    return float(str(np.float32(value)))
