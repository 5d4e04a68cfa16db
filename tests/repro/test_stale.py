"""What an edit of each room makes stale, by DVC's own word: every module is in one of the rooms."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from dvc.repo import Repo

from tests.project import Project

TRAININGS = {
    "train@sgd-0.0", "train@sgd-0.3", "train@adam-0.0", "train@adam-0.3", "study@elu",
    "reuse@reused_frozen",
}  # fmt: skip
# By room, or by module where it is in none
STALE: dict[str, set[str]] = {
    "__init__.py": set(),
    "cli.py": set(),
    "compare": set(),
    "core": set(),
    "data": {"fetch", "prepare"},
    "decide": set(),
    "evaluate.py": {"evaluate"},
    "evaluation": {"evaluate", "plot"},
    "fetch.py": {"fetch"},
    "params": set(),
    "plot.py": {"plot"},
    "plots": {"plot"},
    "prepare.py": {"prepare"},
    "repro": set(),
    "sync": set(),
    "tracking": set(),
    "train.py": TRAININGS,
    "training": TRAININGS | {"evaluate"},
    "vcs": set(),
    "verify": set(),
}


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repo]:
    """The small project with outputs of one byte, which DVC takes for those of its stages."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.shrink()
    before = Path.cwd()
    os.chdir(project.root)
    try:
        repo = Repo()
        for out in repo.index.outs:
            path = Path(out.fs_path)
            path = path if path.suffix in (".json", ".csv", ".png") else path / "file"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
        repo.commit(force=True)
        yield repo
    finally:
        os.chdir(before)


def stale() -> set[str]:
    """The stages that DVC would run."""
    return set(Repo().status())


def rooms() -> set[str]:
    """What is directly in `stages/` and holds Python."""
    return {path.relative_to("stages").parts[0] for path in Path("stages").rglob("*.py")}


@pytest.mark.parametrize("room", STALE)
def test_an_edit_of_a_room_makes_stale_what_depends_on_it_and_nothing_else(
    repo: Repo, room: str
) -> None:
    if room not in rooms():
        pytest.skip("no such room yet")
    folder = Path("stages") / room
    modules = {path: path.read_text() for path in [*folder.rglob("*.py"), folder] if path.is_file()}
    assert modules
    for path, text in modules.items():
        path.write_text(f"{text}# an edit\n")
    try:
        assert stale() == STALE[room]
    finally:
        for path, text in modules.items():
            path.write_text(text)


def test_every_module_is_in_a_room_of_the_table(repo: Repo) -> None:
    assert rooms() <= STALE.keys()
    assert stale() == set()


def test_what_python_compiles_and_a_killed_stage_leaves_makes_nothing_stale(repo: Repo) -> None:
    for room in ("data", "training", "evaluation", "plots"):
        compiled = Path("stages") / room / "__pycache__/module.cpython-311.pyc"
        compiled.parent.mkdir(exist_ok=True)
        compiled.write_bytes(b"compiled")
    Path("runs/adam-0.0.partial").mkdir()
    Path("runs/adam-0.0.partial/history.csv").touch()
    assert stale() == set()
