"""A fingerprint changes with all that can change a bit of a result, and with nothing else."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.core.errors import UserError
from stages.data import arrays
from stages.data.arrays import Prepared, Split
from stages.params import Params, parse, read
from stages.training import code, history, identity, result
from stages.training.history import Row
from stages.training.result import Seed, Summary
from stages.training.variants import Variant

ROOT = Path(__file__).parents[2]
CODE = {"training/epoch.py": "1", "training/layers.py": "2"}
STAGES = ("train@first-0.3", "study@changed", "reuse@taken")
CONTENT: dict[str, Any] = {
    **{section: read(ROOT / "params.yaml")[section] for section in ("fetch", "prepare", "compare")},
    "libraries": {"tensorflow": "1", "keras": "2", "numpy": "3", "scikit-learn": "4"},
    "network": {
        "hidden": [100],
        "activation": {"name": "relu"},
        "initializer": "glorot_uniform",
        "batch_normalization": False,
    },
    "train": {"epochs": 20, "batch_size": 32, "seeds": [1, 2]},
    "optimizers": {
        "first": {"class": "RMSprop", "learning_rate": 0.001},
        "other": {"class": "Adam", "learning_rate": 0.001},
    },
    "dropouts": [0.0, 0.3],
    "base": {"optimizer": "other", "dropout": 0.0},
    "studies": {
        "changed": {"study": "one", "network": {"activation": {"name": "elu", "alpha": 1.0}}},
        "relu": {"study": "one", "network": {"activation": {"name": "relu"}}},
        "shallow": {"study": "two", "network": {"hidden": []}},
    },
    "reuse": {"taken": {"study": "two", "source": "other-0.0", "trainable": False}},
    "target": {"validation_accuracy": 0.88},
}


def split(first: int = 0) -> Split:
    """A picture and its class."""
    return Split(np.full((1, 28, 28), first, np.uint8), np.zeros(1, np.uint8))


def prepared(**splits: Split) -> Prepared:
    """The prepared data, with splits of one picture."""
    found = dict.fromkeys(("train", "validation", "test"), split()) | splits
    digests = {name: arrays.digest(each) for name, each in found.items()}
    return Prepared(**found, digests=digests, split_seed=None)


def source(runs: Path, *fingerprints: str) -> Path:
    """Leave the summary of a trained `other-0.0` with these seeds' fingerprints."""
    folder = runs / "other-0.0"
    folder.mkdir(parents=True, exist_ok=True)
    seeds = {i: Seed(each, "", "", "") for i, each in enumerate(fingerprints, start=1)}
    (folder / result.SUMMARY).write_text(Summary("", seeds).text())
    return runs


Edit = Callable[[dict[str, Any]], object]


def edited(edit: Edit) -> Params:
    """The parameters after an edit."""
    content = copy.deepcopy(CONTENT)
    edit(content)
    return parse(content)


@pytest.fixture
def fingerprints(tmp_path: Path) -> Callable[..., dict[int, str]]:
    """What gives the fingerprints of the seeds of a stage."""
    runs = source(tmp_path, "a", "b", "c")

    def of(
        stage: str,
        edit: Edit = lambda content: None,
        data: Prepared | None = None,
        modules: dict[str, str] | None = None,
        changed: Callable[[Variant], Variant] = lambda variant: variant,
    ) -> dict[int, str]:
        variant = changed(edited(edit).variant(stage))
        each = identity.of_seeds(variant, data or prepared(), modules or CODE, runs)
        return {seed: one.fingerprint for seed, one in each.items()}

    return of


def setting(*path: str, to: Any) -> Edit:
    """An edit of one value."""

    def edit(content: dict[str, Any]) -> None:
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = to

    return edit


