"""Networks are measured as Keras itself would, however many at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stages import params
from stages.data.arrays import Prepared, Split
from stages.evaluation import measure
from stages.evaluation.measure import Measure
from stages.training import layers, model_file
from stages.training.trainer import scaled
from stages.training.variants import Variant


def split(rows: int, seed: int) -> Split:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (rows, 28, 28), dtype=np.uint8)
    images[: rows // 2, :, :9] = 0  # some have a margin
    images[0] = 0  # one has nothing else
    return Split(images, random.integers(0, 10, rows, dtype=np.uint8))


DATA = Prepared(split(90, 0), split(40, 1), split(50, 2), {})


@pytest.mark.parametrize(
    "name", ["sgd-0.3", "leaky_relu", "batch_normalization", "two_hidden_layers", "no_hidden_layer"]
)
def test_loss_and_accuracy_are_those_of_keras(
    root: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "BLOCK", 32)
    variant = next(v for v in params.load().variants() if v.name == name)
    models, networks = [], []
    for seed in (1, 2):
        network, _ = layers.seeded(variant, seed)
        models.append(tmp_path / f"{seed}.keras")
        model_file.save(network, models[-1])
        networks.append(network)
    found = Measure(DATA).all({name: (variant, models)})[name]
    for network, each in zip(networks, found, strict=True):
        for part in measure.SPLITS:
            pixels, labels = (each.numpy() for each in scaled(getattr(DATA, part)))
            chosen = network.predict(pixels, verbose=0)
            loss = -np.log(chosen[np.arange(len(labels)), labels]).mean()
            assert each.scores[f"{part}_loss"] == pytest.approx(loss, abs=2e-6)
            right = (chosen.argmax(axis=1) == labels).mean()
            assert each.scores[f"{part}_accuracy"] == round(float(right), 6)
        assert each.confusion.sum() == 50
        assert (
            each.confusion.sum(axis=1).tolist()
            == np.bincount(DATA.test.labels, minlength=10).tolist()
        )


@pytest.mark.parametrize("name", ["sgd-0.3", "batch_normalization", "two_hidden_layers"])
def test_weights_are_read_as_keras_reads_them(root: Path, name: str, tmp_path: Path) -> None:
    variant = next(v for v in params.load().variants() if v.name == name)
    network, _ = layers.seeded(variant, 1)
    model_file.save(network, tmp_path / "1.keras")
    read = measure.weights_of(tmp_path / "1.keras")
    for layer in network.layers:
        for ours, theirs in zip(read[layer.name], layer.get_weights(), strict=True):
            assert np.array_equal(ours, theirs)


def test_a_network_that_diverged_has_no_loss(root: Path, tmp_path: Path) -> None:
    variant: Variant = params.load().variants()[0]
    network, _ = layers.seeded(variant, 1)
    network.set_weights([np.full_like(each, np.nan) for each in network.get_weights()])
    model_file.save(network, tmp_path / "nan.keras")
    (found,) = Measure(DATA)(variant, [tmp_path / "nan.keras"])
    assert found.scores["test_loss"] is None
    assert found.scores["test_accuracy"] is not None
