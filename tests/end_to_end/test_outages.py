"""Tracking never decides whether a training lives, nor how long it takes."""

from __future__ import annotations

import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.after_sync import assert_whole
from tests.end_to_end.tracking_server import Server, Way
from tests.processes import Handler, free_port, listening, until
from tests.project import Project

VARIANT = "adam-0.3"
LIMIT = 10.0  # seconds that an outage may cost a stage, from its start to the end of its process


@pytest.fixture(scope="module")
def reproduced(reproduced: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy with a store of its own: what happens to it here is not for other modules' tests."""
    return reproduced.copy(tmp_path_factory.mktemp("copy") / "project")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("server"))
    started.start()
    yield started
    started.send(signal.SIGKILL)


@dataclass
class Outcome:
    """How a stage ended."""

    waited: float  # seconds in which its main thread had nothing to do
    said: str  # on both streams, but for the line of each seed
    code: int
    files: dict[str, str]  # their hashes


def stage(
    project: Project,
    uri: str,
    *module: str,
    outputs: str = f"runs/{VARIANT}",
    during: Callable[[], object] = lambda: None,
) -> Outcome:
    """Run a stage's program with the store at `uri`; `during` is called when it has begun."""
    for name in project.tree(outputs):
        (project.root / name).unlink()
    used = project.root / ".dvc/tmp/schedstat"
    begin = time.perf_counter()
    process = project.start(
        "python", "-m", *(module or ("stages.train", f"train@{VARIANT}", "--force")),
        MLFLOW_TRACKING_URI=uri, TESTS_SCHEDSTAT=str(used),
    )  # fmt: skip
    during()
    lines, _ = process.communicate()
    waited = time.perf_counter() - begin - busy(used)
    said = "".join(line for line in lines.splitlines(True) if not line.startswith("seed "))
    return Outcome(waited, said, process.returncode, project.tree(outputs))


def busy(schedstat: Path) -> float:
    """The seconds in which a program had work to do, whether it got a processor for it or not: what
    a busy machine takes longer is no outage."""
    running, queued, _ = schedstat.read_text().split()
    return (int(running) + int(queued)) / 1e9


@pytest.fixture(scope="module")
def undisturbed(reproduced: Project, server: Server) -> Outcome:
    """A training that a real server records, whole."""
    expected = reproduced.tree(f"runs/{VARIANT}")
    outcome = stage(reproduced, server.uri)
    assert outcome.said == ""
    assert outcome.files == expected
    assert [run.info.status for run in server.runs()] == ["FINISHED"] * 3
    return outcome


def check(outcome: Outcome, undisturbed: Outcome, whole: str = "its outputs are complete") -> None:
    """What holds in every outage."""
    lost = outcome.waited - undisturbed.waited
    print(f"lost {lost:.1f} s: {outcome.said}")
    assert outcome.code == 0
    assert outcome.files == undisturbed.files
    (line,) = outcome.said.strip().splitlines()
    assert line.startswith("warning: MLflow's store cannot be written")
    assert whole in line
    assert "branchmark sync" in line
    assert lost <= LIMIT


# The store is away from the start


@contextmanager
def refused(_: Path) -> Iterator[str]:
    """Nobody listens."""
    yield f"http://127.0.0.1:{free_port()}"


@contextmanager
def unroutable(_: Path) -> Iterator[str]:
    """Connections are not even refused, as by a firewall: the queue for them is full."""
    with ExitStack() as stack:
        deaf = stack.enter_context(closing(socket.socket()))
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _waiting in range(4):
            caller = stack.enter_context(closing(socket.socket()))
            caller.setblocking(False)
            caller.connect_ex(deaf.getsockname())
        yield f"http://127.0.0.1:{deaf.getsockname()[1]}"


