"""Run a whole epoch as one graph call inside Keras' own `fit`, with the same bits.

`fit` switches between Python and TensorFlow once a step: 1,500 times an epoch, for steps of a
quarter of a millisecond. Here an epoch is *one* step for `fit`. The "batch" of that step is the
order in which to visit the rows; `train_step` goes through it in a `tf.while_loop` whose body is
Keras' own `train_step`. So callbacks, History, validation, metrics, layers, losses and optimizers
are Keras' own, and so is the arithmetic: the weights are bit for bit those of plain `fit` on the
same batches (`tests/training/test_epoch.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stages.training.arithmetic import keras, tf

Pixels = npt.NDArray[np.float32]  # (n, 28, 28), in [0, 1]
Labels = npt.NDArray[np.uint8]  # (n,), in [0, 10)


class WholeEpoch(keras.Sequential):  # type: ignore[misc]
    """Trains the layers of `network`, which the two share.

    Args:
        network: a built `keras.Sequential`.
        pixels: the training pictures, shape (n, 28, 28).
        labels: their classes, shape (n,).
        batch_size: rows a step; the last step takes the rest, as in `fit`.
    """

    def __init__(self, network: Any, pixels: Pixels, labels: Labels, batch_size: int) -> None:
        super().__init__(network.layers)
        # Variables: a graph keeps for good each constant that it was ever traced with.
        self.pixels, self.labels = (tf.Variable(x, trainable=False) for x in (pixels, labels))
        self.batch_size = batch_size

    def use(self, pixels: Pixels, labels: Labels) -> None:
        """Train on other rows of the same shapes from now on."""
        self.pixels.assign(pixels)
        self.labels.assign(labels)

    def train_step(self, order: Any) -> dict[str, Any]:
        """Run Keras' `train_step` on each batch of `order`, int32 of shape (n,)."""
        size = self.batch_size
        steps = -(-order.shape[0] // size)
        keras_step = super().train_step

        def step(i: Any) -> Any:
            rows = order[i * size : (i + 1) * size]  # fewer in the last step
            keras_step((tf.gather(self.pixels, rows), tf.gather(self.labels, rows)))
            return i + 1

        tf.while_loop(lambda i: i < steps, step, [0])
        return self.get_metrics_result()  # type: ignore[no-any-return]


def compiled(network: Any, optimizer: Any, pixels: Pixels, labels: Labels, batch_size: int) -> Any:
    """Return a `WholeEpoch` of `network`, ready to `fit`; without XLA, whose bits differ."""
    trainer = WholeEpoch(network, pixels, labels, batch_size)
    trainer.compile(
        optimizer=optimizer,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    optimizer.build(network.trainable_variables)
    # Build the metrics, too: TensorFlow traces a graph twice if the first trace makes variables.
    trainer.compute_metrics(None, trainer.labels[:1], network(trainer.pixels[:1]))
    trainer.reset_metrics()
    return trainer


def restart(trainer: Any, network: Any, optimizer: Any) -> None:
    """Set every variable of `trainer` to that of a fresh `network` and `optimizer`.

    So the seeds of a variant share one compiled graph: tracing another takes a second. The
    variables include the state of Dropout's random numbers.
    """
    optimizer.build(network.trainable_variables)
    old = [*trainer.variables, *trainer.optimizer.variables]
    new = [*network.variables, *optimizer.variables]
    for variable, value in zip(old, new, strict=True):
        variable.assign(value)


def orders(rows: int, epochs: int, seed: int) -> npt.NDArray[np.int32]:
    """Return the order of rows in each epoch, shape (epochs, rows), drawn by NumPy's PCG64."""
    random = np.random.default_rng(seed)
    return np.stack([random.permutation(rows).astype(np.int32) for _ in range(epochs)])


def fit(
    trainer: Any,
    order: npt.NDArray[np.int32],
    validation: tuple[Pixels, Labels],
    callbacks: list[Any],
) -> None:
    """Call Keras' `fit` with `order` (epochs, rows); validate after each epoch in one batch.

    Both are passed as datasets: given arrays, `fit` would copy the validation rows each epoch.
    """
    # There is nothing to tune. tf.data's tuning thread sleeps for ever longer, and `fit` waits for
    # it at the end: up to 9 s after 20 epochs, with two trainings side by side.
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
