"""What the runs of a variant say of it, whether it trains now or was read from its outputs."""

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
    """A variant as its runs describe it, in plain values: an old revision had other parameters.

    Attributes:
        variant, stage, study: what it is called; no part of its result.
        fingerprint: of the variant.
        seeds: the fingerprint of each seed; "" where an old revision had none.
        data: the digest of the training split.
        params: resolved values by the names of `params.yaml`, defaults included.
    """

    variant: str
    stage: str
    study: str
    fingerprint: str
    seeds: Mapping[int, str]
    data: str
    params: Mapping[str, Any]


def of_variant_in_training(variant: Variant, identities: Mapping[int, Identity]) -> Training:
    """Return what the runs say of a variant that is about to be trained."""
    seeds = {seed: identity.fingerprint for seed, identity in identities.items()}
    text = next(iter(identities.values())).text
    source = variant.reuse.source if variant.reuse else ""
    return described(variant.name, variant.stage, variant.study, source, seeds, text)


def of_summary(name: str, stage: str, study: str, source: str, summary: Summary) -> Training:
    """Return what the runs say of a variant whose outputs are there."""
    text = next(iter(summary.seeds.values())).identity
    return described(name, stage, study, source, summary.fingerprints, text)


def described(
    name: str, stage: str, study: str, source: str, seeds: Mapping[int, str], identity: str
) -> Training:
    """Return the description, the parameters as the identity of a seed has them."""
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
    """Return whether the training of a seed ended with a loss that is no finite number."""
    return not all(math.isfinite(loss) for loss in (rows[-1]["loss"], rows[-1]["val_loss"]))
