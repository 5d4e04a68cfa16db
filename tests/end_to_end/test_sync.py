"""MLflow is a view of git and DVC: deleted, it comes back; out of step, it is brought back."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from stages.sync import hook
from stages.tracking import liveness as process
from stages.training import model_file as keras_file
from tests.end_to_end.after_sync import assert_whole
from tests.processes import until
from tests.project import Project

LIVE_METRICS = ("system/", "epoch_seconds", "samples_per_second", "seconds_to_target")
NOT_COMPARED = {  # by nature: who, where and when, and what only sync knows
    *process.TAGS, "commit", "mlflow.source.git.commit", "mlflow.user", "mlflow.parentRunId",
    "restored", "live_on", "dvc_output", "superseded", "cpu",
}  # fmt: skip


def runs(project: Project, query: str = "") -> list[Any]:
    return project.runs(query, "attributes.start_time ASC")  # first that of `dvc repro`


def live_on(project: Project, branch: str) -> set[str]:
    """The fingerprints of the variants' runs that the README's filter finds."""
    found = runs(project, f"tags.live_on LIKE '%|{branch}|%'")
    variants = [run for run in found if "seed" not in run.data.tags]
    assert len(found) == 3 * len(variants)  # with those of their two seeds
    return {run.data.tags["fingerprint"] for run in variants}


def held_by(project: Project, revision: str) -> set[str]:
    """The fingerprints of a revision's outputs, by DVC's own means."""
    return read_by_dvc(project, project.git("rev-parse", revision).strip())


@cache
def read_by_dvc(project: Project, revision: str) -> set[str]:
    lock = project.git("show", f"{revision}:dvc.lock")
    names = {line.split("runs/")[1] for line in lock.splitlines() if "- path: runs/" in line}
    program = f"""
import dvc.api, json
for name in {sorted(names)}:
    print(json.loads(dvc.api.read(f"runs/{{name}}/summary.json", rev={revision!r}))["fingerprint"])
"""
    return set(project.ok(sys.executable, "-c", program).split())


def content(project: Project) -> list[str]:
    """All that the store says, and the names of all of its files."""
    with sqlite3.connect(project.root / "mlflow.db") as database:
        lines = list(database.iterdump())
    return lines + sorted(str(path) for path in (project.root / "mlruns").rglob("*"))


@pytest.fixture(scope="module")
def branched(reproduced: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two branches of which one differs in one variant, and no store. Not changed by its tests."""
    project = reproduced.copy(tmp_path_factory.mktemp("sync") / "project", store=False)
    project.git("switch", "--quiet", "--create", "warm")
    with project.params() as params:
        params["optimizers"]["sgd"]["learning_rate"] = 0.02
    project.ok("dvc", "repro", "--quiet", "--single-item", "train@sgd-0.3")
    project.commit("sgd learns faster; only one variant is trained yet")
    project.git("switch", "--quiet", "main")
    project.git("tag", "before", "main~1")  # there was no dvc.lock
    for path in project.root.glob("mlflow.db*"):  # that of the training above
        path.unlink()
    shutil.rmtree(project.root / "mlruns", ignore_errors=True)
    return project


@pytest.fixture(scope="module")
def synced(branched: Project) -> Project:
    """The same after `branchmark sync --all`. Tests leave branches as they found them."""
    out = branched.ok("branchmark", "sync", "--all")
    count = len(held_by(branched, "main") | held_by(branched, "warm"))
    assert "1 runs" not in out
    assert len(runs(branched, "tags.live_on != '' AND tags.seed IS NULL")) == count
    return branched


# Deleted and back again


def test_every_run_of_every_branch_comes_back_after_the_store_was_deleted(synced: Project) -> None:
    found = runs(synced)
    results = held_by(synced, "main") | held_by(synced, "warm")
    assert len(found) == len(results) * 3
    assert {run.info.status for run in found} == {"FINISHED"}
    assert {run.data.tags["restored"] for run in found} == {"true"}
    assert len(results) == len(held_by(synced, "main")) + 1
    for branch in ("main", "warm"):
        assert live_on(synced, branch) == held_by(synced, branch)


def test_a_second_sync_changes_nothing_and_says_so(synced: Project) -> None:
    synced.ok("branchmark", "sync", "--all")
    before = content(synced)
    for arguments in (["--all"], ["warm", "before"]):
        out = synced.ok("branchmark", "sync", *arguments)
        assert out.startswith("nothing to do: MLflow has the ")
        assert content(synced) == before
    assert synced.ok("branchmark", "sync", "--quiet") == ""


