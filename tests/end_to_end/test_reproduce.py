"""One real `dvc repro` on a slice of the real data, with a real store, and what it promises."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from tests.project import Project, yaml

GRID = ["sgd-0.0", "sgd-0.3", "adam-0.0", "adam-0.3"]
VARIANTS = [*GRID, "elu", "reused_frozen"]
EQUAL = ("train@adam-0.0", "study@relu")
RELU = {"name": "relu"}
STUDIES = {"study@elu", "reuse@reused_frozen"}
REPORTS = {"evaluate", "plot"}
TRAININGS = {f"train@{name}" for name in GRID} | STUDIES


def runs(project: Project, query: str = "") -> list[Any]:
    return project.runs(query)


def results(project: Project) -> dict[str, Any]:
    """What `reports/results` says, by variant."""
    files = (project.root / "reports/results").glob("*.json")
    return {file.stem: json.loads(file.read_text()) for file in files}


def summary(project: Project, variant: str) -> Any:
    return json.loads((project.root / "runs" / variant / "summary.json").read_text())


# What there is after it


def test_every_variant_has_its_outputs_and_its_place_in_the_reports(reproduced: Project) -> None:
    root, found = reproduced.root, results(reproduced)
    assert set(found) == set(VARIANTS)
    assert {path.stem for path in (root / "reports/metrics").iterdir()} == set(VARIANTS)
    curves = pd.read_csv(root / "reports/curves.csv")
    for name in VARIANTS:
        files = {path.name for path in (root / "runs" / name).iterdir()}
        assert files == {"history.csv", "seed-1.keras", "seed-2.keras", "summary.json"}
        said = summary(reproduced, name)
        assert found[name]["fingerprint"] == said["fingerprint"]
        assert {n: seed["fingerprint"] for n, seed in found[name]["seeds"].items()} == {
            n: seed["fingerprint"] for n, seed in said["seeds"].items()
        }
        rows = curves[curves["variant"] == name]
        assert sorted(zip(rows["seed"], rows["epoch"], strict=True)) == [
            (1, 1), (1, 2), (2, 1), (2, 2),
        ]  # fmt: skip
        headline = json.loads((root / f"reports/metrics/{name}.json").read_text())
        assert headline == {score: found[name]["mean"][score] for score in headline}


def test_every_variant_has_its_loss_plot_and_no_input_of_a_training_holds_a_picture(
    reproduced: Project,
) -> None:
    pictures = {path.stem: path.read_bytes() for path in reproduced.root.glob("reports/loss/*")}
    assert set(pictures) == set(VARIANTS)
    assert all(content.startswith(b"\x89PNG") for content in pictures.values())
    assert len(set(pictures.values())) == len(VARIANTS)
    for folder in ("runs", "data"):
        assert not list((reproduced.root / folder).rglob("*.png"))


def test_the_validation_scores_are_those_of_the_saved_models(reproduced: Project) -> None:
    from stages.training import model_file

    images, labels = (
        np.load(reproduced.root / f"data/prepared/validation_{part}.npy")
        for part in ("images", "labels")
    )
    for number, seed in results(reproduced)["adam-0.3"]["seeds"].items():
        network = model_file.load(reproduced.root / f"runs/adam-0.3/seed-{number}.keras")
        guessed = network.predict(np.divide(images, np.float32(255), dtype=np.float32), verbose=0)
        loss = -np.log(guessed[np.arange(len(labels)), labels]).mean()
        assert seed["validation_accuracy"] == pytest.approx((guessed.argmax(1) == labels).mean())
        assert seed["validation_loss"] == pytest.approx(loss, abs=1e-4)


def test_the_champion_is_chosen_on_validation_and_reported_on_test(reproduced: Project) -> None:
    means = {name: found["mean"] for name, found in results(reproduced).items()}
    champion = json.loads((reproduced.root / "reports/champion.json").read_text())
    chosen = means[champion["variant"]]
    best = max(mean["validation_accuracy"] for mean in means.values())
    assert chosen["validation_accuracy"] == champion["validation_accuracy"] == best
    assert champion["test_accuracy"] == chosen["test_accuracy"]


def test_outputs_hold_no_dates_paths_or_names_of_the_machine(reproduced: Project) -> None:
    machine = os.uname().nodename
    traces = [str(reproduced.root), time.strftime("%Y-"), machine if len(machine) > 5 else "@" * 6]
    for folder in ("runs", "reports"):
        for path in filter(Path.is_file, (reproduced.root / folder).rglob("*")):
            content = path.read_bytes()
            for trace in traces:
                assert trace.encode() not in content, f"{trace} in {path}"


def test_each_variant_has_a_run_and_in_it_one_for_each_seed(reproduced: Project) -> None:
    found = runs(reproduced)
    parents = {run.info.run_id: run for run in found if "seed" not in run.data.tags}
    assert sorted(run.info.run_name for run in parents.values()) == sorted(VARIANTS)
    seeds = [run for run in found if "seed" in run.data.tags]
    assert len(seeds) == 2 * len(VARIANTS)
    for run in found:
        assert run.info.status == "FINISHED"
    for run in seeds:
        parent = parents[run.data.tags["mlflow.parentRunId"]]
        variant, seed = run.data.tags["variant"], run.data.tags["seed"]
        assert parent.info.run_name == variant
        assert run.info.run_name == f"{variant} seed {seed}"


def test_a_run_says_all_that_the_outputs_say(reproduced: Project) -> None:
    client = MlflowClient(reproduced.uri())
    said, found = summary(reproduced, "adam-0.3"), results(reproduced)["adam-0.3"]
    history = pd.read_csv(reproduced.root / "runs/adam-0.3/history.csv")
    data = json.loads((reproduced.root / "data/prepared/summary.json").read_text())
    digest = data["digests"]["train"]
    for run in runs(reproduced, "tags.variant = 'adam-0.3'"):
        tags, params = run.data.tags, run.data.params
        assert tags["fingerprint"] == said["fingerprint"]
        assert tags["data"] == digest
        assert tags["dvc_stage"] == "train@adam-0.3"
        assert tags["study"] == "grid"
        assert tags["branch"] == "main"
        assert tags["commit"] == reproduced.git("rev-parse", "HEAD~1").strip()
        assert tags["dirty"] == "false"
        assert params["optimizer.learning_rate"] == "0.001"
        assert params["optimizer.beta_1"] == "0.9"  # a default, resolved
        assert params["dropout"] == "0.3"
        dataset = run.inputs.dataset_inputs[0].dataset
        assert dataset.digest == digest[:36]
        artifacts = {item.path for item in client.list_artifacts(run.info.run_id)}
        assert {"loss.png", "images"} <= artifacts
        assert len(run.outputs.model_outputs) == (1 if "seed" in tags else 2)
        assert not {name for name in run.data.metrics if name.startswith("validation_val")}
        if "seed" not in tags:
            assert run.data.metrics["test_accuracy"] == pytest.approx(
                found["mean"]["test_accuracy"], abs=1e-6
            )
            assert "system/seconds_epochs" in run.data.metrics
            continue
        seed = said["seeds"][tags["seed"]]
        assert tags["seed_fingerprint"] == seed["fingerprint"]
        assert json.loads(seed["identity"])["data"]["train"] == digest
        mine = history[history["seed"] == int(tags["seed"])]
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            logged = client.get_metric_history(run.info.run_id, name)
            assert [m.step for m in logged] == [1, 2]
            assert [m.value for m in logged] == list(mine[name])
        scores = found["seeds"][tags["seed"]]
        assert run.data.metrics["test_accuracy"] == scores["test_accuracy"]
        model = client.get_logged_model(run.outputs.model_outputs[0].model_id)
        assert str(model.status) in ("READY", "LoggedModelStatus.READY")
        assert {m.key for m in model.metrics} >= {"loss", "accuracy", "val_loss", "val_accuracy"}


def test_the_seconds_to_the_target_are_in_mlflow_alone(reproduced: Project) -> None:
    scores = results(reproduced)["adam-0.0"]
    client = MlflowClient(reproduced.uri())
    found = 0
    for run in runs(reproduced, "tags.variant = 'adam-0.0'"):
        tags = run.data.tags
        if "seed" not in tags:
            mean = scores["mean"]["epochs_to_target"]
            assert ("seconds_to_target" in run.data.metrics) == (mean is not None)
            continue
        reached = scores["seeds"][tags["seed"]]["epochs_to_target"]
        taken = [m.value for m in client.get_metric_history(run.info.run_id, "epoch_seconds")]
        expected = None if reached is None else pytest.approx(sum(taken[:reached]))
        assert run.data.metrics.get("seconds_to_target") == expected
        found += reached is not None
    assert found, "no seed reaches the target: this test shows nothing"
    for file in reproduced.root.glob("reports/**/*.json"):
        assert "seconds" not in file.read_text()


def test_a_logged_model_predicts_the_same_where_this_project_is_not_installed(
    reproduced: Project, tmp_path: Path
) -> None:
    (run,) = runs(reproduced, "tags.variant = 'adam-0.3' and tags.seed = '2'")
    model = run.outputs.model_outputs[0].model_id
    program = f"""
