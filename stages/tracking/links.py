"""Build the addresses of MLflow's pages about runs, for links in reports."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from stages.tracking.store import open_store, tracking_uri

HOST = "http://127.0.0.1:5000"  # where `branchmark ui` listens by default
TRAINING = "workflowType=machine_learning"  # else MLflow opens its pages for language models


Key = tuple[str, str]  # variant and fingerprint: two variants with equal results have a run each


@dataclass(frozen=True)
class Links:
    """Addresses of pages about the runs of results.

    Attributes:
        address: the server's, without credentials.
        experiment: the id of the project's experiment.
        runs: for each result, the id of the newest finished run of the variant.
    """

    address: str
    experiment: str
    runs: dict[Key, str]

    def run(self, key: Key) -> str | None:
        """Return the address of a result's page, None if it has no run."""
        if key not in self.runs:
            return None
        run = self.runs[key]
        return f"{self.address}/#/experiments/{self.experiment}/runs/{run}?{TRAINING}"

    def together(self, keys: Iterable[Key]) -> str | None:
        """Return the address of the page that compares these runs, None for fewer than two."""
        ids = [self.runs[key] for key in keys if key in self.runs]
        if len(ids) < 2:
            return None
        runs, experiments = (quote(json.dumps(each)) for each in (ids, [self.experiment]))
        return f"{self.address}/#/compare-runs?runs={runs}&experiments={experiments}&{TRAINING}"


def tag(keys: Iterable[Key], tags: Mapping[str, str]) -> int:
    """Set tags on the runs of these results; return how many runs. Raise what `links` raises."""
    known = links(keys)
    if known is None or not known.runs:  # do not create a store just for tags
        return 0
    client, _ = open_store()
    for run in known.runs.values():
        for key, value in tags.items():
            client.set_tag(run, key, value)
    return len(known.runs)


def links(keys: Iterable[Key]) -> Links | None:
    """Return links to the runs of these results, None if there is no store; do not create one.

    Raises:
        UserError: the project's experiment was deleted.
        mlflow.exceptions.MlflowException: the server cannot be reached.
        sqlite3.Error: the store cannot be read.
    """
    uri, wanted = tracking_uri(), set(keys)
    if not uri.startswith("sqlite:///"):
        return Links(server(uri), *of_server(wanted))
    file = Path(uri.removeprefix("sqlite:///"))
    return Links(HOST, *of_file(file, wanted)) if file.exists() else None


def of_file(file: Path, keys: set[Key]) -> tuple[str, dict[Key, str]]:
    """Return the experiment and the runs in a SQLite file. Read it without MLflow, whose import
    takes longer than a comparison may."""
    query = """
        SELECT runs.experiment_id, variants.value, prints.value, runs.run_uuid FROM runs
        JOIN tags AS variants ON variants.run_uuid = runs.run_uuid AND variants.key = 'variant'
        JOIN tags AS prints ON prints.run_uuid = runs.run_uuid AND prints.key = 'fingerprint'
        WHERE runs.status = 'FINISHED' AND runs.lifecycle_stage = 'active' AND NOT EXISTS
            (SELECT * FROM tags AS t WHERE t.run_uuid = runs.run_uuid AND t.key = 'seed')
        ORDER BY runs.start_time
    """
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as store:
        rows = [row for row in store.execute(query) if (row[1], row[2]) in keys]
    experiment = str(rows[-1][0]) if rows else ""
    return experiment, {(variant, fingerprint): run for _, variant, fingerprint, run in rows}


def of_server(keys: set[Key]) -> tuple[str, dict[Key, str]]:
    """Return the experiment and the runs of a tracking server."""
    client, experiment = open_store()
    found: dict[Key, str] = {}
    for fingerprint in {fingerprint for _, fingerprint in keys}:
        query = f"tags.fingerprint = '{fingerprint}' and attributes.status = 'FINISHED'"
        runs = client.search_runs([experiment], query, order_by=["attributes.start_time ASC"])
        for run in runs:
            key = run.data.tags.get("variant", ""), fingerprint
            if "seed" not in run.data.tags and key in keys:
                found[key] = run.info.run_id
    return experiment, found


def server(uri: str) -> str:
    """Return the address where a browser finds MLflow's pages, without credentials."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        return HOST
    host = parts.hostname or ""
    place = f"{host}:{parts.port}" if parts.port else host
    return urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", ""))
