"""The notebook's claims, judged on results that were made up to be clear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stages.evaluation import claims, tables
from stages.evaluation.results import Result
from stages.params import schema as params

PARAMS = params.load()
SEEDS = range(1, 6)
NOTEBOOK = Path("data/notebook.csv")


def invented(**changes: dict[str, list[Any]]) -> dict[str, Result]:
    """Results in which all variants are alike, but for the changes by name and score."""
    same = [0.88, 0.89, 0.90, 0.87, 0.86]
    wiggle = [0.001, -0.001, 0.002, -0.002, 0.0]
    results = {}
    for i, variant in enumerate(PARAMS.variants()):
        accuracy = [a + w * (-1) ** i for a, w in zip(same, wiggle, strict=True)]
        values = dict.fromkeys(("validation_accuracy", "loss_gap", "evaluated_gap"), accuracy)
        values |= {"best_epoch": [5, 6, 6, 7, 6], "epochs_to_target": [10, 11, 12, 9, 10]}
        values |= changes.get(variant.name, {})
        seeds = {s: {k: v[i] for k, v in values.items()} for i, s in enumerate(range(1, 6))}
        results[variant.name] = Result("f", seeds, {})
    return results


def curves(variant: str = "adam-0.0", shift: float = 0.0) -> pd.DataFrame:
    """The notebook's table as five seeds that scatter about it."""
    table = pd.read_csv(NOTEBOOK)
    table = table[table["variant"] == variant]
    parts = []
    for seed in SEEDS:
        moved = table.copy()
        moved[["loss", "accuracy", "val_loss", "val_accuracy"]] += shift + 0.002 * (seed - 3)
        parts.append(moved.assign(seed=seed))
    return pd.concat(parts)


def verdicts(results: dict[str, Result], table: pd.DataFrame | None = None) -> dict[str, str]:
    judged = claims.judge(PARAMS, results, curves() if table is None else table)
    return {name: row["verdict"] for name, row in judged.items()}


def test_every_claim_of_the_notebook_has_its_rows() -> None:
    rows = verdicts(invented())
    numbers = [name.split()[0] for name in rows]
    assert {n: numbers.count(n) for n in numbers} == {"1": 4, "2": 2, "3": 14, "4": 6, "5": 1}


def test_where_nothing_differs_nothing_is_claimed() -> None:
    rows = verdicts(invented())
    assert {v for name, v in rows.items() if name[0] in "134"} <= {"cannot tell", "does not hold"}


def test_a_clear_order_holds_and_the_reverse_does_not() -> None:
    better = {"validation_accuracy": [0.92, 0.93, 0.94, 0.91, 0.90]}
    assert verdicts(invented(elu=better))["1 elu > leaky_relu"] == "holds"
    assert verdicts(invented(leaky_relu=better))["1 elu > leaky_relu"] == "does not hold"


def test_a_seed_that_never_reaches_the_target_counts_and_is_not_dropped() -> None:
    slow = {"epochs_to_target": [None, None, None, 20, None]}
    results = invented(**{"sgd-0.0": slow})
    assert results["sgd-0.0"].mean("epochs_to_target") is None
    row = claims.judge(PARAMS, results, curves())["4 adam"]
    assert row["verdict"] == "holds"
    assert row["mean"] == pytest.approx(((10 + 11 + 12 + 9 + 10) - (21 * 4 + 20)) / 5)
    assert tables.cell(results["sgd-0.0"], "epochs_to_target", 1) == "1 of 5: 20"


def test_about_six_epochs_is_four_to_eight() -> None:
    late = {"best_epoch": [12, 14, 13, 12, 14]}
    assert verdicts(invented())["2 best epoch"] == "holds"
    assert verdicts(invented(**{"adam-0.0": late}))["2 best epoch"] == "does not hold"


def test_no_better_means_not_by_what_matters() -> None:
    """`compare.min_effect` of accuracy is 0.5 points."""
    base = invented()["no_hidden_layer"].values("validation_accuracy")

    def linear(points: float) -> str:
        values = [
            value + points / 100 + 0.0001 * i for i, value in enumerate(base) if value is not None
        ]
        return verdicts(invented(linear={"validation_accuracy": values}))["5 linear"]

    assert linear(0.1) == "holds"
    assert linear(2.0) == "does not hold"


def test_the_notebooks_run_is_inside_the_spread_of_runs_like_it() -> None:
    notebook = pd.read_csv(NOTEBOOK)
    found = claims.tables(PARAMS, curves(), notebook)["adam-0.0"]
    assert (len(found["rows"]), found["inside"], found["verdict"]) == (16, 16, "holds")
    found = claims.tables(PARAMS, curves(shift=0.1), notebook)["adam-0.0"]
    assert (found["inside"], found["verdict"]) == (0, "does not hold")
    one = curves()[curves()["seed"] == 1]
    assert claims.tables(PARAMS, one, notebook)["adam-0.0"]["verdict"] == "too few seeds"


def test_claims_about_variants_that_are_not_there_are_left_out() -> None:
    results = {name: v for name, v in invented().items() if name in ("elu", "sgd-0.0")}
    assert verdicts(results) == {}
    assert claims.tables(PARAMS, curves("sgd-0.0"), pd.read_csv(NOTEBOOK)) == {}


def test_the_correction_is_for_the_claims_of_one_number() -> None:
    rows = claims.judge(PARAMS, invented(), curves())
    assert rows["1 elu > leaky_relu"]["comparisons"] == 4
    assert rows["5 linear"]["comparisons"] == 1


def test_the_notebooks_tables_are_as_it_printed_them() -> None:
    table = pd.read_csv(NOTEBOOK).set_index(["variant", "epoch"])
    assert len(table) == 60
    assert table.loc[("adam-0.0", 20), "val_accuracy"] == 0.8940
    assert table.loc[("rmsprop-0.0", 1), "loss"] == 0.6834
    assert table.loc[("adam-0.3", 10), "val_loss"] == 0.3249


def test_a_claim_about_a_variant_that_diverged_is_left_out() -> None:
    rows = verdicts(invented(elu={"validation_accuracy": [0.9, None, 0.9, 0.9, 0.9]}))
    assert "1 elu > leaky_relu" not in rows
    assert "1 leaky_relu > relu" in rows
