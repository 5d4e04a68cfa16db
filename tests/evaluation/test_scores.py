"""Scores of a seed follow from its measurement and its history."""

from __future__ import annotations

import json
import math

from stages.evaluation import scores
from stages.evaluation.results import Result
from stages.training.history import Row

MEASURED = {"train_loss": 0.2, "test_loss": 0.5}


def rows(*val_losses: float) -> list[Row]:
    return [
        Row(seed=1, epoch=i, loss=0.1, accuracy=0.9, val_loss=loss, val_accuracy=0.8 + i / 100)
        for i, loss in enumerate(val_losses, 1)
    ]


def test_gaps_best_epoch_and_epochs_to_target() -> None:
    found = scores.of_seed(MEASURED, rows(0.6, 0.4, 0.5), target=0.82)
    assert (found["loss_gap"], found["evaluated_gap"]) == (0.4, 0.3)
    assert (found["best_epoch"], found["epochs_to_target"]) == (2, 2)


def test_a_target_that_is_never_reached_has_no_epoch() -> None:
    assert scores.of_seed(MEASURED, rows(0.6), target=0.99)["epochs_to_target"] is None


def test_a_training_that_diverged_has_scores_that_json_knows() -> None:
    found = scores.of_seed({**MEASURED, "train_loss": None}, rows(math.nan, 0.4, math.nan), 0.8)
    json.dumps(found, allow_nan=False)
    assert (found["loss_gap"], found["evaluated_gap"], found["best_epoch"]) == (None, None, 2)


def test_the_champion_is_chosen_on_validation_and_ties_by_loss_and_name() -> None:
    def result(accuracy: float, loss: float | None) -> Result:
        return Result("", {1: {"validation_accuracy": accuracy, "validation_loss": loss}}, {})

    assert scores.champion({"a": result(0.8, 0.1), "b": result(0.9, 0.9)}) == "b"
    assert scores.champion({"a": result(0.9, None), "b": result(0.9, 0.9)}) == "b"
    assert scores.champion({"b": result(0.9, 0.9), "a": result(0.9, 0.9)}) == "a"
