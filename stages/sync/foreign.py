"""Read training outputs from a branch, a cache or a remote: anybody may have written them.

Summary, history, models and prepared data pass only with the types, ranges and sizes that a
training of this project gives them. A model is checked before Keras builds it: its configuration
and weights declare how large it will be and what it consists of.
"""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from stages.core import untrusted
from stages.core.untrusted import (
    EPOCHS,
    FINGERPRINT,
    SEED,
    SEEDS,
    SHA256,
    WORD,
    Refused,
    mapping,
    number,
    refused,
    sequence,
    text,
)
from stages.data import arrays
from stages.data.arrays import Split
from stages.training import history as histories
from stages.training import result
from stages.training.history import Row
from stages.training.result import Seed, Summary
from stages.training.variants import AnyOptimizer, Network

HISTORY = 16 * 2**20  # bytes of a history.csv: enough for 100 seeds of 1,000 epochs
MODEL = 256 * 2**20  # bytes of all weights of a model; the notebook's models have 0.3 MB
WIDEST = 100_000  # units of a layer
CONFIG = 2**20  # bytes of a model's configuration
PIXELS = (28, 28)
MEMBERS = frozenset({"config.json", "metadata.json", "model.weights.h5"})
LAYERS = frozenset(
    {"InputLayer", "Flatten", "Dense", "BatchNormalization", "Activation", "Dropout"}
)
# All that this project's networks consist of: parts of Keras' own modules, no custom classes
PARTS = LAYERS | {
    "DTypePolicy", "ELU", "LeakyReLU", "GlorotUniform", "HeNormal", "Zeros", "Ones", "Sequential",
}  # fmt: skip
MODULES = frozenset({"keras", "keras.layers", "keras.initializers", "builtins"})


# Summary


def summary(content: bytes) -> Summary | dict[str, Any]:
    """Return a parsed `summary.json`, or the plain values of one from before the redesign.

    Raises:
        Refused: it is neither.
    """
    values = mapping(untrusted.json(content), result.SUMMARY)
    if "seeds" not in values:
        return old_summary(values)
    seeds = {
        int(text(name, SEED, "seed", "seeds")): seed(name, entry)
        for name, entry in mapping(values["seeds"], "seeds").items()
    }
    own = text(values.get("fingerprint"), FINGERPRINT, "fingerprint", "fingerprint")
    if not seeds or own != result.of_variant({n: each.fingerprint for n, each in seeds.items()}):
        raise Refused("fingerprint: it does not follow from those of the seeds")
    return Summary(own, seeds)


def seed(name: str, entry: Any) -> Seed:
    """Return a summary's entry for a seed; raise Refused if its fingerprint does not match its
    identity, or if no training has such an identity."""
    place = f"seeds.{name}"
    values = mapping(entry, place)
    fingerprint = text(values.get("fingerprint"), FINGERPRINT, "fingerprint", place)
    hashes = [text(values.get(part), SHA256, "SHA-256", place) for part in ("model", "history")]
    identity = values.get("identity")
    if not isinstance(identity, str) or result.digest(identity) != fingerprint:
        raise refused(place, "its fingerprint is not that of its identity")
    check_identity(untrusted.json(identity), int(name), f"{place}.identity")
    return Seed(fingerprint, identity, *hashes)


def check_identity(content: Any, seed: int, place: str) -> None:
    """Raise Refused if a seed's identity holds something that no training has."""
    values = mapping(content, place)
    number(values.get("seed"), seed, seed, f"{place}.seed", integer=True)
    data = mapping(values.get("data"), f"{place}.data")
    text(data.get("train"), SHA256, "SHA-256", f"{place}.data.train")
    libraries = untrusted.libraries(values.get("libraries"), f"{place}.libraries")
    params = mapping(values.get("params"), f"{place}.params")
    if not libraries or "source" not in values:
        raise refused(place, "its libraries or its source are missing")
    if values["source"] is not None:
        text(values["source"], FINGERPRINT, "fingerprint", f"{place}.source")
    place = f"{place}.params"
    number(params.get("epochs"), 1, EPOCHS, f"{place}.epochs", integer=True)
    number(params.get("batch_size"), 1, 10**6, f"{place}.batch_size", integer=True)
    number(params.get("dropout"), 0, 1, f"{place}.dropout")
    if not isinstance(params.get("trainable", True), bool):
        raise refused(f"{place}.trainable", "expected true or false")
    if params.get("network") != {"hidden": []}:  # without hidden layers there are no other keys
        fits(TypeAdapter(Network), params.get("network"), f"{place}.network")
    fits(TypeAdapter(AnyOptimizer), params.get("optimizer"), f"{place}.optimizer")


