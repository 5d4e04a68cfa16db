"""The branchmark command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from stages import params
from tests.project import Edited, Project


def branchmark(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).parent / "branchmark")
    return subprocess.run([program, *arguments], cwd=cwd, capture_output=True, text=True)


def test_check_finds_this_project_sound_from_any_of_its_folders(root: Path) -> None:
    for folder in (root, root / "stages/training"):
        result = branchmark("check", cwd=folder)
        assert result.returncode == 0, result.stderr
        assert f"{len(params.load().variants())} variants" in result.stdout


def test_check_tells_a_mistake_in_one_sentence(tmp_path: Path) -> None:
    project = Project(tmp_path)
    with Edited(tmp_path / "params.yaml") as content:
        content["optimizers"]["adam"]["learning_rate"] = -1
    result = branchmark("check", cwd=project.root)
    assert result.returncode == 1
    assert result.stderr.startswith("error: optimizers.adam.learning_rate: Input should be greater")
    assert len(result.stderr.splitlines()) == 1


def test_outside_a_project_it_says_so(tmp_path: Path) -> None:
    result = branchmark("check", cwd=tmp_path)
    assert result.returncode == 1
    assert (
        result.stderr
        == "error: no dvc.yaml in this folder or above it; run this inside the project\n"
    )


def test_check_imports_neither_tensorflow_nor_mlflow(root: Path) -> None:
    program = """
import sys
from stages import params
from stages.repro import architecture
params.load(); architecture.check()
assert not {"tensorflow", "keras", "mlflow", "dvc"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
