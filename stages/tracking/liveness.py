"""The process that writes a run: recorded at its start, so that its end can be seen from outside.

SIGKILL, the kernel out of memory and a machine that goes down leave a run RUNNING for ever. A
process is known by the boot of its machine, the namespace in which it has its number, and the clock
ticks since the boot at which it began. Names of hosts come again (containers, clones of machines),
and clocks are corrected: they decide nothing.
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
    """Return this process: its number, what it is a number in, and since when it has it; the host
    is for people. What the system does not tell is left out."""
    pid = os.getpid()
    found = {"host": socket.gethostname(), "pid": str(pid), **place()}
    if since := started(pid):
        found["pid_started"] = since
    return found


def state(found: Mapping[str, str]) -> State:
    """Return whether the process that the tags of a run name still is.

    Of one of another boot, which may be another machine, of another namespace (a container), or of
    tags that do not tell, nothing is known.
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
    except PermissionError:  # another user's
        pass
    except OverflowError:
        return "unknown"
    now = started(int(number))
    if now is None:  # hidden from this user, or ended just now
        return "unknown"
    return "alive" if now == since else "gone"


@cache
def place() -> dict[str, str]:
    """Return the boot and the namespace in which processes have their numbers here; nothing where
    the system does not tell."""
    with suppress(OSError):
        # Else /proc is that of another namespace, and its numbers are others
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
    """Return when a process began: on Linux in clock ticks since the boot, "" for one that has
    ended and that nobody has waited for; None where the system does not tell."""
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
