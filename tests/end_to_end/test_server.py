"""The commands of docs/server.md as they are printed, but for names, ports and folders: PostgreSQL,
artifacts by the server, TLS by nginx, passwords, two people."""

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
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from stages.data.arrays import Split
from stages.tracking import runs
from stages.tracking import views as view
from tests.processes import free_port, until
from tests.project import ROOT, Project

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = pytest.mark.skipif(
    not BINARIES or not NGINX,
    reason="Debian's PostgreSQL and nginx are not installed (apt-get install postgresql nginx)",
)
API = "/api/2.0/mlflow/experiments"


@contextmanager
def postgres() -> Iterator[dict[str, str]]:
    """A server of its own on the loopback; what its programs take to do as its owner says."""
    as_owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    password = secrets.token_urlsafe(18)
    (folder / "password").write_text(password)
    if as_owner:
        owner = pwd.getpwnam("postgres")
        for path in (folder, folder / "password"):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    port, data = free_port(), folder / "data"

    def run(program: str, *arguments: str) -> None:
        command = [*as_owner, str(BINARIES[0] / program), *arguments]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)

    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    try:
        run("initdb", "-D", str(data), "-U", "postgres", "-A", "scram-sha-256",
            "--pwfile", str(folder / "password"))  # fmt: skip
        run("pg_ctl", "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
        yield {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "postgres",
               "PGPASSWORD": password}  # fmt: skip
    finally:
        if data.exists():
            run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder)


@dataclass
class Page:
    """The blocks of docs/server.md, with the ports and the folder of a test."""

    folder: Path
    database: str  # ports
    server: int
    proxy: int

    def block(self, what: str) -> str:
        """The block that has these words."""
        blocks = re.findall(
            r"^```\w+\n(.*?)^```", (ROOT / "docs/server.md").read_text(), re.M | re.S
        )
        text: str
        (text,) = (block for block in blocks if what in block)
        for pattern, here in (
            (r"apt-get install.*\n", ""),
            (r"runuser -l postgres -c (['\"])(.*)\1", r"\2"),
            ("/srv/branchmark", str(self.folder)),
            (":5432", f":{self.database}"),
            ("127.0.0.1:5000", f"127.0.0.1:{self.server}"),
            (
                "mlflow server (.*)--port 5000",
                rf"exec mlflow server --workers 1 \1--port {self.server}",
            ),
            ("server_name mlflow.example.org", "server_name localhost"),
            ("listen 443", f"listen 127.0.0.1:{self.proxy}"),
            ("mlflow.example.org", f"localhost:{self.proxy}"),
        ):
            text = re.sub(pattern, here, text)
        return text

    def run(self, what: str, said: str = "", alice: str = "alice", **env: str) -> None:
        """Run that block in a shell, whose input is what a person says."""
        command = ["bash", "-e", "-c", self.block(what).replace("alice", alice)]
        subprocess.run(
            command, cwd=self.folder, env=environment() | env, input=said, text=True, check=True,
            start_new_session=True,
        )  # fmt: skip


