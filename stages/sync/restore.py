"""Make a complete run from the outputs of a training, with the recorder of live runs.

This also reads outputs from before the redesign: their `summary.json` has the variant's parameters
instead of an identity for each seed.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stages.core.errors import UserError
from stages.core.redact import reason
from stages.core.signals import deferred
from stages.data.arrays import Split
from stages.sync import foreign
from stages.tracking import liveness, recorder, runs, training
from stages.tracking.training import Training
from stages.training import result
from stages.training.history import Row
from stages.training.result import Summary
from stages.vcs import refs
from stages.vcs.cache import Files
from stages.vcs.lockfile import Output
from stages.vcs.refs import Commit
from stages.vcs.worktree import Tree


@dataclass(frozen=True)
class Content:
    """The content of an output's files.

    Attributes:
        fingerprint: the variant's fingerprint.
        summary: today's summary, or the values of an old one.
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
        """Return what the runs say about the training, under the names that its revision uses."""
        names = output.variant, output.stage
        if isinstance(self.summary, Summary):
            return training.of_summary(*names, study, output.source, self.summary)
        old, seeds = self.summary, dict.fromkeys(self.models, "")
        study = old["study"] or study
        return Training(*names, study, self.fingerprint, seeds, old["data"], old["params"])


def content(files: Files) -> Content:
    """Read an output.

    Raises:
        UserError: a file is missing or damaged, or this is not the output of a training.
    """
    try:
        summary = foreign.summary(files[result.SUMMARY].read_bytes())
        if isinstance(summary, Summary):
            seeds = list(summary.seeds)
        else:
            seeds = summary["params"]["train"]["seeds"]
        rows = foreign.history(files[result.HISTORY], seeds)
        models = {seed: files[result.model_name(seed)] for seed in seeds}
        for model in models.values():
            foreign.check_model(model)
        hashes = {seed: runs.hashes(models[seed], rows[seed]) for seed in seeds}
    except KeyError as error:
        raise UserError(f"it lacks {error}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"its files cannot be read ({reason(error)})") from None
    if isinstance(summary, dict):
        return Content(summary["fingerprint"], summary, rows, models, runs.numbers(hashes))
    for seed, each in summary.seeds.items():
        if hashes[seed] != (each.model, each.history):
            raise UserError(f"its files cannot be read (seed {seed} is not what its summary names)")
    return Content(summary.fingerprint, summary, rows, models, runs.numbers(hashes))


def train_split(prepared: Files, digest: str, seed: int) -> Split:
    """Return what `foreign.train_split` returns; raise UserError if the split cannot be read or
    does not match the digest."""
    try:
        return foreign.train_split(prepared, digest, seed)
    except (KeyError, ValueError, OSError, EOFError) as error:
        raise UserError(f"data/prepared cannot be read ({reason(error)})") from None


def restore(
    client: Any, experiment: str, commit: Commit, output: Output, files: Files, prepared: Files
) -> None:
    """Write the runs of a variant and its seeds, with the commit's time: all of them or none.

    While they are being written, they name this process as live runs do. If the process is killed,
    the next sync finds what it left behind.

    Raises:
        UserError: a file cannot be read; nothing was written.
    """
    found = content(files)
    described = found.described(output, refs.study(commit, output.variant))
    split = train_split(prepared, described.data, next(iter(described.seeds)))
    tree = Tree(commit.branch, commit.sha, experiment="", diff="")
    tags = liveness.tags() | {"restored": "true", "mlflow.user": commit.author}
    record = recorder.Recorder(client, experiment, described, split, tree, tags, commit.time * 1000)
    with TemporaryDirectory() as folder, deferred():  # signals wait a second or two
        models = {}
        for seed, model in found.models.items():
            models[seed] = Path(folder) / result.model_name(seed)  # Keras goes by the suffix
            shutil.copyfile(model, models[seed])
        check_readable(next(iter(models.values())))
        try:
            record.begin()
            for seed, model in models.items():
                record.seed_begins(seed)
                record.seed_ends(seed, found.rows[seed], model, origin="outputs")
            record.finish()
        except BaseException as error:
            with suppress(Exception):  # the store may be out of reach
                record.end(recorder.status_after(type(error)))
                record.discard()  # or every later sync would leave two more
            raise
        record.end("FINISHED")


def check_readable(model: Path) -> None:
    """Raise UserError if this Keras cannot read a model."""
    from stages.training import model_file

    try:
        model_file.load(model)
    except Exception as error:  # Keras raises many kinds for an unreadable file
        raise UserError(f"its files cannot be read ({reason(error)})") from None
