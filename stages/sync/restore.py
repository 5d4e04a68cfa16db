"""A complete run made from the outputs of a training, as if it had been recorded live."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.core.errors import UserError
from stages.core.redact import reason
from stages.core.signals import deferred
from stages.data.arrays import Split
from stages.tracking import liveness as process
from stages.tracking import runs
from stages.training import history
from stages.vcs.cache import Files
from stages.vcs.refs import Commit

FIELDS = ("variant", "stage", "fingerprint", "data", "params")


@dataclass(frozen=True)
class Training:
    """The outputs of a training, read whole before anything is written to the store."""

    summary: runs.Summary
    table: Any  # the history, a frame
    picture: bytes
    networks: dict[int, Any]  # by seed
    train: Split
    commit: Commit


def summary_of(files: Files) -> dict[str, Any]:
    """The content of an output's `summary.json`.

    Raises:
        UserError: there is none, or it lacks what makes a run.
    """
    try:
        summary = json.loads(files["summary.json"].read_bytes())
        return {**summary, **{field: summary[field] for field in FIELDS}}
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise UserError(f"its summary.json is not one of this project ({reason(error)})") from None


def read(files: Files, prepared: Files, commit: Commit) -> Training:
    """Read the outputs of a training.

    Args:
        files: those of `runs/<variant>`.
        prepared: those of the `data/prepared` that it read.
        commit: the revision that holds them.

    Raises:
        UserError: a file is missing or damaged, or another Keras is needed to read it.
    """
    from stages.training import model_file as keras_file

    summary = summary_of(files)
    try:
        if json.loads(prepared["summary.json"].read_bytes())["digest"] != summary["data"]:
            raise ValueError("data/prepared is another one than it was trained from")
        seeds = summary["params"]["train"]["seeds"]
        networks = {}
        with tempfile.TemporaryDirectory() as folder:
            for seed in seeds:
                file = Path(folder) / f"seed-{seed}.keras"  # Keras goes by the ending
                shutil.copyfile(files[file.name], file)
                networks[seed] = keras_file.load(file)
        images, labels = (
            np.load(prepared[f"train_{part}.npy"], mmap_mode="r", allow_pickle=False)
            for part in ("images", "labels")
        )
        return Training(
            summary=summary,
            table=history.read(files["history.csv"]),
            picture=files["loss.png"].read_bytes(),
            networks=networks,
            train=Split(images, labels),
            commit=commit,
        )
    except Exception as error:  # Keras has many for a file that it cannot read
        raise UserError(f"its files cannot be read ({reason(error)})") from None


def restore(client: Any, experiment: str, training: Training) -> None:
    """Write the run of a variant and of its seeds, with the commit's time, whole or FAILED.

    While it is written, it names this process as a live run does: what a killed one leaves behind
    is found by the next `sync`.
    """
    begun: list[str] = []
    models: list[str] = []
    with deferred():  # a second or two
        try:
            write(client, experiment, training, begun, models)
        except BaseException as error:
            for model_id in models:
                client.finalize_logged_model(model_id, "FAILED")
            for run_id in begun:
                client.set_terminated(run_id, runs.status_after(type(error)))
            raise


def write(
    client: Any, experiment: str, training: Training, begun: list[str], models: list[str]
) -> None:
    """`restore` without its net: what has been begun stands in `begun` and `models`."""
    from stages.plots import figures

    summary, table, commit = training.summary, training.table, training.commit
    at, name = commit.time * 1000, summary["variant"]
    tree = Revision(branch=commit.branch, commit=commit.sha, experiment="", diff="")
    common = runs.tags(summary, tree, commit.author) | {"restored": "true"} | process.tags()

    def start(name: str, tags: dict[str, str], **params: Any) -> str:
        run = client.create_run(experiment, start_time=at, tags=common | tags, run_name=name)
        begun.append(run.info.run_id)
        runs.log_params(client, begun[-1], summary, **params)
        runs.log_dataset(client, begun[-1], training.train, summary["data"])
        return begun[-1]

    def finish(run_id: str, picture: bytes) -> None:
        runs.log_picture(client, run_id, picture, at)
        for tag in process.TAGS:
            client.delete_tag(run_id, tag)
        client.set_terminated(run_id, "FINISHED", end_time=at)
        begun.remove(run_id)

    parent = start(name, {})
    for seed, network in training.networks.items():
        rows = table[table["seed"] == seed]
        tags = {"seed": str(seed), "mlflow.parentRunId": parent}
        run_id = start(f"{name} seed {seed}", tags, seed=seed)
        models.append(runs.create_model(client, experiment, run_id, summary))
        runs.log_history(client, run_id, rows, at, models[-1])
        runs.log_model(client, run_id, models[-1], network, training.train, summary)
        runs.link_model(client, parent, models.pop(), summary)
        finish(run_id, figures.loss(rows, name))
    runs.log_mean_history(client, parent, table, at)
    finish(parent, training.picture)
