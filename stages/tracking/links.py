"""Addresses of MLflow's pages about runs, for reports that people click in."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from stages.tracking.store import tracking_uri

HOST = "http://127.0.0.1:5000"  # where `branchmark ui` listens by default
TRAINING = "workflowType=machine_learning"  # MLflow opens its pages for language models otherwise


@dataclass(frozen=True)
class Links:
    """Pages about the runs of fingerprints.

    Attributes:
        address: of the server, without credentials.
        experiment: the id of the project's experiment.
        runs: the id of the variant's run by fingerprint: of several the newest that is whole.
    """

    address: str
    experiment: str
    runs: dict[str, str]

    def run(self, fingerprint: str) -> str | None:
        """The page of a run."""
        if fingerprint not in self.runs:
            return None
        run = self.runs[fingerprint]
        return f"{self.address}/#/experiments/{self.experiment}/runs/{run}?{TRAINING}"

    def together(self, fingerprints: Iterable[str]) -> str | None:
        """MLflow's page that compares runs."""
        ids = [self.runs[each] for each in fingerprints if each in self.runs]
        if len(ids) < 2:
            return None
        runs, experiments = (quote(json.dumps(each)) for each in (ids, [self.experiment]))
        return f"{self.address}/#/compare-runs?runs={runs}&experiments={experiments}&{TRAINING}"


def links(fingerprints: Iterable[str]) -> Links | None:
    """Links to the runs of these fingerprints; None where there is no store, which is not made.

    Raises:
        mlflow.exceptions.MlflowException: the server cannot be reached.
        sqlite3.Error: the store cannot be read.
    """
    uri, wanted = tracking_uri(), set(fingerprints)
    if not uri.startswith("sqlite:///"):
        return Links(server(uri), *of_server(wanted))
    file = Path(uri.removeprefix("sqlite:///"))
    return Links(HOST, *of_file(file, wanted)) if file.exists() else None


def of_file(file: Path, fingerprints: set[str]) -> tuple[str, dict[str, str]]:
    """The experiment and the runs of a SQLite store, read without MLflow: importing it takes
    longer than a comparison may."""
    query = """
        SELECT runs.experiment_id, tags.value, runs.run_uuid FROM runs
        JOIN tags ON tags.run_uuid = runs.run_uuid AND tags.key = 'fingerprint'
        WHERE runs.status = 'FINISHED' AND runs.lifecycle_stage = 'active' AND NOT EXISTS
            (SELECT * FROM tags AS t WHERE t.run_uuid = runs.run_uuid AND t.key = 'seed')
        ORDER BY runs.start_time
    """
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as store:
        rows = [row for row in store.execute(query) if row[1] in fingerprints]
    experiment = str(rows[-1][0]) if rows else ""
    return experiment, {fingerprint: run for _, fingerprint, run in rows}


def of_server(fingerprints: set[str]) -> tuple[str, dict[str, str]]:
    """The experiment and the runs of a tracking server."""
    from stages.tracking.store import open_store

    client, experiment = open_store()
    found: dict[str, str] = {}
    for each in fingerprints:
        query = f"tags.fingerprint = '{each}' and attributes.status = 'FINISHED'"
        runs = client.search_runs([experiment], query, order_by=["attributes.start_time ASC"])
        for run in runs:
            if "seed" not in run.data.tags:
                found[each] = run.info.run_id
    return experiment, found


def server(uri: str) -> str:
    """Where a browser finds MLflow's pages of a store; a password stays out of it."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        return HOST
    host = parts.hostname or ""
    place = f"{host}:{parts.port}" if parts.port else host
    return urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", ""))
