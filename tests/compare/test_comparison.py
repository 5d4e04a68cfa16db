"""Verdicts on two revisions, from what git holds alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML
from scipy.stats import false_discovery_control

from stages.compare import changes, page, proof
from stages.compare import comparison as compare
from stages.compare import report as views
from stages.compare import snapshot as side
from stages.core.errors import UserError
from stages.evaluation import intervals
from stages.evaluation.results import Result
from stages.evaluation.verdicts import DIVERGED, UNKNOWN, WORSE
from stages.training.result import digest
from stages.vcs import refs
from tests import preloaded

YML = YAML()
SEEDS = [1, 2, 3, 4, 5]
VARIANTS = ("sgd-0.0", "adam-0.0", "elu")
Scores = dict[str, list[Any]]


class Repository:
    """A git repository with parameters and invented results, without DVC, cache or store."""

    def __init__(self, root: Path) -> None:
        self.root, self.old = root, False
        (root / "reports").mkdir()
        (root / "dvc.yaml").write_text("stages: {}\n")
        self.params: dict[str, Any] = {
            "train": {"epochs": 20, "seeds": list(SEEDS)},
            "optimizers": {"adam": {"class": "Adam", "learning_rate": 0.001}},
            "libraries": {"keras": "3.15.1"},
            "compare": {"confidence": 0.95, "min_effect": 0.5},
        }
        self.seeds = list(SEEDS)  # of the results
        self.scores = {name: invented(i) for i, name in enumerate(VARIANTS)}
        self.prints = {name: f"{i:016x}" for i, name in enumerate(VARIANTS)}
        self.lock: dict[str, Any] = {}
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "tester")
        self.git("config", "user.email", "tester@example.org")

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True
        ).stdout.strip()

    def write(self) -> None:
        """Write all of it, in the layout of today or in that of old."""
        with (self.root / "params.yaml").open("w") as file:
            YML.dump(self.params, file)
        (self.root / "dvc.lock").write_text(json.dumps({"stages": self.lock}))
        reports = self.root / "reports"
        shutil.rmtree(reports)
        (reports / "results").mkdir(parents=True)
        if self.old:
            metrics = {key(n): self.entry(n) for n in self.scores}
            (reports / "metrics.json").write_text(json.dumps({"champion": {}, **metrics}))
            return
        for name, scores in self.scores.items():
            seeds = self.seeds
            each = {s: {k: v[i] for k, v in scores.items()} for i, s in enumerate(seeds)}
            prints = {s: digest(f"{self.prints[name]}-{s}") for s in seeds}
            result = Result(digest(self.prints[name]), each, prints)
            (reports / "results" / f"{name}.json").write_text(result.text())

    def entry(self, name: str) -> dict[str, Any]:
        entry: dict[str, Any] = {"fingerprint": digest(self.prints[name]), "validation": {}}
        for score, values in self.scores[name].items():
            section, _, metric = score.partition("validation_")
            (entry["validation"] if metric else entry)[metric or section] = {"seeds": values}
        return entry

    def commit(self, message: str) -> str:
        self.write()
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def move(self, name: str, score: str, by: float) -> None:
        """Give a variant other results: moved by nearly the same for every seed."""
        values = self.scores[name][score]
        self.scores[name][score] = [
            round(value + by + 1e-4 * (-1) ** i, 6) for i, value in enumerate(values)
        ]
        self.prints[name] += "x"

    def better(self, name: str, points: float) -> None:
        self.move(name, "validation_accuracy", points / 100)


def key(name: str) -> str:
    return name.replace(".", "_")


def invented(i: int) -> Scores:
    random = np.random.default_rng(i)
    numbers = [round(float(x), 6) for x in 0.88 + 0.003 * random.normal(size=5)]
    scores: Scores = {
        name: list(numbers) for name in ("validation_accuracy", "validation_loss", "loss_gap")
    }
    return scores | {"epochs_to_target": [5, 6, 5, None, 7]}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    made = Repository(tmp_path)
    made.commit("base")
    return made


def branchmark(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["branchmark", *arguments], cwd=cwd, env=os.environ | preloaded.env(),
        capture_output=True, text=True,
    )  # fmt: skip


def verdicts(base: str | None, head: str | None) -> dict[tuple[str, str], str]:
    found = compare.compare(side.snapshot(base), side.snapshot(head))
    return {(row.variant, row.metric.name): row.verdict for row in found.rows}


def test_equal_fingerprints_are_unchanged_and_not_compared(repository: Repository) -> None:
    found = compare.compare(side.snapshot("main"), side.snapshot(None))
    assert found.rows == ()
    assert sorted(found.unchanged) == sorted(VARIANTS), found.incomparable


def test_other_fingerprints_with_the_same_numbers_are_told_and_not_judged(
    repository: Repository,
) -> None:
    """As after a change of code that changes no result: no seed could tell more."""
    for name in VARIANTS:
        repository.prints[name] += "x"
    repository.better("elu", 2.0)
    repository.commit("head")
    found = compare.compare(side.snapshot("main~1"), side.snapshot("main"))
    assert (found.unchanged, found.same_numbers) == ((), ("adam-0.0", "sgd-0.0"))
    assert {row.variant for row in found.rows} == {"elu"}
    said = "2 variants with another fingerprint and the same numbers"
    assert views.headline(found) == f"1 better, 3 same, {said}"
    gate = branchmark("compare", "main~1", "main", "--fail-on", "worse", cwd=repository.root)
    assert gate.returncode == 0


def test_a_clear_difference_is_better_or_worse_by_the_metrics_direction(
    repository: Repository,
) -> None:
    repository.git("checkout", "--quiet", "-b", "feature")
    repository.better("elu", 2.0)
    repository.better("sgd-0.0", -2.0)
    repository.move("elu", "loss_gap", 0.1)
    repository.commit("head")
    found = verdicts("main", "feature")
    assert found["elu", "validation accuracy"] == "better"
    assert found["elu", "loss gap"] == "worse"
    assert found["sgd-0.0", "validation accuracy"] == "worse"
    assert found["sgd-0.0", "validation loss"] == "same"
    assert ("adam-0.0", "validation accuracy") not in found


def test_a_sure_but_trivial_difference_is_the_same_by_the_settings_of_the_base(
    repository: Repository,
) -> None:
    """A pull request cannot lower its own bar; the base of old names one number, of accuracy."""
    repository.better("elu", 0.3)
    repository.params["compare"] = {"confidence": 0.6, "min_effect": {"validation_accuracy": 0.1}}
    repository.commit("head")
    assert verdicts("main~1", "main")["elu", "validation accuracy"] == "same"
    repository.better("elu", 0.3)
    repository.write()
    assert verdicts("main", None)["elu", "validation accuracy"] == "better"


def test_settings_that_are_no_numbers_are_those_of_the_project(repository: Repository) -> None:
    repository.params["compare"] = {"confidence": 5, "min_effect": {"loss_gap": "x"}}
    repository.write()
    found = compare.Settings.of(side.snapshot(None))
    assert (found.confidence, found.min_effect["loss_gap"]) == (0.95, 0.01)


def test_seeds_are_paired_by_their_number_and_not_by_their_place(repository: Repository) -> None:
    """The same results in another order differ in nothing; each moved by as much, by that much."""
    repository.seeds = [5, 4, 3, 2, 1]
    for name, scores in repository.scores.items():
        repository.scores[name] = {score: values[::-1] for score, values in scores.items()}
        repository.prints[name] += "x"
    repository.write()
    found = compare.compare(side.snapshot("main"), side.snapshot(None))
    assert sorted(found.same_numbers) == sorted(VARIANTS)
    for scores in repository.scores.values():
        scores["loss_gap"] = [value + 0.1 for value in scores["loss_gap"]]
    repository.write()
    found = compare.compare(side.snapshot("main"), side.snapshot(None))
    gaps = [row for row in found.rows if row.metric.name == "loss gap"]
    assert len(gaps) == len(VARIANTS)
    for row in gaps:
        assert row.estimate.mean == pytest.approx(0.1)
        assert row.estimate.scatter < 1e-4  # of rounding alone


def test_fewer_than_three_seeds_in_common_are_too_few(repository: Repository) -> None:
    repository.seeds = [4, 5, 6, 7, 8]
    repository.better("elu", 2.0)
    repository.write()
    assert set(verdicts("main", None).values()) == {"too few seeds"}


def test_without_a_common_seed_it_says_so(repository: Repository) -> None:
    repository.seeds = [6, 7, 8, 9, 10]
    repository.better("elu", 2.0)
    repository.write()
    found = compare.compare(side.snapshot("main"), side.snapshot(None))
    assert views.headline(found).endswith("3 variants without a common seed")
    row = next(row for row in found.rows if row.variant == "elu")
    assert (row.verdict, row.seeds) == ("better", [])
    assert any("Welch" in line for line in views.warnings(found))
    assert "(not paired)" in views.cells(row)[4]


def test_equal_differences_of_five_seeds_have_an_interval(repository: Repository) -> None:
    repository.scores["elu"]["epochs_to_target"] = [7, 8, 7, None, 9]
    repository.prints["elu"] += "x"
    repository.write()
    found = compare.compare(side.snapshot("main"), side.snapshot(None))
    assert all(row.interval.low < row.interval.high for row in found.rows)


def test_a_diverged_head_is_worse_and_a_diverged_base_has_its_own_verdict(
    repository: Repository,
) -> None:
    for score in ("validation_accuracy", "validation_loss", "loss_gap", "epochs_to_target"):
        repository.scores["elu"][score] = [None] * 5
        repository.scores["sgd-0.0"][score][1] = None
    for name in ("elu", "sgd-0.0"):
        repository.prints[name] += "x"
    repository.git("checkout", "--quiet", "-b", "feature")
    repository.commit("diverged")
    assert set(verdicts("main", "feature").values()) == {WORSE}
    assert set(verdicts("feature", "main").values()) == {DIVERGED}
    found = compare.compare(side.snapshot("main"), side.snapshot("feature"))
    assert sorted(found.diverged) == ["elu", "sgd-0.0"]
    assert {row.verdict for row in found.overall} == {WORSE}
    said = {row.variant: views.verdict(row) for row in found.rows}
    assert "seeds diverge, 1 of head" in said["sgd-0.0"]
    json.loads(
        views.as_json(found, changes.changes(found.base, found.head)), parse_constant=pytest.fail
    )


def test_all_changed_variants_together_come_first(repository: Repository) -> None:
    """Small losses that no variant alone can tell: each scatters, but not in their mean."""
    random = np.random.default_rng(3)
    for name in VARIANTS:
        noise = 0.003 * random.normal(size=5)
        values = repository.scores[name]["validation_accuracy"]
        repository.scores[name]["validation_accuracy"] = [
            round(a - 0.004 + b, 6) for a, b in zip(values, noise, strict=True)
        ]
        repository.prints[name] += "x"
    repository.write()
    found = compare.compare(side.snapshot("main"), side.snapshot(None))
    first, rows = found.overall[0], [r for r in found.rows if r.metric is found.rows[0].metric]
    by_hand = np.mean([[r.values[1][s] - r.values[0][s] for s in SEEDS] for r in rows], axis=0)
    assert first.estimate.mean == pytest.approx(np.mean(by_hand))
    assert first.estimate.scatter == pytest.approx(np.std(by_hand, ddof=1))
    assert [row.metric.name for row in found.overall] == [m.name for m in compare.METRICS]
    text = views.as_markdown(found, changes.changes(found.base, found.head))
    assert text.index("all 3 changed") < text.index("| elu |")
    said = branchmark("compare", "main", cwd=repository.root).stdout
    assert said.index("all 3 changed") < said.index("elu")


def test_a_further_seed_changes_nothing_in_those_that_both_have(repository: Repository) -> None:
    repository.seeds = [1, 2, 3, 4, 5, 6]
    for scores in repository.scores.values():
        for values in scores.values():
            values.append(1)
    repository.write()
    for name in list(repository.prints):  # a variant's follows from all of its seeds'
        file = repository.root / f"reports/results/{name}.json"
        content = json.loads(file.read_text())
        file.write_text(json.dumps(content | {"fingerprint": digest("another")}))
    found = compare.compare(side.snapshot("main"), side.snapshot(None))
    assert sorted(found.unchanged) == sorted(VARIANTS), found.incomparable


@pytest.mark.parametrize(("base", "head"), [(True, True), (True, False), (False, False)])
def test_old_and_new_layouts_are_compared_with_each_other(
    repository: Repository, base: bool, head: bool
) -> None:
    repository.old = base
    repository.commit("base")
    repository.old = head
    for name in VARIANTS:
        repository.better(name, 2.0)
    repository.write()
    found = compare.compare(side.snapshot("main"), side.snapshot(None))
    assert views.headline(found) == "3 better, 9 same"
    assert {row.variant for row in found.rows} == set(VARIANTS)


@pytest.mark.parametrize("old", [False, True])
def test_the_same_fingerprint_with_other_numbers_is_never_unchanged(
    repository: Repository, old: bool
) -> None:
    repository.old = old
    repository.commit("base")
    repository.scores["elu"]["loss_gap"][2] += 0.001
    repository.write()
    found = compare.compare(side.snapshot("main"), side.snapshot(None))
    (conflict,) = found.conflicts
    assert (conflict.variant, conflict.seed, conflict.score) == ("elu", 3, "loss_gap")
    assert found.rows == ()
    assert "elu" not in found.unchanged
    said = "1 variant with the same fingerprint and other numbers, 2 variants unchanged"
    assert views.headline(found) == said
    changed = changes.changes(found.base, found.head)
    assert json.loads(views.as_json(found, changed))["conflicts"][0]["variant"] == "elu"
    text = views.as_markdown(found, changed)
    assert "elu: same fingerprint, other numbers: loss_gap of seed 3" in text
    gate = branchmark("compare", "main", "--fail-on", "worse", cwd=repository.root)
    assert gate.returncode == 3


def test_another_target_is_no_conflict(repository: Repository) -> None:
    repository.params["target"] = {"validation_accuracy": 0.9}
    repository.scores["elu"]["epochs_to_target"] = [9, 9, 9, 9, 9]
    repository.write()
    found = compare.compare(side.snapshot("main"), side.snapshot(None))
    assert (found.conflicts, len(found.unchanged)) == ((), 3)


def test_code_is_told_by_folder_whether_a_lock_names_modules_or_folders(
    repository: Repository,
) -> None:
    def lock(*deps: tuple[str, str]) -> dict[str, Any]:
        return {"train": {"deps": [{"path": p, "md5": m} for p, m in deps]}}

    repository.lock = lock(("stages/network/a.py", "1" * 32), ("stages/data/b.py", "1" * 32))
    repository.commit("modules")
    repository.lock = lock(
        ("stages/training", "1" * 32 + ".dir"), ("stages/data", "2" * 32 + ".dir")
    )
    repository.write()
    found = changes.changes(side.snapshot("main"), side.snapshot(None))
    assert found.code == {
        "stages/data": "edited", "stages/network": "removed", "stages/training": "added",
    }  # fmt: skip


def test_a_proof_is_the_first_line_if_it_is_of_the_head(repository: Repository) -> None:
    head = repository.git("rev-parse", "HEAD")
    file = repository.root / "proof.json"
    content = {"proved": 12, "of": 12, "cpu": "AMD EPYC 7763", "commit": head, "rows": []}
    file.write_text(json.dumps(content))
    assert proof.line(file, head) == "12 of 12 changed numbers proved on an AMD EPYC 7763"
    assert "proof is of another commit" in proof.line(file, "f" * 40)
    assert "nothing is proved of the working tree" in proof.line(file, "")
    file.write_text(json.dumps(content | {"proved": 10}))
    assert proof.line(file, head) == "2 of 12 changed numbers NOT proved on an AMD EPYC 7763"
    file.write_text("[]")
    with pytest.raises(UserError, match="not a proof written by `branchmark verify`"):
        proof.line(file, head)


def test_variants_of_one_side_are_added_or_removed(repository: Repository) -> None:
    repository.scores["tanh"], repository.prints["tanh"] = invented(9), "9"
    del repository.scores["elu"]
    repository.write()
    found = compare.compare(side.snapshot("main"), side.snapshot(None))
    assert (found.added, found.removed) == (("tanh",), ("elu",))


def undecided(*differences: Any) -> list[compare.Row]:
    """Rows with these differences by seed, of a metric without a threshold."""
    each = [intervals.of_mean(list(values)) for values in differences]
    return [compare.Row("x", ("", ""), compare.METRICS[1], ({}, {}), found) for found in each]


def family(rows: list[compare.Row]) -> list[compare.Row]:
    return compare.judged(rows, compare.Settings(0.95, {"validation_loss": 0.0}))


def test_where_nothing_differs_there_is_an_alarm_in_no_more_than_five_of_a_hundred() -> None:
    """Families of 40 rows, seeds drawn anew on both sides."""
    random = np.random.default_rng(0)
    alarms = 0
    for _ in range(600):
        rows = undecided(*random.normal(size=(40, 5)))
        alarms += any(row.verdict != UNKNOWN for row in family(rows))
    assert alarms / 600 < 0.075


def test_an_interval_excludes_zero_exactly_where_the_test_says_so() -> None:
    random = np.random.default_rng(1)
    for shift in (0.0, 1.0, 3.0, 6.0):
        rows = undecided(*(random.normal(size=5) + shift * (i % 2) for i in range(20)))
        p_values = [row.estimate.p_value for row in rows]
        believed = false_discovery_control(p_values) <= 0.05
        decided = [row.verdict != UNKNOWN for row in family(rows)]
        assert decided == list(believed)


def test_what_changed_is_told_by_leaf(repository: Repository) -> None:
    repository.params["optimizers"]["adam"]["learning_rate"] = 0.002
    repository.params["optimizers"]["slow"] = {"class": "SGD"}
    repository.params["libraries"]["keras"] = "3.16.0"
    repository.write()
    found = changes.changes(side.snapshot("main"), side.snapshot(None))
    assert found.params == {
        "optimizers.adam.learning_rate": ("0.001", "0.002"),
        "optimizers.slow.class": ("—", "SGD"),
    }
    assert found.libraries == {"libraries.keras": ("3.15.1", "3.16.0")}
    assert found.code == {}
    assert found.data is None


def test_the_base_is_where_the_branch_left_main(repository: Repository) -> None:
    """What others merged meanwhile is not blamed on the branch."""
    left = repository.git("rev-parse", "HEAD")
    repository.git("checkout", "--quiet", "-b", "feature")
    repository.commit("on the branch")
    repository.git("checkout", "--quiet", "main")
    repository.better("adam-0.0", -3)
    repository.commit("meanwhile on main")
    assert refs.merge_base("feature") == left
    repository.git("checkout", "--quiet", "--detach", "feature")
    assert refs.merge_base(None) == left


def test_a_bare_clone_is_enough(
    repository: Repository, tmp_path_factory: pytest.TempPathFactory
) -> None:
    repository.git("checkout", "--quiet", "-b", "feature")
    repository.better("elu", 2.0)
    repository.commit("head")
    bare = tmp_path_factory.mktemp("elsewhere") / "bare.git"
    repository.git("clone", "--quiet", "--bare", str(repository.root), str(bare))
    result = branchmark("compare", "main", "feature", cwd=bare)
    assert result.returncode == 0, result.stderr
    assert "better" in result.stdout


@pytest.mark.slow
def test_the_exit_code_is_a_gate_only_when_asked(repository: Repository) -> None:
    repository.better("elu", -2.0)
    repository.write()
    assert branchmark("compare", "main", cwd=repository.root).returncode == 0
    assert branchmark("compare", "main", "--fail-on", "worse", cwd=repository.root).returncode == 1
    repository.better("elu", 4.0)
    repository.write()
    assert branchmark("compare", "main", "--fail-on", "worse", cwd=repository.root).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "nowhere: no such branch, tag, commit or experiment"),
        (["--upload-pack=x"], "No such option"),
        (["orphan"], None),
        ([], None),
        (["empty"], "empty: it has no params.yaml"),
    ],
)
def test_odd_revisions_are_one_sentence_or_work(
    repository: Repository, arguments: list[str], sentence: str | None
) -> None:
    repository.git("checkout", "--quiet", "--orphan", "orphan")
    repository.commit("unrelated history")
    repository.git("checkout", "--quiet", "--orphan", "empty")
    repository.git("rm", "-r", "--force", "--quiet", ".")
    repository.git("commit", "--quiet", "--allow-empty", "--message", "empty")
    repository.git("checkout", "--quiet", "main")
    result = branchmark("compare", *arguments, cwd=repository.root)
    assert "Traceback" not in result.stderr
    if sentence is None:
        assert result.returncode == 0, result.stderr
    else:
        assert result.returncode != 0
        assert sentence in result.stderr


@pytest.mark.parametrize("file", ["params.yaml", "reports/curves.csv", "dvc.lock"])
def test_in_the_middle_of_a_merge_it_is_one_sentence(repository: Repository, file: str) -> None:
    ours, theirs = "stages: {a: 1}\n", "stages: {b: 2}\n"
    conflict = f"<<<<<<< ours\n{ours}=======\n{theirs}>>>>>>> theirs, and one\n"
    (repository.root / file).write_text(conflict)
    result = branchmark("compare", "main", cwd=repository.root)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: working tree: its {file} cannot be read (")
    assert result.stderr.count("\n") == 1


def test_a_result_that_cannot_be_read_fails_alone_and_closes_the_gate(
    repository: Repository,
) -> None:
    repository.better("sgd-0.0", 2.0)
    repository.write()
    file = repository.root / "reports/results/elu.json"
    for text in ("<<<<<<< ours\n", "[" * 50_000, '{"fingerprint": 5}', "1" * 400):
        file.write_text(text)
        found = compare.compare(side.snapshot("main"), side.snapshot(None))
        assert {row.variant for row in found.rows} == {"sgd-0.0"}
        assert (found.unchanged, found.removed) == (("adam-0.0",), ())
        (why,) = found.incomparable
        assert why.startswith("elu: working tree: reports/results/elu.json: ")
    gate = branchmark("compare", "main", "--fail-on", "worse", cwd=repository.root)
    assert gate.returncode == 6
    assert "Traceback" not in gate.stderr


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("train", [1], "train: expected a section"),
        ("train", {"epochs": "many"}, "train.epochs: 'many' is no whole number"),
        ("train", {"epochs": 20, "seeds": ["../x"]}, "'../x' is no seed"),
        ("odd", 10**400, "a number of 401 digits"),
    ],
)
def test_parameters_that_do_not_fit_are_one_sentence_with_their_place(
    repository: Repository, key: str, value: Any, why: str
) -> None:
    repository.params[key] = value
    repository.commit("odd")
    with pytest.raises(UserError, match=r"^main: its params\.yaml cannot be read") as error:
        side.snapshot("main")
    assert why in str(error.value)


def test_a_link_that_leads_out_of_the_project_is_not_followed(
    repository: Repository, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secret = tmp_path_factory.mktemp("outside") / "secret.yaml"
    secret.write_text("password: hunter2\n")
    file = repository.root / "params.yaml"
    for target in (secret, Path("/dev/zero")):
        file.unlink()
        file.symlink_to(target)
        with pytest.raises(UserError, match=r"a link out of the project|has no params"):
            side.snapshot(None)


def test_unrelated_and_shallow_histories_say_what_to_do(
    repository: Repository,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repository.git("checkout", "--quiet", "--orphan", "orphan")
    repository.commit("unrelated")
    with pytest.raises(UserError, match="no commit in common; or name the base"):
        refs.merge_base("orphan")
    repository.git("checkout", "--quiet", "main")
    repository.commit("another")
    repository.git("branch", "feature", "HEAD~1")
    shallow = tmp_path_factory.mktemp("elsewhere") / "shallow"
    source = f"file://{repository.root}"
    repository.git("clone", "--quiet", "--depth=1", "--no-single-branch", source, str(shallow))
    monkeypatch.chdir(shallow)
    with pytest.raises(UserError, match="this clone is shallow: `git fetch --unshallow`"):
        refs.merge_base("feature")


def test_markdown_begins_with_the_answer_and_json_has_every_row(repository: Repository) -> None:
    repository.better("elu", 2.0)
    repository.write()
    found = compare.compare(side.snapshot("main"), side.snapshot(None))
    changed = changes.changes(found.base, found.head)
    text = views.as_markdown(found, changed)
    assert text.splitlines()[2].startswith("**1 better, 3 same, 2 variants unchanged")
    assert "| elu | ▲ +2.0" in text
    assert "| elu | accuracy |" in text
    assert f"`branchmark compare {found.base.commit}`" in text  # against the working tree
    content = json.loads(views.as_json(found, changed))
    assert [row["verdict"] for row in content["rows"]].count("better") == 1
    assert len(content["rows"]) == 4
    values = content["rows"][0]["values"]
    assert list(values["base"]) == list(values["head"]) == ["1", "2", "3", "4", "5"]
    assert [row["metric"] for row in content["overall"]] == [m.name for m in compare.METRICS]


def test_every_report_has_the_same_order_and_the_tags_say_the_overall_lines(
    repository: Repository,
) -> None:
    """Warnings and inputs are read after the answer, intervals last."""
    for name in ("elu", "sgd-0.0"):
        repository.better(name, 2.0)
    del repository.scores["adam-0.0"]
    repository.params["optimizers"]["adam"]["learning_rate"] = 0.002
    repository.write()
    found = compare.compare(side.snapshot("main"), side.snapshot(None))
    changed = changes.changes(found.base, found.head)
    for text in (views.as_markdown(found, changed), page.page(found, changed)):
        text = text[text.rindex("</style>") if "</style>" in text else 0 :]
        parts = ("2 better, 6 same", "all 2 changed", "▲ better  ▼ worse", "removed: adam-0.0",
                 "learning_rate", "8 rows with their intervals")  # fmt: skip
        places = [text.index(part) for part in parts]
        assert places == sorted(places), list(zip(parts, places, strict=True))
    tags = views.tags(found)
    assert tags["compare.validation_accuracy"].startswith("▲ better, +2.00 [+1.9")
    assert tags["compare.validation_accuracy"].endswith("] points, all 2 changed")
    assert tags["compare.with"].endswith(" → working tree")


def gate(repository: Repository, *arguments: str) -> tuple[int, str]:
    repository.write()
    found = branchmark("compare", "main", "--fail-on", "worse", *arguments, cwd=repository.root)
    return found.returncode, found.stderr


@pytest.mark.slow
def test_a_gate_closes_on_what_cannot_be_judged_with_a_code_for_each(
    repository: Repository,
) -> None:
    scores, prints = dict(repository.scores), dict(repository.prints)
    assert gate(repository)[0] == 0
    del repository.scores["elu"]
    code, said = gate(repository)
    assert (code, "removed: elu" in said) == (5, True)
    repository.scores = scores
    repository.seeds = [1, 2]
    code, said = gate(repository)
    assert (code, "fewer seeds: " in said) == (7, True)
    repository.better("elu", 2.0)
    assert gate(repository)[0] == 6  # and too few of them
    repository.seeds = list(SEEDS)
    repository.params["target"] = {"validation_accuracy": 0.5}
    code, said = gate(repository)
    assert (code, "epochs to target" in said) == (6, True)
    del repository.params["target"]
    repository.scores["elu"]["validation_loss"][0] = None
    code, said = gate(repository)
    assert (code, "diverged: elu" in said) == (4, True)
    repository.scores, repository.prints = scores, prints
    for value in ("1", "3", "4", "5", "6", "7"):
        assert value in branchmark("compare", "--help", cwd=repository.root).stdout


def test_a_stash_and_an_experiment_are_revisions(repository: Repository) -> None:
    repository.better("elu", 2.0)
    repository.write()
    repository.git("stash")
    assert verdicts("main", "stash@{0}")["elu", "validation accuracy"] == "better"
    ref = f"refs/exps/{'a' * 2}/{'b' * 38}/bold-idea"
    repository.git("update-ref", ref, "stash@{0}")
    assert verdicts("main", "bold-idea")["elu", "validation accuracy"] == "better"


def test_a_head_that_asks_for_what_has_not_been_run_says_so_first_and_closes_the_gate(
    repository: Repository,
) -> None:
    read = {"params.yaml": {"train.epochs": 20, "optimizers.adam": {"learning_rate": "1e-3"}}}
    repository.lock = {"train@adam-0.0": {"params": read}}
    repository.params["optimizers"]["adam"] = {"learning_rate": 0.001}
    repository.write()
    assert side.not_run(side.snapshot(None)) == []
    repository.params["train"]["epochs"] = 30
    repository.write()
    ran = branchmark("compare", "main", "--fail-on", "worse", cwd=repository.root)
    assert ran.stdout.startswith("params.yaml has changes that were not run (train.epochs)")
    assert ran.returncode == 6
    repository.commit("asked, and not run")
    (said,) = side.not_run(side.snapshot("main"))
    assert said.startswith("main: params.yaml has changes that were not run (train.epochs)")
    found = compare.compare(side.snapshot("main~"), side.snapshot("main"))
    text = views.as_markdown(found, changes.changes(found.base, found.head))
    assert text.startswith("**main: params.yaml has changes")
    repository.params["compare"]["confidence"] = 0.9  # says what numbers mean, not which they are
    repository.params["train"]["epochs"] = 20
    repository.lock["evaluate"] = {"params": {"params.yaml": {"compare": {"confidence": 0.95}}}}
    repository.write()
    assert side.not_run(side.snapshot(None)) == []


def test_what_cannot_be_read_of_the_working_tree_fails_alone_as_in_a_commit(
    repository: Repository,
) -> None:
    repository.params["target"] = None
    repository.better("elu", 2.0)
    repository.write()
    result = repository.root / "reports/results/sgd-0.0.json"
    outside = repository.root.parent / "outside.json"
    result.rename(outside)
    result.symlink_to(outside)
    found = compare.compare(side.snapshot("main"), side.snapshot(None))
    assert "link out of the project" in side.snapshot(None).unread["sgd-0.0"]
    assert {row.variant for row in found.rows} == {"elu"}


def test_a_screen_is_enough_and_all_shows_every_interval(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For as many changed variants as the example has: 19, of the longest names and numbers."""
    monkeypatch.setenv("COLUMNS", "80")
    random = np.random.default_rng(5)
    names = [f"batch_normalizat_{i:02}" for i in range(19)]
    repository.scores = {name: invented(i) for i, name in enumerate(names)}
    repository.prints = {name: f"{i:016x}" for i, name in enumerate(names)}
    repository.commit("base")
    for name in names:
        for score in ("validation_accuracy", "validation_loss", "loss_gap"):
            noise = 0.02 * random.normal(size=5)
            old = repository.scores[name][score]
            repository.scores[name][score] = [
                round(a + b, 6) for a, b in zip(old, noise, strict=True)
            ]
        repository.prints[name] += "x"
    repository.write()
    short = branchmark("compare", "main", cwd=repository.root).stdout
    assert max(map(len, short.splitlines())) <= 80
    assert len(short.splitlines()) <= 38  # of 40: the command and the prompt have one each
    places = [short.index(text) for text in ("cannot tell", "all 19 changed", names[0], "Student")]
    assert places == sorted(places)
    every = branchmark("compare", "main", "--all", cwd=repository.root).stdout
    assert len(every.splitlines()) == len(short.splitlines()) + 4 * 19 + 2
    assert max(map(len, every.splitlines())) <= 80
