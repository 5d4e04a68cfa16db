"""Run programs beside this one, each with all its children in a process group of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock

# Runs a command. When stdin ends, e.g. because its parent was killed, it sends its process group
# SIGINT, as Ctrl-C does, so that DVC and the stages' programs clean up, and kills the group if the
# command has not ended after 20 s. Its handler does nothing but replace an ignored SIGINT, which a
# shell sets for what it starts with `&`: programs inherit that, but not a handler.
GUARD = """
import os, signal, subprocess, sys, threading, time
def end():
    os.read(0, 1)
    os.killpg(0, signal.SIGINT)
    time.sleep(20)
    os.killpg(0, signal.SIGKILL)
signal.signal(signal.SIGINT, lambda *_: None)
program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
threading.Thread(target=end, daemon=True).start()
code = program.wait()
os._exit(code if code >= 0 else 128 - code)
"""


class Children:
    """Starts programs and ends them all, even if this process is killed; thread-safe."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.running: set[subprocess.Popen[bytes]] = set()
        self.stopped = False

    def run(self, command: list[str], log: Path, cwd: Path | None = None, **env: str) -> int:
        """Run a program to its end and append its output to `log`. Return its exit code as a shell
        does: 128 + the signal's number if it was killed."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            with self.lock:
                if self.stopped:
                    return 128 + signal.SIGTERM
                process = subprocess.Popen(
                    [sys.executable, "-IS", "-c", GUARD, *command],
                    cwd=cwd,
                    env=os.environ | env,
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                self.running.add(process)
            code = process.wait()
            with self.lock:
                self.running.remove(process)
                process.stdin.close()  # type: ignore[union-attr]
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # what it left running
        return code

    def stop(self) -> None:
        """End all programs and wait for them."""
        with self.lock:
            self.stopped = True
            left = set(self.running)
            for process in left:
                process.stdin.close()  # type: ignore[union-attr]
        for process in left:
            process.wait()
