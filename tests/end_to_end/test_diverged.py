"""A training that diverges is a result: recorded, evaluated, compared and restored as one."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from stages.tracking import liveness
from tests.end_to_end.after_sync import assert_whole
from tests.project import Project

BRANCHMARK = ("python", "-m", "stages.cli")
DIVERGED = {"sgd-0.0", "sgd-0.3"}
WRITER = {*liveness.TAGS, "cpu", "restored", "commit", "mlflow.user", "mlflow.source.git.commit"}


def strict(path: Path) -> Any:
    """A file that must be JSON: NaN and Infinity are none."""
    return json.loads(path.read_text(), parse_constant=pytest.fail)


def recorded(project: Project) -> dict[str, Any]:
    """What the diverged runs say, but for who wrote them and when."""
    client = MlflowClient(project.uri())
    found = {}
    for run in project.runs("tags.diverged = 'true' and tags.superseded IS NULL"):
        tags = {k: v for k, v in run.data.tags.items() if k not in WRITER}
        tags.pop("mlflow.parentRunId", "")
        tags.pop("mlflow.source.git.branch", "")
        losses = [
            (each.step, str(each.value))
            for each in client.get_metric_history(run.info.run_id, "val_loss")
        ]
        scores = {k: v for k, v in run.data.metrics.items() if k.startswith(("test_", "train_"))}
        found[run.info.run_name] = (tags, losses, scores)
    return found


def test_a_training_that_diverges_is_a_result_and_stops_no_other(project: Project) -> None:
    root = project.root
    results = {path.stem: path.read_bytes() for path in (root / "reports/results").glob("*.json")}
    project.git("switch", "--quiet", "--create", "hot")
    with project.params() as params:
        params["optimizers"]["sgd"]["learning_rate"] = 1.0e30

    # The stages end well and say so; the history has what came
    said = project.ok(*BRANCHMARK, "repro")
    for variant in DIVERGED:
        line = next(line for line in said.splitlines() if line.startswith(f"train@{variant}: done"))
        assert line.endswith("seed 1, seed 2 diverged")
        rows = (root / f"runs/{variant}/history.csv").read_text().splitlines()[1:]
        assert [row.split(",")[4] for row in rows] == ["nan"] * 4
    assert "sgd-0.0, sgd-0.3 diverged" in said

    # The evaluation names them, has no scores of theirs, and those of all others
    for path in (root / "reports").rglob("*.json"):
        strict(path)
    for name, before in results.items():
        found = strict(root / f"reports/results/{name}.json")
        if name in DIVERGED:
            assert found["diverged"] == [1, 2]
            assert {*found["mean"].values(), *found["deviation"].values()} == {None}
            assert strict(root / f"reports/metrics/{name}.json")["diverged"] == 2
        else:
            assert (root / f"reports/results/{name}.json").read_bytes() == before
    assert strict(root / "reports/champion.json")["variant"] not in DIVERGED
    assert "diverged" in project.ok("dvc", "metrics", "show")
    project.commit("too fast")

    # MLflow filters by it; sync is done after the first time
    project.ok(*BRANCHMARK, "sync")
    assert "nothing to do" in project.ok(*BRANCHMARK, "sync")
    live = recorded(project)
    each = ("", " seed 1", " seed 2")
    assert live.keys() == {f"{name}{seed}" for name in DIVERGED for seed in each}
    for _, losses, scores in live.values():
        assert losses == [(1, "nan"), (2, "nan")]
        assert scores == {}

    # compare has a verdict, and a gate, for it; every view can be written
    views = ("--json", "c.json", "--html", "c.html", "--markdown", "c.md", "--pictures", "p")
    said = project.ok(*BRANCHMARK, "compare", "main", "hot", *views)
    compared = strict(root / "c.json")
    assert "sgd-0.0" in said
    page = re.sub(
        r"<script.*?</script>|base64,[^'\"]+", "", (root / "c.html").read_text(), flags=re.S
    )
    assert not re.search(r"\b(NaN|nan|None)\b", page + (root / "c.md").read_text())
    assert {row["verdict"] for row in compared["rows"]} == {"worse"}
    backwards = project.run(*BRANCHMARK, "compare", "hot", "main", "--json", "c.json")
    assert backwards.returncode == 0
    assert {row["verdict"] for row in strict(root / "c.json")["rows"]} == {"diverged"}
    gate = project.run(*BRANCHMARK, "compare", "main", "hot", "--fail-on", "worse")
    assert gate.returncode in (1, 4)

    # What is restored says the same as what was recorded live
    for path in root.glob("mlflow.db*"):
        path.unlink()
    shutil.rmtree(root / "mlruns")
    project.ok(*BRANCHMARK, "sync", "hot")
    assert recorded(project) == live
    assert_whole(MlflowClient(project.uri()), "sgd-0.0", "hot")
    assert "nothing to do" in project.ok(*BRANCHMARK, "sync", "hot")
