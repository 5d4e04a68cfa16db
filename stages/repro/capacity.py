"""How many stages this machine can run side by side: each computes on one thread."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

MEMORY = 1.3e9  # bytes that a training takes
CGROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def jobs() -> int:
    """Return how many stages there are processors and memory for; at least 1.

    Measured on 2 cores with six stages of 5 epochs: 137 s one at a time, 71 s two, 73 s three, 78 s
    four.
    """
    memory = min([psutil.virtual_memory().available, *limits("memory.max")])
    quota = limits("cpu.max")
    return max(1, int(min([processors(), *quota, memory / MEMORY])))


def processors() -> int:
    """Return how many processors this program may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limits(name: str, root: Path = CGROUPS, own: Path = OWN) -> list[float]:
    """Return the limits that a container sets: of memory in bytes, of processors in their number.

    Args:
        name: `memory.max` or `cpu.max` of a control group.
        root: where control groups are mounted.
        own: the file that names this process's own.
    """
    return [
        float(first) / float(rest[0] if rest else 1)
        for first, *rest in (text.split() for text in texts(name, root, own))
        if first != "max"
    ]


def texts(name: str, root: Path, own: Path) -> Iterator[str]:
    """Go through the files of this name in the process's own control group and those above it."""
    try:
        lines = own.read_text().splitlines()
    except OSError:  # not Linux
        return
    path = next((line[3:] for line in lines if line.startswith("0::")), "/")
    group = root / path.lstrip("/")
    for folder in (group, *group.parents):
        if folder.is_relative_to(root) and (folder / name).is_file():
            yield (folder / name).read_text()
