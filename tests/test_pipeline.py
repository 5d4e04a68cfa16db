"""The pipeline, the code, the lock and the README say the same."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stages.params import schema as params
from stages.repro import pipeline
from stages.core.errors import UserError
from stages.evaluation import tables as results


def test_every_stage_depends_on_every_module_that_it_imports(root: Path) -> None:
    pipeline.check()


@pytest.mark.parametrize("stage", ["fetch", "prepare", "train", "evaluate"])
def test_the_modules_found_by_reading_are_those_that_python_imports(root: Path, stage: str) -> None:
    program = f"""
import sys, stages.{stage}
files = [m.__file__ for name, m in sys.modules.items() if name.split(".")[0] == "stages"]
print(*files, sep="\\n")
"""
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    imported = {str(Path(line).relative_to(root)) for line in out.stdout.split()}
    assert imported <= pipeline.modules(f"stages/{stage}.py", pipeline.imported)


def test_a_module_that_dvc_yaml_forgets_is_named(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "dvc.yaml"
    file.write_text(pipeline.FILE.read_text().replace("    - stages/training/epoch.py\n", ""))
    monkeypatch.setattr(pipeline, "FILE", file)
    with pytest.raises(UserError, match=r"stages\.train\.deps: add stages/network/epoch\.py"):
        pipeline.check()


def test_data_and_network_know_nothing_of_mlflow_git_or_dvc(root: Path) -> None:
    for path in [*Path("stages/data").glob("*.py"), *Path("stages/network").glob("*.py")]:
        text = path.read_text()
        assert not re.search(r"(import|from) (mlflow|dvc|stages\.tracking|stages\.review)", text), (
            path
        )


def test_the_lock_pins_the_versions_that_params_record_and_names_no_registry(root: Path) -> None:
    lock = Path("requirements.lock").read_text()
    for library, version in params.load().libraries.model_dump(by_alias=True).items():
        assert f"\n{library}=={version} \\" in lock
    assert "://" not in re.sub(r"#.*", "", lock)
    assert "--hash=sha256:" in lock


def test_the_readme_shows_the_results_that_are_in_git(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "README.md"
    copy.write_text(Path("README.md").read_text())
    changed = results.update(copy, results.blocks(params.load()))
    assert not changed, "run `branchmark readme`"


def test_every_file_and_folder_that_the_readme_names_is_there(root: Path) -> None:
    text = Path("README.md").read_text()
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert Path(link).exists(), link
    for name in re.findall(r"\bstages/[\w/]+\.py", text):
        assert Path(name).exists(), name
    targets = re.findall(r"^([a-z]+):", Path("Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"`make (\w+)`", text)) <= set(targets)
