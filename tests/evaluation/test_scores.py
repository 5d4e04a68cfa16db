"""Scores of a seed follow from its measurement and its history."""

from __future__ import annotations

import math

import pytest

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


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_training_that_diverged_has_no_scores(loss: float) -> None:
    well = scores.of_seed(MEASURED, rows(0.6, 0.4), 0.8)
    for found in (
        scores.of_seed(MEASURED, rows(0.6, loss), 0.8),
        scores.of_seed({**MEASURED, "train_loss": None}, rows(0.6, 0.4), 0.8),
    ):
        assert found == dict.fromkeys(well)
    assert scores.of_seed(MEASURED, rows(loss, 0.4), 0.8)["best_epoch"] == 2  # it recovered


def test_the_champion_is_chosen_on_validation_and_ties_by_loss_and_name() -> None:
    def result(accuracy: float, loss: float | None) -> Result:
        return Result("", {1: {"validation_accuracy": accuracy, "validation_loss": loss}}, {})

    assert scores.champion({"a": result(0.8, 0.1), "b": result(0.9, 0.9)}) == "b"
    assert scores.champion({"b": result(0.9, 0.9), "a": result(0.9, 0.9)}) == "a"


def test_a_variant_that_diverged_is_no_champion() -> None:
    def result(*accuracies: float | None) -> Result:
        return Result("", {i: {"validation_accuracy": a} for i, a in enumerate(accuracies)}, {})

    found = {"a": result(0.9, None), "b": result(0.1, 0.1)}
    assert scores.champion(found) == "b"
    assert scores.champion({"a": found["a"]}) is None
