"""Pictures and tables of trainings that diverged: drawn without what is no number."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from stages.data.arrays import CLASSES
from stages.evaluation import scores, tables
from stages.evaluation.results import Result
from stages.params import schema as params
from stages.plots import charts, loss
from stages.tracking import runs
from stages.training.history import COLUMNS, Row

PARAMS = params.load()
NAMES = [variant.name for variant in PARAMS.variants()]
MEASURED = {"train_loss": None, "train_accuracy": 0.1, "test_loss": None, "test_accuracy": 0.1}


def rows(value: float) -> list[Row]:
    return [
        Row(seed=s, epoch=e, loss=1e30 if e == 1 else value, accuracy=0.1, val_loss=value,
            val_accuracy=0.1)
        for s in (1, 2)
        for e in (1, 2)
    ]  # fmt: skip


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_every_picture_can_be_drawn_where_all_diverged(value: float) -> None:
    each = rows(value)
    found = {s: scores.of_seed(MEASURED, [r for r in each if r["seed"] == s], 0.8) for s in (1, 2)}
    results = dict.fromkeys(NAMES, Result("f" * 16, found, {1: "a" * 16, 2: "b" * 16}))
    table = pd.concat(
        pd.DataFrame(each)[list(COLUMNS)].assign(variant=name, seed=each[0]["seed"])
        for name in NAMES
    )
    champion = {"variant": scores.champion(results), "confusion": None, "seeds": 0}
    assert champion["variant"] is None
    for picture in (
        loss.picture(each, "adam-0.0"),
        charts.gaps(results, PARAMS),
        charts.confusion(champion, CLASSES),
        charts.curves(table, PARAMS),
        charts.studies(table, PARAMS),
    ):
        assert picture.startswith(b"\x89PNG")
    page = tables.grid(PARAMS, results, None) + tables.studies(PARAMS, results, None)
    assert "| adam-0.0 | diverged: 2 of 2 |" in page
    assert "nan" not in page
    assert "No champion" in page
    means = runs.mean_history(each)
    assert [np.isfinite(row["val_loss"]) for row in means] == [False, False]
