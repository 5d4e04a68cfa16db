"""Define the events of a training for its listeners: MLflow's recorder, the lines on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from stages.core.signals import end_if_asked
from stages.training.history import Row


class Listener(Protocol):
    """Receives the events of a variant's training, seed by seed, and returns nothing to it."""

    def seed_begins(self, seed: int) -> None:
        """Handle the start of a seed's training."""

    def epoch_ends(self, row: Row, seconds: float) -> None:
        """Handle the end of an epoch, which took `seconds`."""

    def seed_ends(self, seed: int, rows: Sequence[Row], model: Path, origin: str) -> None:
        """Handle the end of a seed, with all its epochs done and its model saved.

        Args:
            origin: where its result was taken over from; "" if it was trained just now.
        """

    def training_ends(self) -> None:
        """Handle the end of the training, with all seeds done and the output complete."""


class Listeners(Listener):
    """Passes every event to several listeners, one after the other, and ends the training after an
    epoch in which a signal asked for that in vain."""

    def __init__(self, *each: Listener) -> None:
        self.each = each

    def seed_begins(self, seed: int) -> None:
        """Pass it on."""
        for listener in self.each:
            listener.seed_begins(seed)

    def epoch_ends(self, row: Row, seconds: float) -> None:
        """Pass it on; raise SystemExit if a signal has come."""
        for listener in self.each:
            listener.epoch_ends(row, seconds)
        end_if_asked()

    def seed_ends(self, seed: int, rows: Sequence[Row], model: Path, origin: str) -> None:
        """Pass it on."""
        for listener in self.each:
            listener.seed_ends(seed, rows, model, origin)

    def training_ends(self) -> None:
        """Pass it on."""
        for listener in self.each:
            listener.training_ends()
