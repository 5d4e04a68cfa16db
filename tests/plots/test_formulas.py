"""The formulas are those that Keras computes, also where the notebook's overflow."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from stages.plots import formulas
from stages.training import layers, variants
from stages.training.arithmetic import keras, tf

SPECS: dict[str, Any] = {
    "sigmoid": variants.Activation(name="sigmoid"),
    "tanh": variants.Activation(name="tanh"),
    "relu": variants.Activation(name="relu"),
    "leaky_relu": variants.LeakyReLU(name="leaky_relu", negative_slope=0.1),
    "elu": variants.ELU(name="elu", alpha=1.0),
}


def of_keras(name: str, x: Any) -> Any:
    """What a layer of the network with this activation makes of `x`."""
    activation = keras.activations.get(layers.activation(SPECS[name]))
    return np.asarray(activation(tf.constant(x, tf.float64)))


def test_all_five_are_there() -> None:
    assert set(formulas.ALL) == set(SPECS)


@pytest.mark.parametrize("name", SPECS)
def test_a_formula_agrees_with_keras_over_the_notebooks_range(name: str) -> None:
    x = np.arange(-5, 5, 0.0001)
    np.testing.assert_allclose(formulas.ALL[name](x), of_keras(name, x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", SPECS)
def test_large_values_neither_overflow_nor_warn(name: str) -> None:
    x = np.array([-1e37, -1000.0, -750.0, -40.0, -0.0, 0.0, 40.0, 750.0, 1000.0, 1e37])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = formulas.ALL[name](x)
    assert np.isfinite(y).all()
    np.testing.assert_allclose(y, of_keras(name, x), rtol=1e-6, atol=1e-6)
    assert (np.diff(y) >= 0).all()  # none of them falls


@pytest.mark.parametrize("alpha", [0.0, 0.5, 2.0])
def test_the_parameters_mean_what_keras_means(alpha: float) -> None:
    x = np.linspace(-5, 5, 101)
    ours = formulas.elu(x, alpha)
    np.testing.assert_allclose(ours, keras.layers.ELU(alpha)(x), atol=1e-6)
    slope = alpha / 2
    theirs = keras.layers.LeakyReLU(slope)(x)
    np.testing.assert_allclose(formulas.leaky_relu(x, slope), theirs, atol=1e-6)
