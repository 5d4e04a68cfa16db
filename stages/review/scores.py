"""Final scores of trained networks, and the one that is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import logsumexp

SPLITS = ("train", "validation", "test")


def score(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8]) -> dict[str, float]:
    """Cross-entropy and accuracy of logits of shape (n, 10) for labels of shape (n,).

    Of logits, as Keras computes the loss while it trains: of probabilities it would have to cut
    off those below 1e-7, and confident mistakes would cost less than in the history.
    """
    chosen = logits[np.arange(len(labels)), labels].astype(np.float64)
    return {
        "loss": round(float((logsumexp(logits.astype(np.float64), axis=1) - chosen).mean()), 6),
        "accuracy": round(float((logits.argmax(axis=1) == labels).mean()), 6),
    }


def spread(values: list[float]) -> dict[str, Any]:
    """Mean, sample standard deviation (0 for a single value) and the values of all seeds."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"mean": round(float(np.mean(values)), 6), "std": round(deviation, 6), "seeds": values}


def summary(seeds: list[dict[str, dict[str, float]]], history: pd.DataFrame) -> dict[str, Any]:
    """What `reports/metrics.json` says of a variant.

    Args:
        seeds: a dict for each seed: by split, what `score` returned.
        history: the variant's history, a frame of `stages.outputs.history`.
    """
    found: dict[str, Any] = {
        split: {m: spread([seed[split][m] for seed in seeds]) for m in ("loss", "accuracy")}
        for split in SPLITS
    }
    gaps = [round(seed["validation"]["loss"] - seed["train"]["loss"], 6) for seed in seeds]
    best = history.loc[history.groupby("seed")["val_loss"].idxmin(), "epoch"]
    return found | {"loss_gap": spread(gaps), "best_epoch": spread([int(e) for e in best])}


def champion(variants: Mapping[str, Any]) -> str:
    """The variant with the best mean accuracy on validation, never on test; of equal ones the one
    with the lower loss there, then the first by name."""

    def rank(name: str) -> tuple[float, float, str]:
        validation = variants[name]["validation"]
        return -validation["accuracy"]["mean"], validation["loss"]["mean"], name

    return min(variants, key=rank)


def praise(name: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The champion's entry: chosen on validation, reported on test."""
    variant = metrics[key(name)]
    return {
        "variant": name,
        "validation_accuracy": variant["validation"]["accuracy"],
        "test_accuracy": variant["test"]["accuracy"],
    }


def key(variant: str) -> str:
    """A variant's key in `reports/metrics.json`: without the dot, at which DVC would split it."""
    return variant.replace(".", "_")
