"""A variant's training: one graph, and one seed after the other through it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from stages.data.arrays import Prepared, Split
from stages.training import epoch, history, layers, model_file
from stages.training.arithmetic import keras, tf
from stages.training.history import Row
from stages.training.variants import Variant

EachEpoch = Callable[[Row, float], None]


def scaled(split: Split) -> tuple[Any, Any]:
    """Return pixels between 0 and 1 as the notebook has them, float32 of shape (n, 28, 28), and
    labels, uint8 of shape (n,), as tensors."""
    return tf.cast(split.images, tf.float32) / np.float32(255), tf.constant(split.labels)


class Trainer:
    """Trains the seeds of a variant; `network` is that of the last one.

    Args:
        variant: the resolved parameters.
        data: the prepared data; its test split is not looked at.
    """

    def __init__(self, variant: Variant, data: Prepared) -> None:
        self.variant, self.rows = variant, len(data.train.labels)
        self.network, optimizer = layers.seeded(variant, seed=0)
        train, batch_size = scaled(data.train), variant.train.batch_size
        self.trainer = epoch.compiled(self.network, optimizer, *train, batch_size)
        self.validation = scaled(data.validation)

    def train(self, seed: int, source: Path | None, file: Path, each_epoch: EachEpoch) -> list[Row]:
        """Train one seed and return its history.

        Args:
            seed: decides initial weights, order of rows and Dropout.
            source: the model whose hidden layers it begins with.
            file: the history is added to this CSV as it comes about.
            each_epoch: is told of each epoch and its seconds.
        """
        network, optimizer = layers.seeded(self.variant, seed)
        if source:
            layers.take_over(network, model_file.load(source))
        epoch.restart(self.trainer, network, optimizer)
        order = epoch.orders(self.rows, self.variant.train.epochs, seed)
        log = Log(seed, file, each_epoch)
        epoch.fit(self.trainer, order, self.validation, [log])
        return log.rows


class Log(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps a row an epoch, writes it to a file and passes it on."""

    def __init__(self, seed: int, file: Path, each_epoch: EachEpoch) -> None:
        super().__init__()
        self.seed, self.file, self.each_epoch = seed, file, each_epoch
        self.rows: list[Row] = []

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        """Start the clock."""
        self.begin = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep, write and pass on what Keras measured."""
        seconds = time.perf_counter() - self.begin
        metrics = {name: shortest((logs or {})[name]) for name in history.METRICS}
        row = Row(seed=self.seed, epoch=epoch + 1, **metrics)  # type: ignore[typeddict-item]
        self.rows.append(row)
        history.append([row], self.file)
        self.each_epoch(row, seconds)


def shortest(value: float) -> float:
    """Return the shortest decimal number that is this 32-bit float: 0.86475, not 0.8647500276."""
    return float(str(np.float32(value)))
