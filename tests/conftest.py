"""Fixtures: one small project, reproduced once, that all end-to-end tests look at."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project import Project

# A shell ignores Ctrl-C for what it runs in the background, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small project after its first `dvc repro`, committed. Tests leave it as they found it."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.shrink()
    project.ok("dvc", "repro")
    project.commit("results")
    return project


@pytest.fixture
def project(reproduced: Project) -> Iterator[Project]:
    """The reproduced project, for tests that edit files; git takes the edits back afterwards."""
    yield reproduced
    reproduced.git("reset", "--hard", "--quiet")
    reproduced.git("clean", "-d", "--force", "--quiet")
    reproduced.ok("dvc", "checkout", "--quiet", "--force")


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Path:
    """This project's own folder, entered."""
    folder = Path(__file__).parent.parent
    monkeypatch.chdir(folder)
    return folder
