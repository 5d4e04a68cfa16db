"""Train one variant, once per seed: `data/prepared/` -> `runs/<variant>/`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

from typer import Option

from stages import params
from stages.data import arrays
from stages.errors import run
from stages.network import backend, epoch, layers
from stages.network.log import Log
from stages.outputs import history, keras_file
from stages.outputs.folder import replaced
from stages.review import figures
from stages.tracking.clock import Clock
from stages.tracking.live import Record
from stages.tracking.provenance import Provenance, code_of


def main(
    optimizer: Annotated[str, Option(help="A key of `optimizers` in params.yaml.")],
    dropout: Annotated[float, Option(help="One of `dropouts` in params.yaml.")],
) -> None:
    """Train one variant, once per seed."""
    clock = Clock()
    variant = params.load().grid(optimizer, dropout)
    backend.check_libraries(variant.libraries)
    with clock("data"):
        data = arrays.load(Path("data/prepared"))
        train, validation = arrays.scaled(data.train), arrays.scaled(data.validation)
    stage = os.environ.get("DVC_STAGE", f"train@{variant.name}")
    provenance = Provenance(stage, variant, data.digest, code_of(stage))

    rows = []
    network, gradient_steps = layers.seeded(variant, seed=0)
    trainer = epoch.compiled(network, gradient_steps, *train, variant.train.batch_size)
    with replaced(Path("runs") / variant.name) as folder, Record(provenance, data) as record:
        for seed in variant.train.seeds:
            with record.seed(seed) as live:
                log = Log(seed, each=live.epoch)
                epoch.restart(trainer, *layers.seeded(variant, seed))
                order = epoch.orders(len(train[1]), variant.train.epochs, seed)
                epoch.fit(trainer, order, validation, [log])
                rows += log.rows
                clock.add("first_call", log.first_call())
                clock.add("epochs", sum(log.seconds) - log.first_call())
                with clock("saving"):
                    keras_file.save(network, folder / f"seed-{seed}.keras")
                    picture = figures.loss(history.frame(log.rows), variant.name)
                live.finish(network, picture)

        with clock("saving"):
            table = history.frame(rows)
            history.write(table, folder / "history.csv")
            picture = figures.loss(table, variant.name)
            (folder / "loss.png").write_bytes(picture)
            facts = provenance.summary() | backend.settings() | {"weights": network.count_params()}
            (folder / "summary.json").write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n")
        provenance.check_unchanged()
        record.finish(table, picture, clock.seconds)


if __name__ == "__main__":
    run(main)
