"""A person's own files stay; a moved project and deleted artifacts are noticed and mended."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import list_artifacts

from tests.project import Project


@pytest.fixture(scope="module")
def moved(reproduced: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that was copied as it is, with a store that names its former place."""
    root = tmp_path_factory.mktemp("places") / "project's copy"
    shutil.copytree(reproduced.root, root, symlinks=True)
    return Project.at(root)


def missing(project: Project) -> list[str]:
    """The runs that count, whose artifacts are not in the project."""
    here = (project.root / "mlruns").as_uri()
    return [
        run.info.run_name
        for run in project.runs("tags.fingerprint != '' and attributes.status = 'FINISHED'")
        if "superseded" not in run.data.tags
        and not (run.info.artifact_uri.startswith(here) and list_artifacts(run.info.artifact_uri))
    ]


def test_a_copied_project_has_its_artifacts_beside_it(moved: Project, reproduced: Project) -> None:
    assert missing(moved)
    result = moved.run("branchmark", "sync")
    assert "note: the project was moved or copied here" in result.stderr
    assert not missing(moved)
    assert not missing(reproduced)
    assert moved.run("branchmark", "sync").stderr == ""


def test_deleted_artifacts_are_restored_and_then_there_is_nothing_to_do(moved: Project) -> None:
    shutil.rmtree(moved.root / "mlruns")
    assert "restored" in moved.ok("branchmark", "sync", "--all")
    assert not missing(moved)
    model = next((moved.root / "mlruns").rglob("model.keras"))
    model.unlink()
    (moved.root / ".git/refs/heads/other").write_text(moved.git("rev-parse", "HEAD"))
    out = moved.ok("branchmark", "sync", "--all")
    assert out.count("restored") == 1
    assert moved.ok("branchmark", "sync", "--all").startswith("nothing to do")


def test_a_deleted_experiment_is_one_sentence_whose_command_brings_it_back(moved: Project) -> None:
    client = MlflowClient(moved.uri())
    experiment = client.get_experiment_by_name("fashion-mnist")
    client.delete_experiment(experiment.experiment_id)
    moved.git("branch", "another")
    result = moved.run("branchmark", "sync")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    command = re.search("`(.*)`", result.stderr)
    assert command
    moved.ok("sh", "-c", command[1])
    moved.ok("branchmark", "sync", "--all")
    assert not missing(moved)


def test_what_a_person_keeps_beside_the_results_stays(project: Project) -> None:
    notes, backup = project.root / "runs/notes/a.txt", project.root / "runs/adam-0.0.bak"
    notes.parent.mkdir()
    notes.write_text("mine")
    shutil.copytree(project.root / "runs/adam-0.0", backup)
    before = project.tree("runs")
    with project.params() as params:
        params["target"]["validation_accuracy"] = 0.5
    project.ok("dvc", "repro", "--single-item", "evaluate")
    assert project.tree("runs") == before


def test_a_report_is_written_where_the_person_stands(project: Project) -> None:
    (project.root / "reports/mine").mkdir()
    names = {"--markdown": "a.md", "--html": "a.html", "--json": "a.json", "--pictures": "."}
    options = [word for pair in names.items() for word in pair]
    project.ok("branchmark", "compare", "main", *options, cwd=project.root / "reports/mine")
    written = {path.name for path in (project.root / "reports/mine").iterdir()}
    assert written == {"a.md", "a.html", "a.json", "curves.png", "differences.png"}
    assert not Path(project.root, "a.md").exists()
