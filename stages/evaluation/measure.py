"""Trained networks measured on all splits: one graph for each shape of network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.data.arrays import Prepared
from stages.training import layers
from stages.training.arithmetic import tf
from stages.training.trainer import scaled
from stages.training.variants import Variant

SPLITS = ("train", "validation", "test")
Guesses = npt.NDArray[np.int64]  # shape (n,)


class Measure:
    """Measures models on the prepared data.

    A network is built, and its graph traced, once for each shape; models lend it their weights.

    Args:
        data: the prepared data.
    """

    def __init__(self, data: Prepared) -> None:
        self.splits = {}
        for name in SPLITS:
            pixels, labels = scaled(getattr(data, name))
            self.splits[name] = pixels, tf.cast(labels, tf.int32)
        self.networks: dict[str, tuple[Any, Any]] = {}

    def __call__(self, variant: Variant, model: Path) -> tuple[dict[str, float], Guesses]:
        """Return loss and accuracy by split (``test_accuracy``), and the guesses on test.

        The loss is that of logits, as Keras computes it while it trains: of probabilities it would
        have to cut off those below 1e-7, and confident mistakes would cost less.
        """
        shape = variant.network.model_dump_json()
        if shape not in self.networks:
            self.networks[shape] = graph(variant)
        network, measured = self.networks[shape]
        network.load_weights(model)
        scores, guesses = {}, np.empty(0, np.int64)
        for split, (pixels, labels) in self.splits.items():
            loss, accuracy, found = measured(pixels, labels)
            scores[f"{split}_loss"] = round(float(loss), 6)
            scores[f"{split}_accuracy"] = round(float(accuracy), 6)
            guesses = found.numpy()
        return scores, guesses


def graph(variant: Variant) -> tuple[Any, Any]:
    """Return a network of the variant's shape, and what measures it with its present weights."""
    network = layers.build(variant.model_copy(update={"dropout": 0.0, "reuse": None}))
    network.layers[-1].activation = None  # logits instead of probabilities

    @tf.function(jit_compile=False)  # type: ignore[untyped-decorator]
    def measured(pixels: Any, labels: Any) -> tuple[Any, Any, Any]:
        logits = network(pixels, training=False)
        guesses = tf.argmax(logits, axis=1, output_type=tf.int32)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.cast(logits, tf.float64))
        right = tf.cast(tf.equal(guesses, labels), tf.float64)
        return tf.reduce_mean(losses), tf.reduce_mean(right), guesses

    return network, measured
