"""The commands of docs/server.md: PostgreSQL, artifacts by the server, passwords, two people."""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.data.arrays import Split
from stages.tracking import runs
from stages.tracking import views as view
from tests.processes import free_port, until
from tests.project import ROOT, Project

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
ENCODING = ["--encoding", "UTF8", "--template", "template0"]  # psycopg needs it
pytestmark = pytest.mark.skipif(
    not BINARIES, reason="Debian's PostgreSQL is not installed (apt-get install postgresql)"
)


@contextmanager
def postgres(password: str) -> Iterator[str]:
    """A server of its own on the loopback; its address, for the databases `runs` and `users`."""
    as_owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    (folder / "password").write_text(password)
    if as_owner:
        owner = pwd.getpwnam("postgres")
        for path in (folder, folder / "password"):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    port, data = free_port(), folder / "data"

    def run(program: str, *arguments: str) -> None:
        command = [*as_owner, str(BINARIES[0] / program), *arguments]
        env = {"PGPASSWORD": password, "PATH": os.environ["PATH"]}
        subprocess.run(command, check=True, cwd=folder, env=env, stdout=subprocess.DEVNULL)

    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    where = ["-h", "127.0.0.1", "-p", str(port), "-U", "branchmark"]
    try:
        run("initdb", "-D", str(data), "-U", "branchmark", "-A", "scram-sha-256",
            "--pwfile", str(folder / "password"))  # fmt: skip
        run("pg_ctl", "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
        for name in ("runs", "users"):
            run("createdb", *where, *ENCODING, name)
        yield f"postgresql+psycopg://branchmark:{password}@127.0.0.1:{port}"
    finally:
        if data.exists():
            run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder)


