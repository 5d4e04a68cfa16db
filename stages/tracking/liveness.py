"""The process that writes a run: recorded at its start, so that its end can be seen from outside.

SIGKILL, the kernel out of memory and a machine that goes down leave a run RUNNING for ever.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

import psutil

TAGS = ("host", "pid", "pid_started")
TOLERANCE = 2.0  # seconds: what a corrected clock may change in the time that a process started


def tags() -> dict[str, str]:
    """This process: its host, its number, and since when it has it, for numbers come again."""
    started = psutil.Process().create_time()
    return {"host": socket.gethostname(), "pid": str(os.getpid()), "pid_started": f"{started:.2f}"}


def gone(found: Mapping[str, str]) -> bool:
    """Whether the process that `found` (the tags of a run) names was on this host and is no more.

    Of a process on another host, or of tags that name none, nothing is known: it is not gone.
    """
    if found.get("host") != socket.gethostname() or not found.get("pid", "").isdigit():
        return False
    try:
        process = psutil.Process(int(found["pid"]))
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        started = float(found.get("pid_started", "nan"))
        return bool(abs(process.create_time() - started) > TOLERANCE)
    except psutil.NoSuchProcess:
        return True
    except (psutil.AccessDenied, ValueError):
        return False
