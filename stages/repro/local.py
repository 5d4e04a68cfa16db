"""Run stages on this machine, each in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Lock

from stages.core.redact import redacted
from stages.repro import capacity, epochs, preloaded
from stages.repro.schedule import Ended, Outcome
from stages.vcs import dvc

LOGS = Path(".dvc/tmp/repro")


class Local:
    """Threads that each wait for a DVC command.

    Args:
        jobs: how many; by default as many as the machine can take.
        force: also run what is up to date.
    """

    def __init__(self, jobs: int | None, force: bool) -> None:
        self.jobs = jobs or capacity.jobs()
        self.options = ["--force"] if force else []
        self.executor: Executor = ThreadPoolExecutor(self.jobs)
        self.dvc = PreloadedDvc(force)

    def slots(self) -> int:
        """Return the fixed number of threads."""
        return self.jobs

    def task(self, stage: str) -> Callable[[], Ended]:
        """Return a call of `dvc repro` for one stage; DVC restores it from its cache if it can."""
        return partial(self.dvc.reproduce, [stage], self.options, LOGS / f"{stage}.log")

    def finish(self, ended: dict[str, Future[Ended]]) -> dict[str, Outcome]:
        """Return how each ended, from DVC's output; the workspace already has the results."""
        return {stage: Outcome.of(*future.result()) for stage, future in ended.items()}

    def epochs(self, stage: str) -> int:
        """Return how many epochs have ended."""
        return epochs.ended(stage, Path())

    def close(self) -> None:
        """End all that still runs."""
        self.dvc.stop()
        self.executor.shutdown(cancel_futures=True)


class PreloadedDvc:
    """Processes that have imported DVC (`stages.repro.preloaded`), one for each command that runs
    at the same time; thread-safe.

    Args:
        force: stages also train what is already finished.
    """

    def __init__(self, force: bool = False) -> None:
        self.force = force
        self.lock = Lock()
        self.idle: list[subprocess.Popen[str]] = []
        self.started: list[subprocess.Popen[str]] = []
        self.stopped = False

    def reproduce(self, stages: list[str], options: list[str], log: Path) -> Ended:
        """Run `dvc repro` of these stages alone; return its exit code and redacted output."""
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
        code = self.run(log, "--wait-for-lock", "repro", "--single-item", *options, *stages)
        printed = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        text = redacted(printed)
        if text != printed:
            log.write_text(text, encoding="utf-8")
        return code, text or f"DVC exited without output, exit code {code}: was it killed?"

    def run(self, log: Path, *arguments: str) -> int:
        """Run a DVC command with its output in the file `log`; return its exit code."""
        with self.lock:
            if self.stopped:
                return -signal.SIGTERM
            process = self.idle.pop() if self.idle else self.start()
        with suppress(BrokenPipeError):
            print(json.dumps([str(log), *arguments]), file=process.stdin, flush=True)
        answer = process.stdout.readline() if process.stdout else ""
        if not answer:  # it was killed
            return process.wait() or 1
        with self.lock:
            self.idle.append(process)
        return int(answer)

    def start(self) -> subprocess.Popen[str]:
        """Start a process that finds this `python` first, even if no environment is active."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        env = os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1"}
        if self.force:
            env[dvc.FORCE] = "1"
        process = subprocess.Popen(
            [sys.executable, "-P", preloaded.__file__],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def stop(self) -> None:
        """End all processes; each ends the command that it runs."""
        with self.lock:
            self.stopped = True
        for process in self.started:
            with suppress(BrokenPipeError):
                process.stdin.close()  # type: ignore[union-attr]
        for process in self.started:
            process.wait()
