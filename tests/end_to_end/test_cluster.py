"""`branchmark repro --cluster`: a real Dask scheduler and workers, each with a clone and a cache of
its own, a DVC remote in a shared folder, and a tracking server that all log to."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from glob import glob
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from tests import preloaded
from tests.end_to_end.after_sync import assert_whole
from tests.end_to_end.test_repro import fresh, state
from tests.end_to_end.tracking_server import Server
from tests.processes import free_port, until
from tests.project import ROOT, Project

PAGE = (ROOT / "docs/cluster.md").read_text()


def command(begin: str, **instead: str) -> list[str]:
    """The words of a command of docs/cluster.md, with other addresses."""
    found = re.search(rf"^({begin}.*?)(?:  #.*)?$", PAGE, re.M)
    assert found
    line = found[1]
    for here, there in instead.items():
        line = line.replace({"port": "8786", "page": "8787"}[here], there)
    return line.split()


class Cluster:
    """A scheduler and its workers, each a process, with TLS between all, as the page has it."""

    def __init__(self, folder: Path, project: Project) -> None:
        self.folder, self.project = folder, project
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        keys = folder / "dask"
        keys.mkdir()
        make = [word.replace("~/.config/dask", str(keys)) for word in command("openssl req")]
        subprocess.run(make, check=True, capture_output=True)
        settings = re.search(r"^```yaml\n(distributed:.*?)^```", PAGE, re.M | re.S)
        assert settings
        text = settings[1].replace("/home/me/.config/dask", str(keys))
        (keys / "distributed.yaml").write_text(text)
        os.environ["DASK_CONFIG"] = str(keys)
        self.port = str(free_port())
        self.address = f"tls://127.0.0.1:{self.port}"
        _, _, *options = self.here("dask scheduler")
        self.start("scheduler", folder, *options)

    def here(self, begin: str) -> list[str]:
        """A command of the page, on this machine's loopback."""
        words = command(begin, port=self.port, page="0")
        return [re.sub(r"10\.0\.0\.\d", "127.0.0.1", word) for word in words]

    def listening(self) -> set[str]:
        """The addresses at which its processes listen."""
        found = set()
        for each in self.processes.values():
            started = psutil.Process(each.pid)
            for process in (started, *started.children(recursive=True)):
                for one in process.net_connections("inet"):
                    found |= {one.laddr.ip} if one.status == psutil.CONN_LISTEN else set()
        return found

    def start(
        self, name: str, cwd: Path, *options: str, program: str = "scheduler", **env: str
    ) -> None:
        """A Dask process, its output in `<name>.log`."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                ["dask", program, *options], cwd=cwd, env=self.project.env() | env,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def worker(self, name: str, **env: str) -> Path:
        """A worker in a clone of its own."""
        clone = self.folder / name
        if not clone.exists():
            origin = self.project.git("remote", "get-url", "origin").strip()
            self.project.git("clone", "--quiet", origin, str(clone))
        scratch = ("--local-directory", str(self.folder / f"{name}-scratch"))
        _, _, *options = self.here("dask worker")
        options += ["--name", name, "--nthreads", "1", *scratch]
        # The programs of its stages are preloaded; it is itself a real one
        programs = preloaded.env()
        python = Path(programs["PATH"].split(os.pathsep)[0], "python")
        env |= programs | {
            "DASK_DISTRIBUTED__WORKER__PRELOAD": f"import sys; sys.executable = {str(python)!r}"
        }
        self.start(name, clone, *options, program="worker", **env)
        until(lambda: b"Registered to" in self.log(name), 60, f"{name} does not start")
        return clone

    def log(self, name: str) -> bytes:
        return (self.folder / f"{name}.log").read_bytes()

    def working(self, name: str) -> list[str]:
        """What a worker runs for its stages: git, DVC, and their programs."""
        found = []
        for process in psutil.Process(self.processes[name].pid).children(recursive=True):
            with suppress(psutil.Error):  # it ended meanwhile
                command = " ".join(process.cmdline())
                found += [command] if re.search(r"\b(git|dvc|stages\.\w+)\b", command) else []
        return found

    def left(self, name: str) -> list[psutil.Process]:
        """The processes of a worker's stages, whoever has started them."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                inside = Path(process.cwd()).is_relative_to(self.folder / f"{name}-scratch")
                found += [process] if inside else []
        return found

    def kill(self, name: str) -> None:
        """End Dask's processes of that name as the kernel does when memory is out, and no other."""
        process, stages = self.processes.pop(name), self.left(name)
        below = psutil.Process(process.pid).children(True) if process.poll() is None else []
        for each in (process, *(other for other in below if other not in stages)):
            each.kill()
        process.wait()

    def stop(self) -> None:
        for name in list(self.processes):
            self.kill(name)


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
def prepared(project: Project) -> None:
    """Data that the remote has: no worker needs to prepare them."""
    project.ok("dvc", "repro", "prepare")
    project.ok("dvc", "push")
    project.commit("data")
    project.git("push", "--quiet", "origin", "main")


