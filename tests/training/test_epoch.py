"""Hand-written loops go wrong at their edges: each is compared with `fit`, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from stages.params import schema as params
from stages.training import epoch, layers, variants
from stages.training.arithmetic import keras, tf

ROWS, BATCH, EPOCHS = 500, 32, 3  # 500 = 15 * 32 + 20: the last batch is incomplete
PARAMS = params.load()
GRID = [variant for variant in PARAMS.variants() if variant.study == "grid"]
NETWORKS: dict[str, dict[str, Any]] = {
    "batch_normalization": {"batch_normalization": True},
    "leaky_relu": {"activation": {"name": "leaky_relu", "negative_slope": 0.1}},
    "elu": {"activation": {"name": "elu", "alpha": 1.0}},
    "sigmoid": {"activation": {"name": "sigmoid"}},
    "tanh": {"activation": {"name": "tanh"}},
    "linear": {"activation": {"name": "linear"}},
    "two_hidden_layers_he_normal": {"hidden": [30, 20], "initializer": "he_normal"},
    "no_hidden_layer": {"hidden": []},
}


@pytest.fixture(scope="module")
def data() -> tuple[epoch.Pixels, epoch.Labels]:
    random = np.random.default_rng(0)
    pixels = random.random((ROWS, 28, 28), dtype=np.float32)
    return pixels, random.integers(0, 10, ROWS).astype(np.uint8)


def fresh(variant: variants.Variant, seed: int, source: Any = None) -> tuple[Any, Any]:
    keras.utils.set_random_seed(seed)
    network, optimizer = layers.build(variant), layers.optimizer(variant.optimizer)
    if source is not None:
        layers.take_over(network, source)
    return network, optimizer


def plain(
    variant: variants.Variant, order: Any, data: Any, batch: int = BATCH, source: Any = None
) -> Any:
    """What Keras' `fit` makes of the same batches of seed 2, a step at a time."""
    network, optimizer = fresh(variant, 2, source)
    network.compile(
        optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False
    )
    history = []
    for rows in order:
        batches = tf.data.Dataset.from_tensor_slices((data[0][rows], data[1][rows])).batch(batch)
        history.append(network.fit(batches, shuffle=False, verbose=0).history)
    return network, history


def assert_same_bits(one: Any, other: Any) -> None:
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def ours(
    variant: variants.Variant, data: Any, batch: int = BATCH, source: Any = None
) -> tuple[Any, Any, Any]:
    """Train seed 1 and then seed 2 with one graph; return seed 2's network, trainer and order."""
    network, optimizer = fresh(variant, 1)
    trainer = epoch.compiled(network, optimizer, data[0], data[1], batch)
    for seed in (1, 2):
        epoch.restart(trainer, *fresh(variant, seed, source))
        order = epoch.orders(ROWS, EPOCHS, seed)
        epoch.fit(trainer, order, data, [])
    return network, trainer, order


def both(
    variant: variants.Variant, data: Any, batch: int = BATCH, source: Any = None
) -> tuple[Any, Any]:
    """Return our network of seed 2 beside that of `fit`, after their histories were compared."""
    network, trainer, order = ours(variant, data, batch, source)
    expected, history = plain(variant, order, data, batch, source)
    for metric in ("loss", "accuracy"):
        assert trainer.history.history[metric] == [epoch[metric][0] for epoch in history]
    return network, expected


@pytest.mark.parametrize("variant", GRID, ids=lambda v: v.name)
def test_every_optimizer_and_dropout_gets_the_bits_and_history_of_plain_fit(
    variant: Any, data: Any
) -> None:
    assert_same_bits(*both(variant, data))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_kind_of_layer_gets_the_bits_of_plain_fit(name: str, data: Any) -> None:
    changed = variants.Network.model_validate({**PARAMS.network.model_dump(), **NETWORKS[name]})
    variant = PARAMS.grid("adam", 0.3).model_copy(update={"network": changed})
    assert_same_bits(*both(variant, data))


