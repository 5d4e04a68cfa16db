"""The history of a variant: a row a seed and epoch, as a CSV that reads back to the same bits."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")
COLUMNS = ("seed", "epoch", *METRICS)


def frame(rows: list[dict[str, float]]) -> pd.DataFrame:
    """Rows with the keys `COLUMNS` as a frame; epochs count from 1."""
    return pd.DataFrame(rows, columns=list(COLUMNS))


def append(row: dict[str, float], path: Path) -> None:
    """Add the row of an epoch that has just ended: whoever looks sees how far a training is."""
    frame([row]).to_csv(path, mode="a", header=not path.exists(), index=False, lineterminator="\n")


def read(path: Path) -> pd.DataFrame:
    """The frame of the rows that `append` wrote."""
    return pd.read_csv(path)
