"""Log evaluation scores to the runs of the training that they judge, found by fingerprint."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import numpy as np

from stages.core.errors import say
from stages.core.redact import reason
from stages.evaluation.results import Result, Scores
from stages.tracking import is_off
from stages.tracking.forked import ENDED, Process
from stages.tracking.time_budget import TimeBudget

LOST = (
    "warning: MLflow's store cannot be written ({}); the evaluation is complete in reports/: once "
    "the store is back, `branchmark sync` records it"
)


@contextmanager
def recorder(off: bool = False) -> Iterator[Callable[[Mapping[str, Result]], None]]:
    """Within the block, log the results of all variants, by name: the scores of each seed to its
    run, and their mean to the variant's run.

    Another process does it, which imports MLflow and opens the store while this one measures.
    Leave a run alone that already has its scores; a finished run keeps its status and times. If the
    store cannot be written, warn once: nothing is lost, the scores are in `reports/results/`.
    """
    if off or is_off():
        yield lambda results: None
        return
    with Process(record) as process:
        yield lambda results: process.tell({name: each.text() for name, each in results.items()})
    if process.code:
        say(LOST.format(ENDED))


def record(lines: IO[str]) -> None:
    """Open the store, wait for the results and log them; if the evaluation fails, none come."""
    from stages.tracking import store

    budget, line = TimeBudget(), ""
    try:
        client, experiment = budget.call(store.open_store)
        client = budget.guarded(client)
        if line := lines.readline():
            for variant, text in json.loads(line)[0].items():
                log(client, experiment, variant, Result.parse(text))
    except Exception as error:
        if line or lines.readline():
            say(LOST.format(reason(error)))


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
    """Return, by run id, the scores that a run lacks or has with another value.

    Args:
        client: the store's, to read how many seconds the epochs took.
        there: the runs of one fingerprint: those of the variant and of its seeds.
        by_seed: the scores of that fingerprint.
    """
    values = {str(seed): scores for seed, scores in by_seed.items()}
    took: dict[str, list[float | None]] = {}  # seconds to the target, by the variant's run
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
    """Return whether runs of one result lack a score, or the seconds to the target."""
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
    """Return the mean of each score, None where a seed has no value."""
    names = dict.fromkeys(name for scores in by_seed.values() for name in scores)
    return {name: average([scores.get(name) for scores in by_seed.values()]) for name in names}


def average(values: list[float | None]) -> float | None:
    """Return the mean, None if any value is None."""
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if len(there) == len(values) else None


def seconds_to(client: Any, run: Any, epochs: float | None) -> float | None:
    """Return the seconds that a run's first `epochs` epochs took, None if not measured."""
    known = run.data.metrics
    if epochs is None or "epoch_seconds" not in known:
        return None
    if "seconds_to_target" in known and known.get("epochs_to_target") == epochs:
        return float(known["seconds_to_target"])
    measured = client.get_metric_history(run.info.run_id, "epoch_seconds")
    return float(sum(metric.value for metric in measured if metric.step <= epochs))