INGREDIENTS: dict[str, tuple[Edit, tuple[str, ...]]] = {
    "epochs": (setting("train", "epochs", to=21), STAGES),
    "batch_size": (setting("train", "batch_size", to=33), STAGES),
    "hidden": (setting("network", "hidden", to=[101]), STAGES),
    "initializer": (setting("network", "initializer", to="he_normal"), STAGES),
    "batch_normalization": (setting("network", "batch_normalization", to=True), STAGES),
    "activation": (
        setting("network", "activation", to={"name": "tanh"}),
        ("train@first-0.3", "reuse@taken"),
    ),
    "activation's alpha": (
        setting("studies", "changed", "network", "activation", "alpha", to=0.9),
        ("study@changed",),
    ),
    "learning_rate": (setting("optimizers", "first", "learning_rate", to=0.002), STAGES[:1]),
    "rho": (setting("optimizers", "first", "rho", to=0.8), STAGES[:1]),
    "momentum": (setting("optimizers", "first", "momentum", to=0.1), STAGES[:1]),
    "epsilon": (setting("optimizers", "first", "epsilon", to=1e-6), STAGES[:1]),
    "centered": (setting("optimizers", "first", "centered", to=True), STAGES[:1]),
    "beta_1": (setting("optimizers", "other", "beta_1", to=0.8), STAGES[1:]),
    "beta_2": (setting("optimizers", "other", "beta_2", to=0.8), STAGES[1:]),
    "amsgrad": (setting("optimizers", "other", "amsgrad", to=True), STAGES[1:]),
    "class": (
        setting("optimizers", "other", to={"class": "Nadam", "learning_rate": 0.001}),
        STAGES[1:],
    ),
    "base.dropout": (setting("base", "dropout", to=0.2), STAGES[1:]),
    "a study's dropout": (setting("studies", "changed", "dropout", to=0.2), ("study@changed",)),
    "trainable": (setting("reuse", "taken", "trainable", to=True), ("reuse@taken",)),
    "tensorflow": (setting("libraries", "tensorflow", to="9"), STAGES),
    "keras": (setting("libraries", "keras", to="9"), STAGES),
    "numpy": (setting("libraries", "numpy", to="9"), STAGES),
}
NO_INGREDIENTS: dict[str, Edit] = {
    "seeds": setting("train", "seeds", to=[2, 3, 1]),
    "scikit-learn": setting("libraries", "scikit-learn", to="9"),
    "split_seed": setting("prepare", "split_seed", to=7),  # its effect is in the data's digest
    "target": setting("target", "validation_accuracy", to=0.5),
    "compare": setting("compare", "min_effect", "loss_gap", to=0.1),
    "another variant": setting("studies", "relu", "dropout", to=0.5),
    "another dropout": setting("dropouts", to=[0.0, 0.3, 0.5]),
    "the study": setting("studies", "changed", "study", to="three"),
    "a default spelled out": setting("optimizers", "other", "beta_1", to=0.9),
    "0 for 0.0": setting("base", "dropout", to=0),
}


@pytest.mark.parametrize("name", INGREDIENTS)
@pytest.mark.parametrize("stage", STAGES)
def test_each_value_that_a_training_reads_changes_the_fingerprint(
    name: str, stage: str, fingerprints: Any
) -> None:
    edit, changed = INGREDIENTS[name]
    before, after = fingerprints(stage), fingerprints(stage, edit)
    assert (before[1] != after[1], before[2] != after[2]) == ((stage in changed),) * 2


@pytest.mark.parametrize("name", NO_INGREDIENTS)
@pytest.mark.parametrize("stage", STAGES)
def test_other_values_change_nothing(name: str, stage: str, fingerprints: Any) -> None:
    before, after = fingerprints(stage), fingerprints(stage, NO_INGREDIENTS[name])
    assert (before[1], before[2]) == (after[1], after[2])


def test_every_field_that_is_resolved_for_a_variant_is_tried_above_or_only_a_name() -> None:
    tried = {"seeds", "libraries", "source", "kind", "optimizer", "network", "train", "reuse"}
    tried |= {name.rpartition(".")[2] for name in INGREDIENTS} | {"name", "negative_slope", "alpha"}
    tried |= {"nesterov", "initial_accumulator_value"}  # of other classes: same way as `momentum`

    def keys(value: Any) -> set[str]:
        if not isinstance(value, dict):
            return set()
        return set(value).union(*map(keys, value.values()))

    for stage in STAGES:
        assert keys(parse(CONTENT).variant(stage).values()) <= tried | {"class"}


@pytest.mark.parametrize("name", ["train", "validation"])
def test_the_data_that_a_training_sees_changes_the_fingerprint(
    name: str, fingerprints: Any
) -> None:
    other = prepared(**{name: split(first=1)})
    assert fingerprints(STAGES[0])[1] != fingerprints(STAGES[0], data=other)[1]