@pytest.fixture
def cluster(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setenv("DASK_CONFIG", "")  # so that it is set back
    started = Cluster(tmp_path, project)
    yield started
    started.stop()


def repro(project: Project, cluster: Cluster, *more: str) -> tuple[str, ...]:
    result = project.run("branchmark", "repro", "--cluster", cluster.address, *more)
    assert "Traceback" not in result.stdout + result.stderr
    return str(result.returncode), result.stdout, result.stderr


def training(cluster: Cluster, worker: str) -> bool:
    """Whether a worker is within an epoch loop."""
    # glob, not pathlib: a folder that the worker deletes meanwhile is no error to it
    scratch = cluster.folder / f"{worker}-scratch"
    return bool(glob("**/runs/*.partial/history.csv", root_dir=scratch, recursive=True))


def test_a_worker_killed_in_mid_stage_changes_nothing_in_what_the_head_ends_with(
    reproduced: Project, project: Project, cluster: Cluster, tmp_path: Path
) -> None:
    expected = state(reproduced)
    (tmp_path / "server").mkdir()
    server = Server(tmp_path / "server")
    server.start()
    try:
        env = {"MLFLOW_TRACKING_URI": server.uri}
        cluster.worker("w1")
        cluster.worker("w2")
        head = project.start("branchmark", "repro", "--cluster", cluster.address, **env)
        until(lambda: training(cluster, "w1"), 120, "w1 trains nothing")
        assert cluster.left("w1")
        cluster.kill("w1")
        until(lambda: not cluster.left("w1"), 30, "the stage outlives its worker")
        said, _ = head.communicate(timeout=300)
        assert head.returncode == 0, said
        assert "evaluate: done" in said
        assert state(project) == expected

        # All that the workers logged is one store: every variant is there, each once
        project.commit("results")
        project.ok("branchmark", "sync", MLFLOW_TRACKING_URI=server.uri)
        variants = {path.name for path in (project.root / "runs").iterdir()}
        assert len(variants) == 6
        for variant in variants:
            assert_whole(MlflowClient(server.uri), variant)
    finally:
        server.send(signal.SIGKILL)


@pytest.mark.usefixtures("prepared")
def test_a_head_killed_and_restarted_trains_nothing_twice(
    project: Project, cluster: Cluster
) -> None:
    clone = cluster.worker("w1")
    command = ["branchmark", "repro", "--cluster", cluster.address, "train@sgd-0.0", "study"]
    with project.start(*command) as head:
        assert head.stdout
        while "train@sgd-0.0: done" not in head.stdout.readline():
            assert head.poll() is None
        until(lambda: training(cluster, "w1"), 120, "nothing more is trained")
        head.kill()
    until(lambda: not cluster.working("w1"), 60, "the worker goes on")
    # The head has lost all but what is committed
    project.git("checkout", "--quiet", "--", ".")
    project.git("clean", "-d", "--force", "--quiet")
    shutil.rmtree(project.root / "runs")
    shutil.rmtree(project.root / ".dvc/cache")
    shutil.rmtree(clone / ".dvc/cache")  # and the worker everything: the remote has it
    code, said, errors = repro(project, cluster, "train@sgd-0.0", "study")
    assert code == "0", errors
    assert "train@sgd-0.0: restored from cache" in said
    assert re.search("study@elu: (done|restored)", said)  # it had begun: it may just have ended


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.usefixtures("prepared")
def test_a_stage_that_no_head_waits_for_any_more_is_ended(
    project: Project, cluster: Cluster, number: signal.Signals
) -> None:
    with project.params() as params:
        params["train"]["epochs"] = 5000
    project.commit("a minute")
    project.git("push", "--quiet", "origin", "main")
    cluster.worker("w1")
    with project.start(
        "branchmark", "repro", "--cluster", cluster.address, "train@sgd-0.0"
    ) as head:
        until(lambda: training(cluster, "w1"), 120, "nothing is trained")
        head.send_signal(number)
        head.wait(120)
    until(lambda: not cluster.working("w1"), 30, "the training goes on")


@pytest.mark.usefixtures("prepared")
def test_results_that_cannot_be_pushed_stay_with_the_worker_until_they_can(
    project: Project, cluster: Cluster, tmp_path: Path
) -> None:
    cluster.worker("w1")
    storage = tmp_path / "storage"
    storage.rename(tmp_path / "kept")
    storage.write_text("no folder: nothing can be written here")
    code, said, errors = repro(project, cluster, "train@sgd-0.0")
    assert (code, said) == ("1", "")  # before anything starts
    assert errors.startswith("error: ")
    storage.unlink()
    (tmp_path / "kept").rename(storage)

    # It goes away while a training runs
    head = project.start("branchmark", "repro", "--cluster", cluster.address, "train@sgd-0.0")
    until(lambda: training(cluster, "w1"), 120, "nothing is trained")
    storage.rename(tmp_path / "kept")
    storage.write_text("no folder")
    said, _ = head.communicate(timeout=300)
    assert head.returncode == 1
    assert "ERROR: " in said.partition("train@sgd-0.0 failed")[2]  # DVC's own, with the reason
    assert "Traceback" not in said
    assert not (project.root / "runs/sgd-0.0").exists()
    storage.unlink()
    (tmp_path / "kept").rename(storage)
    code, said, errors = repro(project, cluster, "train@sgd-0.0")
    assert code == "0", errors
    assert "train@sgd-0.0: restored from cache" in said


def test_what_cannot_work_is_said_before_anything_starts(
    project: Project, cluster: Cluster, tmp_path: Path
) -> None:
    assert "it has no workers" in repro(project, cluster)[2]
    code, _, errors = repro(project, cluster, "--force")
    assert (code, errors[:14]) == ("1", "error: --force")

    # A worker with another NumPy would leave another fingerprint
    other = tmp_path / "other/numpy-0.1.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 0.1\n")
    cluster.worker("w1", PYTHONPATH=str(other.parent))
    code, said, errors = repro(project, cluster)
    assert code == "1"
    assert "refused: numpy 0.1, not 2." in errors
    assert "none of its 1 workers can be used" in errors
    cluster.worker("w2")
    code, said, errors = repro(project, cluster, "prepare")
    assert code == "0"
    assert "refused: numpy 0.1, not 2." in errors
    assert "prepare: done" in said
    assert not (tmp_path / "w1/.dvc/cache").exists()

    # Nothing listens to another machine, and nobody comes in without a key
    assert cluster.listening() == {"127.0.0.1"}
    stranger = project.run(
        "branchmark", "repro", "--cluster", cluster.address, DASK_CONFIG=str(tmp_path / "nothing")
    )
    assert stranger.returncode == 1
    assert "needs certificates: docs/cluster.md" in stranger.stderr
    assert "Traceback" not in stranger.stderr

    with project.params() as params:
        params["train"]["epochs"] = 3
    assert "commit and push params.yaml first" in repro(project, cluster)[2]
    project.commit("longer")
    assert "`git push` first" in repro(project, cluster)[2]
    project.git("push", "--quiet", "origin", "main")
    nobody = project.run("branchmark", "repro", "--cluster", f"tcp://127.0.0.1:{free_port()}")
    assert nobody.returncode == 1
    assert "no Dask scheduler answers" in nobody.stderr
    assert "Traceback" not in nobody.stderr
    project.ok("dvc", "config", "--unset", "core.remote")
    project.commit("no remote")
    project.git("push", "--quiet", "origin", "main")
    assert "`dvc remote add --default storage URL`" in repro(project, cluster)[2]
