"""Evaluation metrics join the runs of the training that they judge, found by fingerprint."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import numpy as np

Scores = Mapping[str, float]  # by name: test_accuracy, loss_gap, ...


def join(found: Mapping[str, tuple[str, Mapping[int, Scores]]]) -> None:
    """Log the scores of each seed to its run, and their mean to the variant's run.

    A run that says so already is left alone; a finished run keeps its status and its times.
    Where the store cannot be reached it says so once, and nothing is lost: the scores are in
    `reports/metrics.json`.

    Args:
        found: by variant, its fingerprint and the scores by seed.
    """
    try:
        log(found)
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        print(
            f"warning: MLflow's store cannot be written ({reason}); the evaluation is whole in "
            "reports/",
            file=sys.stderr,
        )


def log(found: Mapping[str, tuple[str, Mapping[int, Scores]]]) -> None:
    """`join` without its net."""
    from stages.tracking import runs, store

    client, experiment = store.open_store()
    for variant, (fingerprint, by_seed) in found.items():
        query = f"tags.variant = '{variant}' and tags.fingerprint = '{fingerprint}'"
        values = {str(seed): dict(scores) for seed, scores in by_seed.items()}
        names = next(iter(values.values()))
        mean = {name: float(np.mean([v[name] for v in values.values()])) for name in names}
        for run in client.search_runs([experiment], query, max_results=1000):
            expected = values.get(run.data.tags.get("seed", ""), mean)
            missing = {k: v for k, v in expected.items() if run.data.metrics.get(k) != v}
            if missing:
                runs.log_metrics(client, run.info.run_id, missing)
