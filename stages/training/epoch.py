"""A whole epoch as one graph call, inside Keras' own `fit`, with the same bits.

`fit` goes back and forth between Python and TensorFlow once a step: 1,500 times an epoch, for
steps of a quarter of a millisecond. Here `fit` is told that an epoch is *one* step. The "batch"
of that step is the order in which to visit the rows; `train_step` walks through it in a
`tf.while_loop` whose body is Keras' own `train_step`. So callbacks, History, validation,
metrics, layers, losses and optimizers are Keras' own, and so is the arithmetic: the weights are
bit for bit those of plain `fit` on the same batches (`tests/training/test_epoch.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stages.training.arithmetic import keras, tf

Pixels = npt.NDArray[np.float32]  # (n, 28, 28), in [0, 1]
Labels = npt.NDArray[np.uint8]  # (n,), in [0, 10)


class WholeEpoch(keras.Sequential):  # type: ignore[misc]
    """Trains the layers of `network`, which it shares: what it learns, `network` knows.

    Args:
        network: a built `keras.Sequential`.
        pixels: the training pictures, shape (n, 28, 28).
        labels: their classes, shape (n,).
        batch_size: rows a step; the last step takes what is left, as in `fit`.
    """

    def __init__(self, network: Any, pixels: Pixels, labels: Labels, batch_size: int) -> None:
        super().__init__(network.layers)
        self.pixels, self.labels = map(tf.convert_to_tensor, (pixels, labels))
        self.batch_size = batch_size

    def train_step(self, order: Any) -> dict[str, Any]:
        """One epoch: Keras' `train_step` on each batch of `order`, int32 of shape (n,)."""
        size = self.batch_size
        steps = -(-order.shape[0] // size)
        keras_step = super().train_step

        def step(i: Any) -> Any:
            rows = order[i * size : (i + 1) * size]  # fewer in the last one
            keras_step((tf.gather(self.pixels, rows), tf.gather(self.labels, rows)))
            return i + 1

        tf.while_loop(lambda i: i < steps, step, [0])
        return self.get_metrics_result()  # type: ignore[no-any-return]


def compiled(network: Any, optimizer: Any, pixels: Pixels, labels: Labels, batch_size: int) -> Any:
    """A `WholeEpoch` of `network`, ready to `fit`; not under XLA, whose bits differ."""
    trainer = WholeEpoch(network, pixels, labels, batch_size)
    trainer.compile(
        optimizer=optimizer,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    optimizer.build(network.trainable_variables)
    # The metrics as well: a graph that makes variables is traced twice.
    trainer.compute_metrics(None, trainer.labels[:1], network(trainer.pixels[:1]))
    trainer.reset_metrics()
    return trainer


def restart(trainer: Any, network: Any, optimizer: Any) -> None:
    """Set every variable of `trainer` to that of a fresh `network` and `optimizer`.

    So that the seeds of a variant share one compiled graph: tracing it anew takes a second.
    The state of Dropout's random numbers is among the variables.
    """
    optimizer.build(network.trainable_variables)
    old = [*trainer.variables, *trainer.optimizer.variables]
    new = [*network.variables, *optimizer.variables]
    for variable, value in zip(old, new, strict=True):
        variable.assign(value)


def orders(rows: int, epochs: int, seed: int) -> npt.NDArray[np.int32]:
    """The order of the rows in each epoch, shape (epochs, rows): NumPy's PCG64, from `seed`."""
    random = np.random.default_rng(seed)
    return np.stack([random.permutation(rows).astype(np.int32) for _ in range(epochs)])


def fit(
    trainer: Any,
    order: npt.NDArray[np.int32],
    validation: tuple[Pixels, Labels],
    callbacks: list[Any],
) -> None:
    """Keras' `fit` over `order` (epochs, rows), validated after every epoch in one batch.

    Both go in as datasets: of arrays, `fit` would copy the validation rows anew each epoch.
    """
    # There is nothing to tune, and tf.data's tuning thread sleeps in growing periods of which
    # `fit` awaits the last: up to 9 s after 20 epochs, with two trainings side by side.
    options = tf.data.Options()
    options.autotune.enabled = False
    trainer.fit(
        tf.data.Dataset.from_tensor_slices(order).with_options(options),
        epochs=len(order),
        steps_per_epoch=1,
        shuffle=False,  # `order` is the shuffling
        validation_data=tf.data.Dataset.from_tensors(validation).with_options(options),
        callbacks=callbacks,
        verbose=0,
    )
