"""What a training tells whoever listens: MLflow's recorder, the lines on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from stages.training.history import Row


class Listener(Protocol):
    """Hears of the training of a variant, seed after seed. Nothing that it does comes back."""

    def seed_begins(self, seed: int) -> None:
        """A seed's training begins."""

    def epoch_ends(self, row: Row, seconds: float) -> None:
        """An epoch has ended."""

    def seed_ends(self, seed: int, rows: Sequence[Row], model: Path, origin: str) -> None:
        """A seed has all its epochs, and its model is saved.

        Args:
            origin: where its result was taken over from; "" where it was trained just now.
        """

    def training_ends(self) -> None:
        """All seeds have ended, and the output is whole."""


class Listeners(Listener):
    """Several listeners as one; each hears in its turn."""

    def __init__(self, *each: Listener) -> None:
        self.each = each

    def seed_begins(self, seed: int) -> None:
        """Pass it on."""
        for listener in self.each:
            listener.seed_begins(seed)

    def epoch_ends(self, row: Row, seconds: float) -> None:
        """Pass it on."""
        for listener in self.each:
            listener.epoch_ends(row, seconds)

    def seed_ends(self, seed: int, rows: Sequence[Row], model: Path, origin: str) -> None:
        """Pass it on."""
        for listener in self.each:
            listener.seed_ends(seed, rows, model, origin)

    def training_ends(self) -> None:
        """Pass it on."""
        for listener in self.each:
            listener.training_ends()
