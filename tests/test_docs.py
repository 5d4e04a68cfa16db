"""What the pages and the lock say is what the project holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stages import params
from stages.evaluation import tables

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def test_the_lock_pins_the_versions_that_params_record_and_names_no_registry(root: Path) -> None:
    lock = Path("requirements.lock").read_text()
    for library, version in params.load().libraries.model_dump(by_alias=True).items():
        assert f"\n{library}=={version} \\" in lock
    assert "://" not in re.sub(r"#.*", "", lock)
    assert "--hash=sha256:" in lock


def test_the_page_of_results_shows_those_that_are_in_git(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "results.md"
    copy.write_text(tables.PAGE.read_text())
    changed = tables.update(copy, tables.blocks(params.load()))
    assert not changed, "run `branchmark results`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (page.parent / link).exists(), link
    for name in re.findall(r"`(stages/[\w/]+(?:\.py)?)`", text):
        assert (ROOT / name).exists(), name
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"`make ([\w-]+)`", text)) <= set(targets)


def test_the_readme_is_short() -> None:
    assert (ROOT / "README.md").stat().st_size <= 7 * 1024
