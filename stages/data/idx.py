"""The idx format: a magic number, the sizes, then the bytes (yann.lecun.com/exdb/mnist)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stages.core.errors import UserError
from stages.data.arrays import CLASSES, Bytes, Split

IMAGES, LABELS = 0x0803, 0x0801  # unsigned bytes, three dimensions or one
AGAIN = "remove it and run `dvc repro -f fetch`"


def read(images: Path, labels: Path) -> Split:
    """Read pictures and their labels.

    Raises:
        UserError: a file is missing or truncated, its size contradicts its header, pictures are
            not 28 by 28, a label is not 0 to 9, or the numbers of labels and pictures differ.
    """
    pictures, classes = array(images, IMAGES), array(labels, LABELS)
    if pictures.shape[1:] != (28, 28):
        raise UserError(f"{images}: pictures of {pictures.shape[1:]} pixels, not (28, 28); {AGAIN}")
    if len(pictures) != len(classes):
        raise UserError(
            f"{labels}: {len(classes)} labels for the {len(pictures)} pictures of {images}; {AGAIN}"
        )
    if len(classes) and (highest := int(classes.max())) >= len(CLASSES):
        row = int(classes.argmax())
        raise UserError(f"{labels}: label {highest} of picture {row} is not 0 to 9; {AGAIN}")
    return Split(pictures, classes)


def array(path: Path, magic: int) -> Bytes:
    """Read one idx file as an array of the shape in its header."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: missing; run `dvc repro fetch`") from None
    dimensions = magic & 0xFF
    start = 4 + 4 * dimensions
    numbers = np.frombuffer(content[: len(content) // 4 * 4][:start], dtype=">u4")
    if len(numbers) < 1 + dimensions:
        raise UserError(f"{path}: {len(content)} bytes are too few for an idx header; {AGAIN}")
    if numbers[0] != magic:
        raise UserError(f"{path}: begins with {numbers[0]:#010x} instead of {magic:#010x}; {AGAIN}")
    shape = tuple(int(n) for n in numbers[1:])
    expected = start + int(np.prod(shape, dtype=np.int64))
    if len(content) != expected:
        raise UserError(f"{path}: {len(content)} bytes, its header says {expected}; {AGAIN}")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)
