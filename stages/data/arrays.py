"""The prepared data: three splits as memory-mapped NumPy files, and a digest of each."""

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
    """Pictures, grey values 0 to 255 of shape (n, 28, 28), and their classes of shape (n,)."""

    images: Bytes
    labels: Bytes


@dataclass(frozen=True)
class Prepared:
    """The three splits, and the SHA-256 of each by name.

    Attributes:
        split_seed: if each seed draws its own split (`prepare.split: per_seed`), what that
            drawing starts from; None if all seeds share this split.
    """

    train: Split
    validation: Split
    test: Split
    digests: dict[str, str]
    split_seed: int | None = None

    def of_seed(self, seed: int) -> Prepared:
        """Return the splits that one seed of a training sees: these, or those that it draws."""
        if self.split_seed is None:
            return self
        train, validation = drawn(self.train, self.validation, self.split_seed, seed)
        digests = {"train": digest(train), "validation": digest(validation)}
        return Prepared(train, validation, self.test, self.digests | digests)


def drawn(train: Split, validation: Split, split_seed: int, seed: int) -> tuple[Split, Split]:
    """Draw new training and validation splits of the same sizes, stratified by class.

    Pictures are sorted by class, in random order within a class. Evenly spaced ones become the
    validation split, so each class has its share, give or take one picture. All variants draw the
    same splits for the same seed.
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

    If seeds draw their own splits, the summary includes the digests of seed 0's: trainings do not
    depend on this module, and a change to the drawing must make all of them stale.
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
    """Load what `save` wrote, memory-mapped.

    Raises:
        UserError: a file is missing, damaged or not of its digest, or seeds draw other splits
            than when the data was saved.
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
