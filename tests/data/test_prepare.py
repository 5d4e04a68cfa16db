"""The split is stratified and exact; damaged data are one sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stages import prepare
from stages.core.errors import UserError
from stages.data import arrays, idx
from tests.project import ROOT, SLICE, Edited


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with raw data and parameters for it, entered."""
    shutil.copytree(SLICE, tmp_path / "data/raw")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    with Edited(tmp_path / "params.yaml") as params:
        params["prepare"]["validation_size"] = 120
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_split_keeps_every_picture_once_and_the_shares_of_the_classes(folder: Path) -> None:
    prepare.main()
    data = arrays.load(folder / "data/prepared")
    known = idx.read(folder / "data/raw/train-images-idx3-ubyte", SLICE / "train-labels-idx1-ubyte")
    both = np.concatenate([data.train.images, data.validation.images]).reshape(600, -1)
    original = known.images.reshape(600, -1)
    np.testing.assert_array_equal(np.unique(both, axis=0), np.unique(original, axis=0))
    assert (len(data.train.labels), len(data.validation.labels)) == (480, 120)
    for label in range(10):
        share = (known.labels == label).sum() / 5
        assert abs((data.validation.labels == label).sum() - share) <= 1


def test_preparing_twice_gives_the_same_bytes_and_another_seed_other_ones(folder: Path) -> None:
    def files() -> dict[str, bytes]:
        prepare.main()
        return {path.name: path.read_bytes() for path in (folder / "data/prepared").iterdir()}

    first = files()
    assert files() == first
    with Edited(folder / "params.yaml") as params:
        params["prepare"]["split_seed"] += 1
    assert files()["train_labels.npy"] != first["train_labels.npy"]


def test_a_fixed_split_writes_no_word_of_others_and_is_what_every_seed_sees(folder: Path) -> None:
    prepare.main()
    summary = json.loads((folder / "data/prepared/summary.json").read_text())
    assert summary.keys() == {"digests", "sizes", "classes"}
    data = arrays.load(folder / "data/prepared")
    assert data.of_seed(1) is data


def per_seed(folder: Path) -> arrays.Prepared:
    with Edited(folder / "params.yaml") as params:
        params["prepare"]["split"] = "per_seed"
    prepare.main()
    return arrays.load(folder / "data/prepared")


def test_per_seed_each_seed_draws_its_own_stratified_split_and_the_same_again(folder: Path) -> None:
    data = per_seed(folder)
    one, again, other = data.of_seed(1), data.of_seed(1), data.of_seed(2)
    assert one.digests == again.digests
    assert one.digests["train"] != other.digests["train"]
    assert one.digests["test"] == other.digests["test"]
    pool = np.concatenate([data.train.images, data.validation.images]).reshape(600, -1)
    both = np.concatenate([one.train.images, one.validation.images]).reshape(600, -1)
    np.testing.assert_array_equal(np.unique(both, axis=0), np.unique(pool, axis=0))
    assert (len(one.train.labels), len(one.validation.labels)) == (480, 120)
    labels = np.concatenate([data.train.labels, data.validation.labels])
    for label in range(10):
        assert abs((one.validation.labels == label).sum() - (labels == label).sum() / 5) <= 1


def test_another_way_to_draw_is_no_silent_change(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    per_seed(folder)
    draw = arrays.drawn
    monkeypatch.setattr(arrays, "drawn", lambda t, v, s, seed: draw(t, v, s, seed + 1))
    with pytest.raises(UserError, match="other splits"):
        arrays.load(folder / "data/prepared")


IMAGES, FLAT = "train-images-idx3-ubyte", bytes([0, 0, 0, 14, 0, 0, 0, 56])


def change(name: str, edit: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "data/raw" / name
        path.write_bytes(edit(path.read_bytes()))

    return apply


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (change(IMAGES, lambda b: b[:-1]), "bytes, its header says"),
        (change(IMAGES, lambda b: b + b"x"), "bytes, its header says"),
        (change(IMAGES, lambda b: b[:10]), "too few for an idx header"),
        (change(IMAGES, lambda b: b"\0\0\7\7" + b[4:]), "begins with 0x00000707"),
        (change(IMAGES, lambda b: b[:8] + FLAT + b[16:]), r"pictures of \(14, 56\) pixels"),
        (change("train-labels-idx1-ubyte", lambda b: b[:-1] + b"\x0b"), "label 11 of picture 599"),
        (
            change("t10k-labels-idx1-ubyte", lambda b: b[:4] + bytes([0, 0, 0, 199]) + b[8:-1]),
            "199 labels for the 200 pictures",
        ),
        (lambda folder: (folder / "data/raw/t10k-labels-idx1-ubyte").unlink(), "missing; run"),
    ],
)  # fmt: skip
def test_damaged_data_are_one_sentence_that_names_the_file(
    folder: Path, damage: Callable[[Path], None], sentence: str
) -> None:
    damage(folder)
    with pytest.raises(UserError, match=sentence) as caught:
        prepare.main()
    assert str(caught.value).startswith("data/raw/")
    assert not (folder / "data/prepared").exists()


@pytest.mark.parametrize("size", [600, 595, 5000])
def test_a_validation_split_that_the_data_cannot_give_is_one_sentence(
    folder: Path, size: int
) -> None:
    with Edited(folder / "params.yaml") as params:
        params["prepare"]["validation_size"] = size
    with pytest.raises(UserError, match=r"^prepare\.validation_size: "):
        prepare.main()


@pytest.mark.parametrize("name", ["train_images.npy", "summary.json", "test_labels.npy"])
def test_prepared_data_that_were_damaged_are_refused(folder: Path, name: str) -> None:
    prepare.main()
    path = folder / "data/prepared" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content[:-3]) if name == "summary.json" else bytes(content))
    with pytest.raises(UserError, match="damaged"):
        arrays.load(folder / "data/prepared")
