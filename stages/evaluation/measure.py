"""Trained networks measured on training and test data, in seconds for a hundred of them.

Nearly all of the work is the product of pixels and the first layer's weights. So it is done for all
seeds of a variant at once, without the margins, which are empty in most pictures, and in as many
threads as there are cores. TensorFlow runs single operations, which need no tracing, in the thread
that calls them: each network is computed by one thread, with the same bits however many there are.
"""

from __future__ import annotations

import io
import os
import threading
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from stages.data.arrays import Prepared, Split
from stages.evaluation.results import finite
from stages.training import layers
from stages.training.arithmetic import tf
from stages.training.variants import Variant

SPLITS = ("train", "test")  # validation is measured after every epoch: the history has it
BLOCK = 4000  # pictures
Counts = npt.NDArray[np.int64]  # shape (10, 10): true class, predicted class


@dataclass(frozen=True)
class Measured:
    """What was measured of one network: loss and accuracy by split (``test_accuracy``), None where
    it is no finite number, and how often it took which class of test pictures for which."""

    scores: Mapping[str, float | None]
    confusion: Counts


class Measure:
    """Measures networks on the prepared data.

    Args:
        data: the prepared data.
    """

    def __init__(self, data: Prepared) -> None:
        self.splits = {name: Blocks(getattr(data, name)) for name in SPLITS}
        self.thread = threading.local()

    def all(
        self, models: Mapping[str, tuple[Variant, Sequence[Path]]]
    ) -> dict[str, list[Measured]]:
        """Return what is measured of each model file of each variant, by its name."""
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            measured = threads.map(lambda name: self(*models[name]), models)
            return dict(zip(models, measured, strict=True))

    def __call__(self, variant: Variant, models: Sequence[Path]) -> list[Measured]:
        """Return what is measured of the model files of a variant, seed by seed.

        The loss is that of logits, as Keras computes it while it trains: of probabilities it would
        have to cut off those below 1e-7, and confident mistakes would cost less.
        """
        _, first, *others = self.network(variant).layers
        weights = [weights_of(model) for model in models]
        kernels, biases = (
            tf.constant(np.concatenate(arrays, axis=-1))
            for arrays in zip(*(each[first.name] for each in weights), strict=True)
        )
        outputs = [
            first.activation(products + biases)
            for split in self.splits.values()
            for products in split.times(kernels)
        ]
        measured = []
        for i, each in enumerate(weights):
            for layer in others:
                layer.set_weights(each[layer.name])
            own = slice(i * first.units, (i + 1) * first.units)
            x = tf.concat([block[:, own] for block in outputs], 0)
            for layer in others:
                x = layer(x)
            logits = tf.split(x, [len(split.labels) for split in self.splits.values()])
            scores: dict[str, float | None] = {}
            for (name, split), own_logits in zip(self.splits.items(), logits, strict=True):
                loss, accuracy, guesses = judged(own_logits, split.labels)
                scores[f"{name}_loss"] = finite(round(float(loss), 6))
                scores[f"{name}_accuracy"] = round(float(accuracy), 6)
            counts = np.zeros((10, 10), np.int64)
            np.add.at(counts, (self.splits["test"].labels.numpy(), guesses.numpy()), 1)
            measured.append(Measured(scores, counts))
        return measured

    def network(self, variant: Variant) -> Any:
        """Return a network of the variant's shape with logits for outputs, one a thread."""
        plain = variant.model_copy(update={"dropout": 0.0, "reuse": None})
        shape = variant.network.model_dump_json(exclude={"initializer"})
        networks = self.thread.__dict__
        if shape not in networks:
            networks[shape] = layers.build(plain)
            networks[shape].layers[-1].activation = lambda logits: logits
        return networks[shape]


class Blocks:
    """The pictures of a split, those with like margins together, without pixels that are 0 in all
    pictures of a block: what is multiplied by 0 adds nothing to a sum."""

    def __init__(self, split: Split) -> None:
        pixels = split.images.reshape(-1, 28, 28)
        top, left = pixels.any(axis=2).argmax(axis=1), pixels.any(axis=1).argmax(axis=1)
        order = np.lexsort((top, left))
        images, self.blocks = split.images.reshape(-1, 28 * 28), []
        for begin in range(0, len(order), BLOCK):
            block = images[order[begin : begin + BLOCK]]
            used = np.flatnonzero(block.any(axis=0))
            scaled = np.divide(block[:, used], np.float32(255), dtype=np.float32)
            self.blocks.append((tf.constant(scaled), tf.constant(used)))
        self.labels = tf.constant(split.labels[order].astype(np.int32))

    def times(self, kernels: Any) -> list[Any]:
        """Return the products of each block and `kernels`, shape (784, n)."""
        return [tf.matmul(block, tf.gather(kernels, used)) for block, used in self.blocks]


def weights_of(model: Path) -> dict[str, list[npt.NDArray[np.float32]]]:
    """Return the arrays of each layer of a `.keras` file, by the layer's name.

    Keras' own reader first looks for whatever a layer of any kind could hold: 12 ms a file.
    """
    with zipfile.ZipFile(model) as parts:
        content = io.BytesIO(parts.read("model.weights.h5"))
    with h5py.File(content, "r") as file:
        groups = [layer["vars"] for layer in file["layers"].values()]
        return {each.attrs["name"]: [each[str(i)][()] for i in range(len(each))] for each in groups}


def judged(logits: Any, labels: Any) -> tuple[Any, Any, Any]:
    """Return cross-entropy, accuracy, and the guesses."""
    guesses = tf.argmax(logits, axis=1, output_type=tf.int32)
    exact = tf.cast(logits, tf.float64)
    # TensorFlow's own function for this takes twice as long
    losses = tf.reduce_logsumexp(exact, axis=1) - tf.gather(exact, labels, batch_dims=1)
    right = tf.cast(tf.equal(guesses, labels), tf.float64)
    return tf.reduce_mean(losses), tf.reduce_mean(right), guesses
