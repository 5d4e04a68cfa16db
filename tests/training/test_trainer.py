"""A stage trains its seeds in one process: what one of them needed is free for the next."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import psutil
import pytest

from stages.data.arrays import Prepared, Split
from stages.params import schema as params
from stages.training.trainer import Trainer

ROWS = 8_000  # 25 MB of pixels as float32


def split(seed: int) -> Prepared:
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (ROWS, 28, 28), np.uint8)
    train = Split(images, random.integers(0, 10, ROWS, np.uint8))
    small = Split(images[:10], train.labels[:10])
    return Prepared(train, small, small, {}, split_seed=1)


@pytest.mark.slow
def test_seeds_with_splits_of_their_own_need_no_more_memory_the_more_they_are() -> None:
    variant = params.load().grid("adam", 0.3)
    short = variant.train.model_copy(update={"epochs": 1, "batch_size": 1_000})
    trainer = Trainer(variant.model_copy(update={"train": short}), split(0))
    used = []
    for seed in range(8):
        trainer.train(seed, split(seed), None, Path(os.devnull), lambda *_: None)
        used.append(psutil.Process().memory_info().rss)
    assert used[7] - used[1] < 2 * ROWS * 784 * 4  # one each was kept: six
