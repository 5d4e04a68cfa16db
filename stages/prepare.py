"""Split the training set and save the arrays: `data/raw/` -> `data/prepared/`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from stages.core.errors import UserError, run
from stages.core.folders import replaced
from stages.data import arrays, idx
from stages.data.arrays import Split
from stages.params import schema as params

RAW, PREPARED = Path("data/raw"), Path("data/prepared")


def main() -> None:
    """Split the training set into training and validation, stratified by class."""
    settings = params.load().prepare
    known = idx.read(RAW / "train-images-idx3-ubyte", RAW / "train-labels-idx1-ubyte")
    test = idx.read(RAW / "t10k-images-idx3-ubyte", RAW / "t10k-labels-idx1-ubyte")
    try:
        rows = train_test_split(
            np.arange(len(known.labels)),
            test_size=settings.validation_size,
            random_state=settings.split_seed,
            stratify=known.labels,
        )
    except ValueError as error:
        raise UserError(f"prepare.validation_size: {error}") from None
    # Rows keep the order of the files: each seed shuffles them anew for each epoch.
    train, validation = (Split(known.images[r], known.labels[r]) for r in map(np.sort, rows))
    split_seed = settings.split_seed if settings.split == "per_seed" else None
    with replaced(PREPARED) as folder:
        splits = {"train": train, "validation": validation, "test": test}
        arrays.save(folder, splits, split_seed)


if __name__ == "__main__":
    run(main)
