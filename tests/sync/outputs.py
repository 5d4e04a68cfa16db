"""An output of a training, made up but for its network, which Keras has saved."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

from stages.training import history, result
from stages.training.history import Row
from stages.training.result import Seed

LIBRARIES = {"keras": "3.15.1", "numpy": "2.4.6", "tensorflow": "2.21.0"}
SHA256 = "0123456789abcdef" * 4


def identity(seed: int, data: str = SHA256, **params: Any) -> dict[str, Any]:
    """What determines the result of a seed."""
    network = {
        "hidden": [4], "activation": {"name": "relu"}, "initializer": "glorot_uniform",
        "batch_normalization": False,
    }  # fmt: skip
    optimizer = {"class": "SGD", "learning_rate": 0.01, "momentum": 0.0, "nesterov": False}
    values = {"batch_size": 32, "dropout": 0.0, "epochs": 2, "network": network}
    return {
        "code": {"training/epoch.py": SHA256},
        "data": {"train": data, "validation": SHA256},
        "libraries": LIBRARIES,
        "params": {**values, "optimizer": optimizer, **params},
        "seed": seed,
        "source": None,
    }


def rows(seed: int) -> list[Row]:
    """Two epochs."""
    values = {"loss": 0.5, "accuracy": 0.25, "val_loss": 0.125, "val_accuracy": 0.86475}
    return [Row(seed=seed, epoch=epoch, **values) for epoch in (1, 2)]  # type: ignore[typeddict-item]


def summary(*identities: dict[str, Any], model: str = SHA256) -> str:
    """The text of a `summary.json`; the first identity is that of seed 1."""
    seeds = {}
    for number, each in enumerate(identities, start=1):
        text = result.canonical(each)
        rows_of = result.sha256(history.text(rows(number)))
        seeds[number] = Seed(result.digest(text), text, model, rows_of)
    fingerprint = result.of_variant({n: seed.fingerprint for n, seed in seeds.items()})
    return result.Summary(fingerprint, seeds).text()


@cache
def model() -> dict[str, bytes]:
    """The members of the file of a network with one small hidden layer."""
    from stages.training import model_file
    from stages.training.arithmetic import keras

    network = keras.Sequential(
        [
            keras.Input((28, 28), name="pixels"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(4, activation="relu", name="hidden_1"),
            keras.layers.Dense(10, activation="softmax", name="probabilities"),
        ],
        name="network",
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model_file.save(network, path)
        with zipfile.ZipFile(path) as file:
            return {name: file.read(name) for name in file.namelist()}


def files(data: str, *seeds: int) -> dict[str, bytes]:
    """The files of an output with these seeds (1, 2, ...), by their names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in model().items():
            file.writestr(zipfile.ZipInfo(name), content)
    packed = buffer.getvalue()
    every = [row for seed in seeds for row in rows(seed)]
    return {
        result.SUMMARY: summary(
            *(identity(seed, data) for seed in seeds), model=result.sha256(packed)
        ).encode(),
        result.HISTORY: history.text(every).encode(),
        **{result.model_name(seed): packed for seed in seeds},
    }


def listing(hashes: dict[str, str]) -> bytes:
    """DVC's list of a folder's files."""
    return json.dumps([{"md5": hashes[n], "relpath": n} for n in sorted(hashes)]).encode()