def test_a_git_worktree_is_brought_into_agreement_with_the_store_of_its_repository(
    synced: Project, tmp_path: Path
) -> None:
    synced.ok("branchmark", "sync", "--all")
    before = content(synced)
    synced.git("worktree", "add", "--quiet", str(tmp_path / "tree"), "warm")
    try:
        out = synced.ok("branchmark", "sync", cwd=tmp_path / "tree")
        assert out.startswith("nothing to do: MLflow has the ")
        assert content(synced) == before
        assert not (tmp_path / "tree/mlflow.db").exists()
    finally:
        synced.git("worktree", "remove", "--force", str(tmp_path / "tree"))


def test_a_restored_run_says_what_the_live_one_says_field_by_field(
    synced: Project, reproduced: Project
) -> None:
    summary = json.loads((reproduced.root / "runs/adam-0.3/summary.json").read_text())
    query = f"tags.fingerprint = '{summary['fingerprint']}' and attributes.status = 'FINISHED'"
    at = int(synced.git("show", "--no-patch", "--format=%ct", "main")) * 1000
    for seed in ("1", "2", None):
        live, restored = (
            next(run for run in runs(project, query) if run.data.tags.get("seed") == seed)
            for project in (reproduced, synced)
        )
        compare_runs(live, restored, at)
        compare_metrics(reproduced, live, synced, restored, at)
        compare_files(reproduced, live, synced, restored)
        if seed:
            compare_models(reproduced, live, synced, restored)


def compare_runs(live: Any, restored: Any, at: int) -> None:
    assert restored.data.params == live.data.params
    assert restored.info.run_name == live.info.run_name
    assert (restored.info.start_time, restored.info.end_time) == (at, at)
    ours, theirs = (
        {key: value for key, value in run.data.tags.items() if key not in NOT_COMPARED}
        for run in (restored, live)
    )
    ours.pop("mlflow.loggedImages"), theirs.pop("mlflow.loggedImages")
    if "seed" in live.data.tags:  # sync labels all runs of a result alike
        ours.pop("numbers")
    assert ours == theirs
    assert restored.data.tags["restored"] == "true"
    assert set(process.TAGS) & set(restored.data.tags) == set()
    assert set(process.TAGS) <= set(live.data.tags)
    assert ("mlflow.parentRunId" in restored.data.tags) == ("seed" in live.data.tags)
    (ours,), (theirs,) = restored.inputs.dataset_inputs, live.inputs.dataset_inputs
    assert ours.to_dictionary() == theirs.to_dictionary()
    steps = [[m.step for m in run.outputs.model_outputs] for run in (restored, live)]
    assert steps[0] == steps[1]


def compare_metrics(a: Project, live: Any, b: Project, restored: Any, at: int) -> None:
    names = {name for name in live.data.metrics if not name.startswith(LIVE_METRICS)}
    assert set(restored.data.metrics) == names
    assert "test_accuracy" in names
    for name in names:
        ours = MlflowClient(b.uri()).get_metric_history(restored.info.run_id, name)
        theirs = MlflowClient(a.uri()).get_metric_history(live.info.run_id, name)
        last = {m.step: m.value for m in theirs}  # a live one may have been evaluated twice
        assert {m.step: m.value for m in ours} == last
        if name in ("loss", "val_accuracy"):
            assert {m.timestamp for m in ours} == {at}


def compare_files(a: Project, live: Any, b: Project, restored: Any) -> None:
    """The loss plot as a file, and in the chart view under a name with the time and a number."""
    found = []
    for project, run in ((a, live), (b, restored)):
        client, run_id = MlflowClient(project.uri()), run.info.run_id
        assert {item.path for item in client.list_artifacts(run_id)} == {"images", "loss.png"}
        images = [item.path for item in client.list_artifacts(run_id, "images")]
        (chart,) = (path for path in images if path.endswith(".png"))
        assert chart.startswith("images/loss_plot+step+0+")
        files = [client.download_artifacts(run_id, path) for path in ("loss.png", chart)]
        found.append([Path(file).read_bytes() for file in files])
    assert found[0] == found[1]


