"""A real `mlflow server` that tests start, stop and pause, and a long or narrow way to it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from mlflow import MlflowClient

from tests.processes import Handler, free_port, listening, until


class Server:
    """A real tracking server with a database and artifacts of its own, at one address for ever."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.client = MlflowClient(self.uri)

    def start(self) -> None:
        command = [
            "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1",
            "--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db",
            "--artifacts-destination", str(self.folder / "artifacts"),
        ]  # fmt: skip
        env = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
        env |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=env, stdout=log, stderr=log, start_new_session=True
            )
        until(self.answers, 60, f"{self.folder}/log: the server does not start")

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.uri}/health", timeout=1).ok
        except requests.RequestException:
            return False

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server and its workers."""
        os.killpg(self.process.pid, number)
        if number == signal.SIGKILL:
            self.process.wait()

    def runs(self) -> list[Any]:
        experiment = self.client.get_experiment_by_name("fashion-mnist")
        if experiment is None:
            return []
        return list(self.client.search_runs([experiment.experiment_id], max_results=1000))


class Way:
    """An address at which a server is away by some seconds a request, and lacks some of its paths.

    Attributes:
        seconds: that each request takes longer.
        lacking: what matches this is answered with `code`, as by a server that does not know it.
        asked: the paths that were asked for.
    """

    def __init__(
        self, uri: str, seconds: float = 0.0, lacking: str = "^$", code: int = 404
    ) -> None:
        self.uri, self.seconds, self.lacking, self.code = uri, seconds, lacking, code
        self.asked: list[str] = []

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, str, bytes]:
        """Return status, type and body."""
        self.asked.append(path)
        time.sleep(self.seconds)
        if re.search(self.lacking, path):
            return self.code, "text/html", b"<h1>Not Found</h1>"
        sent = {key: value for key, value in headers.items() if key.lower() == "content-type"}
        there = requests.request(method, self.uri + path, headers=sent, data=body, timeout=60)
        return there.status_code, there.headers.get("Content-Type", ""), there.content

    @contextmanager
    def open(self) -> Iterator[str]:
        """Listen at an address of its own."""
        way = self

        class Passing(Handler):
            protocol_version = "HTTP/1.1"

            def pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, kind, content = way.answer(self.command, self.path, self.headers, body)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on  # noqa: N815

        with listening(Passing) as address:
            yield address
