"""The history of a training: one row per epoch, in a CSV that reads back to the same bits."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")
COLUMNS = ("seed", "epoch", *METRICS)


class Row(TypedDict):
    """One epoch (from 1) of one seed: training metrics, means over its steps, and validation."""

    seed: int
    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float


def text(rows: Iterable[Row], header: bool = True) -> str:
    """Return rows as CSV."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def append(rows: Iterable[Row], path: Path) -> None:
    """Add rows to a file, so that it shows how far a training is."""
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(text(rows, header=new))


def read(path: Path) -> dict[int, list[Row]]:
    """Return the rows of each seed, as `append` wrote them.

    Raises:
        ValueError: the file is not a history.
    """
    found: dict[int, list[Row]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(f"its columns are {reader.fieldnames}, not {COLUMNS}")
        for line in reader:
            seed, epoch = int(line["seed"]), int(line["epoch"])
            values = {name: float(line[name]) for name in METRICS}
            found.setdefault(seed, []).append(Row(seed=seed, epoch=epoch, **values))  # type: ignore[typeddict-item]
    return found
