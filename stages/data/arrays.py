"""The prepared data: three splits as NumPy files, ready to map, and the digest of all of them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

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
    """The three splits, and by their names the SHA-256 of each."""

    train: Split
    validation: Split
    test: Split
    digests: dict[str, str]


def digest(split: Split) -> str:
    """Return the SHA-256 over type, shape and bytes of both arrays."""
    total = hashlib.sha256()
    for array in (split.images, split.labels):
        total.update(f"{array.dtype} {array.shape}\n".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def save(folder: Path, splits: dict[str, Split]) -> None:
    """Write the arrays, and `summary.json` with digests, sizes and class counts."""
    for name, split in splits.items():
        np.save(folder / f"{name}_images.npy", split.images, allow_pickle=False)
        np.save(folder / f"{name}_labels.npy", split.labels, allow_pickle=False)
    counts = {name: Counter(split.labels.tolist()) for name, split in splits.items()}
    summary = {
        "digests": {name: digest(split) for name, split in splits.items()},
        "sizes": {name: len(split.labels) for name, split in splits.items()},
        "classes": {
            text: {name: count[label] for name, count in counts.items()}
            for label, text in enumerate(CLASSES)
        },
    }
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")


def load(folder: Path) -> Prepared:
    """What `save` wrote, mapped from the disk.

    Raises:
        UserError: a file is missing or damaged, or is not what the digest says.
    """
    try:
        expected = json.loads((folder / "summary.json").read_text())["digests"]
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
    return Prepared(**splits, digests=expected)
