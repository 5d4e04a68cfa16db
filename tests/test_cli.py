"""The branchmark command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

from typer.models import ParameterInfo

from stages import cli, params
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


def test_every_path_of_the_command_line_is_relative_to_where_the_person_stands() -> None:
    paths = [
        info
        for command in cli.app.registered_commands
        if command.callback
        for hint in get_type_hints(command.callback, include_extras=True).values()
        for kind, *infos in [get_args(hint) or (None,)]
        for info in infos
        if isinstance(info, ParameterInfo) and Path in (kind, *get_args(kind))
    ]
    assert paths
    assert {info.callback for info in paths} == {cli.resolved}


def test_a_python_without_the_libraries_is_told_in_one_sentence(root: Path) -> None:
    """`dvc repro` without an activated environment: `python` is another one then."""
    for program in ("fetch", "train", "evaluate"):
        command = [sys.executable, "-S", "-m", f"stages.{program}"]
        result = subprocess.run(command, cwd=root, capture_output=True, text=True, env={})
        assert result.returncode == 1
        assert "activate the environment" in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_a_terminal_without_unicode_ends_nothing(root: Path) -> None:
    program = (
        "import typer; from stages.core.errors import UserError, tell; app = typer.Typer()\n"
        "@app.command()\ndef main():\n    print('a – b'); raise UserError('± 1')\ntell(app)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
        cwd=root,
    )
    assert (result.stdout, result.stderr) == (b"a ? b\n", b"error: ? 1\n")