def test_the_test_split_changes_nothing(fingerprints: Any) -> None:
    other = prepared(test=split(first=1))
    assert fingerprints(STAGES[0]) == fingerprints(STAGES[0], data=other)


def test_each_seed_has_a_fingerprint_of_its_own(fingerprints: Any) -> None:
    assert len(set(fingerprints(STAGES[0]).values())) == 2


@pytest.mark.parametrize(
    "modules",
    [CODE | {"training/epoch.py": "9"}, CODE | {"training/new.py": "3"}, {"train.py": "1"}],
)
def test_the_code_of_a_module_changes_the_fingerprint(
    modules: dict[str, str], fingerprints: Any
) -> None:
    assert fingerprints(STAGES[0])[1] != fingerprints(STAGES[0], modules=modules)[1]


def test_names_of_variant_stage_and_study_change_nothing(fingerprints: Any) -> None:
    names = {"name": "else", "stage": "study@else", "study": "else"}
    renamed = fingerprints(STAGES[0], changed=lambda v: v.model_copy(update=names))
    assert renamed == fingerprints(STAGES[0])
    assert fingerprints("study@relu") == fingerprints("train@other-0.0")


def test_a_network_without_hidden_layers_has_no_activation(fingerprints: Any) -> None:
    before = fingerprints("study@shallow")
    for name in ("activation", "initializer", "batch_normalization"):
        assert fingerprints("study@shallow", INGREDIENTS[name][0]) == before


def test_only_the_seed_whose_source_changed_has_another_fingerprint(
    tmp_path: Path, fingerprints: Any
) -> None:
    before = fingerprints("reuse@taken")
    source(tmp_path, "a", "d")
    after = fingerprints("reuse@taken")
    assert (before[1] == after[1], before[2] == after[2]) == (True, False)


def test_a_source_that_is_missing_or_lacks_a_seed_is_told(
    tmp_path: Path, fingerprints: Any
) -> None:
    source(tmp_path, "a")
    with pytest.raises(UserError, match=r"other-0\.0/summary\.json: missing; run `dvc repro reuse"):
        fingerprints("reuse@taken")
    (tmp_path / "other-0.0" / result.SUMMARY).unlink()
    with pytest.raises(UserError, match=r"other-0\.0/summary\.json: missing; run `dvc repro reuse"):
        fingerprints("reuse@taken")


