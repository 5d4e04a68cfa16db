"""Programs that run beside this one, each with all its children in a process group of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock, current_thread, main_thread

GRACE = 20.0  # seconds that they have for ending by themselves


class Children:
    """Starts programs and ends them all; safe for use from several threads."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.running: set[subprocess.Popen[bytes]] = set()
        self.stopped = False
        if current_thread() is main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # A shell ignores Ctrl-C for what it starts with `&`. Programs inherit that, and could
            # not be ended so; they do not inherit a handler
            signal.signal(signal.SIGINT, lambda *_: None)

    def run(self, command: list[str], log: Path, cwd: Path | None = None, **env: str) -> int:
        """Run a program to its end, its output at the end of the file `log`; its exit code."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            with self.lock:
                if self.stopped:
                    return -signal.SIGTERM
                process = subprocess.Popen(
                    command,
                    cwd=cwd,
                    env=os.environ | env,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                self.running.add(process)
            code = process.wait()
            with self.lock:
                self.running.remove(process)
        return code

    def stop(self) -> None:
        """End them all as Ctrl-C does, which DVC and the stages' programs clean up after; those
        that have not ended in time are killed."""
        with self.lock:
            self.stopped = True
            left = set(self.running)
        for process in left:
            send(process, signal.SIGINT)
        end = time.monotonic() + GRACE
        while self.running and time.monotonic() < end:
            time.sleep(0.05)
        for process in left:
            send(process, signal.SIGKILL)  # also what it started and did not wait for


def send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a program and all its children, if there are any left."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
