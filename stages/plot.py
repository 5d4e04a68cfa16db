"""Draw every picture of the results: `reports/` -> `reports/*.png`, `reports/loss/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pandas as pd

from stages import params
from stages.core.errors import run
from stages.core.folders import replaced, write
from stages.data import arrays
from stages.evaluation import results
from stages.plots import activations, charts, forest, loss, samples
from stages.training.history import Row

REPORTS, PREPARED = Path("reports"), Path("data/prepared")


def main() -> None:
    """Draw every picture of the results."""
    settings = params.load()
    table = pd.read_csv(REPORTS / "curves.csv")
    found = results.read(REPORTS / "results")
    champion = json.loads((REPORTS / "champion.json").read_text(encoding="utf-8"))
    claims = json.loads((REPORTS / "claims.json").read_text(encoding="utf-8"))["claims"]
    pictures = {
        "activations": activations.picture(),
        "claims": forest.claims(claims),
        "confusion": charts.confusion(champion, arrays.CLASSES),
        "overfitting": charts.gaps(found, settings),
        "samples": samples.picture(arrays.load(PREPARED).train),
        "studies": charts.studies(table, settings),
        "validation": charts.curves(table, settings),
    }
    for name, picture in pictures.items():
        write(REPORTS / f"{name}.png", picture)
    with replaced(REPORTS / "loss") as folder:
        for variant, epochs in table.groupby("variant", sort=False):
            rows = cast("list[Row]", epochs.to_dict("records"))
            (folder / f"{variant}.png").write_bytes(loss.picture(rows, str(variant)))


if __name__ == "__main__":
    run(main)