@pytest.fixture(scope="module")
def trained(data: Any) -> Callable[[bool], tuple[variants.Variant, Any]]:
    """A variant by whether it has batch normalization, and its network, trained once."""

    @cache
    def train(normalized: bool) -> tuple[variants.Variant, Any]:
        changed = PARAMS.network.model_copy(update={"batch_normalization": normalized})
        variant = PARAMS.grid("adam", 0.3).model_copy(update={"network": changed})
        return variant, ours(variant, data)[0]

    return train


@pytest.mark.parametrize("trainable", [False, True], ids=["frozen", "fine-tuned"])
@pytest.mark.parametrize("normalized", [False, True], ids=["plain", "batch_normalization"])
def test_layers_taken_over_get_the_bits_of_plain_fit(
    trainable: bool, normalized: bool, trained: Any, data: Any
) -> None:
    variant, source = trained(normalized)
    reuse = variants.Reuse(source="adam-0.3", trainable=trainable)
    network, expected = both(variant.model_copy(update={"reuse": reuse}), data, source=source)
    assert_same_bits(network, expected)
    hidden = [layer for layer in network.layers if layer.name.startswith(("hidden", "normalized"))]
    for layer in hidden:
        before = source.get_layer(layer.name).get_weights()
        same = [np.array_equal(a, b) for a, b in zip(before, layer.get_weights(), strict=True)]
        assert all(same) != trainable  # statistics of a frozen batch normalization stay as well


@pytest.mark.parametrize("batch", [500, 499, 1000, 7])
def test_a_batch_size_that_does_not_divide_the_data_works_as_in_fit(batch: int, data: Any) -> None:
    assert_same_bits(*both(PARAMS.grid("adam", 0.3), data, batch))


def test_two_seeds_differ_and_two_trainings_of_one_seed_do_not(data: Any) -> None:
    variant = PARAMS.grid("adam", 0.3)
    networks = []
    for seed in (1, 2, 1):
        network, optimizer = fresh(variant, seed)
        trainer = epoch.compiled(network, optimizer, data[0], data[1], BATCH)
        epoch.fit(trainer, epoch.orders(ROWS, 2, seed), data, [])
        networks.append(network)
    assert_same_bits(networks[0], networks[2])
    assert not np.array_equal(networks[0].get_weights()[0], networks[1].get_weights()[0])


def test_the_notebooks_network_has_79510_weights() -> None:
    assert layers.build(PARAMS.grid("adam", 0.0)).count_params() == 79_510


@pytest.mark.parametrize("kind", ["SGD", "Adagrad", "RMSprop", "Adam", "Nadam"])
def test_the_defaults_in_the_schema_are_those_of_keras(kind: str) -> None:
    ours = getattr(variants, kind).model_validate({"class": kind, "learning_rate": 0.125})
    theirs = getattr(keras.optimizers, kind)(learning_rate=0.125).get_config()
    for name, value in ours.model_dump(exclude={"kind"}).items():
        assert theirs[name] == value, name


def test_a_seed_with_rows_of_its_own_shares_the_graph_and_gets_the_bits_of_plain_fit(
    data: Any,
) -> None:
    variant, others = PARAMS.grid("adam", 0.3), (1 - data[0], (data[1] + 1) % 10)
    network, optimizer = fresh(variant, 1)
    trainer = epoch.compiled(network, optimizer, *others, BATCH)
    epoch.fit(trainer, epoch.orders(ROWS, EPOCHS, 1), others, [])
    graph = trainer.train_function
    epoch.restart(trainer, *fresh(variant, 2))
    trainer.use(*data)
    order = epoch.orders(ROWS, EPOCHS, 2)
    epoch.fit(trainer, order, data, [])
    assert trainer.train_function is graph
    assert_same_bits(network, plain(variant, order, data)[0])
