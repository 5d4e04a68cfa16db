"""A complete run made from the outputs of a training, by the recorder of live runs.

The outputs of revisions before the redesign are read as well: their `summary.json` has the
parameters of the variant instead of an identity by seed.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from stages.core.errors import UserError
from stages.core.redact import reason
from stages.core.signals import deferred
from stages.data.arrays import Split
from stages.tracking import liveness, recorder, runs, training
from stages.tracking.training import Training
from stages.training import history, result
from stages.training.history import Row
from stages.training.result import Summary
from stages.vcs import refs
from stages.vcs.cache import Files
from stages.vcs.lockfile import Output
from stages.vcs.refs import Commit
from stages.vcs.worktree import Tree


@dataclass(frozen=True)
class Content:
    """An output as its files have it.

    Attributes:
        fingerprint: of the variant.
        summary: of today's form, or the values of an old one.
        rows: the history of each seed.
        models: the model file of each seed.
        numbers: the hash of models and histories.
    """

    fingerprint: str
    summary: Summary | dict[str, Any]
    rows: Mapping[int, list[Row]]
    models: Mapping[int, Path]
    numbers: str

    def described(self, output: Output, study: str) -> Training:
        """Return what the runs say of it, called as its revision calls it."""
        names = output.variant, output.stage
        if isinstance(self.summary, Summary):
            return training.of_summary(*names, study, output.source, self.summary)
        old, seeds = self.summary, dict.fromkeys(self.models, "")
        study = str(old.get("study") or study)
        return Training(*names, study, self.fingerprint, seeds, old["data"], old["params"])


def content(files: Files) -> Content:
    """Read an output.

    Raises:
        UserError: a file is missing or damaged, or it is no output of a training.
    """
    try:
        text = files[result.SUMMARY].read_bytes()
        summary = old_summary(text) or Summary.parse(text)
        seeds = (
            list(summary.seeds)
            if isinstance(summary, Summary)
            else [int(seed) for seed in summary["params"]["train"]["seeds"]]
        )
        every = history.read(files[result.HISTORY])
        rows = {seed: every[seed] for seed in seeds}
        models = {seed: files[result.model_name(seed)] for seed in seeds}
        hashes = {seed: runs.hashes(models[seed], rows[seed]) for seed in seeds}
    except KeyError as error:
        raise UserError(f"it lacks {error}") from None
    except (OSError, TypeError, ValueError, RecursionError) as error:
        raise UserError(f"its files cannot be read ({reason(error)})") from None
    for seed in seeds:
        if isinstance(summary, Summary):
            named = summary.seeds[seed].model, summary.seeds[seed].history
            whole = hashes[seed] == named
        else:
            whole = zipfile.is_zipfile(models[seed])
        if not whole:
            raise UserError(f"its files cannot be read (seed {seed} is not what its summary names)")
    fingerprint = summary.fingerprint if isinstance(summary, Summary) else summary["fingerprint"]
    return Content(fingerprint, summary, rows, models, runs.numbers(hashes))


def old_summary(text: bytes) -> dict[str, Any] | None:
    """Return a `summary.json` of before the redesign; None where it is of today's form.

    Raises:
        ValueError: it lacks what makes a run.
    """
    values = json.loads(text)
    if not isinstance(values, dict) or "seeds" in values:
        return None
    wanted = {"fingerprint": str, "data": str, "params": dict}
    lacking = [name for name, kind in wanted.items() if not isinstance(values.get(name), kind)]
    if lacking:
        raise ValueError(f"its summary.json has no {' and no '.join(lacking)}")
    return values


def train_split(prepared: Files, digest: str) -> Split:
    """Return the training split of the prepared data.

    Raises:
        UserError: it is another one than the digest says, or cannot be read.
    """
    try:
        summary = json.loads(prepared["summary.json"].read_bytes())
        found = summary["digests"]["train"] if "digests" in summary else summary["digest"]
        if found != digest:
            raise ValueError("data/prepared is another one than it was trained from")
        images, labels = (
            np.load(prepared[f"train_{part}.npy"], mmap_mode="r", allow_pickle=False)
            for part in ("images", "labels")
        )
        return Split(images, labels)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise UserError(f"data/prepared cannot be read ({reason(error)})") from None


def restore(
    client: Any, experiment: str, commit: Commit, output: Output, files: Files, prepared: Files
) -> None:
    """Write the runs of a variant and of its seeds, with the commit's time, whole or FAILED.

    While they are written, they name this process as live runs do: what a killed one leaves behind
    is found by the next `sync`.

    Raises:
        UserError: a file cannot be read; then nothing was written.
    """
    found = content(files)
    described = found.described(output, refs.study(commit, output.variant))
    split = train_split(prepared, described.data)
    tree = Tree(commit.branch, commit.sha, experiment="", diff="")
    tags = liveness.tags() | {"restored": "true", "mlflow.user": commit.author}
    record = recorder.Recorder(client, experiment, described, split, tree, tags, commit.time * 1000)
    with TemporaryDirectory() as folder, deferred():  # a second or two
        models = {}
        for seed, model in found.models.items():
            models[seed] = Path(folder) / result.model_name(seed)  # Keras goes by the ending
            shutil.copyfile(model, models[seed])
        check_readable(next(iter(models.values())))
        try:
            record.begin()
            for seed, model in models.items():
                record.seed_begins(seed)
                record.seed_ends(seed, found.rows[seed], model, origin="outputs")
            record.finish({})
        except BaseException as error:
            record.end(recorder.status_after(type(error)))
            raise
        record.end("FINISHED")


def check_readable(model: Path) -> None:
    """Raise UserError where this Keras cannot read a model."""
    from stages.training import model_file

    try:
        model_file.load(model)
    except Exception as error:  # Keras has many for a file that it cannot read
        raise UserError(f"its files cannot be read ({reason(error)})") from None
