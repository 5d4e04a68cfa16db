"""The notebook's network: Flatten, hidden layers, optional Dropout, Dense 10 softmax."""

from __future__ import annotations

from typing import Any

from stages.training.arithmetic import keras
from stages.training.variants import ELU, Activation, LeakyReLU, Optimizer, Variant


def seeded(variant: Variant, seed: int) -> tuple[Any, Any]:
    """Return a fresh network and optimizer; `seed` decides all random numbers, Dropout's too."""
    keras.utils.set_random_seed(seed)
    return build(variant), optimizer(variant.optimizer)


def build(variant: Variant) -> Any:
    """Return a `keras.Sequential` for pictures of shape (n, 28, 28), float32 in [0, 1].

    It uses only Keras' own layers, so its saved file loads without this project. Initial weights
    come from Keras' global seed (`keras.utils.set_random_seed`).
    """
    spec = variant.network
    learns = variant.reuse is None or variant.reuse.trainable
    stack = [keras.Input((28, 28), name="pixels"), keras.layers.Flatten(name="flatten")]
    for i, units in enumerate(spec.hidden, start=1):
        after = activation(spec.activation)
        dense = keras.layers.Dense(
            units,
            activation=None if spec.batch_normalization else after,
            kernel_initializer=spec.initializer,
            trainable=learns,
            name=f"hidden_{i}",
        )
        stack.append(dense)
        if spec.batch_normalization:  # between the matrix and the activation: Ioffe, Szegedy 2015
            stack.append(keras.layers.BatchNormalization(trainable=learns, name=f"normalized_{i}"))
            stack.append(keras.layers.Activation(after, name=f"active_{i}"))
    if variant.dropout:
        stack.append(keras.layers.Dropout(variant.dropout, name="dropout"))
    stack.append(keras.layers.Dense(10, activation="softmax", name="probabilities"))
    return keras.Sequential(stack, name="network")


def take_over(network: Any, source: Any) -> None:
    """Copy the hidden layers' weights of `source`, a network of the same shape, to `network`."""
    for layer in network.layers:
        if layer.name.startswith(("hidden_", "normalized_")):
            layer.set_weights(source.get_layer(layer.name).get_weights())


def activation(spec: Activation | LeakyReLU | ELU) -> Any:
    """Return Keras' activation: its name, or a layer if it has a parameter."""
    match spec:
        case LeakyReLU():
            return keras.layers.LeakyReLU(spec.negative_slope, name="leaky_relu")
        case ELU():
            return keras.layers.ELU(spec.alpha, name="elu")
        case _:
            return spec.name


def optimizer(spec: Optimizer) -> Any:
    """Return the Keras optimizer with the class and arguments from `params.yaml`."""
    arguments = spec.model_dump()
    return getattr(keras.optimizers, arguments.pop("kind"))(**arguments)
