"""A real `mlflow server` that tests start, stop and pause."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests
from mlflow import MlflowClient

from tests.processes import free_port, until


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
