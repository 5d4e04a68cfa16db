"""The prepared data: three splits as NumPy files, ready to map, and the digest of all of them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.core.errors import UserError

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
Bytes = npt.NDArray[np.uint8]
Labels = Bytes  # shape (n,), 0 to 9


@dataclass(frozen=True)
class Split:
    """Pictures of shape (n, 28, 28) in grey values 0 to 255, and their classes, shape (n,)."""

    images: Bytes
    labels: Bytes


@dataclass(frozen=True)
class Prepared:
    """The three splits, and by their names the SHA-256 of each.

    Attributes:
        split_seed: of the splits that seeds of a training draw for themselves; None where all
            seeds have the split that is here (`prepare.split`).
    """

    train: Split
    validation: Split
    test: Split
    digests: dict[str, str]
    split_seed: int | None = None

    def of_seed(self, seed: int) -> Prepared:
        """Return what one seed of a training sees: these splits, or those that it draws."""
        if self.split_seed is None:
            return self
        train, validation = drawn(self.train, self.validation, self.split_seed, seed)
        digests = {"train": digest(train), "validation": digest(validation)}
        return Prepared(train, validation, self.test, self.digests | digests)


def drawn(train: Split, validation: Split, split_seed: int, seed: int) -> tuple[Split, Split]:
    """Draw two splits of the same sizes anew, stratified by class.

    Pictures are sorted by class and at random within a class; evenly spaced ones validate, so that
    each class has its share, to a picture. All variants draw the same for the same seed.
    """
    images = np.concatenate([train.images, validation.images])
    labels = np.concatenate([train.labels, validation.labels])
    random = np.random.default_rng([split_seed, seed])
    order = np.lexsort((random.random(len(labels)), labels))
    size = len(validation.labels)
    chosen = np.zeros(len(labels), bool)
    chosen[order[np.arange(size) * len(labels) // size]] = True
    return Split(images[~chosen], labels[~chosen]), Split(images[chosen], labels[chosen])


def digest(split: Split) -> str:
    """Return the SHA-256 over type, shape and bytes of both arrays."""
    total = hashlib.sha256()
    for array in (split.images, split.labels):
        total.update(f"{array.dtype} {array.shape}\n".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def save(folder: Path, splits: dict[str, Split], split_seed: int | None = None) -> None:
    """Write the arrays, and `summary.json` with digests, sizes and class counts.

    Where seeds draw their own splits, it has those of seed 0 as well: a training does not depend on
    this module, and another way to draw must make all of them stale.
    """
    for name, split in splits.items():
        np.save(folder / f"{name}_images.npy", split.images, allow_pickle=False)
        np.save(folder / f"{name}_labels.npy", split.labels, allow_pickle=False)
    counts = {name: Counter(split.labels.tolist()) for name, split in splits.items()}
    summary: dict[str, Any] = {
        "digests": {name: digest(split) for name, split in splits.items()},
        "sizes": {name: len(split.labels) for name, split in splits.items()},
        "classes": {
            text: {name: count[label] for name, count in counts.items()}
            for label, text in enumerate(CLASSES)
        },
    }
    if split_seed is not None:
        summary["per_seed"] = {
            "split_seed": split_seed,
            "seed_0": probe(splits["train"], splits["validation"], split_seed),
        }
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")


def probe(train: Split, validation: Split, split_seed: int) -> list[str]:
    """Return the digests of the two splits that seed 0 draws."""
    return [digest(split) for split in drawn(train, validation, split_seed, 0)]


def load(folder: Path) -> Prepared:
    """What `save` wrote, mapped from the disk.

    Raises:
        UserError: a file is missing or damaged, or is not what the digest says, or seeds draw
            other splits than when it was saved.
    """
    try:
        summary = json.loads((folder / "summary.json").read_text())
        expected, per_seed = summary["digests"], summary.get("per_seed")
        split_seed = per_seed["split_seed"] if per_seed else None
        splits = {
            name: Split(
                np.load(folder / f"{name}_images.npy", mmap_mode="r", allow_pickle=False),
                np.load(folder / f"{name}_labels.npy", mmap_mode="r", allow_pickle=False),
            )
            for name in ("train", "validation", "test")
        }
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: missing; run `dvc repro prepare`") from None
    except (ValueError, KeyError, TypeError, EOFError) as error:
        raise UserError(f"{folder}: damaged ({error}); run `dvc repro -f prepare`") from None
    for name, split in splits.items():
        if (found := digest(split)) != expected.get(name):
            raise UserError(
                f"{folder}: damaged, the SHA-256 of {name} is {found[:12]}… and summary.json says "
                f"{str(expected.get(name))[:12]}…; run `dvc repro -f prepare`"
            )
    if per_seed:
        seed_0 = probe(splits["train"], splits["validation"], per_seed["split_seed"])
        if seed_0 != per_seed.get("seed_0"):
            raise UserError(
                f"{folder}: seeds draw other splits than when it was prepared; run "
                "`dvc repro -f prepare`"
            )
    return Prepared(**splits, digests=expected, split_seed=split_seed)
