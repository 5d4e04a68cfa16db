"""Hash what every kind of network learns, layer by layer: one CPU's bits against another's.

    python -m tests.training.bits                # print the hashes of all kinds
    python -m tests.training.bits adam elu       # of some
    python -m tests.training.bits --write        # record them in bits.json, where other libraries
                                                 # or another network give other bits
    qemu-x86_64 -cpu Haswell-noTSX .venv/bin/python -m tests.training.bits    # another CPU

Trained by the project's own code, on a little data that is the same everywhere. `bits.json` also
lists the CPUs on which its hashes have been seen.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from stages import params
from stages.data.arrays import Prepared, Split
from stages.training import history
from stages.training.variants import Network, Reuse, Train, Variant

RECORD = Path(__file__).with_name("bits.json")
ROWS, VALIDATION, EPOCHS, BATCH = 140, 70, 2, 32  # 140 = 4 * 32 + 12: the last batch is smaller
SEED = 1
Hashes = dict[str, dict[str, str]]  # by kind, then by what is hashed

BASE: dict[str, Any] = {
    "hidden": [100],
    "activation": {"name": "relu"},
    "initializer": "glorot_uniform",
    "batch_normalization": False,
}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"class": "SGD", "learning_rate": 0.01},
    "momentum": {"class": "SGD", "learning_rate": 0.01, "momentum": 0.9},
    "nesterov": {"class": "SGD", "learning_rate": 0.02, "momentum": 0.1, "nesterov": True},
    "adagrad": {"class": "Adagrad", "learning_rate": 0.001},
    "rmsprop": {"class": "RMSprop", "learning_rate": 0.001},
    "centered": {"class": "RMSprop", "learning_rate": 0.001, "momentum": 0.9, "centered": True},
    "adam": {"class": "Adam", "learning_rate": 0.001},
    "amsgrad": {"class": "Adam", "learning_rate": 0.001, "amsgrad": True},
    "nadam": {"class": "Nadam", "learning_rate": 0.001},
}
NETWORKS: dict[str, dict[str, Any]] = {
    "sigmoid": {"activation": {"name": "sigmoid"}},
    "tanh": {"activation": {"name": "tanh"}},
    "leaky_relu": {"activation": {"name": "leaky_relu", "negative_slope": 0.1}},
    "elu": {"activation": {"name": "elu", "alpha": 1.0}},
    "linear": {"activation": {"name": "linear"}},
    "he_normal": {"initializer": "he_normal"},
    "batch_normalization": {"batch_normalization": True},
    "two_hidden_layers": {"hidden": [100, 100]},
    "no_hidden_layer": {"hidden": []},
}
DROPOUTS = ("sgd", "rmsprop", "adam", "batch_normalization")  # with dropout as well
REUSED = ("adam", "batch_normalization")  # their hidden layers are taken over


def kinds() -> dict[str, Variant]:
    """Return one variant of every kind, by a name for it; sources come before who reuses them."""
    found = {name: variant(name, optimizer=name) for name in OPTIMIZERS}
    found |= {name: variant(name, network=changes) for name, changes in NETWORKS.items()}
    for name in DROPOUTS:
        found[f"{name}-dropout"] = found[name].model_copy(update={"dropout": 0.3})
    for name in REUSED:
        for word, trainable in (("frozen", False), ("tuned", True)):
            reuse = Reuse(source=name, trainable=trainable)
            found[f"{name}-{word}"] = found[name].model_copy(update={"reuse": reuse})
    return found


def variant(
    name: str, *, optimizer: str = "adam", network: dict[str, Any] | None = None
) -> Variant:
    """Return a variant that differs from the base in one thing."""
    return Variant.model_validate(
        {
            "name": name,
            "stage": f"train@{name}",
            "study": "bits",
            "network": Network.model_validate(BASE | (network or {})),
            "dropout": 0.0,
            "optimizer": OPTIMIZERS[optimizer],
            "train": Train(epochs=EPOCHS, batch_size=BATCH, seeds=(SEED,)),
            "libraries": libraries(),
        }
    )


def libraries() -> dict[str, str]:
    """Return the versions that `params.yaml` records, of those that compute in a training."""
    recorded = params.load(Path(__file__).parents[2] / "params.yaml").libraries
    return recorded.model_dump(by_alias=True, exclude={"scikit_learn"})


def data() -> Prepared:
    """Return pictures like clothes, mostly black, and labels."""
    random = np.random.default_rng(0)

    def split(rows: int) -> Split:
        images = random.integers(0, 256, (rows, 28, 28)) * random.integers(0, 2, (rows, 28, 28))
        return Split(images.astype(np.uint8), random.integers(0, 10, rows).astype(np.uint8))

    return Prepared(split(ROWS), split(VALIDATION), split(1), {})


def trained(names: list[str]) -> Hashes:
    """Train these kinds, and what they take layers over from; return all hashes."""
    from stages.training import model_file
    from stages.training.trainer import Trainer, scaled

    prepared = data()
    pixels, _ = scaled(prepared.validation)
    hashes: Hashes = {}
    with tempfile.TemporaryDirectory() as folder:
        wanted = {name: each for name, each in kinds().items() if not names or name in names}
        sources = {each.reuse.source for each in wanted.values() if each.reuse}
        for name, each in kinds().items():
            if name not in wanted and name not in sources:
                continue
            source = Path(folder, f"{each.reuse.source}.keras") if each.reuse else None
            trainer = Trainer(each, prepared)
            file = Path(folder, f"{name}.csv")
            rows = trainer.train(SEED, prepared, source, file, lambda *_: None)
            model_file.save(trainer.network, Path(folder, f"{name}.keras"))
            hashes[name] = {
                **layer_by_layer(trainer.network, pixels),
                "optimizer": digest(*trainer.trainer.optimizer.variables),
                "history": short(history.text(rows).encode()),
                "predictions": digest(trainer.network.predict(pixels, verbose=0)),
                "file": short(Path(folder, f"{name}.keras").read_bytes()),
            }
            print_hashes(name, hashes[name])
    return hashes


def layer_by_layer(network: Any, pixels: Any) -> dict[str, str]:
    """Return the hashes of each layer's weights and of what it makes of these pixels."""
    found = {}
    for layer in network.layers:
        pixels = layer(pixels)
        if layer.weights:
            found[f"{layer.name} weights"] = digest(*layer.weights)
        found[f"{layer.name} outputs"] = digest(pixels)
    return found