def compare_models(a: Project, live: Any, b: Project, restored: Any) -> None:
    sides = []
    for project, run in ((a, live), (b, restored)):
        client = MlflowClient(project.uri())
        model = client.get_logged_model(run.outputs.model_outputs[0].model_id)
        assert model.source_run_id == run.info.run_id
        folder = Path(model.artifact_location.removeprefix("file://"))
        mlmodel = (folder / "MLmodel").read_text().splitlines()
        # The size as well: Keras writes a few words more about a network that was built than about
        # one that was loaded
        varying = ("model_id", "model_uuid", "run_id", "utc_time", "model_size")
        weights = keras_file.load(folder / "data/model.keras").get_weights()
        sides.append(
            {
                "model": (model.name, model.model_type, model.status, model.tags, model.params),
                "metrics": {
                    (m.key, m.step, m.value) for m in model.metrics
                },  # perhaps logged twice
                "files": sorted(str(f.relative_to(folder)) for f in folder.rglob("*")),
                "mlmodel": [line for line in mlmodel if not line.strip().startswith(varying)],
                "requirements": (folder / "requirements.txt").read_text(),
                "example": (folder / "input_example.json").read_text(),
                "weights": [array.tobytes() for array in weights],
            }
        )
    assert sides[0] == sides[1]
    assert {"loss", "val_accuracy"} <= {key for key, _, _ in sides[1]["metrics"]}


# Out of step


def test_a_dry_run_changes_nothing_and_makes_no_store(synced: Project, tmp_path: Path) -> None:
    clone = clone_of(synced, tmp_path)
    clone.ok("dvc", "cache", "dir", "--local", str(synced.root / ".dvc/cache"))
    out = clone.ok("branchmark", "sync", "--all", "--dry-run")
    assert out.count("would be done:") == len(out.splitlines())
    assert "restored from" in out
    assert not list(clone.root.glob("mlflow*")) + list(clone.root.glob("mlruns"))


def test_branches_that_are_new_moved_or_deleted_are_put_on_and_taken_off(synced: Project) -> None:
    synced.git("branch", "moving", "warm")
    synced.git("branch", "doomed", "main")
    synced.git("update-ref", "refs/remotes/origin/theirs", "warm")
    before = content(synced)
    dry = synced.ok("branchmark", "sync", "--all", "--dry-run")
    assert "+doomed" in dry
    assert content(synced) == before
    synced.ok("branchmark", "sync", "--all")
    for branch in ("moving", "theirs"):
        assert live_on(synced, branch) == live_on(synced, "warm")
    assert live_on(synced, "doomed") == live_on(synced, "main") == held_by(synced, "main")

    synced.git("branch", "--force", "moving", "before")
    synced.git("branch", "-D", "doomed")
    synced.git("update-ref", "-d", "refs/remotes/origin/theirs")
    synced.ok("branchmark", "sync")  # of the current branch: that takes off what is deleted
    assert live_on(synced, "doomed") == live_on(synced, "theirs") == set()
    assert live_on(synced, "moving") != set()
    synced.ok("branchmark", "sync", "moving")
    assert live_on(synced, "moving") == set()
    assert live_on(synced, "main") == held_by(synced, "main")
    synced.git("branch", "-D", "moving")


def test_of_several_complete_runs_the_newest_is_the_one_and_none_is_deleted(
    synced: Project,
) -> None:
    (old,) = runs(
        synced, "tags.variant = 'sgd-0.0' and tags.live_on LIKE '%|main|%' and tags.seed = '1'"
    )
    synced.ok("python", "-m", "stages.train", "train@sgd-0.0")
    out = synced.ok("branchmark", "sync")
    assert "superseded" in out
    found = runs(synced, "tags.variant = 'sgd-0.0'")
    assert len(found) == 6
    for run in found:
        tags = run.data.tags
        is_old = "restored" in tags
        assert tags.get("superseded") == ("true" if is_old else None)
        assert tags.get("live_on") == (None if is_old else old.data.tags["live_on"])
        if not is_old:  # it was never evaluated: the revision's scores joined it
            assert run.data.metrics["test_accuracy"] > 0
    assert live_on(synced, "main") == held_by(synced, "main")
    assert synced.ok("branchmark", "sync").startswith("nothing to do")


