"""Final scores of a seed, and the variant that is chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from stages.evaluation import results
from stages.evaluation.results import Result, Scores, finite
from stages.training.history import Row


def of_seed(measured: Mapping[str, float | None], rows: Sequence[Row], target: float) -> Scores:
    """Return all final scores of one seed, by the names that they have in MLflow.

    A training that diverged has none: where a loss is no finite number, accuracy is that of guesses
    among numbers that are none, and says nothing.

    There are two gaps between validation and training loss. `loss_gap` is that of the notebook's
    plot, after the last epoch: its training loss is measured while training, with Dropout on.
    `evaluated_gap` compares the finished network with itself, without Dropout on either split.

    The finished network's loss and accuracy on validation are those of the history's last epoch.

    Args:
        measured: loss and accuracy of the finished network on the other splits.
        rows: the history of this seed.
        target: the validation accuracy of `epochs_to_target`, the first epoch that has it; None
            where no epoch has.
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
    """Return the variant with the best mean accuracy on validation, never on test; of equal ones
    the one with the lower loss there, then the first by name. None where each has a seed that
    diverged."""

    def rank(name: str) -> tuple[float, float, str]:
        accuracy, loss = (found[name].mean(f"validation_{m}") for m in ("accuracy", "loss"))
        return -(accuracy or 0.0), math.inf if loss is None else loss, name

    return min((name for name in found if not found[name].diverged), key=rank, default=None)
