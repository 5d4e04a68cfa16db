"""Final scores of trained networks, and the one that is chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def spread(values: list[Any]) -> dict[str, Any]:
    """Mean, sample standard deviation (0 for a single value) and the values of all seeds.

    Where a seed has no value (it never reaches the target) there is no mean either: that of the
    others would look better than it is.
    """
    if None in values:
        return {"mean": None, "std": None, "seeds": values}
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"mean": round(float(np.mean(values)), 6), "std": round(deviation, 6), "seeds": values}


def of_seed(
    splits: Mapping[str, Mapping[str, float]], history: pd.DataFrame, target: float
) -> dict[str, float | None]:
    """All final scores of one seed, by the names that they have in MLflow.

    There are two gaps between validation and training loss. `loss_gap` is that of the notebook's
    plot, after the last epoch: its training loss is measured while training, with Dropout on.
    `evaluated_gap` compares the finished network with itself, without Dropout on either split.

    Args:
        splits: by split, what `score` returned.
        history: the rows of this seed in a frame of `stages.outputs.history`.
        target: the validation accuracy of `epochs_to_target`, the first epoch that has it; None
            where no epoch has.
    """
    last = history.iloc[-1]
    reached = history["epoch"][history["val_accuracy"] >= target]
    names = {f"{split}_{m}": value for split, of in splits.items() for m, value in of.items()}
    return names | {
        "loss_gap": round(float(last["val_loss"] - last["loss"]), 6),
        "evaluated_gap": round(names["validation_loss"] - names["train_loss"], 6),
        "best_epoch": int(history["epoch"].iloc[int(history["val_loss"].argmin())]),
        "epochs_to_target": int(reached.iloc[0]) if len(reached) else None,
    }


def summary(seeds: list[dict[str, float | None]]) -> dict[str, Any]:
    """What `reports/metrics.json` says of a variant: each score of `of_seed` over the seeds,
    those of a split in a section of their own."""
    found: dict[str, Any] = {split: {} for split in SPLITS}
    for name in seeds[0]:
        split, _, metric = name.partition("_")
        section, key = (found[split], metric) if split in SPLITS else (found, name)
        section[key] = spread([seed[name] for seed in seeds])
    return found


def by_seed(summary: Mapping[str, Any], seeds: Sequence[int]) -> dict[int, dict[str, float | None]]:
    """The scores of each seed, back from what `summary` made of them."""
    found: dict[str, list[float | None]] = {}
    for name, entry in summary.items():
        if not isinstance(entry, Mapping):
            continue
        of = {name: entry} if "seeds" in entry else {f"{name}_{m}": e for m, e in entry.items()}
        found |= {score: spread["seeds"] for score, spread in of.items()}
    return {
        seed: {name: values[i] for name, values in found.items()} for i, seed in enumerate(seeds)
    }


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