def digest(*arrays: Any) -> str:
    """Return the hash of some arrays' bytes."""
    return short(b"".join(np.asarray(array).tobytes() for array in arrays))


def short(content: bytes) -> str:
    """Return the first 12 hexadecimal digits of the SHA-256."""
    return hashlib.sha256(content).hexdigest()[:12]


def print_hashes(kind: str, hashes: dict[str, str]) -> None:
    """Print a kind's hashes as a line of JSON: an emulator may die before the next."""
    print(json.dumps({kind: hashes}), flush=True)


def parse(text: str) -> Hashes:
    """Return what `print_hashes` printed."""
    hashes: Hashes = {}
    for line in text.splitlines():
        if line.startswith('{"'):
            hashes |= json.loads(line)
    return hashes


def differences(expected: Hashes, got: Hashes) -> list[str]:
    """Return the first hash of each kind that is another one: the layer where bits come apart."""
    found = []
    for kind, hashes in got.items():
        for what, value in hashes.items():
            if expected[kind].get(what) != value:
                found.append(f"{kind}: {what}")
                break
    return found


def record() -> dict[str, Any]:
    """Return `bits.json`: `hashes`, `libraries` that give them, `seen_on` which CPUs."""
    content: dict[str, Any] = json.loads(RECORD.read_text())
    return content


def write(hashes: Hashes) -> None:
    """Record these hashes as seen on this CPU alone."""
    from stages.tracking.machine import cpu

    libc = os.confstr("CS_GNU_LIBC_VERSION")
    content = {
        "libraries": libraries(),
        "seen_on": [f"{cpu()}, native, {libc}"],
        "hashes": hashes,
    }
    RECORD.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    wanted = [name for name in sys.argv[1:] if name != "--write"]
    result = trained(wanted)
    if "--write" in sys.argv:
        write(result)