def test_a_run_with_a_seed_or_a_model_missing_is_made_anew(synced: Project) -> None:
    client = MlflowClient(synced.uri())
    (seed,) = runs(synced, "tags.variant = 'elu' and tags.seed = '2'")
    client.delete_run(seed.info.run_id)
    (model,) = runs(synced, "tags.variant = 'adam-0.0' and tags.seed = '1'")[
        0
    ].outputs.model_outputs
    client.finalize_logged_model(model.model_id, "FAILED")
    out = synced.ok("branchmark", "sync")
    assert "adam-0.0, elu: restored" in out or "elu, adam-0.0: restored" in out
    assert live_on(synced, "main") == held_by(synced, "main")
    for variant, count in (("elu", 5), ("adam-0.0", 6)):
        found = runs(synced, f"tags.variant = '{variant}'")
        assert len(found) == count
        assert sum("superseded" in run.data.tags for run in found) == count - 3


def test_runs_of_processes_that_are_gone_become_killed_and_others_are_left_alone(
    synced: Project,
) -> None:
    client = MlflowClient(synced.uri())
    experiment = client.get_experiment_by_name("fashion-mnist").experiment_id
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    theirs = process.tags() | {"pid": str(sleeper.pid)}
    sleeper.kill()
    sleeper.wait()
    cases = {
        "gone": theirs,
        "number taken by another": process.tags() | {"pid_started": "1"},
        "alive": process.tags(),
        "of another boot": theirs | {"boot": "another"},
        "in a container": theirs | {"pid_namespace": "1"},
        "of an earlier version": {"host": theirs["host"], "pid": "1", "pid_started": "1000.00"},
        "unknown": {},
    }
    started = {
        name: client.create_run(experiment, tags=tags, run_name=name).info.run_id
        for name, tags in cases.items()
    }
    models = {
        name: client.create_logged_model(experiment, "m", source_run_id=run_id).model_id
        for name, run_id in started.items()
    }
    try:
        out = synced.ok("branchmark", "sync")
        assert out.count("killed: process") == 2
        assert out.count("`branchmark sync --end") == 4
        for name, run_id in started.items():
            run = client.get_run(run_id)
            dead = name in ("gone", "number taken by another")
            assert run.info.status == ("KILLED" if dead else "RUNNING"), name
            assert ("reason" in run.data.tags) == dead
            status = str(client.get_logged_model(models[name]).status).split(".")[-1]
            assert status == ("FAILED" if dead else "PENDING"), name
        # What is not known here is told, and ended by a person's word alone
        said = synced.ok("branchmark", "sync", "--end", started["in a container"][:12])
        assert "in a container: killed: ended by" in said
        assert client.get_run(started["in a container"]).info.status == "KILLED"
        refused = synced.run("branchmark", "sync", "--end", started["alive"])
        assert refused.returncode == 1
        assert f"process {process.tags()['pid']} on this machine writes it" in refused.stderr
        assert client.get_run(started["alive"]).info.status == "RUNNING"
    finally:
        for name, run_id in started.items():
            client.delete_logged_model(models[name])
            client.delete_run(run_id)


def test_a_sync_killed_midway_is_carried_on_by_the_next_one_with_nothing_twice(
    reproduced: Project, tmp_path: Path
) -> None:
    project = reproduced.copy(tmp_path / "project", store=False)
    database = project.root / "mlflow.db"

    def recorded(count: int) -> bool:
        uri = f"file:{database}?mode=ro"
        with suppress(sqlite3.Error), sqlite3.connect(uri, uri=True) as store:
            return bool(store.execute("SELECT count(*) >= ? FROM runs", (count,)).fetchone()[0])
        return False

    for count in (2, 8, 15):
        sync = project.start("branchmark", "sync")
        until(partial(recorded, count), 120, "nothing is restored")
        sync.kill()
        sync.communicate()
    project.ok("branchmark", "sync")
    variants = {path.name for path in (project.root / "runs").iterdir()}
    assert len(variants) == 6
    for variant in variants:
        assert_whole(MlflowClient(project.uri()), variant)
    assert project.ok("branchmark", "sync").startswith("nothing to do")


# Outputs that are elsewhere, or nowhere


def clone_of(project: Project, folder: Path) -> Project:
    """A clone with all branches of the project as its own, and without its cache."""
    subprocess.run(["git", "clone", "--quiet", project.root, folder / "clone"], check=True)
    clone = Project.at(folder / "clone")
    clone.git("config", "user.name", "tester")
    clone.git("config", "user.email", "tester@example.org")
    clone.git("branch", "--quiet", "warm", "origin/warm")
    return clone


