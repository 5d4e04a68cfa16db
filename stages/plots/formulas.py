"""Define the notebook's five activation functions in NumPy.

Networks use Keras' own functions; these are for reading, and for the picture of all five. A test
compares the two over the notebook's range, and at values where the notebook's formulas overflow.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)), from 0 to 1.

    The exponent is never positive, so nothing overflows: below 0, numerator and denominator are
    multiplied by exp(x).
    """
    small: Array = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


def tanh(x: Array) -> Array:
    """Return (exp(x) - exp(-x)) / (exp(x) + exp(-x)), from -1 to 1."""
    return np.tanh(x)


def relu(x: Array) -> Array:
    """Return max(x, 0)."""
    return np.maximum(x, 0)


def leaky_relu(x: Array, negative_slope: float = 0.1) -> Array:
    """Return max(x, negative_slope * x), for slopes from 0 to 1."""
    return np.maximum(x, negative_slope * x)


def elu(x: Array, alpha: float = 1.0) -> Array:
    """Return x where x >= 0, else alpha * (exp(x) - 1): Clevert, Unterthiner, Hochreiter 2015."""
    return np.where(x >= 0, x, alpha * np.expm1(np.minimum(x, 0)))


ALL = {f.__name__: f for f in (sigmoid, tanh, relu, leaky_relu, elu)}