def test_environment_and_machine_change_nothing(
    fingerprints: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fingerprints(STAGES[0])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://example.org")
    monkeypatch.setenv("BRANCHMARK_TRACKING", "off")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    monkeypatch.setattr("platform.processor", lambda: "another")
    assert fingerprints(STAGES[0]) == before


def test_a_variants_fingerprint_follows_from_its_seeds_whatever_their_order() -> None:
    assert result.of_variant({1: "a", 2: "b"}) == result.of_variant({2: "b", 1: "a"})
    assert result.of_variant({1: "a", 2: "b"}) != result.of_variant({1: "b", 2: "a"})
    assert result.of_variant({1: "a", 2: "b"}) != result.of_variant({1: "a"})


def test_whoever_has_summary_json_can_recompute_every_fingerprint(tmp_path: Path) -> None:
    """With nothing but SHA-256 and JSON."""
    from hashlib import sha256

    variant = parse(CONTENT).variant(STAGES[0])
    identities = identity.of_seeds(variant, prepared(), CODE, tmp_path)
    seeds, rows = {}, {}
    for number, each in identities.items():
        model = tmp_path / result.model_name(number)
        model.write_bytes(b"model %d" % number)
        rows[number] = [row(number)]
        seeds[number] = result.describe(each.text, model, rows[number])
    result.write(tmp_path, seeds, rows)

    summary = json.loads((tmp_path / "summary.json").read_text())
    lines = (tmp_path / "history.csv").read_text().splitlines(keepends=True)
    for number, seed in summary["seeds"].items():
        assert sha256(seed["identity"].encode()).hexdigest()[:16] == seed["fingerprint"]
        assert sha256((tmp_path / f"seed-{number}.keras").read_bytes()).hexdigest() == seed["model"]
        own = lines[0] + "".join(line for line in lines[1:] if line.startswith(f"{number},"))
        assert sha256(own.encode()).hexdigest() == seed["history"]
        content = json.loads(seed["identity"])
        assert content["seed"] == int(number)
        assert content.keys() == {"code", "data", "libraries", "params", "seed", "source"}
    fingerprints = {number: seed["fingerprint"] for number, seed in summary["seeds"].items()}
    text = json.dumps(fingerprints, sort_keys=True, separators=(",", ":"))
    assert sha256(text.encode()).hexdigest()[:16] == summary["fingerprint"]


def row(seed: int) -> Row:
    """A row of a history."""
    return Row(seed=seed, epoch=1, loss=0.5, accuracy=0.1, val_loss=0.25, val_accuracy=0.86475)


def test_what_a_training_leaves_is_the_same_whatever_the_order_of_its_seeds(
    tmp_path: Path,
) -> None:
    seeds = {number: Seed(f"f{number}", "{}", "m", "h") for number in (1, 2, 10)}
    rows = {number: [row(number)] for number in seeds}
    contents = []
    for order in ((1, 2, 10), (10, 2, 1)):
        result.write(tmp_path, {n: seeds[n] for n in order}, {n: rows[n] for n in order})
        files = (tmp_path / name for name in (result.SUMMARY, result.HISTORY))
        contents.append([file.read_bytes() for file in files])
    assert contents[0] == contents[1]
    assert Summary.read(tmp_path / result.SUMMARY).seeds == seeds
    assert history.read(tmp_path / result.HISTORY) == rows


@pytest.mark.parametrize(
    "text", ["", "[]", "5", "null", "{}", '{"fingerprint": "a", "seeds": {"x": {}}}']
)
def test_what_is_no_summary_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a summary|Expecting|invalid"):
        Summary.parse(text)


@pytest.mark.parametrize(
    ("place", "changes"),
    [
        ("stages/training/epoch.py", {"modules": CODE | {"training/epoch.py": "9"}}),
        ("params.yaml", {"edit": setting("train", "epochs", to=1)}),
        ("params.yaml", {"edit": setting("libraries", "keras", to="9")}),
        ("params.yaml", {"edit": setting("train", "seeds", to=[1])}),
        ("data/prepared", {"data": prepared(train=split(first=1))}),
        (None, {}),
    ],
)
def test_what_was_edited_during_a_training_is_named(
    place: str | None, changes: dict[str, Any]
) -> None:
    def identities(edit: Edit = lambda _: None, data: Any = None, modules: Any = None) -> Any:
        variant = edited(edit).variant(STAGES[0])
        return identity.of_seeds(variant, data or prepared(), modules or CODE)

    assert identity.difference(identities(), identities(**changes)) == place


SOURCE = '''"""What it does."""

import math  # for pi


class Circle:
    """Round."""

    def area(self, r: float) -> float:
        """Return the area."""
        # by Archimedes
        return math.pi * r**2
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# by Archimedes", "# by Euclid, as is well known"),
        ("        # by Archimedes\n", ""),
        ("# for pi", "# for something"),
        ('"""What it does."""', '"""What it really does.\n\nAnd why.\n"""\n'),
        ('    """Round."""\n\n', ""),
        ('"""Return the area."""', '"""Return what is within, # and more."""'),
    ],
)
def test_comments_and_docstrings_are_no_code(old: str, new: str) -> None:
    assert old in SOURCE
    assert code.computing(SOURCE.replace(old, new)) == code.computing(SOURCE)


@pytest.mark.parametrize(
    ("old", "new"), [("r**2", "r**3"), ("r: float", "r: int"), ("import math", "import cmath")]
)
def test_everything_else_is_code(old: str, new: str) -> None:
    assert code.computing(SOURCE.replace(old, new)) != code.computing(SOURCE)


def test_a_hash_sign_in_a_string_is_no_comment() -> None:
    assert code.computing('a = "#1"  # 2') == 'a = "#1"'


def test_the_program_and_every_module_of_the_folder_are_part_of_the_code() -> None:
    names = {f"training/{path.name}" for path in (ROOT / "stages/training").rglob("*.py")}
    assert code.digests().keys() == names | {"train.py"}


def test_to_know_an_identity_neither_tensorflow_nor_pictures_nor_a_store_are_imported() -> None:
    program = """if True:
        import sys, stages.training.identity, stages.training.result
        heavy = {"tensorflow", "keras", "mlflow", "matplotlib", "pandas", "scipy", "sklearn", "dvc"}
        sys.exit(", ".join(heavy & sys.modules.keys()) or 0)
    """
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
