"""Train the seeds of a variant one after the other, in one graph."""

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
    """Return two tensors: pixels in [0, 1] as in the notebook, float32 of shape (n, 28, 28), and
    labels, uint8 of shape (n,)."""
    return tf.cast(split.images, tf.float32) / np.float32(255), tf.constant(split.labels)


class Trainer:
    """Trains the seeds of a variant; `network` is the one trained last.

    Args:
        variant: the resolved parameters.
        data: the prepared data of any seed; the test split is not used.
    """

    def __init__(self, variant: Variant, data: Prepared) -> None:
        self.variant, self.data = variant, data
        self.network, optimizer = layers.seeded(variant, seed=0)
        train, batch_size = scaled(data.train), variant.train.batch_size
        self.trainer = epoch.compiled(self.network, optimizer, *train, batch_size)
        self.validation = scaled(data.validation)

    def train(
        self, seed: int, data: Prepared, source: Path | None, file: Path, each_epoch: EachEpoch
    ) -> list[Row]:
        """Train one seed and return its history.

        Args:
            seed: determines initial weights, order of rows and Dropout.
            data: the splits that this seed sees, of the same sizes for every seed.
            source: the model whose hidden layers the network starts from.
            file: the CSV to which each epoch's row is added.
            each_epoch: called with each epoch's row and its seconds.
        """
        if data is not self.data:  # `prepare.split: per_seed`
            self.trainer.use(*scaled(data.train))
            self.data, self.validation = data, scaled(data.validation)
        network, optimizer = layers.seeded(self.variant, seed)
        if source:
            layers.take_over(network, model_file.load(source))
        epoch.restart(self.trainer, network, optimizer)
        order = epoch.orders(len(data.train.labels), self.variant.train.epochs, seed)
        log = Log(seed, file, each_epoch)
        epoch.fit(self.trainer, order, self.validation, [log])
        return log.rows


class Log(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps one row per epoch, writes it to a file and passes it on."""

    def __init__(self, seed: int, file: Path, each_epoch: EachEpoch) -> None:
        super().__init__()
        self.seed, self.file, self.each_epoch = seed, file, each_epoch
        self.rows: list[Row] = []

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        """Start the clock."""
        self.begin = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keep, write and pass on Keras' metrics."""
        seconds = time.perf_counter() - self.begin
        metrics = {name: shortest((logs or {})[name]) for name in history.METRICS}
        row = Row(seed=self.seed, epoch=epoch + 1, **metrics)  # type: ignore[typeddict-item]
        self.rows.append(row)
        history.append([row], self.file)
        self.each_epoch(row, seconds)


def shortest(value: float) -> float:
    """Return the shortest decimal with the same 32-bit float: 0.86475, not 0.8647500276."""
    return float(str(np.float32(value)))