def environment() -> dict[str, str]:
    """This process's, without MLflow's variables."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    return env | {"PATH": f"{Path(sys.executable).parent}:{BINARIES[0]}:{env['PATH']}"}


@dataclass
class Server:
    """A tracking server of a team, and what its store and its log hold."""

    address: str
    database: str
    folder: Path
    passwords: dict[str, str]

    @property
    def certificate(self) -> str:
        return str(self.folder / "tls.crt")

    def person(self, name: str) -> dict[str, Any]:
        """The environment in which a person of the team works."""
        return {
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_TRACKING_USERNAME": name,
            "MLFLOW_TRACKING_PASSWORD": self.passwords[name],
            "MLFLOW_TRACKING_SERVER_CERT_PATH": self.certificate,
            "USER": name,
        }

    def client(self) -> Any:
        """A client with the rights of the first person."""
        from mlflow import MlflowClient

        os.environ |= self.person("alice")
        return MlflowClient(self.address)

    def asked(self, method: str, path: str, name: str = "", **options: Any) -> int:
        """What it answers to a person, or to nobody."""
        auth = (name, self.passwords[name]) if name else None
        return requests.request(
            method, self.address + path, auth=auth, verify=self.certificate, timeout=5, **options
        ).status_code

    def answers(self) -> bool:
        try:
            return self.asked("GET", "/health") == 200
        except requests.RequestException:
            return False

    def everything(self) -> bytes:
        """All that the store, the artifacts and the log hold."""
        import psycopg

        found = []
        with psycopg.connect(self.database) as connection:
            tables = connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
            ).fetchall()
            for (table,) in tables:
                rows = connection.execute(f'SELECT * FROM "{table}"').fetchall()
                found.append(repr(rows).encode())
        own = (".secret", ".ini", ".key")
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return b"\n".join(found + [path.read_bytes() for path in files if path.suffix not in own])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """As docs/server.md starts it, with two people, alice and bob."""
    folder = tmp_path_factory.mktemp("server")
    kept = dict(os.environ)
    with postgres() as owner:
        page = Page(folder, owner["PGPORT"], free_port(), free_port())
        page.run("CREATE ROLE", **owner)
        page.run("auth.ini <<END")
        passwords = {name: (folder / f"{name}.secret").read_text().strip()
                     for name in ("database", "admin")}  # fmt: skip
        passwords |= {name: secrets.token_urlsafe(18) for name in ("alice", "bob")}
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
             "-keyout", folder / "tls.key", "-out", folder / "tls.crt"],
            check=True, capture_output=True,
        )  # fmt: skip
        database = f"postgresql://branchmark:{passwords['database']}@127.0.0.1:{page.database}/runs"
        made = Server(f"https://localhost:{page.proxy}", database, folder, passwords)
        with (folder / "log").open("wb") as log:
            started = [
                subprocess.Popen(
                    command, env=environment(), cwd=folder, stdout=log, stderr=log,
                    start_new_session=True,
                )
                for command in (
                    ["bash", "-e", "-c", page.block("mlflow server --host")],
                    [str(NGINX), "-e", str(folder / "nginx.log"), "-c", str(proxy(page))],
                )
            ]  # fmt: skip
        try:
            until(made.answers, 60, f"{folder}/log: the server does not start")
            for name in ("alice", "bob"):
                page.run("getpass", f"{passwords[name]}\n", alice=name)
            yield made
        finally:
            for process in started:
                os.killpg(process.pid, 15)
                process.wait(timeout=30)
            os.environ.clear()
            os.environ |= kept


def proxy(page: Page) -> Path:
    """nginx's settings about the block of the page, in the foreground and in one folder."""
    file = page.folder / "nginx.conf"
    temporary = "".join(
        f"{kind}_temp_path {page.folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    file.write_text(
        f"{user}daemon off;\npid {page.folder}/nginx.pid;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{page.block('ssl_certificate')}}}\n"
    )
    return file


def meanwhile(server: Server, insert: str, values: list[Any], call: Callable[[], Any]) -> None:
    """`call` while another process adds a row, which is there as soon as `call` waits for it."""
    import psycopg

    with psycopg.connect(server.database) as other, ThreadPoolExecutor() as pool:
        other.execute(insert, values)
        called = pool.submit(call)
        while not other.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
            assert not called.done(), called.result() or "it did not add that row"
            time.sleep(0.05)
        other.commit()
        called.result()


def test_only_people_with_a_password_come_in_by_the_servers_name_and_from_its_own_pages(
    server: Server,
) -> None:
    get, create = f"{API}/get?experiment_id=0", f"{API}/create"
    assert server.asked("GET", get) == 401
    assert server.asked("GET", get, "alice") == 200
    assert server.asked("GET", get, "alice", headers={"Host": "evil.example.org"}) == 403
    for origin, status in (("https://evil.example.org", 403), (server.address, 200)):
        own = {"json": {"name": origin}, "headers": {"Origin": origin}}
        assert server.asked("POST", create, "alice", **own) == status
    large = {"data": bytes(3_000_000), "headers": {"Origin": "https://evil.example.org"}}
    assert server.asked("POST", create, "alice", **large) == 403  # before the server has read it
    port = server.address.rpartition(":")[2]
    assert requests.get(f"http://localhost:{port}/health", timeout=5).status_code == 400  # no TLS


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

    # Both make every run
    said = ""
    command = ("branchmark", "sync")
    for process in [alice.start(*command, **mine), bob.start(*command, **his)]:
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
