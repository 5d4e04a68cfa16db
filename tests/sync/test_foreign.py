"""An output of anybody's is taken only as a training of this project leaves it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from stages.core.untrusted import Refused
from stages.data import arrays
from stages.data.arrays import Split
from stages.sync import foreign
from stages.training import history, result
from tests.sync import outputs


def changed(content: Any, place: str, value: Any) -> Any:
    """The same values, with another one at a place."""
    copy = json.loads(json.dumps(content))
    *way, last = place.split(".")
    inner = copy
    for key in way:
        inner = inner[int(key)] if isinstance(inner, list) else inner[key]
    inner[int(last) if isinstance(inner, list) else last] = value
    return copy


def test_a_summary_of_a_training_is_read() -> None:
    text = outputs.summary(outputs.identity(1), outputs.identity(2))
    found = foreign.summary(text.encode())
    assert isinstance(found, result.Summary)
    assert found.text() == text


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("libraries", {"evil-pkg": "1"}),
        ("libraries", {"numpy": "2.4.6 @ https://x"}),
        ("libraries", {}),
        ("params.epochs", 10**7),
        ("params.epochs", "2"),
        ("params.batch_size", 0),
        ("params.dropout", "[link=x]"),
        ("params.network.hidden", [-1]),
        ("params.network.evil", 1),
        ("params.network.activation", {"name": "\x1b[2J"}),
        ("params.optimizer", {"class": "Evil"}),
        ("params.trainable", "yes"),
        ("data.train", "../x"),
        ("source", "../x"),
        ("seed", 2),
    ],
)
def test_an_identity_that_no_training_has_is_refused(place: str, value: Any) -> None:
    text = outputs.summary(changed(outputs.identity(1), place, value))
    with pytest.raises(Refused, match=r"^seeds\.1\.identity") as error:
        foreign.summary(text.encode())
    assert str(error.value).isprintable()


def test_a_fingerprint_that_is_not_that_of_its_identity_is_refused() -> None:
    content = json.loads(outputs.summary(outputs.identity(1)))
    for place in ("seeds.1.fingerprint", "fingerprint"):
        with pytest.raises(Refused, match="fingerprint"):
            foreign.summary(json.dumps(changed(content, place, "f" * 16)).encode())
    for text in (b"[]", b"5", b"{}", b"[" * 50_000, b'{"seeds": {}}', b'{"seeds": {"../1": {}}}'):
        with pytest.raises(Refused):
            foreign.summary(text)


def test_a_history_whose_epochs_do_not_follow_each_other_is_refused(tmp_path: Path) -> None:
    file, head = tmp_path / "history.csv", ",".join(history.COLUMNS)
    file.write_text(f"{head}\n1,1,0.5,0.5,nan,0.5\n1,2,inf,0.5,0.5,0.5\n")
    assert len(foreign.history(file, [1])[1]) == 2
    for row in (
        "1,2,1,1,1,1",
        "1,99999999999999999999,1,1,1,1",
        "1,1",
        "1,1,x,1,1,1",
        '"' * 200_001,
    ):
        file.write_text(f"{head}\n{row}\n")
        with pytest.raises(Refused, match=r"history.csv"):
            foreign.history(file, [1])


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., Path]:
    """Write a model file with other parts than Keras has written."""

    def write(**parts: bytes) -> Path:
        path = tmp_path / "seed-1.keras"
        members = outputs.model() | {
            "config.json": parts.pop("config", outputs.model()["config.json"]),
            "model.weights.h5": parts.pop("weights", outputs.model()["model.weights.h5"]),
            **parts,
        }
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in members.items():
                file.writestr(name, content)
        return path

    return write


def test_a_model_of_this_project_is_read(model: Callable[..., Path]) -> None:
    foreign.check_model(model())


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [
        ("config.layers.2.config.units", 10**9, "units"),
        ("config.layers.2.config.units", 99_999, "MB of weights"),
        ("config.layers.2.build_config.input_shape", [None, 10**9], "input_shape"),
        ("config.layers.0.config.batch_shape", [None, 10**5, 10**5], "input_shape"),
        ("config.layers.2.class_name", "Lambda", "Lambda"),
        ("config.layers.2.module", "os", "of 'os'"),
        ("config.layers.2.registered_name", "x>y", "a part"),
        ("config.layers.2.config.activation", {"class_name": "function", "config": "x"}, "a part"),
        ("class_name", "Functional", "a part"),
        ("config.layers", [[]] * 50, "expected a section"),
        ("config.layers", "[" * 90, "expected a list"),
    ],
)
def test_a_network_that_is_too_large_or_of_other_parts_is_refused_before_it_is_built(
    place: str, value: Any, why: str, model: Callable[..., Path]
) -> None:
    config = json.loads(outputs.model()["config.json"])
    with pytest.raises(Refused, match=r"^seed-1.keras: no model") as error:
        foreign.check_model(model(config=json.dumps(changed(config, place, value)).encode()))
    assert why in str(error.value)


def test_weights_that_are_too_large_or_elsewhere_are_refused(
    model: Callable[..., Path], tmp_path: Path
) -> None:
    def too_large(file: h5py.File) -> None:
        file.create_dataset("x", shape=(10**6, 10**6), chunks=(1, 1), dtype="f4")

    def elsewhere(file: h5py.File) -> None:
        file["x"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/")

    def outside(file: h5py.File) -> None:
        file.create_dataset("x", (4,), "u1", external=[(str(tmp_path / "secret"), 0, 4)])

    def itself(file: h5py.File) -> None:
        file.create_group("a")["b"] = file["/"]

    for make in (too_large, elsewhere, outside, itself):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            make(file)
        with pytest.raises(Refused, match="no model"):
            foreign.check_model(model(weights=buffer.getvalue()))


def test_a_zip_that_unpacks_to_gigabytes_or_is_none_is_refused(
    model: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(Refused, match="other files"):
        foreign.check_model(model(**{"../../evil.py": b"x"}))
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in sorted(foreign.MEMBERS):
            with file.open(name, "w", force_zip64=True) as member:
                for _ in range(300 if name.endswith("h5") else 1):
                    member.write(bytes(2**20))
    assert path.stat().st_size < 2**20
    with pytest.raises(Refused, match="declares more than"):
        foreign.check_model(path)
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(Refused, match="no model"):
        foreign.check_model(path)


def test_of_seeds_with_splits_of_their_own_the_split_is_drawn_anew(tmp_path: Path) -> None:
    images = np.arange(40, dtype=np.uint8)[:, None, None] * np.ones((28, 28), np.uint8)
    labels = np.arange(40, dtype=np.uint8) % 10
    train, validation = Split(images[:30], labels[:30]), Split(images[30:], labels[30:])
    arrays.save(tmp_path, {"train": train, "validation": validation}, split_seed=42)
    prepared = {path.name: path for path in tmp_path.iterdir()}
    own, _ = arrays.drawn(train, validation, 42, 3)
    found = foreign.train_split(prepared, arrays.digest(own), 3)
    assert np.array_equal(found.images, own.images)
    with pytest.raises(Refused, match="not the data that it was trained on"):
        foreign.train_split(prepared, arrays.digest(own), 4)
    with pytest.raises(Refused, match="not the data that it was trained on"):
        foreign.train_split(prepared, arrays.digest(train), 3)


def test_prepared_data_are_those_that_their_digest_says(tmp_path: Path) -> None:
    split = Split(np.zeros((3, 28, 28), np.uint8), np.zeros(3, np.uint8))
    arrays.save(tmp_path, {"train": split})
    prepared = {path.name: path for path in tmp_path.iterdir()}
    digest = arrays.digest(split)
    assert np.array_equal(foreign.train_split(prepared, digest).images, split.images)
    np.save(tmp_path / "train_labels.npy", np.ones(3, np.uint8))
    with pytest.raises(Refused, match="not the data that it was trained on"):
        foreign.train_split(prepared, digest)
    for array in (np.zeros((3, 9), np.uint8), np.array([{}], object), np.zeros(3, "f8")):
        np.save(tmp_path / "train_images.npy", array, allow_pickle=True)
        with pytest.raises(ValueError, match=r"no pictures|objects in dtype"):
            foreign.train_split(prepared, digest)