@contextmanager
def answering(code: int, **headers: str) -> Iterator[str]:
    """A server that answers every request with an error."""

    class Failing(Handler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(code)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()

        do_GET = do_POST = do_PUT = do_PATCH = answer  # noqa: N815

    with listening(Failing) as address:
        yield address


@contextmanager
def errors(_: Path) -> Iterator[str]:
    with answering(500) as uri:
        yield uri


@contextmanager
def come_back_later(_: Path) -> Iterator[str]:
    """It asks for an hour of patience, and MLflow's own retries would grant it."""
    with answering(503, Retry_After="3600") as uri:
        yield uri


@contextmanager
def locked(folder: Path) -> Iterator[str]:
    """Another process is in the middle of a transaction; MLflow would wait 20 s a call."""
    with closing(sqlite3.connect(made(folder), isolation_level=None)) as database:
        database.execute("begin exclusive")
        yield f"sqlite:///{folder}/mlflow.db"


@contextmanager
def full(folder: Path) -> Iterator[str]:
    """The disk of the store is full."""
    disk = folder / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", disk]).returncode:
        pytest.skip("mounting a small disk needs the rights of root")
    try:
        made(disk)
        with (disk / "rest").open("wb", 0) as rest, suppress(OSError):
            while True:
                rest.write(bytes(4096))
        yield f"sqlite:///{disk}/mlflow.db"
    finally:
        subprocess.run(["umount", disk], check=True)


@contextmanager
def artifacts(folder: Path) -> Iterator[str]:
    """The database can be written and the folder of the artifacts cannot."""
    made(folder)
    shutil.rmtree(folder / "mlruns", ignore_errors=True)
    (folder / "mlruns").touch()  # not even root can write into it
    yield f"sqlite:///{folder}/mlflow.db"


def made(folder: Path) -> Path:
    """A fresh SQLite store."""
    from stages.tracking import store

    store.create(folder / "mlflow.db")
    return folder / "mlflow.db"


@pytest.mark.parametrize(
    "outage", [refused, unroutable, errors, come_back_later, locked, full, artifacts]
)
def test_a_store_that_is_away_costs_a_training_one_warning_and_some_seconds(
    reproduced: Project, undisturbed: Outcome, tmp_path: Path, outage: Any
) -> None:
    with outage(tmp_path) as uri:
        check(stage(reproduced, uri), undisturbed)


def test_a_store_that_is_away_costs_an_evaluation_one_warning_and_some_seconds(
    reproduced: Project, tmp_path: Path
) -> None:

    def evaluate(uri: str) -> Outcome:
        return stage(reproduced, uri, "stages.evaluate", outputs="reports")

    usual = evaluate(reproduced.uri())
    assert usual.said == ""
    with locked(tmp_path) as uri:
        check(evaluate(uri), usual, whole="the evaluation is complete in reports/")


# It goes away in the middle


def when_a_seed_has_begun(server: Server, then: Callable[[], object]) -> Callable[[], object]:
    """Do something while the first seed trains."""
    known = {run.info.run_id for run in server.runs()}

    def wait() -> None:
        def begun() -> bool:
            return any(
                "seed" in run.data.tags and run.info.run_id not in known for run in server.runs()
            )

        until(begun, 60, "no seed has begun")
        then()

    return wait


def test_a_server_paused_in_the_middle_is_not_waited_for(
    reproduced: Project, undisturbed: Outcome, server: Server
) -> None:
    """It accepts connections and never answers."""

    def paused() -> Outcome:
        pause = when_a_seed_has_begun(server, lambda: server.send(signal.SIGSTOP))
        try:
            return stage(reproduced, server.uri, during=pause)
        finally:
            server.send(signal.SIGCONT)
            until(server.answers, 30, "the server does not wake up")

    check(paused(), undisturbed)
    # Awake again, it may find in its queue that they are over
    assert {run.info.status for run in server.runs()[:2]} <= {"RUNNING", "FAILED"}


def test_a_server_killed_in_the_middle_is_not_waited_for_and_used_again_when_it_is_back(
    reproduced: Project, undisturbed: Outcome, server: Server
) -> None:
    def killed() -> Outcome:
        kill = when_a_seed_has_begun(server, lambda: server.send(signal.SIGKILL))
        try:
            return stage(reproduced, server.uri, during=kill)
        finally:
            server.start()

    check(killed(), undisturbed)
    assert [run.info.status for run in server.runs()[:2]] == ["RUNNING"] * 2
    outcome = stage(reproduced, server.uri)
    assert outcome.said == ""
    assert outcome.files == undisturbed.files
    assert [run.info.status for run in server.runs()[:3]] == ["FINISHED"] * 3


def test_when_the_server_is_back_one_sync_brings_everything_in_and_nothing_twice(
    reproduced: Project, server: Server
) -> None:
    """After the outages above: runs of dead processes, and variants that it never heard of."""
    sync = ("python", "-m", "stages.cli", "sync")
    reproduced.ok(*sync, MLFLOW_TRACKING_URI=server.uri)
    for variant in ("sgd-0.0", "sgd-0.3", "adam-0.0", VARIANT, "elu", "reused_frozen"):
        assert_whole(server.client, variant)
    assert "nothing to do" in reproduced.ok(*sync, MLFLOW_TRACKING_URI=server.uri)


# It is slow, old, or both


def test_a_server_far_away_that_knows_no_models_has_a_whole_record_and_sync_has_nothing_to_do(
    reproduced: Project, tmp_path: Path
) -> None:
    """0.3 s a request, and 404 to all that MLflow 3 brought; in the end, no room for files."""
    project = reproduced.copy(tmp_path / "project", store=False)
    project.keep(VARIANT)
    (tmp_path / "server").mkdir()
    server = Server(tmp_path / "server")
    server.start()
    way = Way(server.uri, 0.3, "logged-models|runs/outputs|/api/3.0/")
    try:
        with way.open() as uri:
            trained = stage(project, uri)
            (line,) = trained.said.splitlines()
            assert line.startswith("note: MLflow's server is older than MLflow 3")
            assert [run.info.status for run in server.runs()] == ["FINISHED"] * 3
            print(f"{len(way.asked)} requests")
            way.seconds = 0.0
            assert "live on +main" in project.ok("branchmark", "sync", MLFLOW_TRACKING_URI=uri)
            said = project.ok("branchmark", "sync", MLFLOW_TRACKING_URI=uri)
            assert said.startswith("nothing to do")
            (seed, *_) = (run for run in server.runs() if "seed" in run.data.tags)
            files = server.client.list_artifacts(seed.info.run_id, "model")
            assert "model/MLmodel" in {each.path for each in files}

            # Whatever a restoration fails at, it leaves nothing, however often it is tried
            for run in server.runs():
                server.client.delete_run(run.info.run_id)
            way.lacking, way.code = "mlflow-artifacts", 500
            for _again in range(2):
                result = project.run("branchmark", "sync", MLFLOW_TRACKING_URI=uri)
                assert result.returncode == 1
                assert "MLflow's store fails" in result.stderr
                assert server.runs() == []
            way.lacking = "^$"
            assert "restored" in project.ok("branchmark", "sync", MLFLOW_TRACKING_URI=uri)
            assert_whole(server.client, VARIANT)
    finally:
        server.send(signal.SIGKILL)
