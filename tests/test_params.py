"""Every mistake in params.yaml is one sentence that names its place."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages import params
from stages.errors import UserError

FILE: dict[str, Any] = YAML(typ="safe", pure=True).load(params.FILE.read_text())


def changed(place: str, value: Any) -> dict[str, Any]:
    """The content of params.yaml with one value put in at a/path/of/keys."""
    content = copy.deepcopy(FILE)
    *folders, last = place.split("/")
    section = content
    for key in folders:
        section = section[key]
    section[last] = value
    return content


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        ("trian", {}, "trian: unknown key"),
        ("train/epoch", 3, "train.epoch: unknown key"),
        ("train/epochs", 0, "train.epochs: Input should be greater than or equal to 1"),
        ("train/epochs", "20", "train.epochs: Input should be a valid integer"),
        ("train/epochs", 2.5, "train.epochs: Input should be a valid integer"),
        ("train/batch_size", 0, "train.batch_size: Input should be greater"),
        ("train/seeds", [], "train.seeds: this must not be empty"),
        ("train/seeds", [1, 2, 1], "train.seeds: 1 stands there twice"),
        ("train/seeds", [-1], "train.seeds.0: Input should be greater"),
        ("train/seeds", 5, "train.seeds: here belongs a list"),
        ("train", None, "train: here belongs a section"),
        ("optimizers", {}, "optimizers: this must not be empty"),
        ("optimizers/adam/learning_rate", -0.1, "optimizers.adam.learning_rate: Input should be"),
        ("optimizers/adam/learning_rate", 0, "optimizers.adam.learning_rate: Input should be"),
        ("optimizers/adam/learning_rate", "1", "optimizers.adam.learning_rate: Input should be"),
        ("optimizers/adam/learning_rate", float("inf"), "optimizers.adam.learning_rate: Input"),
        ("optimizers/adam/momentum", 0.9, "optimizers.adam.momentum: unknown key"),
        ("optimizers/adam/class", "Adamm", "optimizers.adam: unknown class 'Adamm'; known are"),
        ("optimizers/adam", {"learning_rate": 0.1}, "optimizers.adam: the key `class` is missing"),
        ("optimizers/adam", 3, "optimizers.adam: here belongs a section"),
        ("optimizers/nesterov/momentum", 0.0, "optimizers.nesterov: nesterov changes nothing"),
        ("optimizers/a;rm", {"class": "SGD", "learning_rate": 0.1}, "optimizers.a;rm: a name is"),
        ("optimizers/Adam", {"class": "SGD", "learning_rate": 0.1}, "optimizers.Adam: a name is"),
        ("dropouts", [], "dropouts: this must not be empty"),
        ("dropouts", 0.3, "dropouts: here belongs a list"),
        ("dropouts", [0.3, 0.3], "dropouts: 0.3 stands there twice"),
        ("dropouts", [0, 0.0], "dropouts: 0.0 stands there twice"),
        ("dropouts", [1.0], "dropouts.0: Input should be less than 1"),
        ("dropouts", [-0.1], "dropouts.0: Input should be greater than or equal to 0"),
        ("dropouts", ["0.3"], "dropouts.0: Input should be a valid number"),
        ("dropouts", [True], "dropouts.0: Input should be a valid number"),
        ("network/hidden", [0], "network.hidden.0: Input should be greater"),
        ("network/activation/name", "gelu", "network.activation: unknown name 'gelu'; known are"),
        ("network/activation", {"name": "elu", "alpha": -1.0}, "network.activation.alpha: Input"),
        ("network/batch_normalization", 1, "network.batch_normalization: Input should be a valid"),
        ("fetch/sha256/train-images-idx3-ubyte", "abc", "fetch.sha256.train-images-idx3-ubyte:"),
        ("libraries/torch", "2.0", "libraries.torch: unknown key"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_its_place(
    place: str, value: Any, sentence: str
) -> None:
    with pytest.raises(UserError) as caught:
        params.parse(changed(place, value))
    text = str(caught.value)
    assert text.startswith(sentence)
    assert "\n" not in text


def test_two_mistakes_are_two_lines() -> None:
    content = changed("train/epochs", 0) | {"dropouts": []}
    with pytest.raises(UserError) as caught:
        params.parse(content)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "no such file"),
        ("train: [1, 2", "not valid YAML"),
        ("train: 1\ntrain: 2\n", "not valid YAML"),
        ("", "here belongs a section"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(
    tmp_path: Path, text: str | None, sentence: str
) -> None:
    file = tmp_path / "params.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=sentence) as caught:
        params.load(file)
    assert "\n" not in str(caught.value)


def test_numbers_are_read_as_dvc_reads_them(tmp_path: Path) -> None:
    """YAML 1.1 takes 1e-3 for a string."""
    file = tmp_path / "params.yaml"
    file.write_text(params.FILE.read_text().replace("learning_rate: 0.001", "learning_rate: 1e-3"))
    assert params.load(file).optimizers["adam"].learning_rate == 0.001


def test_a_variant_is_named_as_dvc_names_its_stage() -> None:
    names = [v.name for v in params.parse(changed("dropouts", [0, 0.3, 1e-05])).variants()]
    assert names[:3] == ["sgd-0", "sgd-0.3", "sgd-1e-05"]


def test_a_variant_that_is_not_in_params_is_refused_with_what_there_is() -> None:
    with pytest.raises(UserError, match=r"optimizers: sgd, .*; dropouts: 0.0, 0.3"):
        params.load().grid("adamw", 0.3)
    with pytest.raises(UserError, match="no such variant"):
        params.load().grid("adam", 0.5)


def leaves(content: Any, place: str = "") -> list[str]:
    """The places of all values in nested sections."""
    if not isinstance(content, dict):
        return [place]
    return [leaf for key, value in content.items() for leaf in leaves(value, f"{place}/{key}")]


@pytest.mark.parametrize("place", [leaf[1:] for leaf in leaves(FILE)])
def test_no_key_of_params_yaml_is_a_dead_knob(place: str) -> None:
    """Every key is needed, or changes a variant's resolved values: none is there for nothing."""
    content = copy.deepcopy(FILE)
    *folders, last = place.split("/")
    section = content
    for key in folders:
        section = section[key]
    del section[last]
    try:
        without = params.parse(content).variants()
    except UserError as error:
        without, needed = [], str(error)
        expected = ("missing", "changes nothing without momentum")
        assert any(text in needed for text in expected)
    assert without != params.parse(FILE).variants()