def test_missing_outputs_are_named_with_what_makes_them_and_can_be_pulled(
    synced: Project, tmp_path: Path
) -> None:
    clone = clone_of(synced, tmp_path)
    clone.keep("elu", "sgd-0.0")
    nowhere = clone.run("branchmark", "sync", "warm")
    assert nowhere.returncode == 1
    assert "runs/sgd-0.3" in nowhere.stderr
    assert "not in DVC's cache; `git checkout warm && dvc repro` makes it" in nowhere.stderr
    assert "Traceback" not in nowhere.stderr

    synced.ok("dvc", "remote", "add", "--local", "--default", "shelf", str(tmp_path / "shelf"))
    synced.ok("dvc", "push", "--quiet")
    synced.ok("dvc", "remote", "remove", "--local", "shelf")
    clone.ok("dvc", "remote", "add", "--local", "--default", "shelf", str(tmp_path / "shelf"))
    here = clone.run("branchmark", "sync")
    assert here.returncode == 1
    assert "`branchmark sync --pull main` fetches it from the remote" in here.stderr
    clone.ok("branchmark", "sync", "--pull")
    assert len(live_on(clone, "main")) == 2
    # Now that the runs are there, the outputs are not needed
    assert clone.ok("branchmark", "sync").startswith("nothing to do")

    clone.git("switch", "--quiet", "warm")
    clone.keep("elu", "sgd-0.3")
    half = clone.run("branchmark", "sync", "--pull")  # main alone was pushed
    assert half.returncode == 1
    assert "runs/sgd-0.3 of warm" in half.stderr
    assert "`git checkout warm && dvc repro train@sgd-0.3` makes it" in half.stderr
    assert len(live_on(clone, "warm")) == 1


def test_a_damaged_output_is_named_and_the_others_are_restored(
    synced: Project, tmp_path: Path
) -> None:
    clone = clone_of(synced, tmp_path)
    clone.keep("elu", "sgd-0.0")
    shutil.copytree(synced.root / ".dvc/cache", clone.root / ".dvc/cache")
    listed = json.loads(cached(clone, "runs/elu").read_text())
    md5 = next(entry["md5"] for entry in listed if entry["relpath"] == "seed-2.keras")
    file = clone.root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    file.chmod(0o644)
    file.write_bytes(b"no network")
    result = clone.run("branchmark", "sync")
    assert result.returncode == 1
    assert "runs/elu of main" in result.stderr
    assert "its files cannot be read" in result.stderr
    assert "Traceback" not in result.stderr
    assert len(live_on(clone, "main")) == 1
    assert {run.info.status for run in runs(clone)} == {"FINISHED"}


def cached(project: Project, folder: str) -> Path:
    """DVC's list of the files of an output."""
    return in_cache(project, md5_of(project, folder))


def test_a_revision_that_git_does_not_know_is_one_sentence(synced: Project) -> None:
    for revision in ("nowhere", "--exec=x", "main:dvc.lock"):
        result = synced.run("branchmark", "sync", "--", revision)
        assert result.returncode == 1
        assert result.stderr.startswith(f"error: {revision}: no such branch, tag, commit or")
        assert len(result.stderr.splitlines()) == 1


def test_a_broken_dvc_lock_is_named_and_other_branches_are_synced(synced: Project) -> None:
    synced.git("switch", "--quiet", "--create", "broken", "main")
    (synced.root / "dvc.lock").write_text("<<<<<<< HEAD\nschema: '2.0'\n=======\nstages: [\n")
    synced.commit("a merge gone wrong")
    synced.git("switch", "--quiet", "main")
    synced.git("branch", "beside", "main")
    try:
        result = synced.run("branchmark", "sync", "broken", "beside")
        assert result.returncode == 1
        assert "dvc.lock of broken" in result.stderr
        assert "Traceback" not in result.stderr
        assert live_on(synced, "beside") == live_on(synced, "main")
    finally:
        synced.git("branch", "-D", "broken", "beside")


# The same fingerprint, other numbers


