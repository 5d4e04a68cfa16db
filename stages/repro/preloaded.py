"""Import DVC once, which takes a second, and fork for each command.

Read one command per line (a JSON list of the log file and DVC's arguments), run it, and print its
exit code. When stdin ends, e.g. because `branchmark repro` was killed, end the command. This is run
as a file and imports nothing from this project.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from importlib import import_module

GRACE = 20.0  # seconds that a command has to end by itself
MODULES = (
    "configobj", "dulwich.index", "dvc.analytics", "dvc.cachemgr", "dvc.cli.parser",
    "dvc.commands.repro", "dvc.data_cloud", "dvc.dependency.param", "dvc.dirs", "dvc.lock",
    "dvc.output", "dvc.parsing", "dvc.repo.artifacts", "dvc.repo.datasets", "dvc.repo.metrics",
    "dvc.repo.params", "dvc.repo.plots", "dvc.repo.reproduce", "dvc.repo.stage", "dvc.rwlock",
    "dvc.schema", "dvc.stage.cache", "dvc.stage.run", "dvc.utils.strictyaml",
    "dvc_data.hashfile.build", "dvc_data.hashfile.db.local", "dvc_data.hashfile.status",
    "dvc_data.index", "networkx", "pyparsing", "ruamel.yaml", "scmrepo.git",
)  # fmt: skip


def main() -> None:
    """Run commands until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in MODULES:
        with suppress(ModuleNotFoundError):  # another DVC: commands import what they need
            import_module(name)
    import dvc.lock

    dvc.lock.DEFAULT_TIMEOUT = 0.3  # DVC polls its lock every sixth of this; its default is 3 s
    gc.freeze()
    while line := sys.stdin.readline():
        log, *arguments = json.loads(line)
        code = run(log, arguments)
        with suppress(BrokenPipeError):
            print(code, flush=True)


def run(log: str, arguments: list[str]) -> int:
    """Run a command in a process group of its own; return its exit code, negative if killed."""
    running, open_while_running = os.pipe()
    gone, open_while_waiting = os.pipe()
    group = os.fork()
    if not group:
        os.close(open_while_waiting)
        os._exit(command(log, arguments, gone))
    os.close(open_while_running)
    os.close(gone)
    with suppress(OSError):  # the child does this too, and may be first
        os.setpgid(group, group)
    ready, _, _ = select.select([running, sys.stdin], [], [])
    if running not in ready:
        end(group, running)
    os.close(running)
    code = os.waitstatus_to_exitcode(os.waitpid(group, 0)[1])
    os.close(open_while_waiting)
    if code < 0:  # it was killed, but its stage still runs
        end_group(group)
    return code


def command(log: str, arguments: list[str], gone: int) -> int:
    """Run a command in this forked process; return its exit code. If the pipe `gone` closes, the
    waiting process was killed: then end, with everything started here."""
    try:
        threading.Thread(target=watch, args=(gone,), daemon=True).start()
        with suppress(OSError):
            os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout.reconfigure(line_buffering=True, errors="replace")  # type: ignore[union-attr]
        from dvc.cli import main as dvc

        code = int(dvc(arguments))
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def watch(gone: int) -> None:
    """End this process group when a pipe closes."""
    os.read(gone, 1)
    end_group(os.getpgid(0))


def end_group(group: int) -> None:
    """Interrupt all processes of a group, as Ctrl-C does; kill those that outlive `GRACE`."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGINT)
        end = time.monotonic() + GRACE
        while time.monotonic() < end:
            time.sleep(0.1)
            os.killpg(group, 0)
        os.killpg(group, signal.SIGKILL)


def end(group: int, running: int) -> None:
    """Interrupt a command, as Ctrl-C does, so that DVC and the stages' programs clean up. When it
    has ended, or after `GRACE`, kill what is left of its group."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGINT)
        select.select([running], [], [], GRACE)
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
