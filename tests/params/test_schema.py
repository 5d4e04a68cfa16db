"""Every mistake in params.yaml is one sentence that names its place."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages.core.errors import UserError
from stages.params import schema as params

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
        ("train/seeds", [1, 2, 1], "train.seeds: 1 is listed twice"),
        ("train/seeds", [-1], "train.seeds.0: Input should be greater"),
        ("train/seeds", 5, "train.seeds: expected a list"),
        ("train", None, "train: expected a section"),
        ("optimizers", {}, "optimizers: this must not be empty"),
        ("optimizers/adam/learning_rate", -0.1, "optimizers.adam.learning_rate: Input should be"),
        ("optimizers/adam/learning_rate", 0, "optimizers.adam.learning_rate: Input should be"),
        ("optimizers/adam/learning_rate", "1", "optimizers.adam.learning_rate: Input should be"),
        ("optimizers/adam/learning_rate", float("inf"), "optimizers.adam.learning_rate: Input"),
        ("optimizers/adam/momentum", 0.9, "optimizers.adam.momentum: unknown key"),
        ("optimizers/adam/class", "Adamm", "optimizers.adam: unknown class 'Adamm'; known are"),
        ("optimizers/adam", {"learning_rate": 0.1}, "optimizers.adam: the key `class` is missing"),
        ("optimizers/adam", 3, "optimizers.adam: expected a section"),
        ("optimizers/nesterov/momentum", 0.0, "optimizers.nesterov: nesterov changes nothing"),
        ("optimizers/a;rm", {"class": "SGD", "learning_rate": 0.1}, "optimizers.a;rm: a name is"),
        ("optimizers/Adam", {"class": "SGD", "learning_rate": 0.1}, "optimizers.Adam: a name is"),
        ("dropouts", [], "dropouts: this must not be empty"),
        ("dropouts", 0.3, "dropouts: expected a list"),
        ("dropouts", [0.3, 0.3], "dropouts: 0.3 is listed twice"),
        ("dropouts", [0, 0.0], "dropouts: 0.0 is listed twice"),
        ("dropouts", [1.0], "dropouts.0: Input should be less than 1"),
        ("dropouts", [-0.1], "dropouts.0: Input should be greater than or equal to 0"),
        ("dropouts", ["0.3"], "dropouts.0: Input should be a valid number"),
        ("dropouts", [True], "dropouts.0: Input should be a valid number"),
        ("network/hidden", [0], "network.hidden.0: Input should be greater"),
        ("network/activation/name", "gelu", "network.activation: unknown name 'gelu'; known are"),
        ("network/activation", {"name": "elu", "alpha": -1.0}, "network.activation.alpha: Input"),
        ("network/batch_normalization", 1, "network.batch_normalization: Input should be a valid"),
        ("fetch/sha256/train-images-idx3-ubyte", "abc", "fetch.sha256.train-images-idx3-ubyte:"),
        ("base/optimizer", "adamw", "base.optimizer: no 'adamw' among optimizers: sgd, momentum"),
        ("base/dropout", 1, "base.dropout: Input should be less than 1"),
        ("studies/elu/network/activation/alpha", -1, "studies.elu.network.activation.alpha: Input"),
        ("studies/elu/network/activation/name", "gelu", "studies.elu.network.activation: unknown"),
        ("studies/elu/network/activation", None, "studies.elu.network.activation: expected"),
        ("studies/elu/network", {"hiden": [1]}, "studies.elu.network.hiden: unknown key"),
        ("studies/elu/optimizer", "adam", "studies.elu.optimizer: expected a section"),
        ("studies/elu/optimizer", {"class": "Adan"}, "studies.elu.optimizer: unknown class 'Adan'"),
        ("studies/elu/dropout", None, "studies.elu.dropout: Input should be a valid number"),
        ("studies/elu/study", "a b", "studies.elu.study: a name is lower-case letters"),
        ("studies/x;y", {"study": "layers"}, "studies.x;y: a name is lower-case letters"),
        ("studies/champion", {"study": "layers"}, "studies.champion: the reports use this name"),
        ("studies/reused_tuned", {"study": "x"}, "reuse.reused_tuned: the name is taken"),
        ("reuse/reused_tuned/source", "adam-0.1", "reuse.reused_tuned.source: no variant 'adam-0"),
        ("reuse/reused_tuned/source", "reused_tuned", "reuse.reused_tuned.source: reused_tuned ->"),
        ("reuse/reused_tuned/source", "no_hidden_layer", "reuse.reused_tuned.source: the hidden"),
        ("reuse/reused_tuned/source", "batch_normalization", "reuse.reused_tuned.source: the hidd"),
        ("reuse/reused_tuned/trainable", "yes", "reuse.reused_tuned.trainable: Input should be"),
        ("target/validation_accuracy", 88, "target.validation_accuracy: Input should be less"),
        ("compare/confidence", 95, "compare.confidence: Input should be less than 1"),
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


def test_variants_that_wait_for_each_other_are_a_circle() -> None:
    content = changed("reuse/reused_tuned/source", "reused_frozen")
    content["reuse"]["reused_frozen"]["source"] = "reused_tuned"
    with pytest.raises(
        UserError, match="reused_frozen -> reused_tuned -> reused_frozen is a cycle"
    ):
        params.parse(content)


def test_a_study_changes_what_its_line_says_and_nothing_else() -> None:
    content = changed("studies/many", {"study": "x", "dropout": 0.5, "network": {"hidden": [7]}})
    content["studies"]["many"]["optimizer"] = {"class": "SGD", "learning_rate": 0.5}
    variants = {variant.name: variant for variant in params.parse(content).variants()}
    base, many = variants["adam-0.0"], variants["many"]
    assert many.network == base.network.model_copy(update={"hidden": (7,)})
    assert (many.dropout, many.optimizer.learning_rate, many.stage) == (0.5, 0.5, "study@many")
    assert variants["relu"].values() == base.values()
    assert variants["he_normal"].optimizer == base.optimizer


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
        ("", "expected a section"),
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


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            "train: {}\n# 학습".encode("cp949"),
            r"params\.yaml:2: not UTF-8 \(.*\); save it as UTF-8$",
        ),
        ("train: {}".encode("utf-16"), r"params\.yaml:1: not UTF-8"),
        (b"train: \x07", r"params\.yaml: this is not valid YAML: unacceptable character"),
        (b"[" * 5000, r"params\.yaml: this is not valid YAML: it is nested too deeply"),
    ],
    ids=["CP949", "UTF-16", "bell", "deep"],
)
def test_a_file_that_is_no_text_of_ours_is_one_sentence(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    file = tmp_path / "params.yaml"
    file.write_bytes(content)
    with pytest.raises(UserError, match=sentence) as caught:
        params.load(file)
    assert "\n" not in str(caught.value)


def test_numbers_are_read_as_dvc_reads_them(tmp_path: Path) -> None:
    """YAML 1.1 takes 1e-3 for a string."""
    file = tmp_path / "params.yaml"
    file.write_text(params.FILE.read_text().replace("learning_rate: 0.001", "learning_rate: 1e-3"))
    assert params.load(file).optimizers["adam"].learning_rate == 0.001


def test_a_variant_is_named_as_dvc_names_its_stage() -> None:
    content = changed("dropouts", [0, 0.3, 1e-05]) | {"reuse": {}}
    names = [v.name for v in params.parse(content).variants()]
    assert names[:3] == ["sgd-0", "sgd-0.3", "sgd-1e-05"]


def test_a_stage_that_trains_no_variant_is_refused_with_what_there_is() -> None:
    with pytest.raises(
        UserError, match=r"train@adamw-0\.3: params\.yaml has no such variant; it has"
    ):
        params.load().variant("train@adamw-0.3")


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
