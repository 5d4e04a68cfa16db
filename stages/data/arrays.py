"""The prepared data: three splits as NumPy files, ready to map, and the digest of all of them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stages.errors import UserError

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


@dataclass(frozen=True)
class Split:
    """Pictures of shape (n, 28, 28) in grey values 0 to 255, and their classes, shape (n,)."""

    images: Bytes
    labels: Bytes


@dataclass(frozen=True)
class Prepared:
    """The three splits and the SHA-256 of their names, shapes and bytes."""

    train: Split
    validation: Split
    test: Split
    digest: str


def digest(splits: dict[str, Split]) -> str:
    """SHA-256 over every array's name, shape and bytes, in a fixed order."""
    total = hashlib.sha256()
    for name, split in splits.items():
        for part, array in (("images", split.images), ("labels", split.labels)):
            total.update(f"{name} {part} {array.dtype} {array.shape}\n".encode())
            total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def save(folder: Path, splits: dict[str, Split]) -> None:
    """Write the arrays, and `summary.json` with sizes, class counts and digest."""
    for name, split in splits.items():
        np.save(folder / f"{name}_images.npy", split.images, allow_pickle=False)
        np.save(folder / f"{name}_labels.npy", split.labels, allow_pickle=False)
    counts = {name: Counter(split.labels.tolist()) for name, split in splits.items()}
    summary = {
        "digest": digest(splits),
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
        expected = json.loads((folder / "summary.json").read_text())["digest"]
        splits = {
            name: Split(
                np.load(folder / f"{name}_images.npy", mmap_mode="r", allow_pickle=False),
                np.load(folder / f"{name}_labels.npy", mmap_mode="r", allow_pickle=False),
            )
            for name in ("train", "validation", "test")
        }
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: missing; run `dvc repro prepare`") from None
    except (ValueError, KeyError, EOFError) as error:
        raise UserError(f"{folder}: damaged ({error}); run `dvc repro -f prepare`") from None
    if (found := digest(splits)) != expected:
        raise UserError(
            f"{folder}: damaged, the arrays' SHA-256 is {found[:12]}… and summary.json says "
            f"{expected[:12]}…; run `dvc repro -f prepare`"
        )
    return Prepared(**splits, digest=expected)


def scaled(split: Split) -> tuple[npt.NDArray[np.float32], Bytes]:
    """Pixels between 0 and 1 as the notebook has them, and labels."""
    return np.divide(split.images, np.float32(255), dtype=np.float32), np.asarray(split.labels)
