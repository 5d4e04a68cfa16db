"""The lock, the parameters and the README say the same."""

from __future__ import annotations

import re
from pathlib import Path

from stages.evaluation import tables as results
from stages.params import schema as params


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
