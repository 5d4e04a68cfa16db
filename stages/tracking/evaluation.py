"""Evaluation metrics join the runs of the training that they judge, found by fingerprint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from stages.core.errors import say
from stages.core.redact import reason
from stages.evaluation.results import Result, Scores
from stages.tracking import is_off
from stages.tracking.time_budget import TimeBudget


def join(results: Mapping[str, Result]) -> None:
    """Log the scores of each seed to its run, and their mean to the variant's run.

    A run that says so already is left alone; a finished run keeps its status and its times.
    Where the store cannot be reached it says so once, and nothing is lost: the scores are in
    `reports/results/`.

    Args:
        results: of each variant, by its name.
    """
    if is_off():
        return
    from stages.tracking import store

    budget = TimeBudget()
    try:
        client, experiment = budget.call(store.open_store)
        client = budget.guarded(client)
        for variant, result in results.items():
            log(client, experiment, variant, result)
    except Exception as error:
        say(
            f"warning: MLflow's store cannot be written ({reason(error)}); the evaluation is whole "
            "in reports/: when the store is back, `branchmark sync` brings it in"
        )


def log(client: Any, experiment: str, variant: str, result: Result) -> None:
    """Log the scores of one variant."""
    from stages.tracking import runs

    query = f"tags.variant = '{variant}' and tags.fingerprint = '{result.fingerprint}'"
    there = client.search_runs([experiment], query, max_results=1000)
    for run_id, values in missing(client, there, result.seeds).items():
        runs.log_metrics(client, run_id, values)


def missing(
    client: Any, there: Iterable[Any], by_seed: Mapping[int, Scores]
) -> dict[str, dict[str, float]]:
    """By run, the scores that it does not have, or has with another value.

    Args:
        client: of the store, for the seconds that the epochs took.
        there: runs of one fingerprint, of seeds and of the variant.
        by_seed: the scores of that fingerprint.
    """
    values = {str(seed): scores for seed, scores in by_seed.items()}
    took: dict[str, list[float | None]] = {}  # by the variant's run, seconds to the target
    result = {}
    for run in sorted(there, key=lambda run: "seed" not in run.data.tags):
        if (seed := run.data.tags.get("seed")) in values:
            expected = dict(values[seed])
            seconds = seconds_to(client, run, expected.get("epochs_to_target"))
            took.setdefault(run.data.tags.get("mlflow.parentRunId", ""), []).append(seconds)
        else:
            expected = mean(values)
            seconds = average(took.get(run.info.run_id, [None]))
        expected["seconds_to_target"] = seconds
        lacking = {
            name: value
            for name, value in expected.items()
            if value is not None and run.data.metrics.get(name) != value
        }
        if lacking:
            result[run.info.run_id] = lacking
    return result


def incomplete(runs: Iterable[Any], by_seed: Mapping[int, Scores]) -> bool:
    """Whether runs of one result lack a score, or the seconds to the target that go with it."""
    values = {str(seed): scores for seed, scores in by_seed.items()}
    if not values:
        return False
    for run in runs:
        seed = run.data.tags.get("seed")
        known, expected = run.data.metrics, values[seed] if seed in values else mean(values)
        if any(name not in known for name, value in expected.items() if value is not None):
            return True
        measured = "epoch_seconds" in known and expected.get("epochs_to_target") is not None
        if measured and "seconds_to_target" not in known:
            return True
    return False


def mean(by_seed: Mapping[str, Scores]) -> dict[str, float | None]:
    """The mean of each score."""
    names = dict.fromkeys(name for scores in by_seed.values() for name in scores)
    return {name: average([scores.get(name) for scores in by_seed.values()]) for name in names}


def average(values: list[float | None]) -> float | None:
    """The mean; None where a seed has no value."""
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if len(there) == len(values) else None


def seconds_to(client: Any, run: Any, epochs: float | None) -> float | None:
    """The seconds that the first `epochs` epochs of a run took; None where nobody measured them."""
    known = run.data.metrics
    if epochs is None or "epoch_seconds" not in known:
        return None
    if "seconds_to_target" in known and known.get("epochs_to_target") == epochs:
        return float(known["seconds_to_target"])
    measured = client.get_metric_history(run.info.run_id, "epoch_seconds")
    return float(sum(metric.value for metric in measured if metric.step <= epochs))
