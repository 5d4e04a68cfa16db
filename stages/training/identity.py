"""The fingerprint: a hash of everything that determines a result, and of nothing else.

A result belongs to one seed of a variant. Two results are the same if and only if their identities
are. The names of variant, stage and study, the tracking and the CPU are no part of an identity. The
hashed text is in `runs/<variant>/summary.json`, so anyone with that file can recompute the
fingerprint: the first 16 hexadecimal digits of the text's SHA-256.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core import messages
from stages.core.errors import UserError
from stages.data.arrays import Prepared
from stages.training import LOADED
from stages.training.result import SUMMARY, Summary, canonical, digest, model_name
from stages.training.variants import Variant

RUNS = Path("runs")
PLACES = {
    "params": "params.yaml",
    "libraries": "params.yaml",
    "data": "data/prepared",
    "source": "runs",
}


@dataclass(frozen=True)
class Identity:
    """What determines the result of one seed.

    Attributes:
        text: canonical JSON of `code` (SHA-256 of `train.py` and of each module of this folder),
            `data` (digests of the training and validation splits), `libraries` (their versions),
            `params` (the resolved values that the training reads), `seed`, and `source` (the
            fingerprint of the result whose layers it reuses, or null).
    """

    text: str

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with everything that can change a bit of the result."""
        return digest(self.text)


def of_seeds(
    variant: Variant, data: Prepared, code: Mapping[str, str] = LOADED, runs: Path = RUNS
) -> dict[int, Identity]:
    """Return the identity of each seed of a variant, in the order of `train.seeds`.

    Args:
        variant: the resolved parameters.
        data: the prepared data.
        code: SHA-256 of each module (`code.digests`).
        runs: the folder with the outputs of a reused source.

    Raises:
        UserError: the source has not been trained, or lacks a seed.
    """
    sources = source_fingerprints(variant, runs)
    everything = {
        "code": dict(code),
        "data": {"train": data.digests["train"], "validation": data.digests["validation"]},
        "libraries": variant.libraries,
        "params": values_read(variant),
    }
    return {
        seed: Identity(canonical({**everything, "seed": seed, "source": sources.get(seed)}))
        for seed in variant.train.seeds
    }


def values_read(variant: Variant) -> dict[str, Any]:
    """Return the resolved values that a training reads, by the names of `params.yaml`."""
    network = variant.network.model_dump(mode="json")
    if not variant.network.hidden:  # its other values describe hidden layers
        network = {"hidden": []}
    return {
        "batch_size": variant.train.batch_size,
        "dropout": float(variant.dropout),  # 0 and 0.0 are one network
        "epochs": variant.train.epochs,
        "network": network,
        "optimizer": variant.optimizer.model_dump(mode="json", by_alias=True),
        **({"trainable": variant.reuse.trainable} if variant.reuse else {}),
    }


def source_fingerprints(variant: Variant, runs: Path = RUNS) -> dict[int, str]:
    """Return the fingerprint of each seed of the variant whose layers `variant` reuses.

    Raises:
        UserError: that variant has not been trained, or lacks a seed.
    """
    if variant.reuse is None:
        return {}
    path = runs / variant.reuse.source / SUMMARY
    try:
        seeds = Summary.read(path).fingerprints
        return {seed: seeds[seed] for seed in variant.train.seeds}
    except (FileNotFoundError, KeyError):
        raise UserError(messages.NO_SOURCE.format(path, variant.stage)) from None


def source_model(variant: Variant, seed: int, runs: Path = RUNS) -> Path | None:
    """Return the model whose hidden layers a seed of `variant` starts from, or None."""
    return runs / variant.reuse.source / model_name(seed) if variant.reuse else None


def difference(before: Mapping[int, Identity], after: Mapping[int, Identity]) -> str | None:
    """Return the file or folder in which two states of a variant differ; None if they agree."""
    if before.keys() != after.keys():
        return "params.yaml"
    for seed, identity in before.items():
        one, other = json.loads(identity.text), json.loads(after[seed].text)
        for name in sorted(one["code"].keys() | other["code"].keys()):
            if one["code"].get(name) != other["code"].get(name):
                return f"stages/{name}"
        for section, place in PLACES.items():
            if one[section] != other[section]:
                return place
    return None
