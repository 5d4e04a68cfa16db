"""Train one variant, once per seed: `data/prepared/` -> `runs/<variant>/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from stages import params
from stages.core import messages
from stages.core.errors import UserError, run
from stages.core.folders import replaced
from stages.data import arrays
from stages.data.arrays import Prepared
from stages.tracking import live
from stages.training import LOADED, arithmetic, code, identity, model_file, result
from stages.training.identity import Identity
from stages.training.trainer import Trainer
from stages.training.variants import Variant
from stages.vcs import dvc, finished

PREPARED, RUNS = Path("data/prepared"), Path("runs")


def main(
    stage: Annotated[
        str,
        Argument(
            envvar="DVC_STAGE", help="The variant's DVC stage, e.g. train@adam-0.3 or study@elu."
        ),
    ],
    force: Annotated[
        bool, Option("--force", help="Train finished seeds again, as `dvc repro -f` does.")
    ] = False,
) -> None:
    """Train the seeds of a variant that have no result yet."""
    variant = params.load().variant(stage)
    arithmetic.check_libraries(variant.libraries)
    data = arrays.load(PREPARED)

    # Equal identities give equal bytes, so a finished seed is not trained again.
    identities = identified(variant, data)
    fingerprints = {seed: each.fingerprint for seed, each in identities.items()}
    finished.sweep()
    known = {} if force or dvc.forced() else finished.find(set(fingerprints.values()))

    trainer = None  # the seeds share one: tracing its graph takes a second
    first = variant.train.seeds[0]
    seeds, histories = {}, {}
    with (
        replaced(RUNS / variant.name) as folder,  # appears whole, or not at all
        live.listeners(variant, data.of_seed(first), identities) as listeners,
    ):
        history = folder / result.HISTORY
        for seed, fingerprint in fingerprints.items():
            listeners.seed_begins(seed)
            model = folder / result.model_name(seed)
            if taken := known.get(fingerprint):
                rows = taken.copy_to(model, history)
            else:
                seen = data.of_seed(seed)
                if trainer is None:
                    trainer = Trainer(variant, seen)
                    check_unchanged(stage, identities)  # code and data are in memory now
                source = identity.source_model(variant, seed)
                rows = trainer.train(seed, seen, source, history, listeners.epoch_ends)
                model_file.save(trainer.network, model)
            seeds[seed] = result.describe(identities[seed].text, model, rows)
            histories[seed] = rows
            if not taken:
                finished.keep(seed, seeds[seed], model, rows)
            listeners.seed_ends(seed, rows, model, taken.origin if taken else "")
        result.write(folder, seeds, histories)
        check_unchanged(stage, identities)
        listeners.training_ends()


def identified(
    variant: Variant, data: Prepared, digests: Mapping[str, str] = LOADED
) -> dict[int, Identity]:
    """Return the identity of each seed of a variant, computed from the splits that it sees."""
    found: dict[int, Identity] = {}
    for seed in variant.train.seeds:
        train = variant.train.model_copy(update={"seeds": (seed,)})
        alone = variant.model_copy(update={"train": train})
        found |= identity.of_seeds(alone, data.of_seed(seed), digests)
    return found


def check_unchanged(stage: str, before: dict[int, Identity]) -> None:
    """Raise UserError if something that determines the result has changed since the start.

    DVC hashes dependencies and reads parameters when a stage ends (treeverse/dvc 11058). Without
    this check, DVC would record an edit made during a training as what the training ran with.
    """
    now = params.load().variant(stage)
    after = identified(now, arrays.load(PREPARED), code.digests())
    if changed := identity.difference(before, after):
        raise UserError(messages.EDITED.format(changed, stage, stage))


if __name__ == "__main__":
    run(main)
