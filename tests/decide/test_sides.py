"""What is known of a seed that was trained for a decision, and not evaluated."""

from __future__ import annotations

import pytest

from stages.decide.sides import known_of
from stages.evaluation.results import diverged
from stages.training.history import Row

NAN = float("nan")


def rows(loss: float, val_loss: float) -> list[Row]:
    return [
        {
            "seed": 1,
            "epoch": 1,
            "loss": 0.5,
            "accuracy": 0.8,
            "val_loss": 0.4,
            "val_accuracy": 0.85,
        },
        {
            "seed": 1,
            "epoch": 2,
            "loss": loss,
            "accuracy": 0.9,
            "val_loss": val_loss,
            "val_accuracy": 0.89,
        },
    ]


def test_a_history_tells_all_that_is_compared_but_the_test_split() -> None:
    known = known_of(rows(0.25, 0.375), 0.88)
    assert known == {
        "validation_loss": 0.375,
        "validation_accuracy": 0.89,
        "loss_gap": 0.125,
        "epochs_to_target": 2,
    }
    assert not diverged(known)


@pytest.mark.parametrize(("loss", "val_loss"), [(NAN, 0.4), (0.3, NAN), (float("inf"), 0.4)])
def test_a_seed_that_diverged_is_known_to(loss: float, val_loss: float) -> None:
    assert diverged(known_of(rows(loss, val_loss), 0.88))
