"""Who watches a training changes no bit of it: a stage need not depend on the rooms that watch."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.project import Project

STAGE, OUTPUT = "train@adam-0.3", "runs/adam-0.3"
REFUSED = """
import sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("mlflow", "matplotlib"):
            raise ImportError(f"{name} is refused")

sys.meta_path.insert(0, Refused())
"""
LACKING = """
import stages.tracking.machine
stages.tracking.machine.features = lambda: {"SSE42"}
"""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small project with a variant trained while MLflow's store is up."""
    project = Project(tmp_path_factory.mktemp("watched"))
    project.shrink()
    project.ok("dvc", "repro", "prepare")
    # A store is made in seconds, on a busy machine in more than a training waits for it
    project.ok("python", "-c", "from stages.tracking.store import open_store; open_store()")
    result = project.run("python", "-m", "stages.train", STAGE)
    assert (result.returncode, notes(result.stderr)) == (0, [])
    assert project.tree(OUTPUT)
    return project


def notes(text: str) -> list[str]:
    """The lines that say that something is amiss."""
    return re.findall(r"^(?:warning|note|error): .*", text, re.M)


def again(project: Project, **env: Any) -> tuple[list[str], dict[str, str]]:
    """Train the same variant once more; return warnings, and the bytes that it left."""
    result = project.run("python", "-m", "stages.train", STAGE, "--force", **env)
    assert result.returncode == 0, result.stderr
    assert len(re.findall(r"^seed \d+: .* after 2 epochs", result.stdout, re.M)) == 2, "trained"
    return notes(result.stderr), project.tree(OUTPUT)


def startup(folder: Path, program: str) -> str:
    """A PYTHONPATH with which every Python runs this program first."""
    (folder / "sitecustomize.py").write_text(program)
    return str(folder)


def test_outputs_have_the_same_bytes_with_the_store_up_and_down(watched: Project) -> None:
    before = watched.tree(OUTPUT)
    with socket.socket() as taken:  # bound but not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}"
        warnings, after = again(watched, MLFLOW_TRACKING_URI=uri)
    assert len(warnings) == 1
    assert after == before


def test_outputs_have_the_same_bytes_where_mlflow_and_matplotlib_cannot_be_imported(
    watched: Project, tmp_path: Path
) -> None:
    before = watched.tree(OUTPUT)
    warnings, after = again(watched, PYTHONPATH=startup(tmp_path, REFUSED))
    assert len(warnings) == 1
    assert "mlflow is refused" in warnings[0]
    assert after == before


def test_a_cpu_with_another_arithmetic_is_told_in_a_line_and_no_part_of_the_output(
    watched: Project, tmp_path: Path
) -> None:
    before = watched.tree(OUTPUT)
    path = f"{startup(tmp_path, LACKING)}:{watched.root}"
    told, after = again(watched, PYTHONPATH=path)
    assert len(told) == 1
    assert "its CPU lacks AVX2 and FMA3, so these results hold on this machine only" in told[0]
    assert after == before


def test_nothing_in_an_output_names_machine_variant_or_time(watched: Project) -> None:
    folder = watched.root / OUTPUT
    assert sorted(path.suffix for path in folder.iterdir()) == [".csv", ".json", ".keras", ".keras"]
    text = (folder / "summary.json").read_text()
    for word in ("adam-0.3", "AVX", "train@", str(watched.root), socket.gethostname()):
        assert word not in text
    assert json.loads(text).keys() == {"fingerprint", "seeds"}