def test_other_numbers_of_the_same_fingerprint_are_named_and_overwrite_nothing(
    synced: Project, tmp_path: Path
) -> None:
    clone = clone_of(synced, tmp_path)
    clone.keep("elu", "sgd-0.0")
    clone.ok("dvc", "cache", "dir", "--local", str(synced.root / ".dvc/cache"))
    clone.ok("branchmark", "sync")
    before = content(clone)
    # A branch with main's dvc.lock and another score
    clone.git("switch", "--quiet", "--create", "evil")
    report = clone.root / "reports/results/elu.json"
    scores = json.loads(report.read_text())
    scores["seeds"]["1"]["test_accuracy"] = 0.99
    report.write_text(json.dumps(scores))
    clone.commit("better")
    # A branch whose training gave other bits
    clone.git("switch", "--quiet", "--create", "drifted", "main")
    (clone.root / "dvc.lock").write_text(
        (clone.root / "dvc.lock").read_text().replace(md5_of(clone, "runs/elu"), drifted(clone))
    )
    clone.commit("on another machine")
    for branches, told in (
        (["evil"], ["test_accuracy of seed 1 (0.99, ", "reports/ of evil"]),
        (["drifted"], ["models or histories of runs/elu of drifted", "MLflow's run elu of main"]),
    ):
        result = clone.run("branchmark", "sync", *branches)
        assert result.returncode == 1
        for words in ["same fingerprint, other numbers: elu", *told]:
            assert words in result.stderr
    (run,) = runs(clone, "tags.variant = 'elu' and tags.seed IS NULL")
    assert run.data.tags["live_on"] == "|evil|main|"
    metrics = [line for line in before if "metrics" in line]
    assert metrics == [line for line in content(clone) if "metrics" in line]
    clone.git("switch", "--quiet", "main")
    assert clone.ok("branchmark", "sync").startswith("nothing to do")


def drifted(project: Project) -> str:
    """Put an output into the cache that is as elu's but for one number; its hash."""
    listing = json.loads(cached(project, "runs/elu").read_text())
    files = {each["relpath"]: each["md5"] for each in listing}
    history = in_cache(project, files["history.csv"]).read_text()
    changed = history.replace("\n1,1,", "\n1,1,1", 1)
    summary = json.loads(in_cache(project, files["summary.json"]).read_text())
    rows = [line for line in changed.splitlines(True) if line.startswith(("seed", "1,"))]
    summary["seeds"]["1"]["history"] = hashlib.sha256("".join(rows).encode()).hexdigest()
    texts = {"history.csv": changed, "summary.json": json.dumps(summary)}
    for name, text in texts.items():
        files[name] = put(project, text.encode())
    listed = [{"md5": md5, "relpath": name} for name, md5 in sorted(files.items())]
    return put(project, json.dumps(listed).encode(), ".dir")


def put(project: Project, content: bytes, ending: str = "") -> str:
    """Add a file to DVC's cache; its hash."""
    md5 = hashlib.md5(content).hexdigest() + ending
    file = in_cache(project, md5)
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.write_bytes(content)
    return md5


def in_cache(project: Project, md5: str) -> Path:
    root = Path(project.ok("dvc", "cache", "dir").strip())
    return project.root / root / "files/md5" / md5[:2] / md5[2:]


# Revisions before the redesign


