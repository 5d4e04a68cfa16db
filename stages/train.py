"""Train one variant, once per seed: `data/prepared/` -> `runs/<variant>/`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from stages import params
from stages.core import messages
from stages.core.errors import UserError, run
from stages.core.folders import replaced
from stages.data import arrays
from stages.tracking import live
from stages.training import arithmetic, code, identity, model_file, result
from stages.training.identity import Identity
from stages.training.trainer import Trainer
from stages.vcs import dvc, finished

PREPARED, RUNS = Path("data/prepared"), Path("runs")


def main(
    stage: Annotated[
        str, Argument(envvar="DVC_STAGE", help="Its DVC stage, e.g. train@adam-0.3 or study@elu.")
    ],
    force: Annotated[
        bool, Option("--force", help="Train finished seeds as well, as `dvc repro -f` does.")
    ] = False,
) -> None:
    """Train the seeds of a variant that are not finished yet."""
    variant = params.load().variant(stage)
    arithmetic.check_libraries(variant.libraries)
    data = arrays.load(PREPARED)

    # A seed with the same identity gives the same bytes: one that is finished is not trained again.
    identities = identity.of_seeds(variant, data)
    fingerprints = {seed: each.fingerprint for seed, each in identities.items()}
    finished.sweep()
    known = {} if force or dvc.forced() else finished.find(set(fingerprints.values()))

    trainer = None  # all seeds share one, because TensorFlow traces its graph for a second
    seeds, histories = {}, {}
    with (
        replaced(RUNS / variant.name) as folder,  # appears whole, or not at all
        live.listeners(variant, data, identities) as listeners,
    ):
        history = folder / result.HISTORY
        for seed, fingerprint in fingerprints.items():
            listeners.seed_begins(seed)
            model = folder / result.model_name(seed)
            if taken := known.get(fingerprint):
                rows = taken.copy_to(model, history)
            else:
                if trainer is None:
                    trainer = Trainer(variant, data)
                    check_unchanged(stage, identities)  # code and data are in memory now
                source = identity.source_model(variant, seed)
                rows = trainer.train(seed, source, history, listeners.epoch_ends)
                model_file.save(trainer.network, model)
            seeds[seed] = result.describe(identities[seed].text, model, rows)
            histories[seed] = rows
            if not taken:
                finished.keep(seed, seeds[seed], model, rows)
            listeners.seed_ends(seed, rows, model, taken.origin if taken else "")
        result.write(folder, seeds, histories)
        check_unchanged(stage, identities)
        listeners.training_ends()


def check_unchanged(stage: str, before: dict[int, Identity]) -> None:
    """Raise UserError if something that determines the result is another than at the start.

    DVC hashes dependencies, and reads parameters, when a stage ends (treeverse/dvc 11058):
    without this, an edit during a training would be recorded as what was run.
    """
    now = params.load().variant(stage)
    after = identity.of_seeds(now, arrays.load(PREPARED), code.digests())
    if changed := identity.difference(before, after):
        raise UserError(messages.EDITED.format(changed, stage, stage))


if __name__ == "__main__":
    run(main)
