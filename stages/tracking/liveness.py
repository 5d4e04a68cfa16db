"""The process that writes a run: recorded at its start, so that its end can be seen from outside.

SIGKILL, the kernel out of memory and a machine that goes down leave a run RUNNING for ever.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

import psutil

TAGS = ("host", "pid", "pid_started")
TOLERANCE = 2.0  # seconds: what a corrected clock may change in the time that a process started
PROC = Path("/proc")


def tags() -> dict[str, str]:
    """Return this process: its host, its number, and since when it has it, for numbers come
    again."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": str(pid), "pid_started": started(pid)}


def started(pid: int) -> str:
    """Return what only this process of this number has: on Linux boot, namespace and the clock
    ticks since the boot, which no correction of the clock changes; elsewhere the time.

    Raises:
        psutil.NoSuchProcess: there is none.
    """
    if not (scope := namespace()):
        return f"{psutil.Process(pid).create_time():.2f}"
    try:
        stat = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        raise psutil.NoSuchProcess(pid) from None
    return f"{scope} {stat.rpartition(')')[2].split()[19]}"


def namespace() -> str:
    """Return boot and namespace in which this process numbers others; "" where there are none."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot} {(PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def gone(found: Mapping[str, str]) -> bool:
    """Whether the process that `found` (the tags of a run) names was on this host and is no more.

    Of a process on another host or in another namespace (a container), or of tags that name none,
    nothing is known: it is not gone.
    """
    if found.get("host") != socket.gethostname() or not found.get("pid", "").isdigit():
        return False
    pid, then = int(found["pid"]), found.get("pid_started", "")
    boot, _, rest = then.partition(" ")
    scope = namespace()
    if rest and scope:
        if boot != scope.split()[0]:  # the machine has been down since
            return True
        if rest.split()[0] != scope.split()[1]:
            return False
    try:
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        if rest:
            return started(pid) != then
        return bool(abs(psutil.Process(pid).create_time() - float(then or "nan")) > TOLERANCE)
    except psutil.NoSuchProcess:
        return True
    except (psutil.AccessDenied, ValueError):
        return False
