"""Fixtures: one small project, reproduced once, and copies for tests that change something."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.project import Project

# Folders and files whose tests run programs, servers and trainings
SLOW = (
    "end_to_end",
    "repro/test_local.py",
    "repro/test_stale.py",
    "sync/test_hook.py",
    "test_cli.py",
    "test_install.py",
    "test_workflows.py",
    "tracking/test_store.py",
    "training/test_bits.py",
    "training/test_epoch.py",
    "vcs/test_dvc.py",
)
# What takes longest begins first, so that the processes end at about the same time. While the first
# one makes the small project, the next ones have work that does not need it.
FIRST = (
    "end_to_end/test_repro.py",
    "end_to_end/test_hostile.py",
    "training/test_bits.py",
    "training/test_epoch.py",
    "end_to_end/test_cluster.py",
    "end_to_end/test_outages.py",
    "end_to_end/test_sync.py",
    "end_to_end/test_reproduce.py",
    "end_to_end/test_verify.py",
    "end_to_end/test_crashes.py",
    "end_to_end/test_pages.py",
    "end_to_end/test_server.py",
    "end_to_end/test_seeds.py",
)

# A copy of the small project has a thousand files. In memory, if there is enough of it, they are
# written in a tenth of the time that a disk needs.
MEMORY, ENOUGH = "/dev/shm", 2 << 30  # bytes; all tests at once need less than 0.5 GB
if (
    "TMPDIR" not in os.environ
    and os.path.isdir(MEMORY)
    and shutil.disk_usage(MEMORY).free > ENOUGH
    and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
):
    os.environ["TMPDIR"] = tempfile.tempdir = MEMORY

os.environ["DVC_NO_ANALYTICS"] = "1"  # in repositories without this project's settings
# Programs keep the modules that they compile, as they do for people: seven hundred start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell ignores Ctrl-C for what it runs in the background, and nohup ignores the terminal's end.
# Programs inherit what is ignored, but not a handler: tests start them as a terminal would.
signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores: they often wait for servers, or for time to pass."""
    return min((os.cpu_count() or 1) + 1, 4)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, and put the longest files first."""
    here = Path(__file__).parent
    order = {here / name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))
    for item in items:
        if item.path.relative_to(here).as_posix().startswith(SLOW):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small project after its first `dvc repro`, committed. Nobody works in it.

    It is made once, by whichever process of pytest needs it first; the others wait for it.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # which all of them share
    folder, made = base / "original", base / "original.made"
    with FileLock(base / "original.lock"):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            project = Project(folder)
            project.shrink()
            project.ok("dvc", "repro")
            project.commit("results")
            made.touch()
    return Project.at(folder)


@pytest.fixture(scope="module")
def reproduced(original: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A copy for the tests of a file that only look at it, whatever other files do meanwhile."""
    folder = tmp_path_factory.mktemp("reproduced")
    yield original.copy(folder / "project")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def project(original: Project, tmp_path: Path) -> Project:
    """A copy with its store, for a test that changes something."""
    return original.copy(tmp_path / "project")


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Path:
    """This project's own folder, entered."""
    folder = Path(__file__).parent.parent
    monkeypatch.chdir(folder)
    return folder
