"""`branchmark repro --cluster`: a real Dask scheduler and workers, each with a clone and a cache of
its own, a DVC remote in a shared folder, and a tracking server that all log to."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.test_repro import fresh, state
from tests.end_to_end.tracking_server import free_port, until
from tests.project import Project


class Cluster:
    """A scheduler and its workers, each a process."""

    def __init__(self, folder: Path, project: Project) -> None:
        self.folder, self.project = folder, project
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        port = self.address.rpartition(":")[2]
        self.start("scheduler", folder, "--host", "127.0.0.1", "--port", port, "--no-dashboard")

    def start(self, name: str, cwd: Path, *options: str, program: str = "scheduler") -> None:
        """A Dask process, its output in `<name>.log`."""
        log = (self.folder / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(
            ["dask", program, *options],
            cwd=cwd, env=self.project.env(), stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip

    def worker(self, name: str) -> Path:
        """A worker in a clone of its own."""
        clone = self.folder / name
        if not clone.exists():
            origin = self.project.git("remote", "get-url", "origin").strip()
            self.project.git("clone", "--quiet", origin, str(clone))
        scratch = ("--local-directory", str(self.folder / f"{name}-scratch"))
        options = (self.address, "--name", name, "--nthreads", "1", "--no-dashboard", *scratch)
        self.start(name, clone, *options, program="worker")
        until(lambda: b"Registered to" in self.log(name), 60, f"{name} does not start")
        return clone

    def log(self, name: str) -> bytes:
        return (self.folder / f"{name}.log").read_bytes()

    def stop(self) -> None:
        for process in self.processes.values():
            below = psutil.Process(process.pid).children(True) if process.poll() is None else []
            for each in below:
                each.kill()
            process.kill()
            process.wait()


@pytest.fixture
def project(reproduced: Project, tmp_path: Path) -> Project:
    """A fresh clone of the head: committed, pushed, with a remote, nothing reproduced."""
    project = fresh(reproduced, tmp_path / "head")
    project.ok("dvc", "remote", "add", "--default", "storage", str(tmp_path / "storage"))
    project.commit("a remote")
    project.git("clone", "--quiet", "--bare", ".", str(tmp_path / "origin.git"))
    project.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    project.git("fetch", "--quiet", "origin")
    return project


@pytest.fixture
def cluster(project: Project, tmp_path: Path) -> Iterator[Cluster]:
    started = Cluster(tmp_path, project)
    yield started
    started.stop()


def test_all_stages_run_on_the_workers_and_the_head_ends_as_after_a_local_run(
    reproduced: Project, project: Project, cluster: Cluster
) -> None:
    expected = state(reproduced)
    cluster.worker("w1")
    cluster.worker("w2")
    said = project.ok("branchmark", "repro", "--cluster", cluster.address)
    print(said)
    assert "evaluate: done" in said
    assert state(project) == expected
