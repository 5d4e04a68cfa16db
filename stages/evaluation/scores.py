"""Compute the final scores of a seed, and choose the champion."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from stages.evaluation import results
from stages.evaluation.results import Result, Scores, finite
from stages.training.history import Row


def of_seed(measured: Mapping[str, float | None], rows: Sequence[Row], target: float) -> Scores:
    """Return all final scores of one seed, by their names in MLflow.

    If a training diverged, all are None: when a loss is not finite, the accuracy comes from outputs
    that are not numbers, and means nothing.

    There are two gaps between validation and training loss. `loss_gap` is the gap in the notebook's
    plot after the last epoch: its training loss is measured during training, with Dropout on.
    `evaluated_gap` measures the finished network on both splits, with Dropout off.

    The finished network's validation loss and accuracy come from the history's last epoch.

    Args:
        measured: the finished network's loss and accuracy on the training and test splits.
        rows: the history of this seed.
        target: the validation accuracy for `epochs_to_target`: the first epoch to reach it, or None
            if no epoch does.
    """
    last = rows[-1]
    best = min(rows, key=lambda row: math.inf if math.isnan(row["val_loss"]) else row["val_loss"])
    train, validation = measured["train_loss"], finite(round(last["val_loss"], 6))
    gap = None if train is None or validation is None else round(validation - train, 6)
    reached = [row["epoch"] for row in rows if row["val_accuracy"] >= target]
    found = dict(measured) | {
        "validation_loss": validation,
        "validation_accuracy": round(last["val_accuracy"], 6),
        "loss_gap": finite(round(last["val_loss"] - last["loss"], 6)),
        "evaluated_gap": gap,
        "best_epoch": best["epoch"],
        "epochs_to_target": reached[0] if reached else None,
    }
    return dict.fromkeys(found) if results.diverged(found) else found


def champion(found: Mapping[str, Result]) -> str | None:
    """Return the variant with the best mean accuracy on validation, never on test. A tie goes to
    the lower validation loss, then to the first name. Return None if every variant has a seed that
    diverged."""

    def rank(name: str) -> tuple[float, float, str]:
        accuracy, loss = (found[name].mean(f"validation_{m}") for m in ("accuracy", "loss"))
        return -(accuracy or 0.0), math.inf if loss is None else loss, name

    return min((name for name in found if not found[name].diverged), key=rank, default=None)