@dataclass
class Server:
    """A tracking server of a team, and what its store and its log hold."""

    address: str
    database: str
    folder: Path
    passwords: dict[str, str]

    def person(self, name: str) -> dict[str, Any]:
        """The environment in which a person of the team works."""
        return {
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_TRACKING_USERNAME": name,
            "MLFLOW_TRACKING_PASSWORD": self.passwords[name],
            "USER": name,
        }

    def client(self) -> Any:
        """A client with the rights of the first person."""
        from mlflow import MlflowClient

        os.environ |= self.person("alice")
        return MlflowClient(self.address)

    def everything(self) -> bytes:
        """All that the store, the artifacts and the log hold."""
        import psycopg

        found = []
        with psycopg.connect(self.database.replace("+psycopg", "") + "/runs") as connection:
            tables = connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
            ).fetchall()
            for (table,) in tables:
                rows = connection.execute(f'SELECT * FROM "{table}"').fetchall()
                found.append(repr(rows).encode())
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return b"\n".join(found + [path.read_bytes() for path in files if path.name != "auth.ini"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """As docs/server.md starts it, with two people, alice and bob."""
    people = ("database", "admin", "alice", "bob")
    passwords = {name: secrets.token_urlsafe(18) for name in people}
    folder = tmp_path_factory.mktemp("server")
    kept = dict(os.environ)
    with postgres(passwords["database"]) as database:
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        (folder / "auth.ini").write_text(
            "[mlflow]\ndefault_permission = EDIT\nadmin_username = admin\n"
            "auth_cache_ttl_seconds = 60\n"
            f"database_uri = {database}/users\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        )
        env = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")} | {
            "MLFLOW_BACKEND_STORE_URI": f"{database}/runs",
            "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": passwords["admin"],
            "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", *command(), "--port", str(port), "--workers", "1",
                 "--artifacts-destination", str(folder / "artifacts")],
                env=env, cwd=folder, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            until(lambda: answers(address), 60, f"{folder}/log: the server does not start")
            from mlflow.server.auth.client import AuthServiceClient

            os.environ["MLFLOW_TRACKING_USERNAME"] = "admin"
            os.environ["MLFLOW_TRACKING_PASSWORD"] = passwords["admin"]
            for name in ("alice", "bob"):
                AuthServiceClient(address).create_user(name, passwords[name])
            yield Server(address, database, folder, passwords)
        finally:
            os.killpg(process.pid, 15)
            process.wait(timeout=30)
            os.environ.clear()
            os.environ |= kept


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/health", timeout=2)
    except OSError:
        return False
    return True


def command() -> list[str]:
    """The options of `mlflow server` in docs/server.md, without those that say where."""
    text = (ROOT / "docs/server.md").read_text()
    found = re.search(r"mlflow (server [^`]*?)\n```", text)
    assert found
    words = found[1].replace("\\\n", " ").split()
    i = words.index("--artifacts-destination")
    return words[:i] + words[i + 2 :]


def start(project: Project, env: dict[str, Any], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["branchmark", "sync", *arguments], cwd=project.root, env=project.env() | env,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def meanwhile(server: Server, insert: str, values: list[Any], call: Callable[[], Any]) -> None:
    """`call` while another process adds a row, which is there as soon as `call` waits for it."""
    import psycopg

    address = server.database.replace("+psycopg", "") + "/runs"
    with psycopg.connect(address) as other, ThreadPoolExecutor() as pool:
        other.execute(insert, values)
        called = pool.submit(call)
        while not other.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
            assert not called.done(), called.result() or "it did not add that row"
            time.sleep(0.05)
        other.commit()
        called.result()


def test_rows_that_two_processes_add_at_once_are_taken_by_both(server: Server) -> None:
    client = server.client()
    experiment = client.create_experiment("at once")
    run_id = client.create_run(experiment).info.run_id
    images, labels = np.zeros((2, 28, 28), np.uint8), np.zeros(2, np.uint8)
    digest = "0" * 36
    meanwhile(
        server,
        "INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type,"
        " dataset_source) VALUES (%s, %s, 'fashion-mnist', %s, 'code', '{}')",
        ["1" * 32, int(experiment), digest],
        lambda: runs.log_dataset(client, run_id, Split(images, labels), digest),
    )
    (taken,) = client.get_run(run_id).inputs.dataset_inputs
    assert (taken.dataset.digest, taken.dataset.source) == (digest, "{}")
    meanwhile(
        server,
        "INSERT INTO experiment_tags (experiment_id, key, value) VALUES (%s, %s, 'another')",
        [int(experiment), next(iter(view.lacking({})))],
        lambda: view.write(client, experiment),
    )
    assert view.lacking(client.get_experiment(experiment).tags) == {}


def test_two_peoples_sync_at_once_do_no_harm_and_no_password_is_kept_anywhere(
    server: Server, reproduced: Project, tmp_path: Path
) -> None:
    alice = reproduced.copy(tmp_path / "alice", store=False)
    alice.keep("sgd-0.0", "adam-0.3")
    bob = alice.copy(tmp_path / "bob", store=False)
    mine, his = server.person("alice"), server.person("bob")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{server.address}/api/2.0/mlflow/experiments/get?experiment_id=0")

    # Both make every run
    said = ""
    for process in [start(alice, mine), start(bob, his)]:
        out, _ = process.communicate(timeout=300)
        assert process.returncode == 0, out
        said += out
    said += alice.ok("branchmark", "sync", **mine)
    assert bob.ok("branchmark", "sync", **his).startswith("nothing to do")
    client = server.client()
    experiment = client.get_experiment_by_name("fashion-mnist")
    assert experiment.artifact_location.startswith("mlflow-artifacts:/")
    found = client.search_runs([experiment.experiment_id], max_results=1000)
    assert {run.info.status for run in found} == {"FINISHED"}
    live = [run for run in found if run.data.tags.get("live_on") == "|main|"]
    assert all("superseded" in run.data.tags for run in found if run not in live)
    count = Counter((run.data.tags["variant"], run.data.tags.get("seed")) for run in live)
    assert len(count) == 2 * 3
    assert set(count.values()) == {1}
    model = live[0].outputs.model_outputs[0].model_id
    files = {item.path for item in client.list_logged_model_artifacts(model)}
    assert {"MLmodel", "data"} <= files

    # A branch that only bob has is his to take off
    bob.git("branch", "his")
    bob.ok("branchmark", "sync", **his)
    query = "tags.live_on LIKE '%|his|%'"
    assert alice.ok("branchmark", "sync", **mine).startswith("nothing to do")
    assert len(client.search_runs([experiment.experiment_id], query)) == 2 * 3
    bob.git("branch", "-D", "his")
    bob.ok("branchmark", "sync", **his)
    assert client.search_runs([experiment.experiment_id], query) == []

    # A live training of a tree whose diff holds a password, and errors that quote an address
    with (alice.root / "dvc.yaml").open("a") as file:
        file.write(f"# http://alice:{mine['MLFLOW_TRACKING_PASSWORD']}@example.org\n")
    result = alice.run("python", "-m", "stages.train", "train@sgd-0.0", **mine)
    assert (result.returncode, result.stderr) == (0, "")
    (dirty, *_) = client.search_runs([experiment.experiment_id], "tags.dirty = 'true'")
    diff = client.download_artifacts(
        dirty.data.tags.get("mlflow.parentRunId", dirty.info.run_id), "uncommitted.diff"
    )
    assert "# http://***@example.org" in Path(diff).read_text()
    secret = mine["MLFLOW_TRACKING_PASSWORD"]
    nobody: dict[str, Any] = {"MLFLOW_TRACKING_URI": f"http://alice:{secret}@127.0.0.1:9"}
    for line in (["python", "-m", "stages.train", "train@sgd-0.0"], ["branchmark", "sync"]):
        result = alice.run(*line, **nobody)
        said += result.stdout + result.stderr
        assert "127.0.0.1" in result.stderr
        assert "Traceback" not in result.stderr
    kept = server.everything() + said.encode()
    assert b"adam-0.3 seed 2" in kept
    for name, password in server.passwords.items():
        assert password.encode() not in kept, f"the password of {name}"
