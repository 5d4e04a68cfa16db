"""Record which process writes a run, so that others can see when that process is gone.

SIGKILL, the out-of-memory killer and a machine that goes down leave a run RUNNING for ever. A
process is identified by its machine's boot, its PID and PID namespace, and its start in clock ticks
since the boot. Host names recur (containers, cloned machines) and clocks are corrected, so neither
decides anything.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Literal

import psutil

TAGS = ("host", "boot", "pid_namespace", "pid", "pid_started")
PROC = Path("/proc")
State = Literal["alive", "gone", "unknown"]


def tags() -> dict[str, str]:
    """Return the tags that identify this process: boot, PID namespace, PID and start. The host is
    only for people to read. Leave out what the system does not tell."""
    pid = os.getpid()
    found = {"host": socket.gethostname(), "pid": str(pid), **place()}
    if since := started(pid):
        found["pid_started"] = since
    return found


def state(found: Mapping[str, str]) -> State:
    """Return whether the process that a run's tags name is still alive.

    This is unknown for another boot, which may be another machine, for another namespace (a
    container), and for tags that do not identify a process.
    """
    here = place()
    if not here or any(found.get(tag) != value for tag, value in here.items()):
        return "unknown"
    number, since = found.get("pid", ""), found.get("pid_started")
    if not (number.isascii() and number.isdecimal() and since) or int(number) < 1:
        return "unknown"
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return "gone"
    except PermissionError:  # it exists, but is another user's
        pass
    except OverflowError:
        return "unknown"
    now = started(int(number))
    if now is None:  # hidden from this user, or ended just now
        return "unknown"
    return "alive" if now == since else "gone"


@cache
def place() -> dict[str, str]:
    """Return this machine's boot and, on Linux, this process's PID namespace; nothing if the system
    does not tell."""
    with suppress(OSError):
        # /proc may be that of another namespace, where PIDs mean other processes
        if os.readlink(PROC / "self") != str(os.getpid()):
            return {}
        boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return {"boot": boot, "pid_namespace": str((PROC / "self/ns/pid").stat().st_ino)}
    if sys.platform == "darwin":
        with suppress(OSError, subprocess.SubprocessError):
            command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
            said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=5)
            return {"boot": said.stdout.strip()}
    return {}


def started(pid: int) -> str | None:
    """Return when a process began: on Linux in clock ticks since the boot ("" for a zombie),
    elsewhere in seconds since 1970; None if the system does not tell."""
    if sys.platform != "linux":
        try:
            return f"{psutil.Process(pid).create_time():.6f}"
        except psutil.Error:
            return None
    try:
        stat = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]
