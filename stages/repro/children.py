"""Programs that run beside this one, each with all its children in a process group of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock

# Runs the command that it is given. Where its input ends, as when the process that started it is
# killed, it ends the command as Ctrl-C does, which DVC and the stages' programs clean up after, and
# kills it, with what that started and did not wait for, where it has not ended in 20 s. A shell
# ignores Ctrl-C for what it starts with `&`, and programs inherit that, but not a handler.
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
    """Starts programs and ends them all; safe for use from several threads. They end also where
    this process is killed."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.running: set[subprocess.Popen[bytes]] = set()
        self.stopped = False

    def run(self, command: list[str], log: Path, cwd: Path | None = None, **env: str) -> int:
        """Run a program to its end, its output at the end of the file `log`; its exit code, as a
        shell gives it."""
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
                os.killpg(process.pid, signal.SIGKILL)  # what it started and did not wait for
        return code

    def stop(self) -> None:
        """End them all; each ends the command that it runs."""
        with self.lock:
            self.stopped = True
            left = set(self.running)
            for process in left:
                process.stdin.close()  # type: ignore[union-attr]
        for process in left:
            process.wait()
