"""Train one variant, once per seed: `data/prepared/` -> `runs/<variant>/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from typer import Argument

from stages import params
from stages.data import arrays
from stages.errors import run
from stages.network import backend, epoch, layers
from stages.network.log import Log
from stages.outputs import history, keras_file
from stages.outputs.folder import replaced
from stages.params import Variant
from stages.review import figures
from stages.tracking.clock import Clock
from stages.tracking.live import Record
from stages.tracking.provenance import Provenance, code_of, source_of

PREPARED, RUNS = Path("data/prepared"), Path("runs")


def main(
    stage: Annotated[
        str, Argument(envvar="DVC_STAGE", help="Its DVC stage, e.g. train@adam-0.3 or study@elu.")
    ],
) -> None:
    """Train one variant, once per seed."""
    clock = Clock()
    variant = params.load().variant(stage)
    backend.check_libraries(variant.libraries)
    with clock("data"):
        data = arrays.load(PREPARED)
        validation = arrays.scaled(data.validation)
    provenance = Provenance(variant, data.digest, code_of(stage), source_of(variant))

    rows = []
    network, gradient_steps = layers.seeded(variant, seed=0)
    trainer = epoch.compiled(
        network, gradient_steps, *arrays.scaled(data.train), variant.train.batch_size
    )
    with replaced(RUNS / variant.name) as folder, Record(provenance, data) as record:
        for seed in variant.train.seeds:
            with record.seed(seed) as live:
                log = Log(seed, folder / "history.csv", each=live.epoch)
                epoch.restart(trainer, *begin(variant, seed))
                order = epoch.orders(len(data.train.labels), variant.train.epochs, seed)
                epoch.fit(trainer, order, validation, [log])
                rows += log.rows
                clock.add("first_call", log.first_call())
                clock.add("epochs", sum(log.seconds) - log.first_call())
                with clock("saving"):
                    keras_file.save(network, folder / f"seed-{seed}.keras")
                    picture = figures.loss(history.frame(log.rows), variant.name)
                live.finish(network, picture)
                last = log.rows[-1]
                print(
                    f"seed {seed}: val_loss {last['val_loss']:.4f}, val_accuracy "
                    f"{last['val_accuracy']:.4f} after {last['epoch']} epochs",
                    flush=True,
                )

        with clock("saving"):
            table = history.frame(rows)
            picture = figures.loss(table, variant.name)
            (folder / "loss.png").write_bytes(picture)
            facts = provenance.summary() | backend.settings() | {"weights": network.count_params()}
            (folder / "summary.json").write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n")
        there = params.load().variant(stage)
        now = Provenance(there, arrays.load(PREPARED).digest, code_of(stage), source_of(there))
        provenance.check_unchanged(now)
        record.finish(table, picture, clock.seconds)


def begin(variant: Variant, seed: int) -> tuple[Any, Any]:
    """A fresh network and optimizer; of a variant that reuses another, with its hidden layers."""
    network, optimizer = layers.seeded(variant, seed)
    if variant.reuse:
        source = RUNS / variant.reuse.source / f"seed-{seed}.keras"
        layers.take_over(network, keras_file.load(source))
    return network, optimizer


if __name__ == "__main__":
    run(main)