def fits(schema: TypeAdapter[Any], content: Any, place: str) -> None:
    """Raise Refused if values do not fit the schema of their section of `params.yaml`."""
    try:
        schema.validate_python(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join([place, *map(str, first["loc"])])
        raise refused(where, untrusted.shown(first["msg"])) from None


def old_summary(values: dict[str, Any]) -> dict[str, Any]:
    """Return a `summary.json` from before the redesign, which has the variant's parameters instead
    of an identity for each seed; raise Refused if it lacks something that a run needs."""
    wanted = {"fingerprint": str, "data": str, "params": dict}
    lacking = [name for name, kind in wanted.items() if not isinstance(values.get(name), kind)]
    if lacking:
        raise Refused(f"its summary.json has no {' and no '.join(lacking)}")
    text(values["fingerprint"], FINGERPRINT, "fingerprint", "fingerprint")
    text(values["data"], SHA256, "SHA-256", "data")
    params = plain(values["params"], "params")
    train = mapping(params.get("train"), "params.train")
    number(train.get("epochs"), 1, EPOCHS, "params.train.epochs", integer=True)
    for each in sequence(train.get("seeds"), "params.train.seeds"):
        number(each, 0, SEEDS, "params.train.seeds", integer=True)
    if not train["seeds"] or not untrusted.libraries(params.get("libraries"), "params.libraries"):
        raise Refused("params: no seeds, or no libraries")
    study = values.get("study") or ""
    return {
        "fingerprint": values["fingerprint"],
        "data": values["data"],
        "params": params,
        "study": study and text(study, WORD, "study", "study"),
    }


def plain(values: Any, place: str) -> dict[str, Any]:
    """Return a section of parameters; raise Refused if MLflow's page of a run cannot show one of
    its keys or values."""
    found = mapping(values, place)
    for key, value in found.items():
        text(key, WORD, "parameter", place)
        if isinstance(value, dict):
            plain(value, f"{place}.{key}")
        elif len(str(value)) > 500 or not str(value).isprintable():
            raise refused(f"{place}.{key}", "a value that is too long, or cannot be shown")
    return found


# History


def history(path: Path, seeds: Iterable[int]) -> dict[int, list[Row]]:
    """Return the rows of each of these seeds; epochs count from 1.

    Raises:
        Refused: the file is too large or not a history, or a seed's epochs are not consecutive.
        KeyError: a seed is missing.
    """
    if path.stat().st_size > HISTORY:
        raise Refused(f"{result.HISTORY}: larger than {HISTORY >> 20} MB")
    try:
        every = histories.read(path)
    except (csv.Error, TypeError, ValueError, OverflowError) as error:
        raise Refused(f"{result.HISTORY}: {untrusted.shown(str(error))}") from None
    found = {seed: every[seed] for seed in seeds}
    for seed, rows in found.items():
        if [row["epoch"] for row in rows] != list(range(1, len(rows) + 1)) or len(rows) > EPOCHS:
            raise Refused(f"{result.HISTORY}: the epochs of seed {seed} do not follow each other")
    return found


# Models


def check_model(path: Path) -> None:
    """Raise Refused if a `.keras` file does not hold a network of this project, or declares one
    that is too large. Build no part of it."""
    try:
        with zipfile.ZipFile(path) as file:
            sizes = {info.filename: info.file_size for info in file.infolist()}
            if set(sizes) != MEMBERS or len(file.infolist()) != len(MEMBERS):
                raise Refused("it holds other files than Keras writes")
            if sizes["model.weights.h5"] > MODEL or sizes["config.json"] > CONFIG:
                raise Refused(f"it declares more than {MODEL >> 20} MB")
            check_network(untrusted.json(file.read("config.json")))
            check_weights(file.read("model.weights.h5"))
    except Refused as error:
        raise refused(path.name, f"no model of this project: {error}") from None
    except Exception as error:  # zlib, zipfile and HDF5 raise many kinds for an unreadable file
        raise refused(path.name, f"no model ({untrusted.shown(str(error))})") from None


def check_network(config: Any) -> None:
    """Raise Refused if a network has unknown parts, too many weights or too large an input."""
    network = mapping(config, "config.json")
    check_parts(network)
    if network.get("class_name") != "Sequential":
        raise Refused("not a Sequential model")
    values = mapping(network.get("config"), "config")
    width, weights = math.prod(PIXELS), 0
    shapes = [values.get("build_input_shape"), shape_of(network)]
    for entry in sequence(values.get("layers"), "layers"):
        layer = mapping(entry, "layers")
        kind, own = layer.get("class_name"), mapping(layer.get("config"), "layers.config")
        if kind not in LAYERS:
            raise Refused(f"a layer {untrusted.shown(kind)}")
        shapes.append(own.get("batch_shape") if kind == "InputLayer" else shape_of(layer))
        if kind == "Dense":
            units = int(number(own.get("units"), 1, WIDEST, "units", integer=True))
            built = shape_of(layer) or [None, width]  # Keras sizes the weights for this input
            check_shape(built)
            weights += (max(width, math.prod(built[1:])) + 1) * units
            width = units
        elif kind == "BatchNormalization":
            weights += 4 * width
        if 4 * weights > MODEL:
            raise Refused(f"it declares more than {MODEL >> 20} MB of weights")
    for shape in filter(None, shapes):
        check_shape(shape)


def check_shape(shape: Any) -> None:
    """Raise Refused if a layer is built for an input of more than `WIDEST` values."""
    sizes = [number(size, 1, WIDEST, "input_shape", True) for size in sequence(shape)[1:]]
    if math.prod(sizes) > WIDEST:
        raise Refused("an input_shape that is larger than any layer's")


def shape_of(entry: dict[str, Any]) -> Any:
    """Return the input shape that a layer or a network is built for; None if it declares none."""
    return mapping(entry.get("build_config"), "build_config").get("input_shape")


def check_parts(config: dict[str, Any]) -> None:
    """Raise Refused if a configuration names an object that is not Keras' own, or that this
    project's networks do not contain."""
    waiting: list[Any] = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        if not isinstance(value, dict):
            continue
        waiting += value.values()
        if "class_name" in value or "module" in value or "registered_name" in value:
            name, module = value.get("class_name"), value.get("module")
            if name not in PARTS or module not in MODULES or value.get("registered_name"):
                raise Refused(f"a part {untrusted.shown(name)} of {untrusted.shown(module)}")


def check_weights(content: bytes) -> None:
    """Raise Refused if the arrays of an HDF5 file are too large in total, hold no numbers, or lie
    in other files."""
    import h5py

    total = 0
    with h5py.File(io.BytesIO(content), "r") as file:
        groups: list[Any] = [file]
        for group in groups:
            for name in group:
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise Refused("weights that are stored elsewhere")
                entry = group[name]
                if isinstance(entry, h5py.Group):
                    groups.append(entry)
                    if len(groups) > 1000:  # a group may contain itself
                        raise Refused("more than 1000 groups of weights")
                    continue
                if entry.dtype.kind not in "fiu" or entry.external or entry.is_virtual:
                    raise Refused("weights that are not numbers, or are stored elsewhere")
                total += entry.nbytes
                if total > MODEL:
                    raise Refused(f"it declares more than {MODEL >> 20} MB of weights")


# Data


def train_split(prepared: dict[str, Path], wanted: str, seed: int = 0) -> Split:
    """Return the training split of the prepared data; if seeds draw their own, that of `seed`.

    Raises:
        Refused: its digest is not `wanted`, or it does not hold pictures with classes.
        KeyError, ValueError, OSError, EOFError: a file is missing or cannot be read.
    """
    summary = mapping(untrusted.json(prepared["summary.json"].read_bytes()))
    digests = summary.get("digests")
    found = mapping(digests, "digests").get("train") if digests else summary.get("digest")
    split = stored(prepared, "train")
    if "per_seed" in summary:
        own = mapping(summary["per_seed"], "per_seed").get("split_seed")
        number = untrusted.number(own, 0, untrusted.SEEDS, "split_seed", integer=True)
        split, _ = arrays.drawn(split, stored(prepared, "validation"), int(number), seed)
        found = wanted
    # Older data have a single `digest`, another kind of hash: it is only compared
    if found != wanted or (digests and arrays.digest(split) != wanted):
        raise Refused("data/prepared is not the data that it was trained on")
    return split


def stored(prepared: dict[str, Path], name: str) -> Split:
    """Return a split of the prepared data as stored; raise the same errors as `train_split`."""
    parts = [
        np.load(prepared[f"{name}_{kind}.npy"], mmap_mode="r", allow_pickle=False)
        for kind in ("images", "labels")
    ]
    for part, shape in zip(parts, (PIXELS, ()), strict=True):
        if not isinstance(part, np.ndarray) or part.dtype != np.uint8 or part.shape[1:] != shape:
            raise Refused("no pictures with classes")
    return Split(*parts)
