"""Describe a variant for its runs, whether it trains now or was read from its outputs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stages.training.history import Row
from stages.training.identity import Identity
from stages.training.result import Summary, of_variant
from stages.training.variants import Variant


@dataclass(frozen=True)
class Training:
    """A variant as its runs describe it, in plain values, as old revisions had other parameters.

    Attributes:
        variant, stage, study: its names, which are not part of its result.
        fingerprint: the variant's.
        seeds: the fingerprint of each seed, "" in an old revision that had none.
        data: the digest of the training split.
        params: resolved values by their names in `params.yaml`, defaults included.
    """

    variant: str
    stage: str
    study: str
    fingerprint: str
    seeds: Mapping[int, str]
    data: str
    params: Mapping[str, Any]


def of_variant_in_training(variant: Variant, identities: Mapping[int, Identity]) -> Training:
    """Return the description of a variant that is about to be trained."""
    seeds = {seed: identity.fingerprint for seed, identity in identities.items()}
    text = next(iter(identities.values())).text
    source = variant.reuse.source if variant.reuse else ""
    return described(variant.name, variant.stage, variant.study, source, seeds, text)


def of_summary(name: str, stage: str, study: str, source: str, summary: Summary) -> Training:
    """Return the description of a variant whose outputs exist."""
    text = next(iter(summary.seeds.values())).identity
    return described(name, stage, study, source, summary.fingerprints, text)


def described(
    name: str, stage: str, study: str, source: str, seeds: Mapping[int, str], identity: str
) -> Training:
    """Return the description, with the parameters from the identity of one seed, as JSON."""
    content = json.loads(identity)
    values = dict(content["params"])
    train = {key: values.pop(key) for key in ("epochs", "batch_size")}
    params = {
        "network": values["network"],
        "dropout": values["dropout"],
        "optimizer": values["optimizer"],
        "train": {**train, "seeds": list(seeds)},
        "libraries": content["libraries"],
    }
    if "trainable" in values:
        params["reuse"] = {"source": source, "trainable": values["trainable"]}
    fingerprint = of_variant(dict(seeds))
    return Training(name, stage, study, fingerprint, seeds, content["data"]["train"], params)


def diverged(rows: Sequence[Row]) -> bool:
    """Return whether a seed's training ended with a loss or validation loss that is not finite."""
    return not all(math.isfinite(loss) for loss in (rows[-1]["loss"], rows[-1]["val_loss"]))
