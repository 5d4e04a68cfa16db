"""The history of a variant: a row a seed and epoch, as a CSV that reads back to the same bits."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")
COLUMNS = ("seed", "epoch", *METRICS)


def frame(rows: list[dict[str, float]]) -> pd.DataFrame:
    """Rows with the keys `COLUMNS` as a frame; epochs count from 1."""
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write(history: pd.DataFrame, path: Path) -> None:
    """Write a frame of `frame`, the same bytes on every platform."""
    history.to_csv(path, index=False, lineterminator="\n")


def read(path: Path) -> pd.DataFrame:
    """The frame that `write` wrote."""
    return pd.read_csv(path)
