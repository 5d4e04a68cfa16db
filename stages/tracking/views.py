"""Define the project's views of MLflow's run table: columns, filter, grouping, charts.

MLflow's own table shows no tags, and so no branch. A view that a user saves under *Views* is a tag
of the experiment; the project writes its views the same way, so they appear in the same menu.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stages.tracking.store import insisting

TAG = "mlflow.sharedViewState."

COLUMNS = {  # with their widths
    "tags.`live_on`": 130,
    "tags.`study`": 90,
    "tags.`diverged`": 80,
    "metrics.`val_accuracy`": 115,
    "metrics.`test_accuracy`": 115,
    "metrics.`loss_gap`": 105,
    "metrics.`best_epoch`": 95,
    "metrics.`epochs_to_target`": 135,
    "params.`optimizer.class`": 115,
    "params.`dropout`": 75,
}
TABLE: dict[str, Any] = {
    "selectedColumns": [*COLUMNS],
    "columnOrder": [*COLUMNS],
    "columnWidths": COLUMNS,
    # In any other order, MLflow does not fold seeds under their variant.
    "orderByKey": "attributes.start_time",
    "orderByAsc": False,
    "chartsSearchFilter": "^(val_)?(accuracy|loss)(_gap)?$|best_epoch",
}
STATES = {
    # A page has 100 rows: with seeds among them, it would not show every variant
    "variants": TABLE | {"searchFilter": "tags.superseded IS NULL AND tags.seed IS NULL"},
    "seeds": TABLE | {"searchFilter": "tags.superseded IS NULL"},
    "branches": TABLE
    | {
        # One variant, with its results side by side: a mean over variants would say nothing.
        "searchFilter": "tags.variant = 'adam-0.0' AND tags.live_on != ''",
        "groupBy": {
            "aggregateFunction": "average",
            "groupByKeys": [{"mode": "tag", "groupByData": "live_on"}],
        },
    },
}


def lacking(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that an experiment with `tags` still needs to have the views as defined."""
    wanted = {
        # MLflow lists the newest first, so the views that users save come before these.
        TAG + name: json.dumps({"name": name, "createdAt": 0, "state": json.dumps(state)})
        for name, state in STATES.items()
    }
    return {key: value for key, value in wanted.items() if tags.get(key) != value}


def write(client: Any, experiment: str) -> None:
    """Write the views that the experiment lacks or has in another form."""
    for key, value in lacking(client.get_experiment(experiment).tags).items():
        insisting(client.set_experiment_tag, experiment, key, value)