import sys; sys.modules["stages"] = None  # importing it is an error
import mlflow, numpy as np
mlflow.set_tracking_uri({reproduced.uri()!r})
images = np.load({str(reproduced.root / "data/prepared/test_images.npy")!r})[:50]
model = mlflow.pyfunc.load_model("models:/{model}")
assert model.metadata.signature is not None and model.input_example is not None
np.save("prediction.npy", model.predict((images / np.float32(255)).astype(np.float32)))
"""
    reproduced.ok(sys.executable, "-c", program, cwd=tmp_path, CUDA_VISIBLE_DEVICES="-1")
    from stages.training import model_file

    network = model_file.load(reproduced.root / "runs/adam-0.3/seed-2.keras")
    images = np.load(reproduced.root / "data/prepared/test_images.npy")[:50]
    ours = network.predict(np.divide(images, np.float32(255), dtype=np.float32), verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "prediction.npy"), ours, rtol=1e-5, atol=1e-6)


# Running it again


def test_a_second_repro_runs_nothing(project: Project) -> None:
    assert "Data and pipelines are up to date." in project.ok("dvc", "repro")
    assert project.git("status", "--porcelain") == ""


def test_a_stage_forced_again_trains_again_and_leaves_the_same_bytes(project: Project) -> None:
    before = project.tree("runs", "reports", "dvc.lock", "data")
    stages = ("train@adam-0.3", "evaluate", "plot", "prepare")
    repro = ("dvc", "repro", "--force", "--single-item")
    said = project.ok(*repro, *stages, BRANCHMARK_FORCE="1")  # as `branchmark repro --force` does
    assert said.count("after 2 epochs") == 2
    assert "taken over" not in said
    assert project.tree("runs", "reports", "dvc.lock", "data") == before


def test_only_seeds_that_no_variant_has_are_trained(project: Project) -> None:
    """One more seed, another order of the seeds, a variant that is another one by another name."""
    with project.params() as params:
        params["studies"]["relu"] = {"study": "activation", "network": {"activation": RELU}}
        params["train"]["seeds"] = [3, 2, 1]
    said = project.ok("dvc", "repro", "--single-item", "train@adam-0.0", "study@relu")
    lines = [line for line in said.splitlines() if line.startswith("seed ")]
    assert [line.split()[1] for line in lines] == ["3:", "2:", "1:"] * 2
    assert ["after 2 epochs" in line for line in lines] == [True] + [False] * 5
    for line, seed in zip(lines[1:], (2, 1, 3, 2, 1), strict=True):
        fingerprint = summary(project, "adam-0.0")["seeds"][str(seed)]["fingerprint"]
        assert f"taken over from DVC's cache ({fingerprint[:8]}" in line
    locked = yaml.load(project.root / "dvc.lock")["stages"]
    assert len({locked[stage]["outs"][0]["md5"] for stage in EQUAL}) == 1


def test_changing_a_learning_rate_reruns_its_two_variants(project: Project) -> None:
    with project.params() as params:
        params["optimizers"]["adam"]["learning_rate"] = 0.002
    assert project.stale() == {"train@adam-0.0", "train@adam-0.3"} | STUDIES | REPORTS


def test_changing_a_studys_override_reruns_its_stage_and_the_reports(
    project: Project,
) -> None:
    with project.params() as params:
        params["studies"]["elu"]["network"]["activation"]["alpha"] = 0.5
    assert project.stale() == {"study@elu"} | REPORTS


def test_a_new_line_of_studies_reruns_nothing_but_itself(project: Project) -> None:
    with project.params() as params:
        params["studies"]["wide"] = {"study": "layers", "network": {"hidden": [200]}}
        params["reuse"]["tuned"] = {"study": "speed_up", "source": "elu", "trainable": True}
    assert project.stale() == {"study@wide", "reuse@tuned"} | REPORTS


def test_a_reusing_variant_depends_on_the_output_of_its_source(project: Project) -> None:
    lock = (project.root / "dvc.lock").read_text()
    stage = lock.split("  reuse@reused_frozen:")[1].split("\n  ")[0:]
    assert "path: runs/adam-0.0" in "\n".join(stage)
    shutil.rmtree(project.root / "runs/adam-0.0")
    assert {"train@adam-0.0", "reuse@reused_frozen"} <= project.stale()


def test_frozen_layers_are_those_of_their_source(reproduced: Project) -> None:
    from stages.training import model_file

    runs_folder = reproduced.root / "runs"
    for seed in (1, 2):
        source = model_file.load(runs_folder / f"adam-0.0/seed-{seed}.keras")
        reused = model_file.load(runs_folder / f"reused_frozen/seed-{seed}.keras")
        for name, same in (("hidden_1", True), ("probabilities", False)):
            pair = [network.get_layer(name).get_weights()[0] for network in (source, reused)]
            assert np.array_equal(*pair) == same


def test_the_target_and_the_confidence_rerun_the_reports_alone(project: Project) -> None:
    with project.params() as params:
        params["compare"]["confidence"] = 0.9
    assert project.stale() == {"evaluate"}
    with project.params() as params:
        params["target"]["validation_accuracy"] = 0.5
    assert project.stale() == REPORTS


def test_a_new_optimizer_reruns_nothing_but_itself(project: Project) -> None:
    with project.params() as params:
        params["optimizers"]["slow"] = {"class": "SGD", "learning_rate": 0.001}
    assert project.stale() == {"train@slow-0.0", "train@slow-0.3"} | REPORTS


def test_changing_epochs_reruns_all_trainings_and_not_prepare(project: Project) -> None:
    with project.params() as params:
        params["train"]["epochs"] = 3
    assert project.stale() == TRAININGS | {"evaluate"}


def test_comments_order_and_the_readme_rerun_nothing(project: Project) -> None:
    with project.params() as params:
        optimizers = params["optimizers"]
        params["optimizers"] = dict(reversed(list(optimizers.items())))
    file = project.root / "params.yaml"
    file.write_text("# a comment\n" + file.read_text())
    (project.root / "README.md").write_text("another text\n")
    assert project.stale() == set()


@pytest.mark.parametrize(
    ("module", "expected"),  # all others: tests/test_pipeline.py
    [
        ("stages/training/epoch.py", TRAININGS | {"evaluate"}),
        ("stages/tracking/recorder.py", set()),
        ("stages/plots/charts.py", {"plot"}),
    ],
)
def test_editing_a_module_reruns_what_uses_it(
    project: Project, module: str, expected: set[str]
) -> None:
    path = project.root / module
    path.write_text(path.read_text() + "\n# edited\n")
    assert project.stale() == expected


@pytest.mark.parametrize("library", ["tensorflow", "keras", "numpy"])
def test_another_version_of_a_library_that_computes_makes_every_training_stale_and_is_refused(
    project: Project, library: str
) -> None:
    with project.params() as params:
        params["libraries"][library] = "1.0.0"
    assert project.stale() >= TRAININGS | {"evaluate"}
    result = project.run("python", "-m", "stages.train", "train@adam-0.3")
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: libraries.{library}: the pipeline records 1.0.0")
    assert "Traceback" not in result.stderr
    assert (project.root / "runs/adam-0.3/summary.json").exists()  # nothing was touched


def test_another_version_of_a_library_that_draws_or_tests_reruns_nothing(project: Project) -> None:
    lock = project.root / "requirements.lock"
    lock.write_text(re.sub(r"(matplotlib|pytest)==[\d.]+", r"\1==99.0", lock.read_text()))
    assert project.stale() == set()


def test_a_removed_variant_leaves_no_trace(project: Project) -> None:
    with project.params() as params:
        del params["optimizers"]["sgd"]
        params["studies"] = {}
    (project.root / "runs/notes").mkdir()  # a person's own
    (project.root / "runs/notes/todo.txt").write_text("another seed")
    project.ok("dvc", "repro")
    for report in filter(Path.is_file, (project.root / "reports").rglob("*")):
        assert not re.search("sgd|elu", report.stem)
        if report.suffix != ".png":
            assert not re.search("sgd|elu", report.read_text()), report
    left = {path.name for path in (project.root / "runs").iterdir()}
    assert left == {"adam-0.0", "adam-0.3", "reused_frozen", "notes"}
    assert project.stale() == set()


def test_a_fresh_clone_with_the_cache_trains_nothing(reproduced: Project, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    reproduced.git("clone", "--quiet", str(reproduced.root), str(clone))
    reproduced.ok("dvc", "cache", "dir", "--local", str(reproduced.root / ".dvc/cache"), cwd=clone)
    reproduced.ok("dvc", "checkout", cwd=clone)
    assert reproduced.ok("dvc", "status", cwd=clone).strip().endswith("up to date.")


# How it ends badly


def start_training(project: Project) -> subprocess.Popen[str]:
    """A training that is in its epochs and would go on for minutes."""
    with project.params() as params:
        params["train"]["epochs"] = 20_000
    known = len(runs(project))
    process = project.start("python", "-m", "stages.train", "train@adam-0.3")
    for _ in range(3000):
        time.sleep(0.1)
        found = runs(project)
        if len(found) == known + 2 and "loss" in found[0].data.metrics:
            return process
    process.kill()
    raise AssertionError(process.communicate()[0])


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_training_leaves_a_killed_run_and_no_output(
    project: Project, how: signal.Signals
) -> None:
    process = start_training(project)
    newest = {run.info.run_id for run in runs(project)[:2]}
    process.send_signal(how)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 128 + how
    assert "Traceback" not in said
    ended = [run for run in runs(project) if run.info.run_id in newest]
    assert [run.info.status for run in ended] == ["KILLED", "KILLED"]
    assert not (project.root / "runs/adam-0.3.partial").exists()


def test_a_failing_training_leaves_a_failed_run_and_no_output(project: Project) -> None:
    """Its module is edited while it trains: the result would belong to neither version."""
    trainer = project.root / "stages/training/trainer.py"
    trainer.write_text(
        trainer.read_text().replace(
            "        self.begin = time.perf_counter()",
            "        self.begin = time.perf_counter()\n"
            "        open('stages/training/epoch.py', 'a').write('EDITED = True\\n')",
        )
    )
    shutil.rmtree(project.root / "runs/adam-0.3")
    known = {run.info.run_id for run in runs(project)}
    result = project.run("python", "-m", "stages.train", "train@adam-0.3")
    assert result.returncode == 1
    assert result.stderr.strip().startswith("error: stages/training/epoch.py: edited while")
    assert "Traceback" not in result.stderr
    new = [run for run in runs(project) if run.info.run_id not in known]
    status = {run.data.tags.get("seed", ""): run.info.status for run in new}
    assert status == {"": "FAILED", "1": "FINISHED", "2": "FINISHED"}
    assert not (project.root / "runs/adam-0.3").exists()


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (lambda root: shutil.rmtree(root / "data/prepared"), "missing; run `dvc repro prepare`"),
        (
            lambda root: (root / "data/prepared/train_labels.npy").write_bytes(b"x"),
            "data/prepared: damaged",
        ),
        (lambda root: (root / "params.yaml").unlink(), "params.yaml: no such file"),
    ],
)
def test_bad_input_is_one_sentence(project: Project, break_it: Any, sentence: str) -> None:
    for path in (project.root / "data/prepared").iterdir():  # DVC may have linked them
        path.chmod(0o644)
    break_it(project.root)
    result = project.run("python", "-m", "stages.train", "train@adam-0.3")
    assert result.returncode == 1
    assert sentence in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_full_disk_is_one_sentence_and_leaves_no_output(project: Project) -> None:
    runs_folder = project.root / "runs"
    shutil.rmtree(runs_folder)
    runs_folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", runs_folder])
    if mounted.returncode:
        pytest.skip("mounting a small disk needs the rights of root")
    try:
        result = project.run("python", "-m", "stages.train", "train@adam-0.3")
        assert result.returncode == 1
        assert "the disk is full" in result.stderr
        assert "Traceback" not in result.stderr
        assert list(runs_folder.iterdir()) == []
    finally:
        subprocess.run(["umount", runs_folder], check=True)


# Where it is started from


def test_the_branch_of_a_detached_head_comes_from_the_environment(project: Project) -> None:
    project.git("checkout", "--quiet", "--detach")
    try:
        project.ok(
            "python", "-m", "stages.train", "train@sgd-0.3",
            GITHUB_HEAD_REF="feature/x",
        )  # fmt: skip
    finally:
        project.git("checkout", "--quiet", "main")
    assert {run.data.tags["branch"] for run in runs(project)[:3]} == {"feature/x"}


def test_an_edited_tree_is_tagged_dirty_and_its_diff_kept(project: Project) -> None:
    with project.params() as params:
        params["optimizers"]["sgd"]["learning_rate"] = 0.05
    project.ok("python", "-m", "stages.train", "train@sgd-0.3")
    client = MlflowClient(project.uri())
    (parent,) = [run for run in runs(project)[:3] if "seed" not in run.data.tags]
    assert parent.data.tags["dirty"] == "true"
    path = client.download_artifacts(parent.info.run_id, "uncommitted.diff")
    assert "learning_rate: 0.05" in Path(path).read_text()


def test_a_dvc_experiment_is_tracked_in_the_same_store_by_its_name(project: Project) -> None:
    """In the workspace, and queued: that runs in a temporary folder of DVC's."""
    change = ["-S", "optimizers.sgd.learning_rate=0.03"]
    project.ok("dvc", "exp", "run", "--name", "workspace-exp", *change, "train@sgd-0.0")
    project.git("reset", "--hard", "--quiet")
    change = ["-S", "optimizers.sgd.learning_rate=0.04"]
    queued = ("--temp", "--name", "temp-exp", *change, "train@sgd-0.0")
    relative = "sqlite:///mlflow.db"  # to the project's root, not to that folder
    project.ok("dvc", "exp", "run", *queued, MLFLOW_TRACKING_URI=relative)
    names = {run.data.tags.get("dvc_exp") for run in runs(project)}
    assert {"workspace-exp", "temp-exp"} <= names
    (temp,) = runs(project, "tags.dvc_exp = 'temp-exp' and tags.seed = '1'")
    assert temp.data.params["optimizer.learning_rate"] == "0.04"
    assert temp.data.tags["branch"] == "main"
    table = project.ok("dvc", "exp", "show", "--csv")
    assert "workspace-exp" in table
    assert "temp-exp" in table