def test_outputs_of_revisions_before_the_redesign_are_restored_with_their_scores(
    reproduced: Project, tmp_path: Path
) -> None:
    project = reproduced.copy(tmp_path / "project", store=False)
    project.keep("elu", "adam-0.0")
    lock, files = (project.root / "dvc.lock").read_text(), project.root / "runs/elu"
    history = (files / "history.csv").read_text()
    params = {
        "network": {"hidden": [100], "activation": {"name": "elu", "alpha": 1.0}},
        "dropout": 0.0, "train": {"epochs": 2, "batch_size": 32, "seeds": [1, 2]},
        "libraries": {"keras": "3.15.1", "numpy": "2.4.6", "tensorflow": "2.21.0"},
    }  # fmt: skip
    summary = {
        "stage": "study@elu", "study": "activation", "variant": "elu", "params": params,
        "data": "d" * 64, "code": {}, "source": "", "fingerprint": "0123456789abcdef",
        "cpu": "x86", "weights": 79510,
    }  # fmt: skip
    output = {
        "history.csv": history.encode(), "loss.png": b"a picture",
        "summary.json": json.dumps(summary).encode(),
        **{f"seed-{seed}.keras": (files / f"seed-{seed}.keras").read_bytes() for seed in (1, 2)},
    }  # fmt: skip
    data = {path.name: path.read_bytes() for path in (project.root / "data/prepared").iterdir()}
    data["summary.json"] = json.dumps({"digest": "d" * 64}).encode()
    for folder, contents in (("runs/elu", output), ("data/prepared", data)):
        listed = [{"md5": put(project, each), "relpath": n} for n, each in contents.items()]
        md5 = put(project, json.dumps(listed).encode(), ".dir")
        lock = lock.replace(md5_of(project, folder), md5)
    project.git("switch", "--quiet", "--create", "old")
    (project.root / "dvc.lock").write_text(lock)
    project.keep("elu")
    shutil.rmtree(project.root / "reports/results")
    spread = {"mean": 0.5, "std": 0.0, "seeds": [0.25, 0.75]}
    entry = {"fingerprint": "0123456789abcdef", "test": {"accuracy": spread}, "loss_gap": spread}
    metrics = {"champion": {"variant": "elu"}, "elu": entry}
    (project.root / "reports/metrics.json").write_text(json.dumps(metrics))
    project.commit("as it was")

    assert "elu: restored" in project.ok("branchmark", "sync")
    assert_whole(MlflowClient(project.uri()), "elu", "old")
    found = {run.data.tags.get("seed"): run for run in runs(project)}
    variant, first = found[None], found["1"]
    assert variant.data.tags["study"] == "activation"
    assert variant.data.tags["data"] == "d" * 64
    assert variant.data.params["network.activation.alpha"] == "1.0"
    assert "seed_fingerprint" not in first.data.tags
    assert (first.data.metrics["test_accuracy"], variant.data.metrics["test_accuracy"]) == (
        0.25, 0.5,
    )  # fmt: skip
    last = float(history.splitlines()[2].split(",")[2])
    assert first.data.metrics["loss"] == last
    assert project.ok("branchmark", "sync").startswith("nothing to do")

    lacking = {name: value for name, value in summary.items() if name != "params"}
    output["summary.json"] = json.dumps(lacking).encode()
    listed = [{"md5": put(project, each), "relpath": n} for n, each in output.items()]
    md5 = put(project, json.dumps(listed).encode(), ".dir")
    (project.root / "dvc.lock").write_text(lock.replace(md5_of(project, "runs/elu", "old"), md5))
    project.keep("elu")
    result = project.run("branchmark", "sync")
    assert result.returncode == 1
    assert "runs/elu of old" in result.stderr
    assert "its summary.json has no params" in result.stderr


def md5_of(project: Project, folder: str, revision: str = "main") -> str:
    lock = project.git("show", f"{revision}:dvc.lock")
    return lock.split(f"- path: {folder}\n")[-1].split("md5: ")[1].split()[0]


# The hook


def test_the_hook_keeps_step_with_commits_and_never_makes_one_fail(synced: Project) -> None:
    assert "every commit now calls" in synced.ok("branchmark", "install")
    file = synced.root / ".git/hooks/post-commit"  # on a busy machine imports alone take longer
    file.write_text(file.read_text().replace(f"-lt {hook.WAIT};", "-lt 1200;"))
    synced.ok("branchmark", "sync")
    try:
        name = "$(touch${IFS}pwned);`touch${IFS}pwned`"  # git allows it
        synced.git("switch", "--quiet", "--create", name)
        result = synced.run("git", "commit", "--quiet", "--allow-empty", "--message", "empty")
        assert result.returncode == 0
        assert "runs: live on +" in result.stdout + result.stderr  # the new branch
        assert live_on(synced, name) == live_on(synced, "main")
        assert not list(synced.root.rglob("pwned"))

        quiet = synced.run("git", "commit", "--quiet", "--allow-empty", "--message", "again")
        assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")

        broken = synced.run(
            "git", "commit", "--quiet", "--allow-empty", "--message", "no store",
            MLFLOW_TRACKING_URI="http://tester:hunter2@127.0.0.1:9",
        )  # fmt: skip
        assert broken.returncode == 0
        assert "MLflow's store fails" in broken.stderr
        assert "Traceback" not in broken.stderr
        assert "hunter2" not in broken.stdout + broken.stderr
    finally:
        synced.git("switch", "--quiet", "main")
        synced.git("branch", "-D", name)
        synced.ok("branchmark", "install", "--remove")
