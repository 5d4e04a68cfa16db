"""What a store says after `branchmark sync`, whatever happened before."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mlflow import MlflowClient

from stages.sync.observed import pages, status


def assert_whole(client: MlflowClient, variant: str, branch: str = "main") -> None:
    """One finished run that is not superseded for the variant and for each of its seeds; nothing is
    RUNNING, no model is PENDING."""
    experiment = client.get_experiment_by_name("fashion-mnist").experiment_id
    found: list[Any] = list(pages(client.search_runs, [experiment], max_results=1000))
    assert not [run for run in found if run.info.status == "RUNNING"]
    models = pages(client.search_logged_models, [experiment], max_results=100)
    assert not [model for model in models if status(model) == "PENDING"]
    counted = Counter(
        run.data.tags.get("seed", "")
        for run in found
        if run.data.tags["variant"] == variant
        and "superseded" not in run.data.tags
        and f"|{branch}|" in run.data.tags.get("live_on", "")
        and run.info.status == "FINISHED"
    )
    assert counted == {"": 1, "1": 1, "2": 1}
